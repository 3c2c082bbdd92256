/* Splitting 64 bytes at a time with AVX-512. */
#if defined(__x86_64__)
#    include <immintrin.h>

#    include "base/compiler.h"

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

static ALWAYS_INLINE __mmask64 block_letters(const struct block *b)
{
    struct block small = {_mm512_or_si512(b->v, _mm512_set1_epi8(0x20))};
    return block_in(&small, 'a', 'z');
}

#    include "text/split_vec_impl_int.h"

split_machine *split_avx512_of(const struct split_rule *r)
{
    return vec_machine_of(r);
}
#else
typedef int no_split_of_another_processor;
#endif
