/*
 * Log-probabilities of token sequences, many sequences to a pass.
 *
 * A sequence s0 s1 ... sn is scored as s1 ... sn given what stands before each: n tokens. One that
 * is longer than the context is cut into windows of n_ctx inputs that advance by `stride`; the
 * first scores all its targets, each later one the `stride` (or fewer, at the end) that are new, so
 * that a token has at least n_ctx - stride tokens before it.
 *
 *     struct scorer *s = scorer_new(model, &options, e);
 *     scorer_put(s, ids, n + 1, &nats, e) ...     adds -log p to nats when its pass has run
 *     scorer_flush(s, e); scorer_free(s);
 */
#ifndef INFER_SCORE_H
#define INFER_SCORE_H

#include <stdint.h>
#include "model/exec.h"

struct scorer_options {
    int n_ctx, stride; /* 1 <= stride <= n_ctx */
    int max_tok;       /* of a pass; at least n_ctx */
    int n_threads;
    enum gemm_dtype dtype;
    enum gemm_backend gemm;
};
struct scorer;
struct scorer *scorer_new(struct model *m, const struct scorer_options *o, struct err *e);
/* A token to which the model gives no finite logit is an error. ids are copied; nats must stay
 * until the next flush. Sums are taken in order of tokens. */
int scorer_put(struct scorer *s, const uint32_t *ids, size_t n_ids, double *nats, struct err *e);
int scorer_flush(struct scorer *s, struct err *e);
void scorer_free(struct scorer *s);

#endif
