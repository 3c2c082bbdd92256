/* vec_portable_int.h for AVX2 with FMA: eight lanes. */
#ifndef VEC_AVX2_INT_H
#define VEC_AVX2_INT_H

#include <immintrin.h>
#include <stdint.h>
#include "base/compiler.h"

#define VL          8
#define VEC(name)   name##_avx2
#define VEC_NAME    "avx2"
#define VEC_HAS_FMA 1

typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;

static ALWAYS_INLINE vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static ALWAYS_INLINE void v_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}

static ALWAYS_INLINE void v_stream(float *p, vf v)
{
    _mm256_stream_ps(p, v);
}

static ALWAYS_INLINE void v_stream_end(void)
{
    _mm_sfence();
}

static ALWAYS_INLINE vi vi_iota(void)
{
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

static ALWAYS_INLINE vi v_first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), vi_iota());
}

static ALWAYS_INLINE vf v_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, v_first(n));
}

static ALWAYS_INLINE void v_store_n(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, v_first(n), v);
}

static ALWAYS_INLINE vf v_set(float x)
{
    return _mm256_set1_ps(x);
}

static ALWAYS_INLINE vi vi_set(uint32_t x)
{
    return _mm256_set1_epi32((int)x);
}

static ALWAYS_INLINE vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static ALWAYS_INLINE vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static ALWAYS_INLINE vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static ALWAYS_INLINE vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

static ALWAYS_INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static ALWAYS_INLINE vf v_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

static ALWAYS_INLINE vf v_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}

static ALWAYS_INLINE vi v_bits(vf a)
{
    return _mm256_castps_si256(a);
}

static ALWAYS_INLINE vf v_float(vi a)
{
    return _mm256_castsi256_ps(a);
}

static ALWAYS_INLINE vm v_lt(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

static ALWAYS_INLINE vm v_is_nan(vf a)
{
    return _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
}

static ALWAYS_INLINE vf v_select(vm m, vf a, vf b)
{
    return _mm256_blendv_ps(b, a, m);
}

static ALWAYS_INLINE vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static ALWAYS_INLINE vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static ALWAYS_INLINE vf v_keep_n(vf v, size_t n)
{
    return _mm256_and_ps(v, _mm256_castsi256_ps(v_first(n)));
}

static ALWAYS_INLINE vm vm_from_bits(uint32_t bits)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i b = _mm256_and_si256(_mm256_set1_epi32((int)bits), bit);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(b, bit));
}

static ALWAYS_INLINE uint32_t vm_to_bits(vm m)
{
    return (uint32_t)_mm256_movemask_ps(m);
}

static ALWAYS_INLINE vi vi_add(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}

static ALWAYS_INLINE vi vi_xor(vi a, vi b)
{
    return _mm256_xor_si256(a, b);
}

static ALWAYS_INLINE vi vi_and(vi a, vi b)
{
    return _mm256_and_si256(a, b);
}

static ALWAYS_INLINE vi vi_shl23(vi a)
{
    return _mm256_slli_epi32(a, 23);
}

static ALWAYS_INLINE vi vi_shr16(vi a)
{
    return _mm256_srli_epi32(a, 16);
}

static ALWAYS_INLINE vm vi_ult(vi a, vi b)
{
    const __m256i top = _mm256_set1_epi32((int)0x80000000u);
    return _mm256_castsi256_ps(
        _mm256_cmpgt_epi32(_mm256_xor_si256(b, top), _mm256_xor_si256(a, top)));
}

static ALWAYS_INLINE void vi_mul_wide(vi a, vi b, vi *hi, vi *lo)
{
    __m256i even = _mm256_mul_epu32(a, b);
    __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    *lo = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    *hi = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

static ALWAYS_INLINE void vi_store(uint32_t *p, vi v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

static ALWAYS_INLINE vf v_load_bf16(const uint16_t *p)
{
    __m256i w = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
}

static ALWAYS_INLINE void v_store_high(uint16_t *p, vi v)
{
    __m256i h = _mm256_srli_epi32(v, 16);
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(h, h), 0x08);
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(packed));
}

static ALWAYS_INLINE float v_sum(vf v)
{
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}

static ALWAYS_INLINE float v_hmax(vf v)
{
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

/* Pairs of rows, then pairs of pairs within each half of a vector, then the halves. */
static ALWAYS_INLINE void v_transpose(float *to, size_t ldto, const float *x, size_t ldx)
{
    __m256 a[8], b[8];
    for (size_t r = 0; r < 8; r++)
        a[r] = _mm256_loadu_ps(x + r * ldx);
    for (int r = 0; r < 8; r += 2) {
        b[r] = _mm256_unpacklo_ps(a[r], a[r + 1]);
        b[r + 1] = _mm256_unpackhi_ps(a[r], a[r + 1]);
    }
    for (int r = 0; r < 8; r += 4) {
        a[r] = _mm256_shuffle_ps(b[r], b[r + 2], 0x44);
        a[r + 1] = _mm256_shuffle_ps(b[r], b[r + 2], 0xee);
        a[r + 2] = _mm256_shuffle_ps(b[r + 1], b[r + 3], 0x44);
        a[r + 3] = _mm256_shuffle_ps(b[r + 1], b[r + 3], 0xee);
    }
    for (size_t c = 0; c < 4; c++) {
        _mm256_storeu_ps(to + c * ldto, _mm256_permute2f128_ps(a[c], a[c + 4], 0x20));
        _mm256_storeu_ps(to + (c + 4) * ldto, _mm256_permute2f128_ps(a[c], a[c + 4], 0x31));
    }
}

typedef struct {
    __m256d a, b;
} vd;

static ALWAYS_INLINE vd vd_zero(void)
{
    return (vd){_mm256_setzero_pd(), _mm256_setzero_pd()};
}

static ALWAYS_INLINE void vd_add(vd *s, vf x)
{
    s->a = _mm256_add_pd(s->a, _mm256_cvtps_pd(_mm256_castps256_ps128(x)));
    s->b = _mm256_add_pd(s->b, _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)));
}

static ALWAYS_INLINE void vd_add_square(vd *s, vf x)
{
    __m256d a = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    __m256d b = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    s->a = _mm256_fmadd_pd(a, a, s->a);
    s->b = _mm256_fmadd_pd(b, b, s->b);
}

static ALWAYS_INLINE double vd_sum(vd s)
{
    __m256d t = _mm256_add_pd(s.a, s.b);
    __m128d h = _mm_add_pd(_mm256_castpd256_pd128(t), _mm256_extractf128_pd(t, 1));
    return _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)));
}

#endif
