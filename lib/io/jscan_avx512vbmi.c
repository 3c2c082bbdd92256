/* Long JSON strings with AVX-512 that looks up bytes in tables of 128 and packs them. */
#if defined(__x86_64__)
#    include "io/jscan_avx512_int.h"
#    include "io/jscan_int.h"

/* What the bytes stand for behind a backslash; 0: nothing. */
static ALWAYS_INLINE __m512i meaning(const struct bytes *b)
{
    const __m512i low = _mm512_loadu_si512(jscan_short_escape);
    const __m512i high = _mm512_loadu_si512(jscan_short_escape + 64);
    const __mmask64 ascii = ~_mm512_movepi8_mask(b->v);
    return _mm512_maskz_permutex2var_epi8(ascii, low, b->v, high);
}

static ALWAYS_INLINE uint64_t short_escapes(const struct bytes *b)
{
    const __m512i m = meaning(b);
    return _mm512_test_epi8_mask(m, m);
}

static ALWAYS_INLINE char *put(char *to, const char *s, const struct bytes *b, uint64_t begin,
                               uint64_t behind, unsigned at)
{
    const __m512i all = _mm512_mask_mov_epi8(b->v, behind, meaning(b));
    (void)s;
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(~begin, all));
    return to + POPCOUNT64(~begin & (at < 64 ? (UINT64_C(1) << at) - 1 : ~UINT64_C(0)));
}

#    include "io/jscan_vec_impl_int.h"

size_t jscan_scan_avx512vbmi(const char *s, size_t n, bool *escaped)
{
    return scan_string_by(s, n, escaped);
}

size_t jscan_take_avx512vbmi(const char *s, size_t n, char **to, bool *escaped)
{
    return take_string_by(s, n, to, escaped);
}
#else
typedef int no_jscan_of_another_processor;
#endif
