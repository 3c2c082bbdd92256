/*
 * Attention within one head on pairs of bf16: operands are words of two neighbours along the sum,
 * sums are f32. A file with the instructions includes gemm_pairs_avx512bf16_int.h and defines
 *     product(c, ldc, a, lda, b, ldb, m, n, words, add)
 * which is c[m, n] (+)= a[m, words] · b[words, n]: whole tiles of 16 rows and columns and 16 words,
 * every element a chain of its own from what c holds.
 *
 * Packed blocks, with dw words (hd rounded up to 32, halved) along a vector: the store's keys are
 * [dw][BLOCK], its values pairs of tokens [BLOCK / 2][hp]. For backward, which works on transposed
 * scores [key][query] so that probabilities and gradients come out as the products need them:
 *     queries     qᵀ, doᵀ [dw][BLOCK], pairs of tokens q, do [BLOCK / 2][hp], log-sum-exps, deltas
 *     keys        k, v [BLOCK][dw], pairs of tokens transposed kᵀ [hp][BLOCK / 2]
 *     dq          transposed, [hp][BLOCK]
 * Tokens that are not there are zeros.
 */
#ifndef ATTN_PAIRS_IMPL_INT_H
#define ATTN_PAIRS_IMPL_INT_H

#include "kern/attn_soft_impl_int.h"

/* AHEAD: rows that packing prefetches, which lie far apart. */
enum { HALF = BLOCK / 2, GROUP = 16, AHEAD = 16 };

static ALWAYS_INLINE size_t dw_of(const struct attn *a)
{
    return ((size_t)a->head_dim + 31) / 32 * 16;
}

static struct attn_sizes sizes(const struct attn *a)
{
    size_t hp = attn_hp(a), dw = dw_of(a);
    return (struct attn_sizes){
        .store = BLOCK * dw + HALF * hp,
        .q = 2 * BLOCK * dw + 2 * HALF * hp + 2 * BLOCK,
        .k = 2 * BLOCK * dw + HALF * hp,
        .forward_tmp = BLOCK * (dw + hp) + GROUP * (BLOCK + HALF + VL) + running_floats(),
        .backward_tmp = BLOCK * (2 * GROUP + 3 * HALF),
    };
}

/* ---- packing */

/* Words along the rows of x, to[BLOCK][dw]; zeros behind n rows and hd columns. */
static void rows_along(float *to, size_t dw, const float *x, size_t ldx, int n, int hd)
{
    for (int r = 0; r < n; r++, to += dw, x += ldx)
        for (size_t i = 0; i < dw; i += VL) {
            size_t left = (size_t)hd - 2 * i;
            PREFETCH(x + AHEAD * ldx + 2 * i);
            PREFETCH(x + AHEAD * ldx + 2 * i + VL);
            v_store(to + i, own_words_along(x + 2 * i, left < 2 * VL ? left : 2 * VL, false));
        }
    memset(to, 0, (size_t)(BLOCK - n) * dw * sizeof *to);
}

/* Words across pairs of rows, to[HALF][hp]. */
static void rows_across(float *to, size_t hp, const float *x, size_t ldx, int n, int hd)
{
    for (int r = 0; r < n; r += 2, to += hp, x += 2 * ldx)
        for (int i = 0; i < hd; i += VL) {
            size_t left = (size_t)(hd - i);
            v_store(to + i, own_words_across(x + i, ldx, n - r, left < VL ? left : VL, false));
        }
    memset(to, 0, (size_t)(HALF - (n + 1) / 2) * hp * sizeof *to);
}

/* to[cols][rows] = from[rows][cols], multiples of 16 */
static void turn(float *to, const float *from, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r += VL)
        for (size_t c = 0; c < cols; c += VL)
            v_transpose(to + c * rows + r, rows, from + r * cols + c, cols);
}

/* A token that joins others of its block: the store of decoding. */
static void put_token(const struct attn *a, float *to, int at, const float *k, const float *v)
{
    size_t dw = dw_of(a), hp = attn_hp(a), hd = (size_t)a->head_dim;
    float words[ATTN_MAX_DIM];
    for (size_t i = 0; i < dw; i += VL) {
        size_t left = hd - 2 * i;
        v_store(words + i, own_words_along(k + 2 * i, left < 2 * VL ? left : 2 * VL, false));
    }
    for (size_t i = 0; i < dw; i++)
        to[i * BLOCK + (size_t)at] = words[i];
    to += BLOCK * dw + (size_t)(at / 2) * hp;
    for (size_t i = 0; i < hd; i += VL) {
        vf x = v_ld(v + i, hd - i < VL ? hd - i : VL);
        vi first = vi_and(v_bits(v_load(to + i)), vi_set(0xffff));
        v_store(to + i, at % 2 ? v_float(vi_xor(first, v_bits(pair_lanes(v_set(0), x))))
                               : pair_lanes(x, v_set(0)));
    }
}

