/*
 * Attention within one head, compiled once per instruction set; attn_int.h has the contracts.
 *
 *     packing     rows and transposed blocks
 *     stage       scores to what the softmax sees, and what the mask leaves of it
 *     forward     a block of queries over the keys, running maximum and sum
 *     backward    a head, blocks of keys by blocks of queries
 */
#ifndef ATTN_IMPL_INT_H
#define ATTN_IMPL_INT_H

#include <float.h>
#include <math.h>
#include <string.h>
#include "kern/attn_int.h"
#include "kern/mm_impl_int.h"

#define BLOCK      ATTN_BLOCK
#define BLOCK_VECS (BLOCK / VL)
#define LANES      ((1u << VL) - 1)

/* ---- packing */

static void pack(float *to, const float *x, size_t ldx, int n, int hd, bool round)
{
    size_t hp = ((size_t)hd + ATTN_PAD - 1) / ATTN_PAD * ATTN_PAD;
    for (int r = 0; r < n; r++, to += hp, x += ldx) {
        EACH((size_t)hd, {
            vf v = v_ld(x + i, m);
            v_st(to + i, round ? v_bf16_round(v) : v, m);
        });
        for (size_t i = (size_t)hd; i < hp; i++)
            to[i] = 0;
    }
}

static void transpose(float *to, int col, const float *x, size_t ldx, int n, int hd, bool round)
{
    int whole_r = n / VL * VL, whole_c = hd / VL * VL;
    to += col;
    for (int r = 0; r < whole_r; r += VL)
        for (int c = 0; c < whole_c; c += VL)
            v_transpose(to + c * BLOCK + r, BLOCK, x + (size_t)r * ldx + c, ldx);
    for (int c = 0; c < hd; c++)
        for (int r = c < whole_c ? whole_r : 0; r < n; r++)
            to[c * BLOCK + r] = x[(size_t)r * ldx + (size_t)c];
    for (int c = 0; round && c < hd; c++)
        EACH((size_t)n, {
            float *p = to + c * BLOCK + i;
            v_st(p, v_bf16_round(v_ld(p, m)), m);
        });
}

