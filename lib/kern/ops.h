/*
 * Everything of a pass but matrix products and attention: a table of functions per instruction
 * set. None of them knows threads; a node cuts its rows or elements into tiles by shape and calls
 * them tile by tile.
 *
 *     const struct ops *k = ops_get();        the table of cpu_isa(), picked once
 *     k->norm(&shape, y, ldy, x, ldx, w, b, mean, rstd, n_rows);
 *
 * All data are f32 unless said; rows stand ld floats apart. An element's result depends on its
 * inputs alone, never on its place in a vector, the number of rows or the tile: rows give the same
 * bits one by one. Sums over a row have a fixed order within one instruction set. Alignment is not
 * needed. "May overlap exactly" means the same pointer and ld.
 */
#ifndef KERN_OPS_H
#define KERN_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cpu.h"

enum act_kind {
    ACT_NONE,
    ACT_RELU,
    ACT_GELU,      /* x Φ(x), by erf; Hendrycks & Gimpel 2016 */
    ACT_GELU_TANH, /* its approximation: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))) */
    ACT_SILU,      /* x σ(x) */
};

/* LayerNorm (Ba 2016), RMSNorm (Zhang 2019) over d elements.
 * A row may hold n_head vectors of d, one behind the other, each normed alone with the same weight
 * (norms of q and k); 1 otherwise. Vector (row r, head h) is at x + r*ldx + h*d, and its mean and
 * rstd at [r*n_head + h]. */
struct norm {
    int d, n_head;
    float eps;
    bool rms;      /* no mean, no bias: y = x / sqrt(mean(x²) + eps) * w */
    bool plus_one; /* the factor is 1 + w (Gemma) */
};

/* Rows of the tiles over which a node sums dw and db, so that these do not depend on threads. */
#define OPS_SUM_ROWS 32

/* Dropout: whether an element survives is a function of the key, `seq`, `row` and `col` alone. */
struct dropout {
    uint32_t key[2];
    uint32_t threshold; /* an element with a random word below it is dropped */
    float scale;        /* of the others: 1 / (1 - rate) */
};
/* rate in [0, 1). layer and site name the place in the model. */
void dropout_init(struct dropout *d, double rate, uint64_t seed, uint64_t step, uint32_t layer,
                  uint32_t site);

/* Adam with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it:
 *     w -= lr·weight_decay·w
 *     m += (1-β1)(g - m);  v = β2·v + (1-β2)·g²
 *     w -= lr/(1-β1^t) · m / (√v/√(1-β2^t) + eps) */
struct adamw {
    float beta1, beta2, eps;
    float decay;     /* 1 - lr·weight_decay; 1 for parameters without decay */
    float step_size; /* lr / (1 - β1^t) */
    float v_scale;   /* 1 / √(1 - β2^t) */
    float g_scale;   /* g is multiplied by it first: clipping, 1 / number of tokens */
};
/* t counts from 1. */
void adamw_init(struct adamw *a, double lr, double beta1, double beta2, double eps,
                double weight_decay, uint64_t t, double g_scale);

struct ops {
    const char *name; /* as cpu_isa_name() */

    /* ---- elements; n of them, y may overlap any input exactly */
    void (*add)(float *y, const float *a, const float *b, size_t n); /* y = a + b */
    void (*add_scaled)(float *y, float a, const float *x, size_t n); /* y = fma(a, x, y) */
    void (*scale)(float *y, float a, const float *x, size_t n);      /* y = a * x */
    void (*clamp)(float *y, const float *x, float limit, size_t n);  /* to [-limit, limit] */
    void (*exp)(float *y, const float *x, size_t n);                 /* 0 where that is denormal */
    void (*softcap)(float *y, const float *x, float cap, size_t n);  /* cap·tanh(x / cap) */
    /* from the output: dx = dy·(1 - (y/cap)²) */
    void (*softcap_grad)(float *dx, const float *y, const float *dy, float cap, size_t n);
    void (*act)(enum act_kind a, float *y, const float *x, size_t n);
    void (*act_grad)(enum act_kind a, float *dx, const float *x, const float *dy, size_t n);
    /* y = act(g)·u, and dg, du from dy; dg and du may overlap g and u exactly */
    void (*glu)(enum act_kind a, float *y, const float *g, const float *u, size_t n);
    void (*glu_grad)(enum act_kind a, float *dg, float *du, const float *g, const float *u,
                     const float *dy, size_t n);
    /* The same results rounded to bf16 (denormals may be 0); dx, too. half may lie where inputs do
     * that are not behind it; dx overlaps none. */
    void (*act_bf16)(enum act_kind a, uint16_t *y, const float *x, size_t n);
    void (*act_grad_bf16)(enum act_kind a, uint16_t *half, float *dx, const float *x,
                          const float *dy, size_t n);
    void (*glu_bf16)(enum act_kind a, uint16_t *y, const float *g, const float *u, size_t n);
    void (*bf16_round)(float *y, const float *x, size_t n); /* to the nearest bf16, as f32 */
    void (*bf16_from_f32)(uint16_t *y, const float *x, size_t n);
    void (*f32_from_bf16)(float *y, const uint16_t *x, size_t n);

