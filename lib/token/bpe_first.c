/*
 * First pairs of BPE training. The cells are cut into parts, one a thread; each part counts its
 * pairs, in a plain table where words are made of bytes, else in a hash table. Then every pair's
 * list of places is made, and each part fills in its own.
 */
#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/pool.h"
#include "token/bpe_int.h"

enum { MAX_PARTS = 16, LEAST_CELLS = 1 << 16, BYTES = 256 };

struct tally {
    uint64_t key, count;
    uint32_t n, *fill;
};
struct tallies {
    struct tally *v;
    size_t cap, n;       /* cap: a power of two */
    const uint8_t *rank; /* of bytes: the id's number among them; the place of (a, b) is fixed */
};
static const uint64_t no_key = UINT64_MAX;

struct first {
    const struct words *w;
    struct tallies part[MAX_PARTS + 1]; /* the last one: of all */
    size_t n_parts;
};

static ALWAYS_INLINE size_t byte_place(const uint8_t *rank, uint32_t a, uint32_t b)
{
    return (size_t)rank[a] * BYTES + rank[b];
}

static struct tally *find(const struct tallies *s, uint64_t key)
{
    if (s->rank)
        return &s->v[byte_place(s->rank, (uint32_t)(key >> 32), (uint32_t)key)];
    uint64_t h = (key ^ key >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = (size_t)(h >> 24) & (s->cap - 1);; i = (i + 1) & (s->cap - 1))
        if (s->v[i].key == key || s->v[i].key == no_key)
            return &s->v[i];
}

static int grow(struct tallies *s, struct err *e)
{
    size_t first = s->rank ? (size_t)BYTES * BYTES : 1 << 12;
    struct tallies bigger = {.cap = s->cap ? s->cap * 2 : first, .n = s->n, .rank = s->rank};
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

static int add(struct tallies *s, uint64_t key, uint64_t count, uint32_t n, struct err *e)
{
    if (!s->rank && s->n >= s->cap / 2 && grow(s, e) < 0)
        return -1;
    struct tally *t = find(s, key);
    s->n += t->key == no_key;
    t->key = key;
    t->count += count;
    t->n += n;
    return 0;
}

static size_t part_from(const struct first *f, size_t i)
{
    return 1 + (f->w->n_cells - 1) / f->n_parts * i;
}

static size_t part_to(const struct first *f, size_t i)
{
    return i + 1 < f->n_parts ? part_from(f, i + 1) : f->w->n_cells;
}

/* Pairs whose second token begins in the part. */
static int count_part(void *user, size_t i, int thread, struct err *e)
{
    struct first *f = user;
    const struct words *w = f->w;
    struct tallies *s = &f->part[i];
    const size_t to = part_to(f, i);
    size_t p = part_from(f, i), k = w->cls_at[p >> CLASS_SHIFT];
    uint32_t a = words_get(w, p - 1);
    (void)thread;
    if (grow(s, e) < 0)
        return -1;
    for (; p < to; k++) {
        const uint64_t weight = w->cls[k].count;
        const size_t end = w->cls[k + 1].from < to ? w->cls[k + 1].from : to;
        for (; p < end; p++) {
            uint32_t b = words_get(w, p);
            if (a != UINT32_MAX && b != UINT32_MAX) {
                if (s->rank) {
                    struct tally *t = &s->v[byte_place(s->rank, a, b)];
                    t->key = pair_key(a, b);
                    t->count += weight;
                    t->n++;
                } else if (add(s, pair_key(a, b), weight, 1, e) < 0) {
                    return -1;
                }
            }
            a = b;
        }
    }
    return 0;
}

static int fill_part(void *user, size_t i, int thread, struct err *e)
{
    struct first *f = user;
    const struct words *w = f->w;
    const struct tallies *s = &f->part[i];
    const size_t to = part_to(f, i);
    size_t p = part_from(f, i);
    uint32_t a = words_get(w, p - 1);
    (void)thread;
    (void)e;
    for (; p < to; p++) {
        uint32_t b = words_get(w, p);
        if (a != UINT32_MAX && b != UINT32_MAX) {
            struct tally *t = s->rank ? &s->v[byte_place(s->rank, a, b)] : find(s, pair_key(a, b));
            if (t->fill)
                *t->fill++ = (uint32_t)(p - 1);
        }
        a = b;
    }
    return 0;
}

/* All parts' tallies in one; in each part's, n becomes the number of places in the parts before. */
static int sum_parts(struct first *f, struct err *e)
{
    struct tallies *all = &f->part[MAX_PARTS];
    if (grow(all, e) < 0)
        return -1;
    for (size_t i = 0; i < f->n_parts; i++)
        for (size_t k = 0; k < f->part[i].cap; k++) {
            struct tally *t = &f->part[i].v[k];
            const uint32_t n = t->n;
            if (t->key == no_key)
                continue;
            t->n = find(all, t->key)->n;
            if (add(all, t->key, t->count, n, e) < 0)
                return -1;
        }
    return 0;
}

static int make_pairs(struct first *f, struct trainer *t, struct err *e)
{
    const struct tallies *all = &f->part[MAX_PARTS];
    for (size_t i = 0; i < all->cap; i++) {
        struct tally *y = &all->v[i];
        if (y->key == no_key || y->count < t->min_count)
            continue;
        struct pair *p = pairs_add(&t->pairs, y->key, y->count, y->n, e);
        if (!p || heap_add(&t->heap, y->count, y->key, e) < 0)
            return -1;
        y->fill = p->places->at;
    }
    for (size_t i = 0; i < f->n_parts; i++)
        for (size_t k = 0; k < f->part[i].cap; k++) {
            struct tally *y = &f->part[i].v[k];
            uint32_t *fill = y->key == no_key ? NULL : find(all, y->key)->fill;
            y->fill = fill ? fill + y->n : NULL;
        }
    return 0;
}

static uint8_t *byte_ranks(const struct bpe_vocab *v, struct err *e)
{
    uint8_t *rank = mem_new(v->n_ids, 1, e);
    for (int i = 0; rank && i < BYTES; i++)
        rank[v->byte_id[i]] = (uint8_t)i;
    return rank;
}

int bpe_first_pairs(struct trainer *t, struct err *e)
{
    struct first f = {.w = &t->words, .n_parts = 1};
    uint8_t *rank = NULL;
    int rc = -1;
    if (t->opt->n_threads > 1 && f.w->n_cells >= LEAST_CELLS)
        f.n_parts = t->opt->n_threads < MAX_PARTS ? (size_t)t->opt->n_threads : MAX_PARTS;
    if (!t->opt->base && !(rank = byte_ranks(t->v, e)))
        return -1;
    for (size_t i = 0; i <= MAX_PARTS; i++)
        f.part[i].rank = rank;
    if (pool_for(t->opt->n_threads, f.n_parts, count_part, &f, e) == 0 && sum_parts(&f, e) == 0 &&
        make_pairs(&f, t, e) == 0)
        rc = pool_for(t->opt->n_threads, f.n_parts, fill_part, &f, e);
    for (size_t i = 0; i <= MAX_PARTS; i++)
        free(f.part[i].v);
    free(rank);
    return rc;
}
