/* The suite's own products for any processor. */
#include "kern/vec_portable_int.h"
#include "kern/gemm_own_impl_int.h"