    /* ---- sums over elements, in an order that n alone fixes; cut long vectors into fixed tiles */
    /* Σ x² in double. Finite if and only if every x is. */
    double (*sum_squares)(const float *x, size_t n);
    /* Of rows, to 1e-6, and as finite as squares are that are floats. */
    double (*sum_squares_rows)(const float *x, int ldx, int n_col, int n_rows);
    float (*max)(const float *x, size_t n); /* -inf for n = 0; not defined where x has NaN */

    /* ---- rows */
    /* y[r][0..d) (+)= scale · table[index[r]][0..d); embedding, position embedding */
    void (*gather)(float *y, int ldy, const float *table, int ldt, const uint32_t *index, int d,
                   float scale, bool add, int n_rows);
    /* w or b NULL: 1, 0. mean (unused if rms) and rstd may be NULL. y may overlap x exactly. */
    void (*norm)(const struct norm *s, float *y, int ldy, const float *x, int ldx, const float *w,
                 const float *b, float *mean, float *rstd, int n_rows);
    void (*norm_bf16)(const struct norm *s, uint16_t *y, int ldy, const float *x, int ldx,
                      const float *w, const float *b, float *mean, float *rstd, int n_rows);
    /* dx (+)= the gradient, dw[d] += and db[d] += this tile's share (each may be NULL): give each
     * tile of OPS_SUM_ROWS rows zeroed vectors of its own and add these up by sum_rows.
     * dx may overlap dy exactly. */
    void (*norm_grad)(const struct norm *s, float *dx, int lddx, bool add, const float *dy,
                      int lddy, const float *x, int ldx, const float *w, const float *mean,
                      const float *rstd, float *dw, float *db, int n_rows);
    /* sum[d] += x[0][0..d) + x[1][0..d) ... in this order (bias gradients; tiles as above) */
    void (*sum_rows)(float *sum, const float *x, int ldx, int d, int n_rows);
    /* Rotates n_head vectors of head_dim per row, in place: pairs (i, i + n_rot/2) of the first
     * n_rot elements by the angle whose cosine and sine are at [pos[r]][i] of the tables (n_rot/2
     * a row; rope_table makes them); the others stay. RoFormer (Su 2021) in GPT-NeoX's layout,
     * as Hugging Face stores weights. inverse: by minus the angle, which is the gradient. */
    void (*rope)(float *x, int ldx, int n_head, int head_dim, int n_rot, const float *cos_,
                 const float *sin_, const int32_t *pos, bool inverse, int n_rows);
    /* y = x·scale where kept, else 0. Row r has row number row0 + r of sequence seq. Its own
     * gradient. y may overlap x exactly. */
    void (*dropout)(const struct dropout *d, float *y, int ldy, const float *x, int ldx, int n_col,
                    uint64_t seq, uint32_t row0, int n_rows);
    /* Per row of n logits: lse = log Σ exp(x), loss = lse - x[target]; a target ≥ n is not scored:
     * its loss is 0. lse may be NULL. */
    void (*xent)(float *loss, float *lse, const float *x, int ldx, int n, const uint32_t *target,
                 int n_rows);
    /* dx = weight[r]·(exp(x - lse) - [target]); rows not scored get 0. dx may overlap x exactly. */
    void (*xent_grad)(float *dx, int lddx, const float *x, int ldx, int n, const float *lse,
                      const uint32_t *target, const float *weight, int n_rows);
    /* One row, rounded to bf16; dx may begin where x does. */
    void (*xent_grad_bf16)(uint16_t *dx, const float *x, int n, float lse, uint32_t target,
                           float weight);
    /* y may overlap x exactly */
    void (*softmax)(float *y, int ldy, const float *x, int ldx, int n, int n_rows);

    /* ---- parameters */
    void (*adamw)(const struct adamw *a, float *w, float *m, float *v, const float *g, size_t n);

    /* ---- what the processor could do: n rounds of independent multiply-adds on registers, for
     * measuring its peak. Returns the floating-point operations done; *sink keeps them alive. */
    double (*fma_burst)(size_t n, float *sink);
};

/* The table for the instruction set that cpu_isa() chose (portable where it cannot be had). */
const struct ops *ops_get(void);
/* The best table that `isa` can run, for tests. */
const struct ops *ops_for(enum isa isa);

/*
 * The gradient of an embedding: dw[id[r]] += scale·dy[r] in ascending r per id, whichever thread
 * does it. embed_order sorts the rows by id (stable); embed_grad does the ids whose first row in
 * that order lies in [from, to), so that tiles of the order can be done in parallel.
 */
/* order[n_rows]; tmp[n_rows] is scratch. */
void embed_order(uint32_t *order, uint32_t *tmp, const uint32_t *id, int n_rows);
void embed_grad(const struct ops *k, float *dw, int lddw, const float *dy, int lddy,
                const uint32_t *id, const uint32_t *order, int d, float scale, int n_rows, int from,
                int to);

/* cos and sin [n_pos][n_freq] of positions pos0...: the angle pos·freq[i] is rounded to f32 before
 * the cosine is taken, as the reference does; times scale (attention factor; 1). */
void rope_table(float *cos_, float *sin_, const float *freq, int n_freq, int pos0, int n_pos,
                float scale);

#endif
