/*
 * Token shards, format version 1: shard(5) specifies every byte.
 *
 * Writing:
 *     struct shard_head h = {.vocab_size = 32000, .bos = -1, .eos = -1, .pad = -1,
 *                            .provenance = "tokenize 0.1.0\n"};
 *     struct shard_out *o = shard_create("x.tok", &h, 0, e);   "-" is stdout
 *     shard_put(o, ids, NULL, n, e) ...                        a document each; n may be 0
 *     shard_commit(o, &totals, e);                             or shard_abort(o)
 * The file appears whole or not at all; its bytes depend on the head, the flags and the documents,
 * not on how they were cut into calls.
 *
 * Reading, any stream (pipes too), document by document or in pieces of bounded size:
 *     struct shard_in *s = shard_open("x.tok", e);             "-" or NULL is stdin
 *     while ((r = shard_next(s, &doc, e)) > 0) ...             1 = document, 0 = end, -1 = error
 *     shard_close(s);
 * Every block's CRC, every count and, at the end of a segment, the checksum are verified. A stream
 * that ends without its end block is an error; everything before it has been given out.
 * Segments behind each other (cat a.tok b.tok) read as one stream, on the conditions that shard(5)
 * names; what head, ids and weights promise holds for the whole stream.
 */
#ifndef QUERN_SHARD_H
#define QUERN_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

struct shard_head {
    uint64_t vocab_size;           /* ids are below it; 0: not known (imported without saying) */
    int64_t bos, eos, pad;         /* -1: none */
    unsigned char fingerprint[16]; /* all zero: made without a tokenizer */
    const char *provenance; /* a line a program, each ending in "\n"; "" allowed; never NULL */
    bool has_weights;       /* documents carry a weight (0..255, /255) per token: a loss mask */
    int width; /* bytes of an id on disk, 2 or 4. Creating: 0 = 2 if vocab_size allows */
    /* Creating: the tokenizer.json to embed, or NULL. Of a head that was read it is NULL:
     * shard_tokenizer() unpacks what tokenizer_z holds. */
    const char *tokenizer;
    size_t tokenizer_len; /* of the tokenizer.json, uncompressed; 0: none is embedded */
    /* The embedded tokenizer.json as it stands in a shard; creating, it is passed on as it is. */
    const unsigned char *tokenizer_z;
    size_t tokenizer_z_len;
    bool tokenizer_raw; /* tokenizer_z is not deflated */
};

struct shard_totals {
    uint64_t n_docs, n_tokens;
    uint64_t checksum;   /* of ids and document boundaries in order, shard(5) */
    uint64_t id_bound;   /* largest id plus 1; 0 without tokens */
    uint64_t n_segments; /* complete ones */
    uint64_t n_bytes;    /* of the shard itself */
};

enum shard_flags {
    SHARD_DEFLATE = 1, /* blocks are deflated where that makes them smaller */
};
struct shard_out;
/* h and what it points to are not needed after the call. */
struct shard_out *shard_create(const char *path, const struct shard_head *h, int flags,
                               struct err *e);
/* weights: n bytes, or NULL for 255 throughout; without has_weights it must be NULL. */
int shard_put(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
              struct err *e);
/* A document in pieces: any number of shard_part calls, then shard_part_end. */
int shard_part(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
               struct err *e);
int shard_part_end(struct shard_out *o, struct err *e);
/* Of what was written so far; n_segments and n_bytes count the segment as if it were complete
 * only after shard_commit. */
void shard_out_totals(struct shard_out *o, struct shard_totals *t);
int shard_commit(struct shard_out *o, struct shard_totals *t, struct err *e); /* frees o */
void shard_abort(struct shard_out *o);                                        /* NULL is allowed */

struct shard_doc {
    const uint32_t *ids;
    const uint8_t *weights; /* NULL: none, as if each were 255 */
    size_t n;
    bool first, last; /* of pieces: whether the document begins, ends here; both for a whole one */
};                    /* valid until the next call */

struct shard_in;
/* Reads the header and the embedded tokenizer of the first segment. */
struct shard_in *shard_open(const char *path, struct err *e);
/* The same of an input that is open (lib/io/in.h) and of which nothing was taken; it is closed in
 * any case. */
struct in;
struct shard_in *shard_open_in(struct in *in, struct err *e);
const struct shard_head *shard_head(const struct shard_in *s); /* of the first segment */
int shard_next(struct shard_in *s, struct shard_doc *d, struct err *e);
/* The same in pieces of at most a block (2 Mi tokens; 512 Ki as written here), for documents
 * larger than memory. Not to be mixed with shard_next within one document. */
int shard_next_piece(struct shard_in *s, struct shard_doc *d, struct err *e);
/* Of what was read so far: the checksum covers complete segments, n_docs ended documents. */
void shard_totals(const struct shard_in *s, struct shard_totals *t);
const char *shard_name(const struct shard_in *s); /* path, or "stdin" */
/* For progress: bytes read, and the size of a regular file (else 0). */
void shard_progress(const struct shard_in *s, uint64_t *done_bytes, uint64_t *total_bytes);
/* fn sees the head of every segment with its own tokenizer: of the first one at once, of later
 * ones as they are reached. What it returns below 0 is the error of that call or of shard_next. */
int shard_each_segment(struct shard_in *s,
                       int (*fn)(void *user, const struct shard_head *h, struct err *e), void *user,
                       struct err *e);
void shard_close(struct shard_in *s); /* NULL is allowed */

/* A regular file's head (of its first segment) and totals from its footers, without reading the
 * blocks; segments are combined as in reading. h or t may be NULL. -1 if path is not a regular
 * file, has no footer, or its footers contradict its headers. */
int shard_peek(const char *path, struct shard_head *h, struct shard_totals *t, struct err *e);
void shard_head_release(struct shard_head *h); /* of a head that shard_peek filled */

/* The tokenizer.json that is embedded: NUL-terminated, caller frees. NULL and an error if there is
 * none (name is for the message) or it does not inflate. */
char *shard_tokenizer(const struct shard_head *h, const char *name, size_t *len, struct err *e);

/* Two heads' tokenizers: 0 = equal, or either is zero (made without one); else -1 and a message
 * that names both files and fingerprints. */
int shard_same_tokenizer(const struct shard_head *a, const char *name_a, const struct shard_head *b,
                         const char *name_b, struct err *e);
bool shard_has_fingerprint(const struct shard_head *h);
/* 32 hexadecimal digits, as xxhsum -H128 prints them. */
void shard_fingerprint_hex(char out[33], const unsigned char fingerprint[16]);

#endif
