/*
 * Adding merges to a byte-level BPE tokenizer, for the text of a new domain: old ids and old merges
 * stay, the new ones come behind them. A text is cut and encoded by the old tokenizer, and its
 * pieces' tokens are what training goes on from; so each new merge applies where it was counted.
 *
 *     struct bpe_extend *x = bpe_extend_new(t, 2, e);        t: stays the caller's, and must stay
 *     bpe_extend_count(x, thread, counts, text, n, e) ...    each thread has its number
 *     bpe_extend_train(x, counts, &opt, &json, &n_new, e);   the new document, appended to json
 *     bpe_extend_free(x);
 */
#ifndef TOKEN_BPE_EXTEND_H
#define TOKEN_BPE_EXTEND_H

#include "token/bpe_train.h"

struct tokenizer;
struct bpe_extend;

struct bpe_extend *bpe_extend_new(const struct tokenizer *t, int n_threads, struct err *e);
void bpe_extend_free(struct bpe_extend *x);
/* 64 readable bytes behind text, as everywhere. */
int bpe_extend_count(struct bpe_extend *x, int thread, struct bpe_counts *c, const char *text,
                     size_t n, struct err *e);
/* opt: vocab_size (of all ids), min_frequency, max_token_bytes, n_threads, progress. */
int bpe_extend_train(struct bpe_extend *x, struct bpe_counts *c, const struct bpe_train_opt *opt,
                     struct buf *json, size_t *n_merges, size_t *n_ids, struct err *e);

#endif