static void delta(float *to, size_t ldd, const float *a, size_t lda, const float *b, size_t ldb,
                  int n, int hd)
{
    for (int r = 0; r < n; r++)
        to[(size_t)r * ldd] = row_dot(a + (size_t)r * lda, b + (size_t)r * ldb, (size_t)hd);
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

/* s[n, BLOCK] = a[n, hd] · bt[hd, BLOCK] as far as the keys up to len are needed */
static void scores(float *s, const float *a, size_t lda, const float *bt, int n, int hd,
                   const int *len)
{
    struct mm p = {
        .a = a, .a_row = lda, .a_step = 1, .b = bt, .ldb = BLOCK, .c = s, .ldc = BLOCK, .k = hd};
    for (int r = 0; r < n; r += MM_M) {
        int m = n - r < MM_M ? n - r : MM_M;
        mm_rows(&p, r, m, (most(len + r, m) + VL - 1) / VL);
    }
}

/* ---- forward */

struct running {
    float *max, *sum, *alpha; /* of each row; alpha: what its earlier sums are multiplied by */
};

/* Scores as the softmax sees them, -inf where hidden; the new maxima of the rows go to run->alpha.
 */
static void stage_rows(const struct attn *a, float *s, const uint64_t *bits, struct running *run,
                       int n)
{
    const vf low = v_set(-INFINITY);
    for (int r = 0; r < n; r++, s += BLOCK) {
        vf v[BLOCK_VECS], unused, top = v_set(run->max[r]);
        for (int j = 0; j < BLOCK_VECS; j++) {
            v[j] = v_select(lane_mask(bits[r], j), stage(a, v_load(s + j * VL), &unused), low);
            v_store(s + j * VL, v[j]);
            top = v_max(v[j], top);
        }
        run->alpha[r] = v_hmax(top);
    }
}

/* A row that has seen no key yet has maximum -inf: it is taken from 0, so that no NaN arises. */
static ALWAYS_INLINE vf base_of(vf max)
{
    return v_select(v_lt(max, v_set(-FLT_MAX)), v_set(0), max);
}

/* Staged scores to exp(s - max), zero where hidden, with the running maximum and sum. */
static void softmax_rows(float *s, struct running *run, int n)
{
    for (int r = 0; r < BLOCK; r += VL) {
        vf max = v_load(run->alpha + r), old = v_load(run->max + r);
        v_store(run->max + r, max);
        v_store(run->alpha + r, v_exp(v_sub(old, base_of(max))));
    }
    for (int r = 0; r < n; r++, s += BLOCK) {
        const vf base = base_of(v_set(run->max[r]));
        vf sum = v_set(0);
        for (int j = 0; j < BLOCK_VECS; j++) {
            vf e = v_exp(v_sub(v_load(s + j * VL), base));
            v_store(s + j * VL, e);
            sum = v_add(sum, e);
        }
        run->sum[r] = run->sum[r] * run->alpha[r] + v_sum(sum);
    }
}

/* What is multiplied with the values: dropped out, rounded. */
static void finish_row(const struct attn *a, float *p, uint64_t keep)
{
    for (int j = 0; j < BLOCK_VECS; j++) {
        vf v = v_load(p + j * VL);
        if (a->dropout)
            v = v_select(lane_mask(keep, j), v_mul(v, v_set(a->dropout->scale)), v_set(0));
        if (a->dtype == GEMM_BF16)
            v = v_bf16_round(v);
        v_store(p + j * VL, v);
    }
}

static void forward_block(const struct attn_forward *f, const float *q, float *s, float *o,
                          struct running *run, int block)
{
    const struct attn *a = f->a;
    const float *kt = f->store + (size_t)(block % f->n_ring) * f->block_floats;
    const float *v = kt + a->head_dim * BLOCK;
    size_t hp = attn_hp(a);
    uint64_t bits[BLOCK];
    int len[BLOCK];
    block_mask(&a->mask, f->pos0, f->n_q, block * BLOCK, f->n_key, bits, len);
    scores(s, q, hp, kt, f->n_q, a->head_dim, len);
    stage_rows(a, s, bits, run, f->n_q);
    softmax_rows(s, run, f->n_q);
    if (a->dropout || a->dtype == GEMM_BF16)
        for (int r = 0; r < f->n_q; r++)
            finish_row(a, s + r * BLOCK,
                       a->dropout ? dropout_bits(a->dropout, f->seq, (uint32_t)(f->pos0 + r),
                                                 (uint32_t)block)
                                  : 0);
    struct mm p = {.a = s,
                   .a_row = BLOCK,
                   .a_step = 1,
                   .b = v,
                   .ldb = hp,
                   .c = o,
                   .ldc = hp,
                   .start = MM_SCALED,
                   .alpha = run->alpha};
    for (int r = 0; r < f->n_q; r += MM_M) {
        int m = f->n_q - r < MM_M ? f->n_q - r : MM_M;
        p.k = most(len + r, m);
        mm_rows(&p, r, m, (int)hp / VL);
    }
}

static void forward(const struct attn_forward *f)
{
    const struct attn *a = f->a;
    size_t hd = (size_t)a->head_dim, hp = attn_hp(a);
    float *s = f->tmp, *q = s + BLOCK * BLOCK, *o = q + BLOCK * hp;
    struct running run = {.max = o + BLOCK * hp};
    run.sum = run.max + BLOCK;
    run.alpha = run.sum + BLOCK;
    pack(q, f->q, f->ldq, f->n_q, a->head_dim, a->dtype == GEMM_BF16);
    memset(o, 0, (size_t)f->n_q * hp * sizeof *o);
    for (int r = 0; r < BLOCK; r++) {
        run.max[r] = run.alpha[r] = -INFINITY;
        run.sum[r] = 0;
    }
    for (int k0 = 0; k0 < f->n_key; k0 += BLOCK)
        if (mask_block(&a->mask, f->pos0, f->pos0 + f->n_q, k0, k0 + BLOCK) != MASK_SKIP)
            forward_block(f, q, s, o, &run, k0 / BLOCK);
    for (int r = 0; r < f->n_q; r++) {
        const vf inv = v_set(run.sum[r] > 0 ? 1 / run.sum[r] : 0);
        const float *from = o + (size_t)r * hp;
        float *to = f->o + (size_t)r * f->ldo;
        EACH(hd, { v_st(to + i, v_mul(v_ld(from + i, m), inv), m); });
        if (f->lse)
            f->lse[(size_t)r * f->ld_lse] =
                run.sum[r] > 0 ? run.max[r] + (float)log((double)run.sum[r]) : INFINITY;
    }
}

/* ---- backward */

/* From a row of scores and of do·vᵀ: probabilities as the values saw them to s, gradients of the
 * scores to g. dS = P (dP - δ), times the stage's derivative. */
static void backward_row(const struct attn_backward *b, float *s, float *g, uint64_t bits, int r,
                         int block)
{
    const struct attn *a = b->a;
    const vf lse = v_set(b->lse[(size_t)r * b->ld_lse]), zero = v_set(0);
    const vf del = v_set(b->delta[(size_t)r * b->ld_lse]), one = v_set(1);
    uint64_t keep = ~UINT64_C(0);
    if (a->dropout)
        keep = dropout_bits(a->dropout, b->seq, (uint32_t)r, (uint32_t)block);
    for (int j = 0; j < BLOCK_VECS; j++) {
        vf tanh = zero, x = stage(a, v_load(s + j * VL), &tanh), d = v_load(g + j * VL);
        vm seen = lane_mask(bits, j);
        vf p = v_select(seen, v_exp(v_sub(x, lse)), zero), out = p;
        if (a->dropout) {
            vm on = lane_mask(keep, j);
            out = v_select(on, v_mul(p, v_set(a->dropout->scale)), zero);
            d = v_select(on, v_mul(d, v_set(a->dropout->scale)), zero);
        }
        vf ds = v_mul(v_mul(p, v_sub(d, del)), v_set(a->scale));
        if (a->softcap > 0)
            ds = v_mul(ds, v_fnma(tanh, tanh, one));
        ds = v_select(seen, ds, zero);
        if (a->dtype == GEMM_BF16) {
            out = v_bf16_round(out);
            ds = v_bf16_round(ds);
        }
        v_store(s + j * VL, out);
        v_store(g + j * VL, ds);
    }
}

/* c[keys, hp] += aᵀ[keys, queries] · b[queries, hp], for each group of keys over the queries that
 * see one of them. */
static void add_keys(float *c, const float *a, const float *b, size_t hp, const uint64_t *bits,
                     int n_q, int n_key)
{
    for (int k = 0; k < n_key; k += MM_M) {
        int m = n_key - k < MM_M ? n_key - k : MM_M, from = 0, to = n_q;
        uint64_t group = ((UINT64_C(1) << m) - 1) << k;
        while (from < to && !(bits[from] & group))
            from++;
        while (to > from && !(bits[to - 1] & group))
            to--;
        struct mm p = {.a = a + from * BLOCK,
                       .a_row = 1,
                       .a_step = BLOCK,
                       .b = b + (size_t)from * hp,
                       .ldb = hp,
                       .c = c,
                       .ldc = hp,
                       .k = to - from,
                       .start = MM_ADD};
        mm_rows(&p, k, m, (int)hp / VL);
    }
}

static void backward_block(const struct attn_backward *b, int q0, int k0)
{
    const struct attn *a = b->a;
    size_t hp = attn_hp(a), hd = (size_t)a->head_dim, q_at = (size_t)q0 * hp,
           k_at = (size_t)k0 * hp;
    int n_q = b->n - q0 < BLOCK ? b->n - q0 : BLOCK;
    int n_key = b->n - k0 < BLOCK ? b->n - k0 : BLOCK;
    float *s = b->tmp, *g = s + BLOCK * BLOCK;
    uint64_t bits[BLOCK];
    int len[BLOCK];
    block_mask(&a->mask, q0, n_q, k0, b->n, bits, len);
    scores(s, b->q + q_at, hp, b->kt + (size_t)k0 * hd, n_q, a->head_dim, len);
    scores(g, b->d_o + q_at, hp, b->vt + (size_t)k0 * hd, n_q, a->head_dim, len);
    for (int r = 0; r < n_q; r++)
        backward_row(b, s + r * BLOCK, g + r * BLOCK, bits[r], q0 + r, k0 / BLOCK);
    add_keys(b->dv + k_at, s, b->d_o + q_at, hp, bits, n_q, n_key);
    add_keys(b->dk + k_at, g, b->q + q_at, hp, bits, n_q, n_key);
    struct mm p = {.a = g,
                   .a_row = BLOCK,
                   .a_step = 1,
                   .b = b->k + k_at,
                   .ldb = hp,
                   .c = b->dq + q_at,
                   .ldc = hp,
                   .start = MM_ADD};
    for (int r = 0; r < n_q; r += MM_M) {
        int m = n_q - r < MM_M ? n_q - r : MM_M;
        p.k = most(len + r, m);
        mm_rows(&p, r, m, (int)hp / VL);
    }
}

static void backward(const struct attn_backward *b)
{
    size_t n = (size_t)b->n * attn_hp(b->a);
    memset(b->dq, 0, n * sizeof *b->dq);
    memset(b->dk, 0, n * sizeof *b->dk);
    memset(b->dv, 0, n * sizeof *b->dv);
    for (int k0 = 0; k0 < b->n; k0 += BLOCK)
        for (int q0 = 0; q0 < b->n; q0 += BLOCK) {
            int q1 = b->n - q0 < BLOCK ? b->n : q0 + BLOCK;
            if (mask_block(&b->a->mask, q0, q1, k0, k0 + BLOCK) != MASK_SKIP)
                backward_block(b, q0, k0);
        }
}

const struct attn_kernels VEC(attn) = {
    .pack = pack,
    .transpose = transpose,
    .delta = delta,
    .unpack = unpack,
    .forward = forward,
    .backward = backward,
};

#endif
