/*
 * Register kernels and packing of the suite's own products, on a vec_*_int.h. A file with an
 * instruction for pairs of bf16 defines OWN_PAIRS and own_dot, own_words_along, own_words_across.
 */
#ifndef GEMM_OWN_IMPL_INT_H
#define GEMM_OWN_IMPL_INT_H

#include <math.h>
#include "kern/gemm_own_int.h"
#include "kern/math_impl_int.h"

/* Rows of the register tile, beside two vectors: accumulators, b and a fill the registers. */
#if VL == 16
#    define OWN_M 14
#elif VL == 8
#    define OWN_M 6
#else
#    define OWN_M 4
#endif
#define OWN_N (2 * VL)

/* Floats ahead that packing prefetches: it reads as many rows as a panel is wide by turns. */
#define AHEAD 128

#if !defined(OWN_PAIRS)
#    define OWN_PER_WORD 1

static ALWAYS_INLINE vf own_dot(vf a, vf b, vf c)
{
    return v_fma(a, b, c);
}

/* The words of n ≤ VL * OWN_PER_WORD elements, zeros behind. */
static ALWAYS_INLINE vf own_words_along(const float *x, size_t n, bool round)
{
    vf v = n == VL ? v_load(x) : v_load_n(x, n);
    return round ? v_bf16_round(v) : v;
}

/* The words of n ≤ VL vectors, from one row of memory (or two: rows 2; ldx floats apart). */
static ALWAYS_INLINE vf own_words_across(const float *x, size_t ldx, int rows, size_t n, bool round)
{
    (void)ldx, (void)rows;
    return own_words_along(x, n, round);
}
#else
#    define OWN_PER_WORD 2
#endif

/* ---- the micro-kernel */

static ALWAYS_INLINE void own_tile(const int rows, int n_words, const float *a, const float *b,
                                   float *c, size_t ldc, bool add)
{
    vf acc[OWN_M][2];
    for (int r = 0; r < rows; r++) {
        PREFETCH_WRITE(c + (size_t)r * ldc);
        PREFETCH_WRITE(c + (size_t)r * ldc + OWN_N - 1);
        acc[r][0] = acc[r][1] = v_set(0);
    }
    for (int i = 0; i < n_words; i++, a += rows, b += OWN_N) {
        vf b0 = v_load(b), b1 = v_load(b + VL);
        for (int r = 0; r < rows; r++) {
            vf x = v_set(a[r]);
            acc[r][0] = own_dot(x, b0, acc[r][0]);
            acc[r][1] = own_dot(x, b1, acc[r][1]);
        }
    }
    for (int r = 0; r < rows; r++, c += ldc) {
        v_store(c, add ? v_add(v_load(c), acc[r][0]) : acc[r][0]);
        v_store(c + VL, add ? v_add(v_load(c + VL), acc[r][1]) : acc[r][1]);
    }
}

/* A function for each count of rows, so that every loop over rows is unrolled into registers. */
#define OWN_ROWS(n)                                                                      \
    static NO_INLINE void own_##n(int n_words, const float *a, const float *b, float *c, \
                                  size_t ldc, bool add)                                  \
    {                                                                                    \
        own_tile(n, n_words, a, b, c, ldc, add);                                         \
    }
OWN_ROWS(1)
OWN_ROWS(2)
OWN_ROWS(3)
OWN_ROWS(4)
#if OWN_M > 4
OWN_ROWS(5)
OWN_ROWS(6)
#endif
#if OWN_M > 6
OWN_ROWS(7)
OWN_ROWS(8)
OWN_ROWS(9)
OWN_ROWS(10)
OWN_ROWS(11)
OWN_ROWS(12)
OWN_ROWS(13)
OWN_ROWS(14)
#endif

static void own_tile_of(int rows, int n_words, const float *a, const float *b, float *c, size_t ldc,
                        bool add)
{
    typedef void tile(int n_words, const float *a, const float *b, float *c, size_t ldc, bool add);
    static tile *const of_rows[] = {
        own_1,
        own_2,
        own_3,
        own_4,
#if OWN_M > 4
        own_5,
        own_6,
#endif
#if OWN_M > 6
        own_7,
        own_8,
        own_9,
        own_10,
        own_11,
        own_12,
        own_13,
        own_14,
#endif
    };
    of_rows[rows - 1](n_words, a, b, c, ldc, add);
}

/* ---- packing */

static ALWAYS_INLINE void pack_along(float *to, int width, const float *x, size_t ldx, int n, int k,
                                     const bool round)
{
    enum { STEP = VL * OWN_PER_WORD };
    for (int i = 0; i < k; i += STEP, to += VL * width) {
        size_t len = (size_t)(k - i < STEP ? k - i : STEP);
        int words = (int)(len + OWN_PER_WORD - 1) / OWN_PER_WORD;
        if (width == 1) {
            v_st(to, own_words_along(x + i, len, round), (size_t)words);
            continue;
        }
        for (int r = 0; r < width; r += VL) {
            size_t lanes = (size_t)(width - r < VL ? width - r : VL);
            float in[VL * VL], out[VL * VL];
            for (int v = 0; v < VL; v++) {
                if (r + v < n)
                    for (int q = 0; q < OWN_PER_WORD; q++)
                        PREFETCH(x + (size_t)(r + v) * ldx + i + AHEAD + q * VL);
                v_store(in + v * VL,
                        r + v < n ? own_words_along(x + (size_t)(r + v) * ldx + i, len, round)
                                  : v_set(0));
            }
            if (lanes == VL && words == VL) {
                v_transpose(to + r, (size_t)width, in, VL);
                continue;
            }
            v_transpose(out, VL, in, VL);
            for (int w = 0; w < words; w++)
                v_st(to + w * width + r, v_load(out + w * VL), lanes);
        }
    }
}

static ALWAYS_INLINE void pack_across(float *to, int width, const float *x, size_t ldx, int n,
                                      int k, const bool round)
{
    for (int i = 0; i < k; i += OWN_PER_WORD, to += width, x += OWN_PER_WORD * ldx)
        for (int r = 0; r < width; r += VL) {
            size_t lanes = (size_t)(width - r < VL ? width - r : VL);
            size_t have = n <= r ? 0 : (size_t)(n - r < VL ? n - r : VL);
            v_st(to + r, have ? own_words_across(x + r, ldx, k - i, have, round) : v_set(0), lanes);
        }
}

static void along(float *to, int width, const float *x, size_t ldx, int n, int k)
{
    pack_along(to, width, x, ldx, n, k, false);
}

static void across(float *to, int width, const float *x, size_t ldx, int n, int k)
{
    pack_across(to, width, x, ldx, n, k, false);
}

#define OWN_TABLE(pack_along, pack_across)                               \
    {                                                                    \
        OWN_M, OWN_N, OWN_PER_WORD, own_tile_of, pack_along, pack_across \
    }

#if defined(OWN_PAIRS)
const struct own_kernels gemm_own_avx512bf16 = OWN_TABLE(along, across);
#else
static void along_round(float *to, int width, const float *x, size_t ldx, int n, int k)
{
    pack_along(to, width, x, ldx, n, k, true);
}

static void across_round(float *to, int width, const float *x, size_t ldx, int n, int k)
{
    pack_across(to, width, x, ldx, n, k, true);
}

const struct own_kernels VEC(gemm_own)[2] = {OWN_TABLE(along, across),
                                             OWN_TABLE(along_round, across_round)};
#endif

#endif
