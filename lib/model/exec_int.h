/* The insides of an executor. */
#ifndef MODEL_EXEC_INT_H
#define MODEL_EXEC_INT_H

#include "model/model_int.h"
#include "model/pass_int.h"
#include "model/profile_int.h"

struct exec {
    struct model *model;
    struct exec_opt opt;
    struct graph graph;
    float *arena;
    size_t arena_bytes;
    float *grads;
    bool fresh; /* the gradients count as zero, whatever they hold */

    double *squares; /* sums that a pass left of the gradients that one product alone writes */
    size_t n_squares;
    int64_t *squares_at;  /* by parameter; -1: no such gradient */
    bool wanted, squared; /* the next pass is to leave them; the last one has */

    struct gemm_weight **packed; /* by parameter; NULL: not of a product */
    struct gemm_weight **to_pack;
    int n_pack;
    char *copies; /* of all of them, one behind the other */
    size_t copies_bytes;
    double packing_s;
    bool stale; /* the packed copies are older than the weights */

    /* KV cache: slot i of attention node k at cache + (k * n_slot + i) * slot_floats. */
    float *cache;
    size_t cache_bytes, slot_floats;
    int *slot_len;

    int n_rot, n_rope; /* dimensions turned, positions in the tables */
    float *rope_freq, *rope_cos, *rope_sin;

    struct profile profile; /* if opt.profile */

    struct attn_seq *seqs;
    int32_t *rows;
    uint32_t *row_target;
    float *row_weight, *row_nll;
};

/* The cache's part for one slot of attention node k. */
static inline float *exec_store(const struct exec *x, int k, int slot)
{
    return x->cache + ((size_t)k * (size_t)x->opt.n_slot + (size_t)slot) * x->slot_floats;
}

/* Checks b and fills what nodes read of it: p->batch, n_tok, seqs, rope tables. */
int exec_prepare(struct exec *x, struct pass *p, const struct batch *b, struct err *e);

#endif
