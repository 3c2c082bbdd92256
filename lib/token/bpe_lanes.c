/*
 * BPE of many short pieces at once. Each merge asks the table of merges at places that no cache
 * holds; with a few pieces taken in turn, a step each, what one asks for is fetched while the
 * others go on. Those of AVX-512 are elsewhere.
 */
#include <string.h>

#include "base/cpu.h"
#include "token/bpe_lanes_int.h"

enum { LANES = 12, BLOCK = 8, NO_RANK = INT32_MAX & -64 };

/* Both arrays are gone through by whole blocks; ranks behind the last pair are NO_RANK. */
struct lane {
    uint32_t id[BPE_FEW + 2 * BLOCK];
    int32_t rank[BPE_FEW + 2 * BLOCK]; /* of the pair with the next one, times 64 */
    uint32_t n, at;                    /* at: the symbol that a merge makes or has just made */
    uint32_t least;                    /* rank of that merge */
    struct piece_job *job;
};

static ALWAYS_INLINE void fetch(const struct bpe *b, uint32_t left, uint32_t right)
{
    PREFETCH(&b->cells[bpe_cell(b, (uint64_t)left << 20 | right)]);
}

static ALWAYS_INLINE int32_t shifted(uint32_t rank)
{
    return rank == BPE_NONE ? NO_RANK : (int32_t)(rank << 6);
}

static ALWAYS_INLINE void begin(const struct bpe *b, struct lane *l, struct piece_job *job)
{
    const unsigned char *s = (const unsigned char *)job->s;
    size_t n = job->n;
    for (size_t i = 0; i < n; i++)
        l->id[i] = b->byte_id[s[i]];
    for (size_t i = 0; i + 1 < n; i++)
        l->rank[i] = shifted(b->byte_rank[s[i] << 8 | s[i + 1]]);
    for (size_t i = n - 1; i < n + 2 * BLOCK; i++)
        l->rank[i] = NO_RANK;
    l->n = (uint32_t)n;
    l->at = UINT32_MAX;
    l->job = job;
}

/* Chooses the next merge; false: there is none left. */
static ALWAYS_INLINE bool choose(const struct bpe *b, struct lane *l)
{
    uint32_t n = l->n, k = l->at;
    if (k != UINT32_MAX) {
        if (k > 0)
            l->rank[k - 1] = shifted(bpe_rank(b, l->id[k - 1], l->id[k]));
        if (k + 1 < n)
            l->rank[k] = shifted(bpe_rank(b, l->id[k], l->id[k + 1]));
    }
    int32_t least = NO_RANK;
    for (uint32_t i = 0; i < n; i += BLOCK)
        for (int c = 0; c < BLOCK; c++) {
            int32_t v = l->rank[i + (uint32_t)c] | (int32_t)(i + (uint32_t)c);
            least = v < least ? v : least;
        }
    l->at = (uint32_t)least & 63;
    l->least = (uint32_t)least >> 6;
    return least < NO_RANK;
}

static ALWAYS_INLINE void merge(const struct bpe *b, struct lane *l)
{
    uint32_t k = l->at, n = --l->n;
    l->id[k] = b->new_of[l->least];
    for (uint32_t i = k; i < n; i += BLOCK) {
        memmove(l->rank + i, l->rank + i + 1, BLOCK * sizeof *l->rank);
        memmove(l->id + i + 1, l->id + i + 2, BLOCK * sizeof *l->id);
    }
    if (k > 0)
        fetch(b, l->id[k - 1], l->id[k]);
    if (k + 1 < n)
        fetch(b, l->id[k], l->id[k + 1]);
}

static void merge_lanes(const struct bpe *b, struct piece_job *jobs, size_t n_jobs)
{
    struct lane lanes[LANES], *lane[LANES];
    size_t next = 0, n = 0;
    for (; n < LANES && next < n_jobs; n++) {
        lane[n] = &lanes[n];
        begin(b, lane[n], &jobs[next++]);
    }
    while (n > 0) {
        for (size_t i = 0; i < n;) {
            struct lane *l = lane[i];
            if (LIKELY(choose(b, l))) {
                PREFETCH(&b->new_of[l->least]);
                i++;
                continue;
            }
            memcpy(l->job->ids, l->id, l->n * sizeof *l->id);
            l->job->n_ids = l->n;
            if (next < n_jobs)
                begin(b, l, &jobs[next++]);
            else
                lane[i] = lane[--n];
        }
        for (size_t i = 0; i < n; i++)
            merge(b, lane[i]);
    }
}

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
