/* Attention on pairs of bf16 for AVX-512 with BF16: vdpbf16ps. */
#if defined(__x86_64__)
#    include <math.h>
#    include "kern/attn_int.h"
#    include "kern/gemm_pairs_avx512bf16_int.h"

#    define MM_DOT(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#    include "kern/mm_impl_int.h"

static void product(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
                    int m, int n, int words, bool add)
{
    struct mm p = {.a = a,
                   .a_row = lda,
                   .a_step = 1,
                   .b = b,
                   .ldb = ldb,
                   .c = c,
                   .ldc = ldc,
                   .k = words,
                   .start = add ? MM_ADD : MM_ZERO};
    for (int r = 0; r < m; r += MM_M)
        mm_rows(&p, r, m - r < MM_M ? m - r : MM_M, n / VL);
}

#    include "kern/attn_pairs_impl_int.h"

const struct attn_kernels attn_avx512bf16 = ATTN_PAIRS_TABLE(NULL, NULL);
#else
typedef int no_kernels_of_another_processor;
#endif
