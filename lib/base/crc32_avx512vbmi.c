/* CRC-32 by eight products without carries at once: 256 bytes are folded onto the next 256. */
#if defined(__x86_64__)
#    include "base/crc32_clmul_int.h"

static ALWAYS_INLINE __m512i fold4(__m512i x, __m512i k, __m512i next)
{
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, k, 0x00),
                                     _mm512_clmulepi64_epi128(x, k, 0x11), next, 0x96); /* xor */
}

uint32_t crc32_avx512vbmi(uint32_t crc, const unsigned char *p, size_t n)
{
    const __m512i by_256 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x1322d1430, 0x11542778a));
    const __m512i by_64 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x1c6e41596, 0x154442bd4));
    __m512i x[4];
    __m128i last[4];
    for (int i = 0; i < 4; i++)
        x[i] = _mm512_loadu_si512(p + 64 * i);
    x[0] = _mm512_xor_si512(x[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
    for (p += 256, n -= 256; n >= 256; p += 256, n -= 256)
        for (int i = 0; i < 4; i++)
            x[i] = fold4(x[i], by_256, _mm512_loadu_si512(p + 64 * i));
    for (int i = 1; i < 4; i++)
        x[i] = fold4(x[i - 1], by_64, x[i]);
    _mm512_storeu_si512(last, x[3]);
    return crc32_rest(last, p, n);
}
#else
typedef int no_crc_of_another_processor;
#endif
