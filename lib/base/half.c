/* IEEE binary16, by its bits. */
#include "base/half.h"

uint16_t f16_from_f32(float v)
{
    uint32_t u;
    memcpy(&u, &v, 4);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    uint32_t a = u & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x1ff));
    if (a >= 0x477ff000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (a >= 0x38800000u) { /* normal: rebias by 127 - 15, drop 13 bits */
        a += 0xfff + (a >> 13 & 1);
        return (uint16_t)(sign | (a - 0x38000000u) >> 13);
    }
    if (a <= 0x33000000u) /* 2^-25 is half the least subnormal, and ties to even: zero */
        return sign;
    uint32_t m = (a & 0x7fffff) | 0x800000;
    int shift = 126 - (int)(a >> 23); /* units of 2^-24 */
    uint32_t q = m >> shift, rest = m & ((1u << shift) - 1), half = 1u << (shift - 1);
    q += rest > half || (rest == half && (q & 1));
    return (uint16_t)(sign | q);
}

float f16_to_f32(uint16_t v)
{
    uint32_t sign = (uint32_t)(v & 0x8000) << 16, exp = v >> 10 & 31, m = v & 0x3ff, u;
    float f;
    if (exp == 31) {
        u = sign | 0x7f800000u | m << 13 | (m ? 0x400000u : 0);
    } else if (exp != 0) {
        u = sign | (exp + 112) << 23 | m << 13;
    } else {
        f = (float)m * 0x1p-24f;
        memcpy(&u, &f, 4);
        u |= sign;
    }
    memcpy(&f, &u, 4);
    return f;
}
