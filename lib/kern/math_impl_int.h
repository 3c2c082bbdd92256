/*
 * Functions of one variable over vectors; include a vec_*_int.h first. Polynomials are minimax fits
 * (Lawson's weights) of the functions named beside them; the errors are those of the fit, relative.
 */
#ifndef MATH_IMPL_INT_H
#define MATH_IMPL_INT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Loads and stores of m lanes that cost nothing where m is the constant VL. */
static ALWAYS_INLINE vf v_ld(const float *p, size_t m)
{
    return m == VL ? v_load(p) : v_load_n(p, m);
}

static ALWAYS_INLINE void v_st(float *p, vf v, size_t m)
{
    if (m == VL)
        v_store(p, v);
    else
        v_store_n(p, v, m);
}

/* The body once for every VL elements from i = 0 on with m = VL, then for the m that are left. */
#define EACH(n, ...)                                      \
    do {                                                  \
        size_t i = 0;                                     \
        for (const size_t m = VL; i + VL <= (n); i += VL) \
            __VA_ARGS__                                   \
        if (i < (n)) {                                    \
            const size_t m = (n)-i;                       \
            __VA_ARGS__                                   \
        }                                                 \
    } while (0)

static ALWAYS_INLINE vf v_abs(vf x)
{
    return v_float(vi_and(v_bits(x), vi_set(0x7fffffff)));
}

static ALWAYS_INLINE vf v_neg(vf x)
{
    return v_float(vi_xor(v_bits(x), vi_set(0x80000000)));
}

/* eˣ = 2ⁿ·eʳ, |r| ≤ ln2/2; 3.1e-9. Results below the least normal number are 0; e⁰ is 1. Above
 * x = 88, where eˣ is not finite, it is any number: for what a mask drops. */
static ALWAYS_INLINE vf v_exp_finite(vf x)
{
    const vf magic = v_set(0x1.8p23f); /* adding it rounds to an integer, held in the low bits */
    vf t = v_fma(x, v_set(0x1.715476p0f), magic);
    vf n = v_sub(t, magic);
    vf r = v_fnma(n, v_set(0x1.63p-1f), x); /* ln 2 in two parts, the first times n exact */
    r = v_fnma(n, v_set(-0x1.bd0106p-13f), r);
    vf p = v_set(0x1.6a23d0p-10f);
    p = v_fma(p, r, v_set(0x1.123a20p-7f));
    p = v_fma(p, r, v_set(0x1.5558f2p-5f));
    p = v_fma(p, r, v_set(0x1.555492p-3f));
    p = v_fma(p, r, v_set(0x1.fffffcp-2f));
    p = v_fma(v_mul(r, r), p, r);
    p = v_add(p, v_set(1));
    p = v_float(vi_add(v_bits(p), vi_shl23(v_bits(t))));
    return v_select(v_lt(x, v_set(-0x1.5d5896p6f)), v_set(0), p);
}

/* The same for any x. */
static ALWAYS_INLINE vf v_exp(vf x)
{
    return v_select(v_lt(v_set(0x1.62e42ep6f), x), v_set(INFINITY), v_exp_finite(x));
}

/* tanh x = x + x³P(x²) for |x| < 0.625, 1.6e-10; else ±(1 - 2/(e^2|x| + 1)) */
static ALWAYS_INLINE vf v_tanh(vf x)
{
    vf a = v_abs(x), s = v_mul(x, x);
    vf p = v_set(0x1.18e1e0p-9f);
    p = v_fma(p, s, v_set(-0x1.0bf4fep-7f));
    p = v_fma(p, s, v_set(0x1.638b58p-6f));
    p = v_fma(p, s, v_set(-0x1.b9ee90p-5f));
    p = v_fma(p, s, v_set(0x1.111066p-3f));
    p = v_fma(p, s, v_set(-0x1.555554p-2f));
    p = v_fma(v_mul(p, s), x, x);
    vf e = v_exp(v_add(a, a));
    vf big = v_sub(v_set(1), v_div(v_set(2), v_add(e, v_set(1))));
    vi sign = vi_and(v_bits(x), vi_set(0x80000000));
    return v_select(v_lt(a, v_set(0.625f)), p, v_float(vi_xor(v_bits(big), sign)));
}

/* 1 / (1 + e⁻ˣ) */
static ALWAYS_INLINE vf v_sigmoid(vf x)
{
    return v_div(v_set(1), v_add(v_set(1), v_exp(v_neg(x))));
}

/* The normal distribution function Φ(x), where e = exp(-x²/2): Φ(-a)/e = t·P(t) with
 * t = 1/(1 + 0.3a) (the form of Hastings 1955), 3.4e-9 for a up to 13.5, where e is 0. */
static ALWAYS_INLINE vf v_phi(vf x, vf e)
{
    vf t = v_div(v_set(1), v_fma(v_abs(x), v_set(0.3f), v_set(1)));
    vf p = v_set(-0x1.516c52p-6f);
    p = v_fma(p, t, v_set(0x1.cbdf5ep-4f));
    p = v_fma(p, t, v_set(-0x1.d2920ep-3f));
    p = v_fma(p, t, v_set(0x1.87a5d0p-3f));
    p = v_fma(p, t, v_set(-0x1.435beap-4f));
    p = v_fma(p, t, v_set(0x1.88c172p-4f));
    p = v_fma(p, t, v_set(0x1.417c1cp-4f));
    p = v_fma(p, t, v_set(0x1.c36f0cp-4f));
    p = v_fma(p, t, v_set(0x1.e9c714p-4f));
    p = v_fma(p, t, v_set(0x1.ea3c6ep-4f));
    vf tail = v_mul(v_mul(p, t), e);
    return v_select(v_lt(x, v_set(0)), tail, v_sub(v_set(1), tail));
}

