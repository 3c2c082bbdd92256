/* 64 bytes of JSON with AVX-512, as jscan_vec_impl_int.h asks for them. */
#ifndef IO_JSCAN_AVX512_INT_H
#define IO_JSCAN_AVX512_INT_H

#include <immintrin.h>
#include <stdint.h>

#include "base/compiler.h"

struct bytes {
    __m512i v;
};

static ALWAYS_INLINE void load(struct bytes *b, const char *s)
{
    b->v = _mm512_loadu_si512(s);
}

static ALWAYS_INLINE uint64_t is(const struct bytes *b, char c)
{
    return _mm512_cmpeq_epi8_mask(b->v, _mm512_set1_epi8(c));
}

static ALWAYS_INLINE uint64_t below(const struct bytes *b, unsigned char c)
{
    return _mm512_cmplt_epu8_mask(b->v, _mm512_set1_epi8((char)c));
}

#endif
