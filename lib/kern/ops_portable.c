/* struct ops for any processor. */
#include "kern/vec_portable_int.h"
#include "kern/ops_impl_int.h"
