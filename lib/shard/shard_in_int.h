/*
 * What reading a shard's segments (shard_in.c) shares with reading a block of documents
 * (shard_in_block.c).
 */
#ifndef SHARD_IN_INT_H
#define SHARD_IN_INT_H

#include <zlib.h>
#include "base/hash.h"
#include "base/le.h"
#include "io/in.h"
#include "shard/shard_int.h"

struct shard_in {
    struct in *in;
    struct shard_head head, later; /* of the first segment, of a later one; own their strings */
    struct shard_head *segment;    /* the present one of these two */
    int (*each)(void *user, const struct shard_head *h, struct err *e);
    void *each_user;

    /* The present segment. */
    uint32_t features, id_limit;
    uint64_t segment_start;
    uint64_t n_docs, n_tokens, id_bound; /* of it so far; documents that ended */
    uint32_t n_blocks;
    struct shard_sum sum;
    struct hash_state *index_hash;
    struct shard_block block; /* the header read last */
    uint64_t block_offset;
    bool block_waits; /* its payload is still to be read */
    bool in_segment;
    bool open_doc; /* the last DOCS block set the flag that its last document goes on */

    /* The present block of documents. */
    unsigned char *raw, *packed;
    size_t raw_cap, packed_cap;
    uint32_t *ids;
    size_t ids_cap;
    const uint32_t *block_ids;
    const uint8_t *block_weights;
    uint32_t at_doc, at_token;
    z_stream z;
    bool z_on;

    /* A document that several blocks hold, put together. */
    uint32_t *whole;
    uint8_t *whole_weights;
    size_t whole_cap, whole_weights_cap;

    struct shard_totals before; /* of complete segments, without checksum and n_bytes */
    struct shard_fold fold;
    bool ended;
    struct err failed; /* the first error; it stays */
};

static inline unsigned long long shard_ull(uint64_t v)
{
    return v;
}

/* The length of document i of the present block. */
static inline uint32_t shard_in_doc_len(const struct shard_in *s, uint32_t i)
{
    return le32_get(s->raw + (size_t)i * 4);
}

/* Puts "FILE: at byte N: " before what went wrong with the structure that begins at offset. */
int shard_in_at(struct shard_in *s, uint64_t offset, struct err *e);
int shard_in_truncated(struct shard_in *s, const char *within, struct err *e);
/* n bytes; fewer are an error: the shard ends within `within`. */
int shard_in_read(struct shard_in *s, void *p, size_t n, const char *within, struct err *e);
/* Whether the present block's payload has the CRC that its header says. */
int shard_in_check_payload(struct shard_in *s, uint32_t crc, struct err *e);
/* Reads, checks and unpacks the block of documents whose header was read last. */
int shard_in_load_docs(struct shard_in *s, struct err *e);

#endif
