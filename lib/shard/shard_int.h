/*
 * The layout of shard(5) as structs, and the one place that turns them into bytes and back.
 * The get functions check everything that can be checked without other parts of the file and
 * fill err with what is wrong, without file name or offset: the caller prefixes these.
 */
#ifndef SHARD_INT_H
#define SHARD_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"
#include "quern/shard.h"

enum {
    SHARD_VERSION = 1,
    SHARD_ALIGN = 64,
    SHARD_HEAD_MIN = 128,
    SHARD_HEAD_MAX = 1 << 20,
    SHARD_HEAD_FIXED = 80, /* where the provenance begins */
    SHARD_BLOCK_HEAD = 64,
    SHARD_FOOTER = 64,
    SHARD_INDEX_ENTRY = 24,
    SHARD_DOCS_MAX = 4 << 20,    /* raw payload of a DOCS block that a reader takes */
    SHARD_DOCS_FULL = 1 << 20,   /* columns without padding at which the writer closes a block */
    SHARD_OTHER_MAX = 256 << 20, /* payload of other blocks, except the end block */
};
#define SHARD_NO_ID UINT32_MAX /* not an id: ends a document in the checksum */

enum { SHARD_FEATURE_WEIGHTS = 1, SHARD_FEATURE_DEFLATE = 2, SHARD_FEATURES = 3 };
enum { SHARD_CODEC_RAW, SHARD_CODEC_DEFLATE };
enum { SHARD_CONTINUES = 1, SHARD_GOES_ON = 2 };

/* The first letter is the lowest byte; a small one marks a block that may be passed over. */
#define SHARD_DOCS          0x53434f44u /* "DOCS" */
#define SHARD_TOKJ          0x6a6b6f74u /* "tokj" */
#define SHARD_ENDS          0x53444e45u /* "ENDS" */
#define SHARD_OPTIONAL_TYPE 0x20u

static inline uint64_t shard_pad(uint64_t n)
{
    return (n + (SHARD_ALIGN - 1)) & ~(uint64_t)(SHARD_ALIGN - 1);
}

/* The first 16 bytes: 0 = a segment of this version with *len bytes of header. */
int shard_magic_get(const unsigned char p[16], size_t *len, struct err *e);
/* An error: n bytes, at most 16, that begin no shard, but text perhaps. */
int shard_not_one(const unsigned char *p, size_t n, struct err *e);
/* A whole header. h borrows its provenance from p's copy: provenance and its length are given
 * apart, since the bytes are not NUL-terminated. */
int shard_head_get(const unsigned char *p, size_t len, struct shard_head *h, uint32_t *features,
                   const char **provenance, size_t *n_provenance, struct err *e);
/* The header's bytes; provenance over the limit loses its oldest lines. Caller frees. */
unsigned char *shard_head_put(const struct shard_head *h, uint32_t features, size_t *len,
                              struct err *e);

struct hash_state;

struct shard_block {
    uint32_t type;
    uint8_t codec, flags;
    uint32_t stored, raw; /* bytes of payload */
    uint32_t n_docs, n_tokens;
    uint64_t tokens_before, docs_before;
    uint32_t crc;
};
/* width and features of the segment give a DOCS block's raw length. */
int shard_block_get(const unsigned char p[64], int width, uint32_t features, struct shard_block *b,
                    struct err *e);
void shard_block_put(unsigned char p[64], const struct shard_block *b);
/* Raw length of a DOCS payload. */
uint64_t shard_docs_bytes(uint64_t n_docs, uint64_t n_tokens, int width, bool weights);
void shard_index_put(unsigned char p[24], uint64_t offset, uint64_t tokens_before,
                     uint64_t docs_before);

struct shard_footer {
    uint64_t segment_bytes, end_offset;
    uint64_t n_docs, n_tokens, checksum, id_bound;
    uint32_t n_index;
};
int shard_footer_get(const unsigned char p[64], struct shard_footer *f, struct err *e);
void shard_footer_put(unsigned char p[64], const struct shard_footer *f);

/* The checksum over segments: first of all shard_fold_init, then each segment in order. */
struct shard_fold {
    uint64_t value;
    bool any; /* a segment with documents has been folded in */
};
void shard_fold_init(struct shard_fold *f);
void shard_fold_add(struct shard_fold *f, uint64_t n_docs, uint64_t checksum);

/* The checksum of a segment while its documents pass. Short documents are gathered, since a call
 * of the hash costs more than copying them. */
struct shard_sum {
    struct hash_state *hash;
    uint32_t n;
    uint32_t some[1024];
};
int shard_sum_init(struct shard_sum *c, struct err *e); /* again and again; the first time zeroed */
void shard_sum_ids(struct shard_sum *c, const uint32_t *ids, size_t n);
void shard_sum_end_doc(struct shard_sum *c);
uint64_t shard_sum_get(struct shard_sum *c);
void shard_sum_release(struct shard_sum *c);

/* n ids from bytes on disk (width 2 or 4) to ids and back; returns the largest id, 0 for none.
 * dst and src do not overlap. */
uint32_t shard_ids_get(uint32_t *dst, const unsigned char *src, size_t n, int width);
uint32_t shard_ids_put(unsigned char *dst, const uint32_t *src, size_t n, int width);
bool shard_host_is_le(void);
uint32_t shard_ids_max(const uint32_t *ids, size_t n);

/* Whether a segment with head h may stand behind one with head first. */
int shard_may_follow(const struct shard_head *first, const struct shard_head *h, struct err *e);

#endif
