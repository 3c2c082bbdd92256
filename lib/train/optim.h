/*
 * AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2, as torch.optim.AdamW
 * orders it) over a model's parameter arena. Matrices decay, vectors do not (struct param.decay).
 *     optim_step(o, grads, &hyper, n_threads, &norm)
 * What a thread has updated it packs for the products of the next pass at once.
 */
#ifndef TRAIN_OPTIM_H
#define TRAIN_OPTIM_H

#include <stdbool.h>
#include <stdint.h>
#include "model/exec.h"

struct optim {
    struct model *m;
    float *exp_avg, *exp_avg_sq; /* first and second moments, laid out as the weights */
    uint64_t n_steps;            /* updates made: t of the bias correction */
    struct exec *x;
    struct optim_tile *tiles;
    double *partial; /* Σ g² of each tile, and behind them of all that products have summed */
    int n_tiles;
    struct optim_piece *pieces;
    int n_pieces;
    bool packs;            /* all that is to be packed, not some of it by the next pass */
    bool far;              /* it is too much to stay in a cache */
    uint64_t packed_bytes; /* that are written */
};

struct optim_hyper {
    double lr, beta1, beta2, eps, weight_decay;
    double clip;       /* largest norm; 0: no limit */
    double clip_value; /* largest element, before the norm is taken; 0: no limit */
};

/* x: whose copies of m's weights are kept up to date. */
int optim_init(struct optim *o, struct model *m, struct exec *x, int n_threads, struct err *e);
uint64_t optim_bytes(uint64_t n_elem);
/* The gradients' global norm (after clip_value, before clip) goes to *norm; where it is not finite
 * nothing is changed and 1 is returned. 0: the weights were updated. grads are the executor's, or
 * it has no exec_squares(): what these hold is not read for the norm. */
int optim_step(struct optim *o, float *grads, const struct optim_hyper *h, int n_threads,
               double *norm);
uint64_t optim_moves(const struct optim *o); /* bytes, of a step */
void optim_release(struct optim *o);

#endif
