/*
 * Token shards, format version 1: shard(5) specifies every byte.
 *
 * Writing:
 *     struct shard_head h = {.vocab_size = 32000, .bos = -1, ...};
 *     struct shard_out *o = shard_create("x.tok", &h, 0, e);   "-" is stdout
 *     shard_put(o, ids, NULL, n, e) ...                        a document each; n may be 0
 *     shard_commit(o, &totals, e);                             or shard_abort(o)
 * Reading, any stream (pipes too), document by document or in pieces of bounded size:
 *     struct shard_in *s = shard_open("x.tok", e);             "-" is stdin
 *     while ((r = shard_next(s, &doc, e)) > 0) ...             1 = document, 0 = end, -1 = error
 *     shard_close(s);
 * A stream that ends without its end block is an error; everything before it has been given out.
 * Concatenated segments read as one stream; a segment with another fingerprint or token width that
 * cannot be reconciled is an error.
 */
#ifndef QUERN_SHARD_H
#define QUERN_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

struct shard_head {
    uint64_t vocab_size;   /* ids are below it; the width on disk follows: 2 bytes up to 65536 */
    int64_t bos, eos, pad; /* -1: none */
    unsigned char fingerprint[16]; /* all zero: made without a tokenizer */
    const char *provenance; /* one line a program, newline-separated; "" allowed; never NULL */
    const char *tokenizer;  /* tokenizer.json to embed, or NULL; uncompressed */
    size_t tokenizer_len;
    bool has_weights; /* documents carry a weight (0..255, /255) per token: a loss mask */
};

struct shard_totals {
    uint64_t n_docs, n_tokens;
    uint64_t checksum; /* of all token ids in order, shard(5) */
};

enum shard_flags {
    SHARD_DEFLATE = 1,
};
struct shard_out;
struct shard_out *shard_create(const char *path, const struct shard_head *h, int flags,
                               struct err *e);
int shard_put(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
              struct err *e);
/* A document in pieces: any number of shard_part calls, then shard_part_end. */
int shard_part(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
               struct err *e);
int shard_part_end(struct shard_out *o, struct err *e);
int shard_commit(struct shard_out *o, struct shard_totals *t, struct err *e); /* frees o */
void shard_abort(struct shard_out *o);

struct shard_doc {
    const uint32_t *ids;
    const uint8_t *weights; /* NULL: none */
    size_t n;
    bool first, last; /* of pieces: whether the document begins, ends here; both for a whole one */
};                    /* valid until the next call */

struct shard_in;
struct shard_in *shard_open(const char *path, struct err *e);
const struct shard_head *shard_head(const struct shard_in *s); /* of the first segment */
int shard_next(struct shard_in *s, struct shard_doc *d, struct err *e);
/* The same in pieces of at most about a block (1 MiB), for documents larger than memory. */
int shard_next_piece(struct shard_in *s, struct shard_doc *d, struct err *e);
void shard_totals(const struct shard_in *s, struct shard_totals *t); /* of what was read so far */
const char *shard_name(const struct shard_in *s);
void shard_close(struct shard_in *s);

/* A regular file's totals from its footers, without reading the blocks: summed over segments,
 * checksum combined as shard(5) says. -1 if it is not seekable or has no footer. */
int shard_peek(const char *path, struct shard_head *h, struct shard_totals *t, struct err *e);
void shard_head_release(struct shard_head *h); /* of a head that shard_peek filled */

/* Two heads' tokenizers: 0 = equal, or either is zero (made without one); else -1 and a message
 * that names both files and fingerprints. */
int shard_same_tokenizer(const struct shard_head *a, const char *name_a, const struct shard_head *b,
                         const char *name_b, struct err *e);

#endif
