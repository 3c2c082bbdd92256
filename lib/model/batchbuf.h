/*
 * A batch under construction: sequences of (input, target, weight) triples in the form that
 * exec_train takes.
 *     struct batchbuf b; batchbuf_init(&b, max_tok, e);
 *     batchbuf_clear(&b); batchbuf_seq(&b, n, &in, &target, &weight) ... fill n of each;
 */
#ifndef MODEL_BATCHBUF_H
#define MODEL_BATCHBUF_H

#include <stdint.h>
#include "model/exec.h"

struct batchbuf {
    struct batch b; /* points into the arrays below; kept up to date by batchbuf_seq */
    int max_tok;
    uint32_t *ids, *target;
    float *weight;
    int32_t *pos, *seq, *cu;
    double weight_sum; /* batchbuf_sum() */
};
int batchbuf_init(struct batchbuf *b, int max_tok, struct err *e);
void batchbuf_clear(struct batchbuf *b);
/* Room for one more sequence of n > 0 tokens; positions are set. BUG() if it does not fit. */
void batchbuf_seq(struct batchbuf *b, int n, uint32_t **ids, uint32_t **target, float **weight);
double batchbuf_sum(struct batchbuf *b); /* Σ weight, in order */
void batchbuf_release(struct batchbuf *b);

#endif
