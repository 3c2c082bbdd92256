/* The check of form C, 64 bytes at a time with AVX-512. */
#if defined(__x86_64__)
#    include "text/block_avx512_int.h"
#    include "text/normalize_vec_impl_int.h"

size_t nfc_skip_avx512(const unsigned char *s, size_t p, size_t n)
{
    return skip(s, p, n);
}
#else
typedef int no_normalize_of_another_processor;
#endif
