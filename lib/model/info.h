/*
 * What can be told of a model before it runs: parameters by part, cost, memory, and the amount of
 * text that suits its size.
 */
#ifndef MODEL_INFO_H
#define MODEL_INFO_H

#include <stdint.h>
#include "model/exec.h"

/* Parts that a model's parameters are reckoned to. A tied head has none of its own. */
enum info_part { INFO_EMBED, INFO_POS, INFO_ATTENTION, INFO_MLP, INFO_NORM, INFO_HEAD, INFO_N };
extern const char *const info_part_words[INFO_N];

struct info {
    uint64_t params, params_by[INFO_N];
    double train_flops;  /* a token of a sequence of n_ctx: forward and backward */
    double decode_flops; /* for the token after n_ctx - 1 others */
    /* Bytes while training on n_seq sequences of n_ctx tokens. */
    uint64_t weights, gradients, optimizer, packed, activations, training;
    uint64_t cache_per_tok; /* keys and values of one token, all layers */
    double optimal_tok;     /* 20 a parameter (Hoffmann 2022) */
    double optimal_flops;   /* to train on that many */
};
/* o: dtype, gemm, n_threads; its sizes are not used. */
int info_make(struct info *i, const struct config *c, const struct exec_opt *o, int n_seq,
              int n_ctx, struct err *e);

#endif
