/* The end of a JSON string, 32 bytes at a time. */
#if defined(__x86_64__)
#    include <immintrin.h>

#    include "base/compiler.h"
#    include "io/jscan_int.h"

size_t jscan_scan_avx2(const char *s, size_t n)
{
    size_t i = 0;
    for (; n - i >= 32; i += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(s + i));
        __m256i stop = _mm256_or_si256(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('"')),
                                       _mm256_cmpeq_epi8(x, _mm256_set1_epi8('\\')));
        __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(x, _mm256_set1_epi8(0x1f)), x);
        unsigned m = (unsigned)_mm256_movemask_epi8(_mm256_or_si256(stop, control));
        if (m)
            return i + (size_t)CTZ64(m);
    }
    return i + jscan_scan_portable(s + i, n - i);
}

size_t jscan_copy_avx2(char *to, const char *s, size_t n)
{
    const __m256i slash = _mm256_set1_epi8('\\');
    size_t i = 0;
    for (; n - i >= 32; i += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(s + i));
        unsigned stop = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, slash));
        _mm256_storeu_si256((__m256i *)(void *)(to + i), x);
        if (stop)
            return i + (size_t)CTZ64(stop);
    }
    return i + jscan_copy_portable(to + i, s + i, n - i);
}
#else
typedef int no_jscan_of_another_processor;
#endif
