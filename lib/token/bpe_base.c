/* First pairs of BPE training where words are made of any tokens: counted in a hash table. */
#include <stdlib.h>

#include "base/mem.h"
#include "token/bpe_int.h"

struct tally {
    uint64_t key, count;
    uint32_t n, *fill;
};
struct tallies {
    struct tally *v;
    size_t cap, n; /* cap: a power of two */
};
static const uint64_t no_key = UINT64_MAX;

static struct tally *find(const struct tallies *s, uint64_t key)
{
    uint64_t h = (key ^ key >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = (size_t)(h >> 24) & (s->cap - 1);; i = (i + 1) & (s->cap - 1))
        if (s->v[i].key == key || s->v[i].key == no_key)
            return &s->v[i];
}

static int grow(struct tallies *s, struct err *e)
{
    struct tallies bigger = {.cap = s->cap ? s->cap * 2 : 1 << 12, .n = s->n};
    bigger.v = mem_new(bigger.cap, sizeof *bigger.v, e);
    if (!bigger.v)
        return -1;
    for (size_t i = 0; i < bigger.cap; i++)
        bigger.v[i].key = no_key;
    for (size_t i = 0; i < s->cap; i++)
        if (s->v[i].key != no_key)
            *find(&bigger, s->v[i].key) = s->v[i];
    free(s->v);
    *s = bigger;
    return 0;
}

static int count_all(struct tallies *s, const struct words *w, struct err *e)
{
    for (size_t k = 0; k < w->n_cls; k++) {
        size_t end = w->cls[k + 1].from < w->n_cells ? w->cls[k + 1].from : w->n_cells;
        uint32_t a = UINT32_MAX;
        for (size_t i = w->cls[k].from; i < end; i++) {
            uint32_t b = words_get(w, i);
            if (a != UINT32_MAX && b != UINT32_MAX) {
                if (s->n >= s->cap / 2 && grow(s, e) < 0)
                    return -1;
                struct tally *t = find(s, pair_key(a, b));
                s->n += t->key == no_key;
                t->key = pair_key(a, b);
                t->count += w->cls[k].count;
                t->n++;
            }
            a = b;
        }
    }
    return 0;
}

int bpe_first_pairs(struct trainer *t, struct err *e)
{
    const struct words *w = &t->words;
    struct tallies s = {0};
    int rc = grow(&s, e) < 0 || count_all(&s, w, e) < 0 ? -1 : 0;
    for (size_t i = 0; rc == 0 && i < s.cap; i++) {
        struct tally *y = &s.v[i];
        if (y->key == no_key || y->count < t->min_count)
            continue;
        struct pair *p = pairs_add(&t->pairs, y->key, y->count, y->n, e);
        if (!p || heap_add(&t->heap, y->count, y->key, e) < 0)
            rc = -1;
        else
            y->fill = p->places->at;
    }
    uint32_t a = UINT32_MAX;
    for (size_t i = 1; rc == 0 && i < w->n_cells; i++) {
        uint32_t b = words_get(w, i);
        if (a != UINT32_MAX && b != UINT32_MAX) {
            struct tally *y = find(&s, pair_key(a, b));
            if (y->fill)
                *y->fill++ = (uint32_t)(i - 1);
        }
        a = b;
    }
    free(s.v);
    return rc;
}
