/*
 * Attention within one head in f32, compiled once per instruction set; attn_int.h has the
 * contracts.
 *
 *     packing     rows and transposed blocks
 *     forward     a block of queries over the keys
 *     backward    a block of keys by blocks of queries
 *
 * Packed blocks: the store's keys are [hd][BLOCK], its values [BLOCK][hp]; for backward queries are
 * [BLOCK][hp], likewise gradients, then log-sum-exps and deltas; keys [BLOCK][hp], keys and values
 * transposed.
 */
#ifndef ATTN_IMPL_INT_H
#define ATTN_IMPL_INT_H

#include "kern/attn_soft_impl_int.h"
#include "kern/mm_impl_int.h"

static struct attn_sizes sizes(const struct attn *a)
{
    size_t hd = (size_t)a->head_dim, hp = attn_hp(a);
    return (struct attn_sizes){
        .store = BLOCK * (hd + hp),
        .q = BLOCK * (2 * hp + 2),
        .k = BLOCK * (2 * hd + hp),
        .forward_tmp = BLOCK * (BLOCK + 2 * hp + VL) + running_floats(),
        .backward_tmp = 2 * BLOCK * BLOCK,
    };
}

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

static void put(const struct attn *a, float *to, int at, const float *k, size_t ldk, const float *v,
                size_t ldv, int n)
{
    int hd = a->head_dim;
    bool round = a->dtype == GEMM_BF16;
    transpose(to, at, k, ldk, n, hd, round);
    pack(to + hd * BLOCK + (size_t)at * attn_hp(a), v, ldv, n, hd, round);
}

static void pack_q(const struct attn *a, float *to, const struct attn_pack_q *p)
{
    bool round = a->dtype == GEMM_BF16;
    size_t rows = BLOCK * attn_hp(a);
    pack(to, p->q, p->ldq, p->n, a->head_dim, round);
    pack(to + rows, p->d_o, p->ldd_o, p->n, a->head_dim, round);
    pack_rows_of(a, to + 2 * rows, p);
}

static void pack_k(const struct attn *a, float *to, const float *k, size_t ldk, const float *v,
                   size_t ldv, int n)
{
    int hd = a->head_dim;
    bool round = a->dtype == GEMM_BF16;
    float *kt = to + BLOCK * attn_hp(a);
    pack(to, k, ldk, n, hd, round);
    transpose(kt, 0, k, ldk, n, hd, round);
    transpose(kt + BLOCK * hd, 0, v, ldv, n, hd, round);
}

