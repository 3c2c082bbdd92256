/* Splitting 64 bytes at a time with AVX-512. */
#if defined(__x86_64__)
#    include "text/block_avx512_int.h"
#    include "text/split_vec_impl_int.h"

split_windows *split_avx512_of(const struct split_rule *r)
{
    return vec_machine_of(r);
}
#else
typedef int no_split_of_another_processor;
#endif
