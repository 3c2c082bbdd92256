/* Long JSON strings with AVX-512. */
#if defined(__x86_64__)
#    include "io/jscan_avx512_int.h"
#    include "io/jscan_int.h"

static ALWAYS_INLINE void store(char *to, const struct bytes *b)
{
    _mm512_storeu_si512(to, b->v);
}

static ALWAYS_INLINE uint64_t short_escapes(const struct bytes *b)
{
    const __m512i low =
        _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)jscan_escape_low));
    const __m512i high =
        _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)jscan_escape_high));
    const __m512i upper = _mm512_and_si512(_mm512_srli_epi16(b->v, 4), _mm512_set1_epi8(0x0f));
    return _mm512_test_epi8_mask(_mm512_shuffle_epi8(low, b->v), _mm512_shuffle_epi8(high, upper));
}

#    include "io/jscan_runs_int.h"
#    include "io/jscan_vec_impl_int.h"

size_t jscan_scan_avx512(const char *s, size_t n, bool *escaped)
{
    return scan_string_by(s, n, escaped);
}

size_t jscan_take_avx512(const char *s, size_t n, char **to, bool *escaped)
{
    return take_string_by(s, n, to, escaped);
}
#else
typedef int no_jscan_of_another_processor;
#endif