static void unpack_q(const struct attn *a, float *to, size_t ldto, const float *from, int n)
{
    unpack(to, ldto, from, attn_hp(a), 1, 0, n, a->head_dim);
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

/* What is multiplied with the values: dropped out, rounded. */
static ALWAYS_INLINE vf finish(const struct attn *a, vf p, uint64_t keep, int j)
{
    if (a->dropout)
        p = v_select(lane_mask(keep, j), v_mul(p, v_set(a->dropout->scale)), v_set(0));
    return a->dtype == GEMM_BF16 ? v_bf16_round(p) : p;
}

static void forward_block(const struct attn_forward *f, const float *q, float *s, float *o,
                          struct running *run, float *sums, int block)
{
    const struct attn *a = f->a;
    const float *kt = attn_stored(f, block);
    const float *v = kt + a->head_dim * BLOCK;
    size_t hp = attn_hp(a);
    uint64_t bits[BLOCK];
    int len[BLOCK];
    block_mask(&a->mask, f->pos0, f->n_q, block * BLOCK, f->n_key, bits, len);
    scores(s, q, hp, kt, f->n_q, a->head_dim, len);
    for (int r = 0; r < f->n_q; r++) {
        vf p[BLOCK_VECS], sum = v_set(0);
        uint64_t keep = ~UINT64_C(0);
        softmax_row(a, s + r * BLOCK, bits[r], run, r, p);
        if (a->dropout)
            keep = dropout_bits(a->dropout, f->seq, (uint32_t)(f->pos0 + r), (uint32_t)block);
        for (int j = 0; j < BLOCK_VECS; j++) {
            sum = v_add(sum, p[j]);
            v_store(s + r * BLOCK + j * VL, finish(a, p[j], keep, j));
        }
        v_store(sums + r * VL, sum);
    }
    running_on(run, sums, 0, f->n_q);
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
    size_t hp = attn_hp(a);
    float *s = f->tmp, *q = s + BLOCK * BLOCK, *o = q + BLOCK * hp, *sums = o + BLOCK * hp;
    struct running run;
    running_init(&run, sums + BLOCK * VL);
    pack(q, f->q, f->ldq, f->n_q, a->head_dim, a->dtype == GEMM_BF16);
    memset(o, 0, (size_t)f->n_q * hp * sizeof *o);
    for (int k0 = 0; k0 < f->n_key; k0 += BLOCK)
        if (mask_block(&a->mask, f->pos0, f->pos0 + f->n_q, k0, k0 + BLOCK) != MASK_SKIP)
            forward_block(f, q, s, o, &run, sums, k0 / BLOCK);
    finish_rows(f, &run, o);
}

/* ---- backward */

/* From a row of scores and of do·vᵀ: probabilities as the values saw them to s, gradients of the
 * scores to g. dS = P (dP - δ), times the stage's derivative. */
static void backward_row(const struct attn_backward *b, const float *lse_delta, float *s, float *g,
                         uint64_t bits, int r, int block)
{
    const struct attn *a = b->a;
    const vf lse = v_set(lse_delta[r % BLOCK]), zero = v_set(0);
    const vf del = v_set(lse_delta[BLOCK + r % BLOCK]), one = v_set(1);
    uint64_t keep = ~UINT64_C(0);
    if (a->dropout)
        keep = dropout_bits(a->dropout, b->seq, (uint32_t)r, (uint32_t)block);
    for (int j = 0; j < BLOCK_VECS; j++) {
        vf tanh = zero, x = stage(a, v_load(s + j * VL), &tanh), d = v_load(g + j * VL);
        vm seen = lane_mask(bits, j);
        vf p = v_select(seen, v_exp_finite(v_sub(x, lse)), zero), out = p;
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

static void backward_block(const struct attn_backward *b, int qb)
{
    const struct attn *a = b->a;
    size_t hp = attn_hp(a), rows = BLOCK * hp;
    int q0 = qb * BLOCK, k0 = b->block * BLOCK, hd = a->head_dim;
    int n_q = b->n - q0 < BLOCK ? b->n - q0 : BLOCK;
    int n_key = b->n - k0 < BLOCK ? b->n - k0 : BLOCK;
    const float *q = b->q + (size_t)qb * b->q_apart, *d_o = q + rows;
    const float *k = b->k, *kt = k + rows;
    float *s = b->tmp, *g = s + BLOCK * BLOCK;
    uint64_t bits[BLOCK] = {0};
    int len[BLOCK];
    block_mask(&a->mask, q0, n_q, k0, b->n, bits, len);
    scores(s, q, hp, kt, n_q, hd, len);
    scores(g, d_o, hp, kt + BLOCK * hd, n_q, hd, len);
    for (int r = 0; r < n_q; r++)
        backward_row(b, q + 2 * rows, s + r * BLOCK, g + r * BLOCK, bits[r], q0 + r, b->block);
    add_keys(b->dv, s, d_o, hp, bits, n_q, n_key);
    add_keys(b->dk, g, q, hp, bits, n_q, n_key);
    struct mm p = {.a = g,
                   .a_row = BLOCK,
                   .a_step = 1,
                   .b = k,
                   .ldb = hp,
                   .c = b->dq + (size_t)qb * rows,
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
    backward_key(b, backward_block);
}

const struct attn_kernels VEC(attn) = {
    .sizes = sizes,
    .put = put,
    .pack_q = pack_q,
    .pack_k = pack_k,
    .unpack_q = unpack_q,
    .unpack = unpack,
    .forward = forward,
    .backward = backward,
};

#endif
