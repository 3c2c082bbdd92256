/* Lanes that look for a pair cell by cell, and the choice between them and those of AVX-512. */
#include "base/cpu.h"
#include "token/bpe_model.h"

static ALWAYS_INLINE uint32_t rank_of(const struct bpe *b, uint32_t left, uint32_t right)
{
    return bpe_rank(b, left, right);
}

#include "token/bpe_lanes_impl_int.h"

void bpe_merge_lanes(const struct bpe *b, struct piece_job *jobs, size_t n_jobs)
{
#if defined(__x86_64__)
    enum isa isa;
    if (cpu_isa(&isa, NULL) == 0 && cpu_isa_includes(isa, ISA_AVX512)) {
        bpe_merge_lanes_avx512(b, jobs, n_jobs);
        return;
    }
#endif
    merge_lanes(b, jobs, n_jobs);
}
