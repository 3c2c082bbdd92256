/*
 * A pass over the graph as its nodes see it: where values and gradients stand, the batch, and what
 * is wanted. Read-only for nodes but for what it points at. While scratch is being planned only
 * graph, opt and n_tok (the largest) are set.
 */
#ifndef MODEL_PASS_INT_H
#define MODEL_PASS_INT_H

#include <string.h>
#include "model/exec.h"
#include "model/graph_int.h"

enum pass_mode {
    PASS_TRAIN,  /* loss, and backward */
    PASS_LOGP,   /* the loss of each row */
    PASS_LOGITS, /* of chosen rows */
};

struct pass {
    const struct graph *graph;
    const struct exec_opt *opt;
    const struct ops *ops;
    const struct batch *batch;
    int n_tok;
    enum pass_mode mode;
    bool again; /* what a layer holds inside stands where it was computed again */
    uint64_t step;

    float *arena;         /* values, their gradients, scratch */
    const float *weights; /* the parameters' arena */
    float *grads;         /* laid out as the parameters; NULL: no backward */
    bool fresh;           /* they hold nothing yet: whoever is first stores, see pass_adds() */
    struct gemm_weight *const *packed; /* by parameter */
    double *squares;                   /* NULL, or their sums are wanted: see pass_squares() */
    const int64_t *squares_at;         /* by parameter; -1: it leaves none */

    const float *rope_cos, *rope_sin; /* [positions][n_rot / 2] */
    const struct attn_seq *seqs;      /* attention node i's start at i * seq_stride */
    int n_seq, seq_stride;            /* sequences that are not empty */

    /* The head: rows of tokens that are scored, or all in order where rows is NULL. */
    const int32_t *rows;
    int n_rows;
    const uint32_t *row_target; /* [n_rows]; TRAIN, LOGP */
    const float *row_weight;    /* [n_rows]; TRAIN */
    float *row_nll;             /* [n_rows]; TRAIN, LOGP */
    float *logits;              /* [n_rows, vocab_size]; LOGITS */
};

/* Rows of a tile where a node has no better idea; OPS_SUM_ROWS, so that sums fit it. */
#define TILE_ROWS OPS_SUM_ROWS

static inline int64_t tiles_of(int64_t n, int64_t tile)
{
    return (n + tile - 1) / tile;
}

static inline int tile_len(int64_t i, int tile, int n)
{
    int64_t left = n - i * tile;
    return left < tile ? (int)left : tile;
}

static inline float *pass_value(const struct pass *p, int value, int *ld)
{
    const struct value *v = &p->graph->values[value];
    const struct storage *s = &p->graph->storages[v->storage];
    *ld = s->ld;
    return p->arena + s->at[p->again] + v->col;
}

/* NULL where a value's rows are floats. */
static inline uint16_t *pass_half(const struct pass *p, int value, int *ld)
{
    const struct storage *s = &p->graph->storages[p->graph->values[value].storage];
    *ld = 2 * s->ld;
    return s->half ? (uint16_t *)(void *)(p->arena + s->at[p->again]) : NULL;
}

/* As a product's input. */
static inline struct gemm_rows pass_rows(const struct pass *p, int value)
{
    int ld, ld_half;
    const float *x = pass_value(p, value, &ld);
    const uint16_t *half = pass_half(p, value, &ld_half);
    return half ? (struct gemm_rows){half, ld_half, GEMM_BF16} : gemm_f32(x, ld);
}

/* What products read behind a row of n. */
static inline void pass_end_row(uint16_t *row, int n)
{
    memset(row + n, 0, sizeof *row * (size_t)((n + 31) / 32 * 32 - n));
}

static inline float *pass_scratch(const struct pass *p, const struct node *n)
{
    return p->arena + n->scratch[p->again];
}

static inline float *pass_grad(const struct pass *p, int value, int *ld)
{
    const struct value *v = &p->graph->values[value];
    const struct storage *s = &p->graph->storages[v->storage];
    *ld = s->ld_grad;
    return p->arena + p->graph->storages[s->same_grad].grad_at + v->col;
}

static inline const float *pass_weight(const struct pass *p, int param)
{
    return param < 0 ? NULL : p->weights + p->graph->params[param].at;
}

static inline float *pass_param_grad(const struct pass *p, int param)
{
    return p->grads + p->graph->params[param].at;
}

/* Where the product that alone writes a parameter's gradient leaves its sums of squares, or NULL.
 */
static inline double *pass_squares(const struct pass *p, int param)
{
    return p->squares && p->squares_at[param] >= 0 ? p->squares + p->squares_at[param] : NULL;
}

static inline int value_cols(const struct graph *g, int value)
{
    return g->values[value].cols;
}

/* Bytes rounded up to 64, so that parts of a scratch area are aligned. */
static inline size_t round64(size_t n_bytes)
{
    return (n_bytes + 63) & ~(size_t)63;
}

/* Whether node n adds to the gradient of its k-th parameter, or stores the first of it. */
static inline bool pass_adds(const struct pass *p, const struct node *n, int k)
{
    return !p->fresh || !n->param_first[k];
}

/* Whether caches lose a gradient before the update reads it. */
static inline bool pass_far(const struct pass *p)
{
    return gemm_far(p->graph->n_elem);
}

/* The gradient of n's k-th parameter, a vector, from the parts of n_tiles tiles, ldp apart. Ends
 * with a barrier. */
void pass_sum_parts(struct worker *w, const struct pass *p, const struct node *n, int k,
                    const float *parts, int ldp, int n_tiles);
/* Zeroes v[n] over the team. Ends with a barrier. */
void pass_zero(struct worker *w, float *v, size_t n);
/* The gradient of n's residual input, unless it shares the output's. Ends with a barrier if it does
 * anything. */
void pass_residual_grad(struct worker *w, const struct pass *p, const struct node *n);

#endif