static void put(const struct attn *a, float *to, int at, const float *k, size_t ldk, const float *v,
                size_t ldv, int n)
{
    size_t dw = dw_of(a), hp = attn_hp(a);
    if (at == 0) { /* as much as there is, zeros where tokens will be */
        float rows[BLOCK * ATTN_MAX_DIM / 2];
        rows_along(rows, dw, k, ldk, n, a->head_dim);
        turn(to, rows, BLOCK, dw);
        rows_across(to + BLOCK * dw, hp, v, ldv, n, a->head_dim);
        return;
    }
    for (int r = 0; r < n; r++)
        put_token(a, to, at + r, k + (size_t)r * ldk, v + (size_t)r * ldv);
}

static void pack_q(const struct attn *a, float *to, const struct attn_pack_q *p)
{
    size_t dw = dw_of(a), hp = attn_hp(a);
    int hd = a->head_dim;
    float rows[BLOCK * ATTN_MAX_DIM / 2];
    float *d_ot = to + BLOCK * dw, *across = d_ot + BLOCK * dw;
    rows_along(rows, dw, p->q, p->ldq, p->n, hd);
    turn(to, rows, BLOCK, dw);
    rows_along(rows, dw, p->d_o, p->ldd_o, p->n, hd);
    turn(d_ot, rows, BLOCK, dw);
    rows_across(across, hp, p->q, p->ldq, p->n, hd);
    rows_across(across + HALF * hp, hp, p->d_o, p->ldd_o, p->n, hd);
    pack_rows_of(a, across + 2 * HALF * hp, p);
}

static void pack_k(const struct attn *a, float *to, const float *k, size_t ldk, const float *v,
                   size_t ldv, int n)
{
    size_t dw = dw_of(a), hp = attn_hp(a);
    int hd = a->head_dim;
    float across[HALF * ATTN_MAX_DIM];
    rows_along(to, dw, k, ldk, n, hd);
    rows_along(to + BLOCK * dw, dw, v, ldv, n, hd);
    rows_across(across, hp, k, ldk, n, hd);
    turn(to + 2 * BLOCK * dw, across, HALF, hp);
}

static void unpack_q(const struct attn *a, float *to, size_t ldto, const float *from, int n)
{
    size_t hp = attn_hp(a);
    float rows[BLOCK * ATTN_MAX_DIM];
    turn(rows, from, hp, BLOCK);
    unpack(to, ldto, rows, hp, 1, 0, n, a->head_dim);
}

/* ---- forward */

static int tiles(int n)
{
    return (n + 15) / 16 * 16;
}

static void scale_rows(float *o, size_t hp, const float *alpha, int n)
{
    for (int r = 0; r < n; r++, o += hp) {
        if (alpha[r] == 1)
            continue;
        const vf by = v_set(alpha[r]);
        for (size_t i = 0; i < hp; i += VL)
            v_store(o + i, v_mul(v_load(o + i), by));
    }
}

struct forward_tmp {
    float *s, *p, *q, *o, *sums;
    struct running run;
};

/* Row r's scores to probabilities, rounded, in t->p, and their sum. */
static ALWAYS_INLINE void forward_row(const struct attn_forward *f, const struct forward_tmp *t,
                                      uint64_t bits, int block, int r)
{
    const struct attn *a = f->a;
    vf p[BLOCK_VECS], sum = v_set(0);
    struct running run = t->run;
    softmax_row(a, t->s + r % GROUP * BLOCK, bits, &run, r, p);
    for (int j = 0; j < BLOCK_VECS; j++)
        sum = v_add(sum, p[j]);
    v_store(t->sums + r % GROUP * VL, sum);
    if (a->dropout) {
        uint64_t keep = dropout_bits(a->dropout, f->seq, (uint32_t)(f->pos0 + r), (uint32_t)block);
        for (int j = 0; j < BLOCK_VECS; j++)
            p[j] = v_select(lane_mask(keep, j), v_mul(p[j], v_set(a->dropout->scale)), v_set(0));
    }
    for (int j = 0; j < BLOCK_VECS; j += 2)
        v_store(t->p + r % GROUP * HALF + j * VL / 2, pair_vectors(p[j], p[j + 1]));
}

/* Part i of n of what the next step reads, which of a long sequence lies behind the second-level
 * cache: into that, or the nearest one. */
static ALWAYS_INLINE void fetch(const float *next, size_t n_floats, int i, int n,
                                const bool nearest)
{
    const size_t part = n_floats / (size_t)n;
    next += (size_t)i * part;
    for (size_t at = 0; at < part; at += VL)
        if (nearest)
            PREFETCH(next + at);
        else
            PREFETCH_L2(next + at);
}

