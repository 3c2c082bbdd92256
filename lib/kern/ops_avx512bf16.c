/* struct ops for AVX-512 with BF16, whose instruction rounds to it. */
#if defined(__x86_64__)
#    include "kern/vec_avx512_int.h"
#    include "kern/ops_impl_int.h"
#else
typedef int no_kernels_of_another_processor;
#endif
