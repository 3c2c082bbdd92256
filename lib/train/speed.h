/*
 * How fast a model trains, reads and writes here, with fresh weights and random ids.
 *     speed_train      whole steps: forward, backward, gradient norm, clipping at 1.0, AdamW,
 *                      packing of the weights; no dropout
 *     speed_prefill    a prompt in one pass into an empty cache, and the logits of its last token
 *     speed_decode     tokens one by one from an empty cache on, and the logits of each
 */
#ifndef TRAIN_SPEED_H
#define TRAIN_SPEED_H

#include "base/buf.h"
#include "model/exec.h"

struct speed {
    double step_s;      /* of a step or prompt, or of all tokens: the median after the second (of
                         * fewer than four: after the first) */
    double first_s;     /* of the first: weights are packed, and a prompt takes its memory */
    int n_made;         /* with the first */
    double tok_per_s;   /* by the median */
    double flops_per_s; /* by the median, attention counted as causal */
    double bytes_per_s; /* decoding: weights of products and cache, each read once a token */
    double loss;        /* of the last step of training */
    struct buf profile; /* training: step_profile_table() of the steps after the first, where
                         * o->profile asks; released by the caller */
};

/* How often: n times, from 2 to SPEED_MAX, but after the second no more once most_s have passed. */
enum { SPEED_MAX = 64 };
struct speed_times {
    int n;
    double most_s;
};
#define SPEED_MOST_S 30. /* as model(1) says */

/* o: dtype, gemm, n_threads, profile; its sizes are not used. */
int speed_train(struct speed *s, const struct config *c, const struct exec_opt *o, int n_seq,
                int n_ctx, struct speed_times times, struct err *e);
int speed_prefill(struct speed *s, const struct config *c, const struct exec_opt *o, int n_tok,
                  struct speed_times times, struct err *e);
int speed_decode(struct speed *s, const struct config *c, const struct exec_opt *o, int n_tok,
                 struct speed_times times, struct err *e);

#endif
