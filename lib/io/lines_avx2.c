/* The ends of lines, 64 bytes at a time. */
#if defined(__x86_64__)
#    include <immintrin.h>

#    include "base/compiler.h"
#    include "io/lines_int.h"

size_t lines_find_avx2(const char *s, size_t n, size_t at, uint32_t *end)
{
    const __m256i newline = _mm256_set1_epi8('\n');
    size_t k = 0;
    for (size_t i = 0; n - i >= 64; i += 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(s + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + i + 32));
        uint64_t m = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, newline)) |
                     (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, newline)) << 32;
        if (m == 0)
            continue;
        /* Four are written whether there are as many or not: their number cannot be foretold. */
        unsigned count = (unsigned)POPCOUNT64(m);
        for (unsigned j = 0; j < 4; j++, m &= m - 1)
            end[k + j] = (uint32_t)(at + i) + (uint32_t)CTZ64(m | (uint64_t)1 << 63);
        for (unsigned j = 4; UNLIKELY(j < count); j++, m &= m - 1)
            end[k + j] = (uint32_t)(at + i) + (uint32_t)CTZ64(m);
        k += count;
    }
    return k;
}
#else
typedef int no_lines_of_another_processor;
#endif
