/* The suite's own products for NEON of AArch64. */
#if defined(__aarch64__)
#    include "kern/vec_neon_int.h"
#    include "kern/gemm_own_impl_int.h"
#else
typedef int no_kernels_of_another_processor;
#endif
