/* The suite's own products of bf16 for AVX-512 with BF16: vdpbf16ps, pairs along k. */
#if defined(__x86_64__)
#    include <stdbool.h>
#    include "kern/vec_avx512_int.h"

#    define OWN_PAIRS

static ALWAYS_INLINE vf own_dot(vf a, vf b, vf c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

static ALWAYS_INLINE vf own_words_along(const float *x, size_t n, bool round)
{
    (void)round;
    if (n == 2 * VL)
        return (vf)_mm512_cvtne2ps_pbh(v_load(x + VL), v_load(x));
    return n >= VL ? (vf)_mm512_cvtne2ps_pbh(v_load_n(x + VL, n - VL), v_load(x))
                   : (vf)_mm512_cvtne2ps_pbh(v_set(0), v_load_n(x, n));
}

/* The row in the low halves, the next one, if there is one, in the high halves. */
static ALWAYS_INLINE vf own_words_across(const float *x, size_t ldx, int rows, size_t n, bool round)
{
    (void)round;
    vf lo = n == VL ? v_load(x) : v_load_n(x, n), hi = v_set(0);
    if (rows > 1)
        hi = n == VL ? v_load(x + ldx) : v_load_n(x + ldx, n);
    __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(lo));
    __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(hi));
    return (vf)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

#    include "kern/gemm_own_impl_int.h"
#else
typedef int no_kernels_of_another_processor;
#endif
