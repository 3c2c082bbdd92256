/*
 * Statistics of documents and ids in one pass and bounded memory.
 *     struct shardstat *s = shardstat_new(e);
 *     shardstat_piece(s, &doc, e) ...         every piece of every document
 *     shardstat_quantile(s, 0.5), shardstat_top(s, 10, top) ...
 * Lengths are counted one by one below SHARDSTAT_EXACT and in steps of 1/64 above, so quantiles
 * are exact below it and within 1.6 % above; least, greatest and sum are exact. Ids from
 * SHARDSTAT_IDS on are counted together.
 */
#ifndef SHARD_SHARDSTAT_H
#define SHARD_SHARDSTAT_H

#include <stdint.h>
#include "quern/shard.h"

#define SHARDSTAT_EXACT (UINT64_C(1) << 16)
#define SHARDSTAT_IDS   (UINT64_C(1) << 24)

struct shardstat_id {
    uint32_t id;
    uint64_t n;
};
struct shardstat {
    uint64_t n_docs, n_tokens, n_empty, min_len, max_len;
    uint64_t pow2[65]; /* documents of length 0, 1, 2-3, 4-7, ...: by bits of the length */
    uint64_t n_distinct, n_high; /* ids: different ones below SHARDSTAT_IDS, and those above */
    uint64_t n_masked;           /* tokens of weight 0 */
    /* private */
    uint64_t doc_len;
    uint64_t *len_count, *id_count;
    size_t id_cap;
};
struct shardstat *shardstat_new(struct err *e);
int shardstat_piece(struct shardstat *s, const struct shard_doc *d, struct err *e);
/* The least length that at least q of the documents do not exceed; 0 without documents. */
uint64_t shardstat_quantile(const struct shardstat *s, double q);
/* The n most frequent ids, the smaller id first of equals; returns how many there are. */
size_t shardstat_top(const struct shardstat *s, size_t n, struct shardstat_id *top);
void shardstat_free(struct shardstat *s); /* NULL is allowed */

#endif
