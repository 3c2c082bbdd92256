/* Ids to bytes and back with AVX2. */
#if defined(__x86_64__)
#    include "shard/ids_impl_int.h"

const struct ids_loops ids_loops_avx2 = {widen, narrow, copy, most};
#else
typedef int no_ids_of_another_processor;
#endif
