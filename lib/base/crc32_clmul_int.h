/*
 * CRC-32 by products without carries: 64 bytes are folded at once onto the next 64. Gopal et al.,
 * Fast CRC Computation for Generic Polynomials Using PCLMULQDQ (Intel, 2009). The constants are
 * powers of x modulo the polynomial, with reflected bits: to fold by n bytes, those of 8n + 32 and
 * 8n - 32.
 */
#ifndef BASE_CRC32_CLMUL_INT_H
#define BASE_CRC32_CLMUL_INT_H

#include <immintrin.h>

#include "base/compiler.h"
#include "base/hash_int.h"

static ALWAYS_INLINE __m128i load(const unsigned char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* x times the power of k, plus what stands there. */
static ALWAYS_INLINE __m128i fold(__m128i x, __m128i k, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(x, k, 0x00), high = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* The CRC of 64 bytes that all before are folded onto, and of p[0..n) without the last n % 16. */
static ALWAYS_INLINE uint32_t crc32_rest(__m128i x[4], const unsigned char *p, size_t n)
{
    const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i by_8 = _mm_set_epi64x(0, 0x163cd6124);
    const __m128i barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    const __m128i words = _mm_setr_epi32(-1, 0, -1, 0);
    for (; n >= 64; p += 64, n -= 64)
        for (int i = 0; i < 4; i++)
            x[i] = fold(x[i], by_64, load(p + 16 * i));
    __m128i y = x[0];
    for (int i = 1; i < 4; i++)
        y = fold(y, by_16, x[i]);
    for (; n >= 16; p += 16, n -= 16)
        y = fold(y, by_16, load(p));
    y = _mm_xor_si128(_mm_srli_si128(y, 8), _mm_clmulepi64_si128(y, by_16, 0x10));
    y = _mm_xor_si128(_mm_srli_si128(y, 4),
                      _mm_clmulepi64_si128(_mm_and_si128(y, words), by_8, 0x00));
    __m128i q = _mm_clmulepi64_si128(_mm_and_si128(y, words), barrett, 0x10);
    y = _mm_xor_si128(y, _mm_clmulepi64_si128(_mm_and_si128(q, words), barrett, 0x00));
    return ~(uint32_t)_mm_extract_epi32(y, 1);
}

#endif
