/* Long JSON strings with AVX-512. */
#if defined(__x86_64__)
#    include <immintrin.h>
#    include <stdint.h>

#    include "base/compiler.h"

struct bytes {
    __m512i v;
};

static ALWAYS_INLINE void load(struct bytes *b, const char *s)
{
    b->v = _mm512_loadu_si512(s);
}

static ALWAYS_INLINE void store(char *to, const struct bytes *b)
{
    _mm512_storeu_si512(to, b->v);
}

static ALWAYS_INLINE uint64_t is(const struct bytes *b, char c)
{
    return _mm512_cmpeq_epi8_mask(b->v, _mm512_set1_epi8(c));
}

static ALWAYS_INLINE uint64_t below(const struct bytes *b, unsigned char c)
{
    return _mm512_cmplt_epu8_mask(b->v, _mm512_set1_epi8((char)c));
}

#    include "io/jscan_vec_impl_int.h"

size_t jscan_scan_avx512(const char *s, size_t n, bool *escaped)
{
    return scan_string_by(s, n, escaped);
}

size_t jscan_unescape_avx512(char **to, const char *s, size_t n)
{
    return unescape_by(to, s, n);
}
#else
typedef int no_jscan_of_another_processor;
#endif
