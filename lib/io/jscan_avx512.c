/* The end of a JSON string, 64 bytes at a time; what is behind n is not read. */
#if defined(__x86_64__)
#    include <immintrin.h>

#    include "base/compiler.h"
#    include "io/jscan_int.h"

size_t jscan_scan_avx512(const char *s, size_t n)
{
    const __m512i quote = _mm512_set1_epi8('"'), slash = _mm512_set1_epi8('\\');
    const __m512i space = _mm512_set1_epi8(' ');
    for (size_t i = 0; i < n; i += 64) {
        __mmask64 in = n - i >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n - i)) - 1;
        __m512i x = _mm512_maskz_loadu_epi8(in, s + i);
        __mmask64 stop = _mm512_mask_cmpeq_epi8_mask(in, x, quote) |
                         _mm512_mask_cmpeq_epi8_mask(in, x, slash) |
                         _mm512_mask_cmplt_epu8_mask(in, x, space);
        if (stop)
            return i + (size_t)CTZ64(stop);
    }
    return n;
}

size_t jscan_copy_avx512(char *to, const char *s, size_t n)
{
    const __m512i slash = _mm512_set1_epi8('\\');
    for (size_t i = 0; i < n; i += 64) {
        __mmask64 in = n - i >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n - i)) - 1;
        __m512i x = _mm512_maskz_loadu_epi8(in, s + i);
        __mmask64 stop = _mm512_cmpeq_epi8_mask(x, slash);
        _mm512_storeu_si512(to + i, x);
        if (stop)
            return i + (size_t)CTZ64(stop);
    }
    return n;
}
#else
typedef int no_jscan_of_another_processor;
#endif
