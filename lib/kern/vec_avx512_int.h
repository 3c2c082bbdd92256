/* vec_portable_int.h for AVX-512 (F, BW, VL, DQ): sixteen lanes. */
#ifndef VEC_AVX512_INT_H
#define VEC_AVX512_INT_H

#include <immintrin.h>
#include <stdint.h>
#include "base/compiler.h"

#define VL          16
#define VEC_HAS_FMA 1
#if defined(__AVX512BF16__)
#    define VEC(name)   name##_avx512bf16
#    define VEC_NAME    "avx512bf16"
#    define VEC_TO_BF16 1
#else
#    define VEC(name) name##_avx512
#    define VEC_NAME  "avx512"
#endif

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

static ALWAYS_INLINE vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static ALWAYS_INLINE void v_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}

static ALWAYS_INLINE void v_stream(float *p, vf v)
{
    _mm512_stream_ps(p, v);
}

static ALWAYS_INLINE void v_stream_end(void)
{
    _mm_sfence();
}

static ALWAYS_INLINE vf v_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static ALWAYS_INLINE void v_store_n(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}

static ALWAYS_INLINE vf v_set(float x)
{
    return _mm512_set1_ps(x);
}

static ALWAYS_INLINE vi vi_set(uint32_t x)
{
    return _mm512_set1_epi32((int)x);
}

static ALWAYS_INLINE vi vi_iota(void)
{
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

static ALWAYS_INLINE vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static ALWAYS_INLINE vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static ALWAYS_INLINE vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static ALWAYS_INLINE vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

static ALWAYS_INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static ALWAYS_INLINE vf v_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

static ALWAYS_INLINE vf v_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}

static ALWAYS_INLINE vi v_bits(vf a)
{
    return _mm512_castps_si512(a);
}

static ALWAYS_INLINE vf v_float(vi a)
{
    return _mm512_castsi512_ps(a);
}

static ALWAYS_INLINE vm v_lt(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static ALWAYS_INLINE vm v_is_nan(vf a)
{
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}

static ALWAYS_INLINE vf v_select(vm m, vf a, vf b)
{
    return _mm512_mask_blend_ps(m, b, a);
}

static ALWAYS_INLINE vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static ALWAYS_INLINE vf v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static ALWAYS_INLINE vf v_keep_n(vf v, size_t n)
{
    return _mm512_maskz_mov_ps((__mmask16)((1u << n) - 1), v);
}

static ALWAYS_INLINE vm vm_from_bits(uint32_t bits)
{
    return (__mmask16)bits;
}

static ALWAYS_INLINE uint32_t vm_to_bits(vm m)
{
    return m;
}

static ALWAYS_INLINE vi vi_add(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}

static ALWAYS_INLINE vi vi_xor(vi a, vi b)
{
    return _mm512_xor_si512(a, b);
}

static ALWAYS_INLINE vi vi_and(vi a, vi b)
{
    return _mm512_and_si512(a, b);
}

static ALWAYS_INLINE vi vi_shl23(vi a)
{
    return _mm512_slli_epi32(a, 23);
}

static ALWAYS_INLINE vi vi_shr16(vi a)
{
    return _mm512_srli_epi32(a, 16);
}

static ALWAYS_INLINE vm vi_ult(vi a, vi b)
{
    return _mm512_cmplt_epu32_mask(a, b);
}

static ALWAYS_INLINE void vi_mul_wide(vi a, vi b, vi *hi, vi *lo)
{
    __m512i even = _mm512_mul_epu32(a, b);
    __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    *lo = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
    *hi = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}

static ALWAYS_INLINE void vi_store(uint32_t *p, vi v)
{
    _mm512_storeu_si512(p, v);
}

static ALWAYS_INLINE vf v_load_bf16(const uint16_t *p)
{
    __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
}

static ALWAYS_INLINE void v_store_high(uint16_t *p, vi v)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16)));
}

#if VEC_TO_BF16
/* To the nearest bf16, ties to even; denormals are 0. */
static ALWAYS_INLINE void v_store_bf16(uint16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(v));
}
#endif

static ALWAYS_INLINE float v_sum(vf v)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

static ALWAYS_INLINE float v_hmax(vf v)
{
    __m256 a = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

/* Pairs of rows, then pairs of pairs within each quarter of a vector, then the quarters. */
static ALWAYS_INLINE void v_transpose(float *to, size_t ldto, const float *x, size_t ldx)
{
    __m512 a[16], b[16];
    for (size_t r = 0; r < 16; r++)
        a[r] = _mm512_loadu_ps(x + r * ldx);
    for (int r = 0; r < 16; r += 2) {
        b[r] = _mm512_unpacklo_ps(a[r], a[r + 1]);
        b[r + 1] = _mm512_unpackhi_ps(a[r], a[r + 1]);
    }
    for (int r = 0; r < 16; r += 4) {
        a[r] = _mm512_shuffle_ps(b[r], b[r + 2], 0x44);
        a[r + 1] = _mm512_shuffle_ps(b[r], b[r + 2], 0xee);
        a[r + 2] = _mm512_shuffle_ps(b[r + 1], b[r + 3], 0x44);
        a[r + 3] = _mm512_shuffle_ps(b[r + 1], b[r + 3], 0xee);
    }
    for (size_t c = 0; c < 4; c++) {
        __m512 even_lo = _mm512_shuffle_f32x4(a[c], a[c + 4], 0x88);
        __m512 odd_lo = _mm512_shuffle_f32x4(a[c], a[c + 4], 0xdd);
        __m512 even_hi = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0x88);
        __m512 odd_hi = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0xdd);
        _mm512_storeu_ps(to + c * ldto, _mm512_shuffle_f32x4(even_lo, even_hi, 0x88));
        _mm512_storeu_ps(to + (c + 4) * ldto, _mm512_shuffle_f32x4(odd_lo, odd_hi, 0x88));
        _mm512_storeu_ps(to + (c + 8) * ldto, _mm512_shuffle_f32x4(even_lo, even_hi, 0xdd));
        _mm512_storeu_ps(to + (c + 12) * ldto, _mm512_shuffle_f32x4(odd_lo, odd_hi, 0xdd));
    }
}

typedef struct {
    __m512d a, b;
} vd;

static ALWAYS_INLINE vd vd_zero(void)
{
    return (vd){_mm512_setzero_pd(), _mm512_setzero_pd()};
}

static ALWAYS_INLINE void vd_add(vd *s, vf x)
{
    s->a = _mm512_add_pd(s->a, _mm512_cvtps_pd(_mm512_castps512_ps256(x)));
    s->b = _mm512_add_pd(s->b, _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)));
}

static ALWAYS_INLINE void vd_add_square(vd *s, vf x)
{
    __m512d a = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
    __m512d b = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
    s->a = _mm512_fmadd_pd(a, a, s->a);
    s->b = _mm512_fmadd_pd(b, b, s->b);
}

static ALWAYS_INLINE double vd_sum(vd s)
{
    __m512d t = _mm512_add_pd(s.a, s.b);
    __m256d u = _mm256_add_pd(_mm512_castpd512_pd256(t), _mm512_extractf64x4_pd(t, 1));
    __m128d h = _mm_add_pd(_mm256_castpd256_pd128(u), _mm256_extractf128_pd(u, 1));
    return _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)));
}

#endif