/* Round to the nearest bf16, ties to even; NaN stays NaN. */
static ALWAYS_INLINE vf v_bf16_round(vf x)
{
    vi u = v_bits(x);
    vi odd = vi_and(vi_shr16(u), vi_set(1));
    vi r = vi_and(vi_add(vi_add(u, vi_set(0x7fff)), odd), vi_set(0xffff0000));
    vf nan = v_float(vi_xor(vi_and(u, vi_set(0xffbf0000)), vi_set(0x00400000)));
    return v_select(v_is_nan(x), nan, v_float(r));
}

#if !VEC_TO_BF16
static ALWAYS_INLINE void v_store_bf16(uint16_t *p, vf v)
{
    v_store_high(p, v_bits(v_bf16_round(v)));
}
#endif

/* m lanes as bf16. */
static ALWAYS_INLINE void v_st_bf16(uint16_t *p, vf v, size_t m)
{
    if (m == VL) {
        v_store_bf16(p, v);
    } else {
        uint16_t some[VL];
        v_store_bf16(some, v);
        memcpy(p, some, m * sizeof *p);
    }
}

/* ---- sums over n floats in one order: four accumulators by turns, then pairwise */

static ALWAYS_INLINE float row_dot(const float *a, const float *b, size_t n)
{
    vf s[4] = {v_set(0), v_set(0), v_set(0), v_set(0)};
    size_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int j = 0; j < 4; j++)
            s[j] = v_fma(v_load(a + i + j * VL), v_load(b + i + j * VL), s[j]);
    for (; i + VL <= n; i += VL)
        s[0] = v_fma(v_load(a + i), v_load(b + i), s[0]);
    if (i < n)
        s[1] = v_fma(v_load_n(a + i, n - i), v_load_n(b + i, n - i), s[1]);
    return v_sum(v_add(v_add(s[0], s[2]), v_add(s[1], s[3])));
}

static ALWAYS_INLINE float row_sum(const float *a, size_t n)
{
    vf s[4] = {v_set(0), v_set(0), v_set(0), v_set(0)};
    size_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int j = 0; j < 4; j++)
            s[j] = v_add(v_load(a + i + j * VL), s[j]);
    for (; i + VL <= n; i += VL)
        s[0] = v_add(v_load(a + i), s[0]);
    if (i < n)
        s[1] = v_add(v_load_n(a + i, n - i), s[1]);
    return v_sum(v_add(v_add(s[0], s[2]), v_add(s[1], s[3])));
}

/* Σ (a - mean)² */
static ALWAYS_INLINE float row_variance(const float *a, float mean, size_t n)
{
    vf s[4] = {v_set(0), v_set(0), v_set(0), v_set(0)}, mu = v_set(mean);
    size_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int j = 0; j < 4; j++) {
            vf d = v_sub(v_load(a + i + j * VL), mu);
            s[j] = v_fma(d, d, s[j]);
        }
    for (; i + VL <= n; i += VL) {
        vf d = v_sub(v_load(a + i), mu);
        s[0] = v_fma(d, d, s[0]);
    }
    if (i < n) {
        vf d = v_keep_n(v_sub(v_load_n(a + i, n - i), mu), n - i);
        s[1] = v_fma(d, d, s[1]);
    }
    return v_sum(v_add(v_add(s[0], s[2]), v_add(s[1], s[3])));
}

static ALWAYS_INLINE float row_max(const float *a, size_t n)
{
    vf s[4], low = v_set(-INFINITY);
    s[0] = s[1] = s[2] = s[3] = low;
    size_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int j = 0; j < 4; j++)
            s[j] = v_max(v_load(a + i + j * VL), s[j]);
    for (; i + VL <= n; i += VL)
        s[0] = v_max(v_load(a + i), s[0]);
    float max = v_hmax(v_max(v_max(s[0], s[2]), v_max(s[1], s[3])));
    for (; i < n; i++)
        max = a[i] > max ? a[i] : max;
    return max;
}

/* ---- dropout: which of the columns 64b..64b+63 of a row stay, one bit each. The word for column
 * 64b + 16j + l is word j of Philox4x32-10 of the counter (16b + l, row, seq). */

static ALWAYS_INLINE void v_philox_round(vi c[4], vi k0, vi k1)
{
    vi h0, l0, h1, l1;
    vi_mul_wide(c[0], vi_set(0xd2511f53), &h0, &l0);
    vi_mul_wide(c[2], vi_set(0xcd9e8d57), &h1, &l1);
    c[0] = vi_xor(vi_xor(h1, c[1]), k0);
    c[1] = l1;
    c[2] = vi_xor(vi_xor(h0, c[3]), k1);
    c[3] = l0;
}

static inline uint64_t dropout_bits(const struct dropout *d, uint64_t seq, uint32_t row,
                                    uint32_t block)
{
    uint64_t bits = 0;
    for (uint32_t l = 0; l < 16; l += VL) {
        vi c[4] = {vi_add(vi_set(16 * block + l), vi_iota()), vi_set(row), vi_set((uint32_t)seq),
                   vi_set((uint32_t)(seq >> 32))};
        uint32_t k0 = d->key[0], k1 = d->key[1];
        for (int r = 0; r < 10; r++, k0 += 0x9e3779b9, k1 += 0xbb67ae85)
            v_philox_round(c, vi_set(k0), vi_set(k1));
        for (int j = 0; j < 4; j++) {
            uint32_t drop = vm_to_bits(vi_ult(c[j], vi_set(d->threshold)));
            bits |= (uint64_t)(~drop & ((1u << VL) - 1)) << (16 * j + (int)l);
        }
    }
    return bits;
}

#endif
