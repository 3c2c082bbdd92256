/*
 * Several shards as one stream: what `shard cat a.tok b.tok` and its siblings read. Operands are
 * paths, "-" is stdin, none at all is stdin too. They are opened one by one; what is not a regular
 * file is opened at once, since its head has to be known.
 *
 *     struct shard_set *s = shard_set_open(operands, n, 0, e);
 *     while ((r = shard_set_next_piece(s, &doc, e)) > 0) ...
 *     shard_set_close(s);
 *
 * The heads are joined: made with one tokenizer, or without any; its vocabulary size (else the
 * largest, or unknown where one is), special ids and tokenizer.json from the first operand that
 * has a tokenizer (else the first); weights if any has them; every distinct provenance, in order.
 */
#ifndef SHARD_SET_H
#define SHARD_SET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/shard.h"

enum shard_set_flags {
    /* Totals are known before reading, and shard_set_rewind() works: operands that are no regular
     * files are copied to a temporary file first. */
    SHARD_SET_COUNTED = 1,
};
struct shard_set;
struct shard_set *shard_set_open(char *const *paths, int n, int flags, struct err *e);
/* Valid until shard_set_close; its provenance may be lengthened through the buffer. */
struct shard_head *shard_set_head(struct shard_set *s);
struct buf *shard_set_provenance(struct shard_set *s);
int shard_set_next(struct shard_set *s, struct shard_doc *d, struct err *e);
int shard_set_next_piece(struct shard_set *s, struct shard_doc *d, struct err *e);
int shard_set_rewind(struct shard_set *s, struct err *e);
/* Of all operands (checksum 0), without reading their blocks: 1, 0 where one is no regular file
 * and SHARD_SET_COUNTED was not asked for, -1 = error. */
int shard_set_totals(struct shard_set *s, struct shard_totals *t, struct err *e);
/* Bytes read so far and of all (0: not known). */
void shard_set_progress(const struct shard_set *s, double *done_bytes, double *total_bytes);
void shard_set_close(struct shard_set *s); /* NULL is allowed */

/* Whether path (not "-") is a regular file, so that it can be peeked at and read again. */
bool shard_is_regular(const char *path);

/* Joins one more head into `to` by the rules above; name and name_to are for the message. The
 * first call finds *to zeroed and *prov empty. to owns copies (free with shard_head_release after
 * setting provenance to NULL: it is prov's). */
int shard_head_join(struct shard_head *to, struct buf *prov, const char *name_to,
                    const struct shard_head *h, const char *name, struct err *e);

#endif
