/* 64 bytes of text with AVX-512: compared with one byte or a range, the answers as bits. */
#ifndef TEXT_BLOCK_AVX512_INT_H
#define TEXT_BLOCK_AVX512_INT_H

#include <immintrin.h>

#include "base/compiler.h"

struct block {
    __m512i v;
};

static ALWAYS_INLINE void block_load(struct block *b, const unsigned char *s)
{
    b->v = _mm512_loadu_si512(s);
}

static ALWAYS_INLINE __mmask64 block_is(const struct block *b, unsigned char c)
{
    return _mm512_cmpeq_epi8_mask(b->v, _mm512_set1_epi8((char)c));
}

static ALWAYS_INLINE __mmask64 block_in(const struct block *b, unsigned char from, unsigned char to)
{
    return _mm512_cmple_epu8_mask(_mm512_sub_epi8(b->v, _mm512_set1_epi8((char)from)),
                                  _mm512_set1_epi8((char)(to - from)));
}

static ALWAYS_INLINE __mmask64 block_high(const struct block *b)
{
    return _mm512_movepi8_mask(b->v);
}

static ALWAYS_INLINE __mmask64 block_letters(const struct block *b)
{
    struct block small = {_mm512_or_si512(b->v, _mm512_set1_epi8(0x20))};
    return block_in(&small, 'a', 'z');
}

#endif
