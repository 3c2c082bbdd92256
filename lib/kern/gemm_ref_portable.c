/* The reference product for any processor. */
#include "kern/vec_portable_int.h"
#include "kern/gemm_ref_impl_int.h"
