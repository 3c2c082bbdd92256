/* The ends of lines. */
#include <string.h>

#include "base/cpu.h"
#include "io/lines_int.h"

size_t lines_find(const char *s, size_t n, size_t at, uint32_t *end)
{
    size_t k = 0, i = 0;
#if defined(__x86_64__)
    enum isa isa;
    if (n >= 64 && cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE) {
        k = lines_find_avx2(s, n, at, end);
        i = n / 64 * 64;
    }
#endif
    for (const char *nl; i < n && (nl = memchr(s + i, '\n', n - i)); i = (size_t)(nl - s) + 1)
        end[k++] = (uint32_t)(at + (size_t)(nl - s));
    return k;
}
