/*
 * The documents of a set in random order, in bounded memory. Document i gets the key
 * Philox(seed, i), and documents leave in the order of (key, i): every permutation is equally
 * likely, and the order depends on the seed and the documents' numbers alone, not on the memory.
 * What does not fit is sorted in runs that go to a temporary file (io/tmp.h) and are merged.
 */
#ifndef SHARD_SHUFFLE_H
#define SHARD_SHUFFLE_H

#include <stdint.h>
#include "base/progress.h"
#include "shard/set.h"

#define SHUFFLE_MEM_MIN (UINT64_C(1) << 20)

struct shuffle_report {
    uint64_t n_docs, n_tokens;
    uint64_t n_runs;      /* 0: everything fitted in memory */
    uint64_t n_merges;    /* passes over the temporary file before the last one */
    uint64_t spill_bytes; /* written to temporary files */
};
/* mem_bytes >= SHUFFLE_MEM_MIN; pr counts bytes of input and may be NULL. */
int shuffle_run(struct shard_set *in, struct shard_out *out, uint64_t seed, uint64_t mem_bytes,
                struct progress *pr, struct shuffle_report *rep, struct err *e);

#endif
