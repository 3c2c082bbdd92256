/* Long JSON strings with AVX2. */
#if defined(__x86_64__)
#    include <immintrin.h>
#    include <stdint.h>

#    include "base/compiler.h"

struct bytes {
    __m256i v[2];
};

static ALWAYS_INLINE void load(struct bytes *b, const char *s)
{
    b->v[0] = _mm256_loadu_si256((const __m256i *)(const void *)s);
    b->v[1] = _mm256_loadu_si256((const __m256i *)(const void *)(s + 32));
}

static ALWAYS_INLINE void store(char *to, const struct bytes *b)
{
    _mm256_storeu_si256((__m256i *)(void *)to, b->v[0]);
    _mm256_storeu_si256((__m256i *)(void *)(to + 32), b->v[1]);
}

static ALWAYS_INLINE uint64_t joined(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

static ALWAYS_INLINE uint64_t is(const struct bytes *b, char c)
{
    const __m256i v = _mm256_set1_epi8(c);
    return joined(_mm256_cmpeq_epi8(b->v[0], v), _mm256_cmpeq_epi8(b->v[1], v));
}

static ALWAYS_INLINE uint64_t below(const struct bytes *b, unsigned char c)
{
    const __m256i most = _mm256_set1_epi8((char)(c - 1));
    return joined(_mm256_cmpeq_epi8(_mm256_min_epu8(b->v[0], most), b->v[0]),
                  _mm256_cmpeq_epi8(_mm256_min_epu8(b->v[1], most), b->v[1]));
}

#    include "io/jscan_vec_impl_int.h"

size_t jscan_scan_avx2(const char *s, size_t n, bool *escaped)
{
    return scan_string_by(s, n, escaped);
}

size_t jscan_unescape_avx2(char **to, const char *s, size_t n)
{
    return unescape_by(to, s, n);
}
#else
typedef int no_jscan_of_another_processor;
#endif
