/* Long JSON strings with AVX2. */
#if defined(__x86_64__)
#    include <immintrin.h>
#    include <stdint.h>

#    include "base/compiler.h"
#    include "io/jscan_int.h"

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

static ALWAYS_INLINE __m256i table(const uint8_t t[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t));
}

static ALWAYS_INLINE __m256i no_short_escapes(__m256i v)
{
    const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
    return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(table(jscan_escape_low), v),
                                              _mm256_shuffle_epi8(table(jscan_escape_high), upper)),
                             _mm256_setzero_si256());
}

static ALWAYS_INLINE uint64_t short_escapes(const struct bytes *b)
{
    return ~joined(no_short_escapes(b->v[0]), no_short_escapes(b->v[1]));
}

#    include "io/jscan_runs_int.h"
#    include "io/jscan_vec_impl_int.h"

size_t jscan_scan_avx2(const char *s, size_t n, bool *escaped)
{
    return scan_string_by(s, n, escaped);
}

size_t jscan_take_avx2(const char *s, size_t n, char **to, bool *escaped)
{
    return take_string_by(s, n, to, escaped);
}
#else
typedef int no_jscan_of_another_processor;
#endif