/* Sixteen rows at a time: what they need beside keys and values stays in the nearest cache. */
static void forward_block(const struct attn_forward *f, const struct forward_tmp *t, int block)
{
    const struct attn *a = f->a;
    size_t hp = attn_hp(a), dw = dw_of(a);
    const float *kt = attn_stored(f, block);
    const float *next = (block + 1) * BLOCK < f->n_key ? attn_stored(f, block + 1) : kt;
    uint64_t bits[BLOCK];
    int len[BLOCK];
    block_mask(&a->mask, f->pos0, f->n_q, block * BLOCK, f->n_key, bits, len);
    for (int r = 0; r < f->n_q; r += GROUP) {
        int n = f->n_q - r < GROUP ? f->n_q - r : GROUP, see = most(len + r, n);
        if (see == 0)
            continue;
        float *o = t->o + (size_t)r * hp;
        product(t->s, BLOCK, t->q + (size_t)r * dw, dw, kt, BLOCK, GROUP, tiles(see), (int)dw,
                false);
        for (int i = r; i < r + n; i++) {
            fetch(next, BLOCK * dw + HALF * hp, i, BLOCK, true);
            forward_row(f, t, bits[i], block, i);
        }
        running_on(&t->run, t->sums, r, n);
        scale_rows(o, hp, t->run.alpha + r, n);
        product(o, hp, t->p, HALF, kt + BLOCK * dw, hp, GROUP, (int)hp, HALF, true);
    }
}

static void forward(const struct attn_forward *f)
{
    const struct attn *a = f->a;
    size_t hp = attn_hp(a), dw = dw_of(a);
    struct forward_tmp t = {.s = f->tmp};
    t.p = t.s + GROUP * BLOCK;
    t.q = t.p + GROUP * HALF;
    t.o = t.q + BLOCK * dw;
    t.sums = t.o + BLOCK * hp;
    running_init(&t.run, t.sums + GROUP * VL);
    rows_along(t.q, dw, f->q, f->ldq, f->n_q, a->head_dim);
    memset(t.p, 0, GROUP * HALF * sizeof *t.p);
    memset(t.o, 0, BLOCK * hp * sizeof *t.o);
    for (int k0 = 0; k0 < f->n_key; k0 += BLOCK)
        if (mask_block(&a->mask, f->pos0, f->pos0 + f->n_q, k0, k0 + BLOCK) != MASK_SKIP)
            forward_block(f, &t, k0 / BLOCK);
    finish_rows(f, &t.run, t.o);
}

/* ---- backward */

/* Bit q of to[k] is bit k of from[q]: halves, quarters, ... change places (Hacker's Delight 7-3).
 */
static void turn_bits(uint64_t *to, const uint64_t *from)
{
    uint64_t m = 0xffffffff;
    memcpy(to, from, BLOCK * sizeof *to);
    for (int j = 32; j; j >>= 1, m ^= m << j)
        for (int k = 0; k < BLOCK; k = ((k | j) + 1) & ~j) {
            uint64_t t = (to[k] >> j ^ to[k | j]) & m;
            to[k] ^= t << j;
            to[k | j] ^= t;
        }
}

/* Of a block: which queries each key is seen by, and for which it is not dropped. */
struct seen {
    bool all;
    uint64_t bits[BLOCK], keep[BLOCK];
};

static void see(const struct attn_backward *b, int qb, struct seen *seen)
{
    const struct attn *a = b->a;
    int q0 = qb * BLOCK, k0 = b->block * BLOCK, n_q = b->n - q0 < BLOCK ? b->n - q0 : BLOCK;
    uint64_t bits[BLOCK] = {0};
    int len[BLOCK];
    seen->all = mask_block(&a->mask, q0, q0 + n_q, k0, k0 + BLOCK) == MASK_ALL &&
                k0 + BLOCK <= b->n && n_q == BLOCK;
    if (!seen->all) {
        block_mask(&a->mask, q0, n_q, k0, b->n, bits, len);
        turn_bits(seen->bits, bits);
    }
    if (a->dropout) {
        for (int r = 0; r < BLOCK; r++)
            bits[r] = dropout_bits(a->dropout, b->seq, (uint32_t)(q0 + r), (uint32_t)b->block);
        turn_bits(seen->keep, bits);
    }
}

/* A row of key k: its scores s and do·vᵀ g to p as the values saw them, and dS = P (dP - δ) times
 * the stage's derivative to ds. */
