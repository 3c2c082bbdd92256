/* 64 bytes of text with AVX2: compared with one byte or a range, the answers as bits. */
#ifndef TEXT_BLOCK_AVX2_INT_H
#define TEXT_BLOCK_AVX2_INT_H

#include <immintrin.h>
#include <stdint.h>

#include "base/compiler.h"

struct block {
    __m256i v[2];
};

static ALWAYS_INLINE void block_load(struct block *b, const unsigned char *s)
{
    b->v[0] = _mm256_loadu_si256((const __m256i *)(const void *)s);
    b->v[1] = _mm256_loadu_si256((const __m256i *)(const void *)(s + 32));
}

static ALWAYS_INLINE uint64_t joined(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

static ALWAYS_INLINE uint64_t block_is(const struct block *b, unsigned char c)
{
    const __m256i v = _mm256_set1_epi8((char)c);
    return joined(_mm256_cmpeq_epi8(b->v[0], v), _mm256_cmpeq_epi8(b->v[1], v));
}

/* Unsigned: what lies beyond `to`, with saturation, is zero. */
static ALWAYS_INLINE uint64_t block_in(const struct block *b, unsigned char from, unsigned char to)
{
    const __m256i low = _mm256_set1_epi8((char)from), most = _mm256_set1_epi8((char)(to - from));
    const __m256i zero = _mm256_setzero_si256();
    __m256i x = _mm256_subs_epu8(_mm256_sub_epi8(b->v[0], low), most);
    __m256i y = _mm256_subs_epu8(_mm256_sub_epi8(b->v[1], low), most);
    return joined(_mm256_cmpeq_epi8(x, zero), _mm256_cmpeq_epi8(y, zero));
}

static ALWAYS_INLINE uint64_t block_high(const struct block *b)
{
    return joined(b->v[0], b->v[1]);
}

static ALWAYS_INLINE uint64_t block_letters(const struct block *b)
{
    const __m256i small = _mm256_set1_epi8(0x20);
    struct block c = {{_mm256_or_si256(b->v[0], small), _mm256_or_si256(b->v[1], small)}};
    return block_in(&c, 'a', 'z');
}

#endif
