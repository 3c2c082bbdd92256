/* The suite's own products of bf16 for AVX-512 with BF16: vdpbf16ps, pairs along k. */
#if defined(__x86_64__)
#    include <stdbool.h>
#    include "kern/gemm_pairs_avx512bf16_int.h"

#    define OWN_PAIRS

static ALWAYS_INLINE vf own_dot(vf a, vf b, vf c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

#    include "kern/gemm_own_impl_int.h"
#else
typedef int no_kernels_of_another_processor;
#endif
