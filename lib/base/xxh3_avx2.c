/* XXH3 with AVX2: libxxhash's own header compiled for it, since the library of most systems is
 * compiled for any processor. */
#if defined(__x86_64__)
#    define XXH_INLINE_ALL
#    include <xxhash.h>

#    include "base/xxh3_impl_int.h"

const struct xxh3 xxh3_avx2 = {all64, all128, new, add, get64, get128, end};
#else
typedef int no_xxh3_of_another_processor;
#endif
