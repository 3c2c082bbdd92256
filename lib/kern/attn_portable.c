/* Attention for any processor. */
#include "kern/vec_portable_int.h"
#include "kern/attn_impl_int.h"
