/* CRC-32 by products of 64 bits without carries. */
#if defined(__x86_64__)
#    include "base/crc32_clmul_int.h"

uint32_t crc32_clmul(uint32_t crc, const unsigned char *p, size_t n)
{
    __m128i x[4];
    for (int i = 0; i < 4; i++)
        x[i] = load(p + 16 * i);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)~crc));
    return crc32_rest(x, p + 64, n - 64);
}
#else
typedef int no_crc_of_another_processor;
#endif
