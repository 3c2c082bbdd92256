/*
 * How fast a model trains here: whole steps on random ids, with fresh weights: forward, backward,
 * gradient norm, clipping at 1.0, AdamW, packing of the weights; no dropout.
 */
#ifndef TRAIN_SPEED_H
#define TRAIN_SPEED_H

#include "base/buf.h"
#include "model/exec.h"

struct speed {
    double step_s;    /* the median of the steps after the second (of fewer than four: the first) */
    double first_s;   /* of the first: memory is taken from the system */
    double tok_per_s; /* by the median */
    double flops_per_s; /* by the median, attention counted as causal */
    double loss;        /* of the last step */
    struct buf profile; /* step_profile_table() of the steps after the first, if o->profile */
};
#define SPEED_MAX_STEPS 64
/* o: dtype, gemm, n_threads, profile; its sizes are not used. n_steps: 2 to SPEED_MAX_STEPS. The
 * caller releases s->profile. */
int speed_train(struct speed *s, const struct config *c, const struct exec_opt *o, int n_seq,
                int n_ctx, int n_steps, struct err *e);

#endif
