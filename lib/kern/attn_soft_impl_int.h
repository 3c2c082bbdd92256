/*
 * What attention in f32 and on pairs of bf16 share, on a vec_*_int.h: scores to probabilities.
 *
 *     stage       scores to what the softmax sees
 *     mask        which keys of a block a query sees
 *     running     a row's maximum and sum, as blocks of keys come in
 */
#ifndef ATTN_SOFT_IMPL_INT_H
#define ATTN_SOFT_IMPL_INT_H

#include <float.h>
#include <math.h>
#include <string.h>
#include "kern/attn_int.h"
#include "kern/math_impl_int.h"

#define BLOCK      ATTN_BLOCK
#define BLOCK_VECS (BLOCK / VL)
#define LANES      ((1u << VL) - 1)

/* ---- stage */

static ALWAYS_INLINE vm lane_mask(uint64_t bits, int j)
{
    return vm_from_bits((uint32_t)(bits >> (j * VL)) & LANES);
}

/* Scale, soft cap; the place of biases. tanh is what the gradient of the cap needs. */
static ALWAYS_INLINE vf stage(const struct attn *a, vf s, vf *tanh)
{
    s = v_mul(s, v_set(a->scale));
    if (a->softcap > 0) {
        *tanh = v_tanh(v_mul(s, v_set(1 / a->softcap)));
        s = v_mul(v_set(a->softcap), *tanh);
    }
    return s;
}

/* ---- mask */

/* Which keys of the block each of n queries sees; the count of keys up to the last one seen. */
static void block_mask(const struct mask *mask, int pos, int n, int k0, int n_key, uint64_t *bits,
                       int *len)
{
    uint64_t valid = n_key - k0 >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (n_key - k0)) - 1;
    for (int r = 0; r < n; r++) {
        bits[r] = mask_bits(mask, pos + r, k0) & valid;
        len[r] = bits[r] ? 64 - CLZ64(bits[r]) : 0;
    }
}

static ALWAYS_INLINE int most(const int *v, int n)
{
    int top = 0;
    for (int i = 0; i < n; i++)
        top = v[i] > top ? v[i] : top;
    return top;
}

/* ---- running */

struct running {
    float *max, *alpha; /* of each row; alpha: what its earlier sums are multiplied by */
    float *sum;         /* VL partial sums a row */
};

static inline size_t running_floats(void)
{
    return BLOCK * (2 + (size_t)VL);
}

static void running_init(struct running *run, float *at)
{
    run->max = at;
    run->alpha = at + BLOCK;
    run->sum = at + 2 * BLOCK;
    for (int r = 0; r < BLOCK; r++)
        run->max[r] = -INFINITY;
    memset(run->sum, 0, BLOCK * VL * sizeof *run->sum);
}

/* A row that has seen no key yet has maximum -inf: it is taken from 0, so that no NaN arises. */
static ALWAYS_INLINE vf base_of(vf max)
{
    return v_select(v_lt(max, v_set(-FLT_MAX)), v_set(0), max);
}

/* Row r's scores s to p = exp(staged - maximum), zero where hidden. */
static ALWAYS_INLINE void softmax_row(const struct attn *a, const float *s, uint64_t bits,
                                      struct running *run, int r, vf *p)
{
    const vf low = v_set(-INFINITY);
    vf top = v_set(run->max[r]), unused;
    for (int j = 0; j < BLOCK_VECS; j++) {
        p[j] = stage(a, v_load(s + j * VL), &unused);
        if (bits != ~UINT64_C(0))
            p[j] = v_select(lane_mask(bits, j), p[j], low);
        top = v_max(p[j], top);
    }
    float max = v_hmax(top);
    const vf base = base_of(v_set(max));
    run->alpha[r] = run->max[r];
    run->max[r] = max;
    for (int j = 0; j < BLOCK_VECS; j++)
        p[j] = v_exp_finite(v_sub(p[j], base));
}

/* Behind softmax_row of the rows [r0, r0 + n), r0 a multiple of 16, whose sums of p are in new_sum:
 * alpha, and the sums go on. */
static void running_on(const struct running *run, const float *new_sum, int r0, int n)
{
    for (int r = r0; r < r0 + n; r += VL) {
        vf old = v_load(run->alpha + r), max = v_load(run->max + r);
        v_store(run->alpha + r, v_exp(v_sub(old, base_of(max))));
    }
    for (int r = r0; r < r0 + n; r++, new_sum += VL) {
        float *sum = run->sum + r * VL;
        v_store(sum, v_fma(v_load(sum), v_set(run->alpha[r]), v_load(new_sum)));
    }
}

/* The output row from its sums, and its log-sum-exp. */
static void finish_rows(const struct attn_forward *f, const struct running *run, const float *o)
{
    size_t hd = (size_t)f->a->head_dim, hp = attn_hp(f->a);
    for (int r = 0; r < f->n_q; r++) {
        float sum = v_sum(v_load(run->sum + r * VL));
        const vf inv = v_set(sum > 0 ? 1 / sum : 0);
        const float *from = o + (size_t)r * hp;
        float *to = f->o + (size_t)r * f->ldo;
        EACH(hd, { v_st(to + i, v_mul(v_ld(from + i, m), inv), m); });
        if (f->lse)
            f->lse[(size_t)r * f->ld_lse] =
                sum > 0 ? run->max[r] + (float)log((double)sum) : INFINITY;
    }
}

/* ---- what backward needs of a block of queries beside vectors: see attn_int.h */

static void pack_rows_of(const struct attn *a, float *lse, const struct attn_pack_q *p)
{
    float *delta = lse + BLOCK;
    for (int r = 0; r < BLOCK; r++) {
        size_t at = (size_t)r;
        bool in = r < p->n;
        lse[r] = in ? p->lse[at * p->ld_lse] : INFINITY;
        delta[r] =
            in ? row_dot(p->o + at * p->ldo, p->d_o + at * p->ldd_o, (size_t)a->head_dim) : 0;
    }
}

static void unpack(float *to, size_t ldto, const float *from, size_t hp, int heads, size_t apart,
                   int n, int hd)
{
    for (int r = 0; r < n; r++, to += ldto, from += hp)
        EACH((size_t)hd, {
            vf sum = v_ld(from + i, m);
            for (int g = 1; g < heads; g++)
                sum = v_add(sum, v_ld(from + (size_t)g * apart + i, m));
            v_st(to + i, sum, m);
        });
}

/* The block of keys by all blocks of queries. */
static ALWAYS_INLINE void backward_key(const struct attn_backward *b,
                                       void (*block)(const struct attn_backward *b, int q))
{
    size_t rows = BLOCK * attn_hp(b->a);
    int k0 = b->block * BLOCK;
    memset(b->dk, 0, rows * sizeof(float));
    memset(b->dv, 0, rows * sizeof(float));
    for (int q = 0; q * BLOCK < b->n; q++) {
        int q0 = q * BLOCK, q1 = b->n - q0 < BLOCK ? b->n : q0 + BLOCK;
        if (!b->before)
            memset(b->dq + (size_t)q * rows, 0, rows * sizeof(float));
        else
            team_await(b->before, q + 1);
        if (mask_block(&b->a->mask, q0, q1, k0, k0 + BLOCK) != MASK_SKIP)
            block(b, q);
        atomic_store_explicit(b->done, q + 1, memory_order_release);
    }
}

#endif