static ALWAYS_INLINE void backward_row(const struct attn *a, const float *lse, const float *s,
                                       const float *g, const struct seen *seen, int k, vf *p,
                                       vf *ds)
{
    const vf zero = v_set(0), one = v_set(1);
    for (int j = 0; j < BLOCK_VECS; j++) {
        vf tanh = zero, x = stage(a, v_load(s + j * VL), &tanh), d = v_load(g + j * VL);
        vf e = v_exp_finite(v_sub(x, v_load(lse + j * VL)));
        if (!seen->all)
            e = v_select(lane_mask(seen->bits[k], j), e, zero);
        p[j] = e;
        if (a->dropout) {
            vm on = lane_mask(seen->keep[k], j);
            p[j] = v_select(on, v_mul(e, v_set(a->dropout->scale)), zero);
            d = v_select(on, v_mul(d, v_set(a->dropout->scale)), zero);
        }
        ds[j] = v_mul(v_mul(e, v_sub(d, v_load(lse + BLOCK + j * VL))), v_set(a->scale));
        if (a->softcap > 0)
            ds[j] = v_mul(ds[j], v_fnma(tanh, tanh, one));
    }
}

/* Two rows of keys. */
static ALWAYS_INLINE void backward_rows(const struct attn *a, const float *lse, const float *s,
                                        const float *g, const struct seen *seen, int r, float *p,
                                        float *ds, float *ds_pairs)
{
    vf pr[2][BLOCK_VECS], d[2][BLOCK_VECS];
    for (int i = 0; i < 2; i++) {
        backward_row(a, lse, s + i * BLOCK, g + i * BLOCK, seen, r + i, pr[i], d[i]);
        for (int j = 0; j < BLOCK_VECS; j += 2) {
            v_store(p + (r + i) * HALF + j * VL / 2, pair_vectors(pr[i][j], pr[i][j + 1]));
            v_store(ds + (r + i) * HALF + j * VL / 2, pair_vectors(d[i][j], d[i][j + 1]));
        }
    }
    for (int j = 0; j < BLOCK_VECS; j++)
        v_store(ds_pairs + r / 2 * BLOCK + j * VL, pair_lanes(d[0][j], d[1][j]));
}

static void backward_block(const struct attn_backward *b, int qb)
{
    const struct attn *a = b->a;
    size_t hp = attn_hp(a), dw = dw_of(a), rows = BLOCK * hp;
    const float *qt = b->q + (size_t)qb * b->q_apart, *d_ot = qt + BLOCK * dw;
    const float *q = d_ot + BLOCK * dw, *d_o = q + HALF * hp, *lse = d_o + HALF * hp;
    const float *k = b->k, *v = k + BLOCK * dw, *kt = v + BLOCK * dw;
    float *s = b->tmp, *g = s + GROUP * BLOCK, *p = g + GROUP * BLOCK;
    float *ds = p + BLOCK * HALF, *ds_pairs = ds + BLOCK * HALF;
    const size_t after = (size_t)((qb + 1) * BLOCK < b->n ? qb + 1 : qb);
    const float *next = b->q + after * b->q_apart, *next_dq = b->dq + after * rows;
    struct seen seen;
    see(b, qb, &seen);
    for (int r = 0; r < BLOCK; r += GROUP) {
        product(s, BLOCK, k + (size_t)r * dw, dw, qt, BLOCK, GROUP, BLOCK, (int)dw, false);
        product(g, BLOCK, v + (size_t)r * dw, dw, d_ot, BLOCK, GROUP, BLOCK, (int)dw, false);
        for (int i = 0; i < GROUP; i += 2) {
            fetch(next, 2 * BLOCK * dw + 2 * HALF * hp, (r + i) / 2, BLOCK / 2, false);
            fetch(next_dq, rows, (r + i) / 2, BLOCK / 2, false);
            backward_rows(a, lse, s + i * BLOCK, g + i * BLOCK, &seen, r + i, p, ds, ds_pairs);
        }
    }
    product(b->dv, hp, p, HALF, d_o, hp, BLOCK, (int)hp, HALF, true);
    product(b->dk, hp, ds, HALF, q, hp, BLOCK, (int)hp, HALF, true);
    product(b->dq + (size_t)qb * rows, BLOCK, kt, HALF, ds_pairs, BLOCK, (int)hp, BLOCK, HALF,
            true);
}

static void backward(const struct attn_backward *b)
{
    backward_key(b, backward_block);
}

#define ATTN_PAIRS_TABLE(begin_, end_)                                                           \
    {                                                                                            \
        .sizes = sizes, .put = put, .pack_q = pack_q, .pack_k = pack_k, .unpack_q = unpack_q,    \
        .unpack = unpack, .forward = forward, .backward = backward, .begin = begin_, .end = end_ \
    }

#endif
