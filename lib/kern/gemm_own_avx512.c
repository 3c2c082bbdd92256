/* The suite's own products for AVX-512. */
#if defined(__x86_64__)
#    include "kern/vec_avx512_int.h"
#    include "kern/gemm_own_impl_int.h"
#else
typedef int no_kernels_of_another_processor;
#endif
