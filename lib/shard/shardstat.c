/* Lengths of documents and frequencies of ids: see shardstat.h. */
#include "shard/shardstat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

enum {
    EXACT_BITS = 16,
    STEP_BITS = 6, /* 64 steps for each power of two above */
    N_LENS = (1 << EXACT_BITS) + ((64 - EXACT_BITS) << STEP_BITS),
};

struct shardstat *shardstat_new(struct err *e)
{
    struct shardstat *s = mem_new(1, sizeof *s, e);
    if (!s)
        return NULL;
    s->len_count = mem_new(N_LENS, sizeof *s->len_count, e);
    if (!s->len_count) {
        shardstat_free(s);
        return NULL;
    }
    return s;
}

static int n_bits(uint64_t v)
{
    return v ? 64 - CLZ64(v) : 0;
}

static size_t len_slot(uint64_t len)
{
    if (len < SHARDSTAT_EXACT)
        return (size_t)len;
    int shift = n_bits(len) - 1 - STEP_BITS;
    return SHARDSTAT_EXACT + ((size_t)(n_bits(len) - 1 - EXACT_BITS) << STEP_BITS) +
           (size_t)((len >> shift) & ((1 << STEP_BITS) - 1));
}

/* The greatest length that falls into a slot. */
static uint64_t slot_len(size_t slot)
{
    if (slot < SHARDSTAT_EXACT)
        return slot;
    size_t k = slot - SHARDSTAT_EXACT;
    int shift = (int)(k >> STEP_BITS) + EXACT_BITS - STEP_BITS;
    uint64_t step = (k & ((1 << STEP_BITS) - 1)) + (1 << STEP_BITS);
    return ((step + 1) << shift) - 1;
}

static int count_ids(struct shardstat *s, const uint32_t *ids, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t id = ids[i];
        if (UNLIKELY(id >= s->id_cap)) {
            if (id >= SHARDSTAT_IDS) {
                s->n_high++;
                continue;
            }
            size_t had = s->id_cap;
            if (mem_grow(&s->id_count, &s->id_cap, (size_t)id + 1, sizeof *s->id_count, e) < 0)
                return -1;
            memset(s->id_count + had, 0, (s->id_cap - had) * sizeof *s->id_count);
        }
        s->n_distinct += s->id_count[id]++ == 0;
    }
    return 0;
}

static void end_doc(struct shardstat *s)
{
    uint64_t len = s->doc_len;
    s->min_len = s->n_docs == 0 || len < s->min_len ? len : s->min_len;
    s->max_len = len > s->max_len ? len : s->max_len;
    s->n_docs++;
    s->n_empty += len == 0;
    s->pow2[n_bits(len)]++;
    s->len_count[len_slot(len)]++;
    s->doc_len = 0;
}

int shardstat_piece(struct shardstat *s, const struct shard_doc *d, struct err *e)
{
    if (count_ids(s, d->ids, d->n, e) < 0)
        return -1;
    for (size_t i = 0; d->weights && i < d->n; i++)
        s->n_masked += d->weights[i] == 0;
    s->n_tokens += d->n;
    s->doc_len += d->n;
    if (d->last)
        end_doc(s);
    return 0;
}

uint64_t shardstat_quantile(const struct shardstat *s, double q)
{
    uint64_t want = (uint64_t)ceil(q * (double)s->n_docs), seen = 0;
    for (size_t i = 0; s->n_docs > 0 && i < N_LENS; i++) {
        seen += s->len_count[i];
        if (seen >= want && seen > 0)
            return slot_len(i) < s->max_len ? slot_len(i) : s->max_len;
    }
    return 0;
}

/* Puts x where it belongs in the sorted top[0..have), which has room for n. */
static size_t insert(struct shardstat_id *top, size_t have, size_t n, struct shardstat_id x)
{
    if (have == n) {
        if (n == 0 || x.n <= top[n - 1].n)
            return have;
        have--;
    }
    size_t i = have;
    for (; i > 0 && top[i - 1].n < x.n; i--)
        top[i] = top[i - 1];
    top[i] = x;
    return have + 1;
}

size_t shardstat_top(const struct shardstat *s, size_t n, struct shardstat_id *top)
{
    size_t have = 0;
    for (size_t id = 0; id < s->id_cap; id++) {
        if (s->id_count[id] > 0)
            have = insert(top, have, n, (struct shardstat_id){(uint32_t)id, s->id_count[id]});
    }
    return have;
}

void shardstat_free(struct shardstat *s)
{
    if (!s)
        return;
    free(s->len_count);
    free(s->id_count);
    free(s);
}
