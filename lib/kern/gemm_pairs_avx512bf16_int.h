/* Words of gemm_own_impl_int.h that are pairs of bf16, by the conversions of AVX-512 with BF16. */
#ifndef GEMM_PAIRS_AVX512BF16_INT_H
#define GEMM_PAIRS_AVX512BF16_INT_H

#include <stdbool.h>
#include "kern/gemm_own_int.h"
#include "kern/vec_avx512_int.h"

/* 32 elements, lo's first, in 16 words. */
static ALWAYS_INLINE vf pair_vectors(vf lo, vf hi)
{
    return (vf)_mm512_cvtne2ps_pbh(hi, lo);
}

/* Word i: lo's element i and hi's. */
static ALWAYS_INLINE vf words_of(__m256i lo, __m256i hi)
{
    return (vf)_mm512_or_si512(_mm512_cvtepu16_epi32(lo),
                               _mm512_slli_epi32(_mm512_cvtepu16_epi32(hi), 16));
}

static ALWAYS_INLINE vf pair_lanes(vf lo, vf hi)
{
    return words_of((__m256i)_mm512_cvtneps_pbh(lo), (__m256i)_mm512_cvtneps_pbh(hi));
}

static ALWAYS_INLINE vf own_words_along(const void *from, size_t n, enum own_source s)
{
    const float *x = from;
    if (s == OWN_HALF)
        return (vf)_mm512_maskz_loadu_epi16(n < 2 * VL ? (1u << n) - 1 : ~0u, from);
    if (n == 2 * VL)
        return (vf)_mm512_cvtne2ps_pbh(v_load(x + VL), v_load(x));
    return n >= VL ? (vf)_mm512_cvtne2ps_pbh(v_load_n(x + VL, n - VL), v_load(x))
                   : (vf)_mm512_cvtne2ps_pbh(v_set(0), v_load_n(x, n));
}

/* The row in the low halves, the next one, if there is one, in the high halves. */
static ALWAYS_INLINE vf own_words_across(const void *from, size_t ldx, int rows, size_t n,
                                         enum own_source s)
{
    const float *x = from;
    const uint16_t *h = from;
    if (s == OWN_HALF) {
        __mmask16 m = (__mmask16)((1u << n) - 1);
        return words_of(_mm256_maskz_loadu_epi16(m, h),
                        rows > 1 ? _mm256_maskz_loadu_epi16(m, h + ldx) : _mm256_setzero_si256());
    }
    vf lo = n == VL ? v_load(x) : v_load_n(x, n), hi = v_set(0);
    if (rows > 1)
        hi = n == VL ? v_load(x + ldx) : v_load_n(x + ldx, n);
    return pair_lanes(lo, hi);
}

#endif
