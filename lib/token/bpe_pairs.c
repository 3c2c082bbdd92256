/* Live pairs in open-addressing tables, their places, and the heap of candidates. */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "token/bpe_int.h"

/* Large lists hang together, so that nobody has to look for them among the small ones. */
struct large {
    struct large *next, *last;
    /* the list follows */
};

enum {
    FIRST_CAP = 64,
    BLOCK_BYTES = 8 << 20,  /* of huge pages: each list is written here and there */
    LARGE_BYTES = 32 << 10, /* lists of this size and more are allocated one by one */
};
static const uint64_t empty_key = UINT64_MAX;

/* ---- table */

static inline uint64_t hash_key(uint64_t key)
{
    uint64_t h = (key ^ key >> 32) * 0x9e3779b97f4a7c15u;
    return (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
}

static inline struct pair_part *part_of(const struct pairs *p, uint64_t h)
{
    return (struct pair_part *)&p->part[h >> 58];
}

static inline size_t home(uint64_t h, size_t cap)
{
    return (size_t)(h >> 20) & (cap - 1);
}

static void count_bytes(struct pairs *p, size_t n_bytes)
{
    p->n_bytes += n_bytes;
    if (p->n_bytes > p->peak_bytes)
        p->peak_bytes = p->n_bytes;
}

static int part_grow(struct pairs *p, struct pair_part *q, struct err *e)
{
    size_t cap = q->cap ? q->cap * 2 : FIRST_CAP, n_bytes;
    if (size_mul(cap, sizeof *q->slot, &n_bytes, "table of pairs", e) < 0)
        return -1;
    struct pair *slot = malloc(n_bytes);
    if (!slot)
        return err_nomem(e, "the table of pairs", n_bytes);
    memset(slot, 0xff, n_bytes);
    for (size_t i = 0; i < q->cap; i++) {
        if (q->slot[i].key == empty_key)
            continue;
        size_t j = home(hash_key(q->slot[i].key), cap);
        while (slot[j].key != empty_key)
            j = (j + 1) & (cap - 1);
        slot[j] = q->slot[i];
    }
    count_bytes(p, (cap - q->cap) * sizeof *slot);
    free(q->slot);
    q->slot = slot;
    q->cap = cap;
    return 0;
}

int pairs_init(struct pairs *p, struct err *e)
{
    memset(p, 0, sizeof *p);
    for (int i = 0; i < PAIR_PARTS; i++) {
        if (part_grow(p, &p->part[i], e) < 0)
            return -1;
    }
    return 0;
}

void pairs_release(struct pairs *p)
{
    for (int i = 0; i < PAIR_PARTS; i++)
        free(p->part[i].slot);
    for (size_t i = 0; i < p->n_blocks; i++)
        sys_pages_free(p->blocks[i], BLOCK_BYTES);
    free(p->blocks);
    for (struct large *x = p->large, *next; x; x = next) {
        next = x->next;
        free(x);
    }
    memset(p, 0, sizeof *p);
}

void pairs_prefetch(const struct pairs *p, uint64_t key)
{
    uint64_t h = hash_key(key);
    const struct pair_part *q = part_of(p, h);
    PREFETCH(&q->slot[home(h, q->cap)]);
}

struct pair *pairs_find(struct pairs *p, uint64_t key)
{
    uint64_t h = hash_key(key);
    struct pair_part *q = part_of(p, h);
    for (size_t i = home(h, q->cap);; i = (i + 1) & (q->cap - 1)) {
        if (q->slot[i].key == key)
            return &q->slot[i];
        if (q->slot[i].key == empty_key)
            return NULL;
    }
}

static size_t places_bytes(uint32_t n)
{
    return (sizeof(struct places) + (size_t)n * 4 + 7) & ~(size_t)7;
}

static struct places *places_new(struct pairs *p, uint32_t n, struct err *e)
{
    size_t need = places_bytes(n);
    struct places *pl;
    if (need >= LARGE_BYTES) {
        struct large *x = malloc(sizeof *x + need);
        if (!x) {
            err_nomem(e, "places of a pair", need);
            return NULL;
        }
        *x = (struct large){.next = p->large};
        if (x->next)
            x->next->last = x;
        p->large = x;
        pl = (struct places *)(void *)(x + 1);
        count_bytes(p, need);
    } else {
        if (p->block_left < need) {
            if (mem_grow(&p->blocks, &p->blocks_cap, p->n_blocks + 1, sizeof *p->blocks, e) < 0)
                return NULL;
            char *b = sys_pages(BLOCK_BYTES, e);
            if (!b)
                return NULL;
            p->blocks[p->n_blocks++] = b;
            p->block = b;
            p->block_left = BLOCK_BYTES;
            count_bytes(p, BLOCK_BYTES);
        }
        pl = (struct places *)(void *)p->block;
        p->block += need;
        p->block_left -= need;
    }
    pl->n = n;
    return pl;
}

void places_drop(struct pairs *p, struct places *pl)
{
    size_t n_bytes = places_bytes(pl->n);
    if (n_bytes < LARGE_BYTES)
        return;
    struct large *x = (struct large *)(void *)pl - 1;
    if (x->next)
        x->next->last = x->last;
    *(x->last ? &x->last->next : &p->large) = x->next;
    p->n_bytes -= n_bytes;
    free(x);
}

struct pair *pairs_add(struct pairs *p, uint64_t key, uint64_t count, uint32_t n_places,
                       struct err *e)
{
    uint64_t h = hash_key(key);
    struct pair_part *q = part_of(p, h);
    if (q->n >= q->cap - q->cap / 4 && part_grow(p, q, e) < 0)
        return NULL;
    struct places *pl = places_new(p, n_places, e);
    if (!pl)
        return NULL;
    size_t i = home(h, q->cap);
    while (q->slot[i].key != empty_key)
        i = (i + 1) & (q->cap - 1);
    q->slot[i] = (struct pair){key, places_bytes(n_places) >= LARGE_BYTES, count, pl};
    q->n++;
    return &q->slot[i];
}

/* Closes the gap, so that no mark of what was there need stay (Knuth, algorithm 6.4 R). */
struct places *pairs_remove(struct pairs *p, struct pair *pair)
{
    struct pair_part *q = part_of(p, hash_key(pair->key));
    struct places *pl = pair->places;
    size_t mask = q->cap - 1, gap = (size_t)(pair - q->slot);
    for (size_t i = (gap + 1) & mask; q->slot[i].key != empty_key; i = (i + 1) & mask) {
        size_t from = home(hash_key(q->slot[i].key), q->cap);
        if (((i - from) & mask) < ((i - gap) & mask))
            continue; /* its home lies behind the gap */
        q->slot[gap] = q->slot[i];
        gap = i;
    }
    q->slot[gap].key = empty_key;
    q->n--;
    return pl;
}

void pairs_drop(struct pairs *p, struct pair *pair)
{
    bool large = pair->large;
    struct places *pl = pairs_remove(p, pair);
    if (large)
        places_drop(p, pl);
}

/* ---- heap of four children */

static inline bool before(const struct candidate *a, const struct candidate *b)
{
    return a->count > b->count || (a->count == b->count && a->key < b->key);
}

int heap_add(struct heap *h, uint64_t count, uint64_t key, struct err *e)
{
    if (h->n == h->cap && mem_grow(&h->v, &h->cap, h->n + 1, sizeof *h->v, e) < 0)
        return -1;
    struct candidate c = {count, key};
    size_t i = h->n++;
    while (i > 0 && before(&c, &h->v[(i - 1) / 4])) {
        h->v[i] = h->v[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    h->v[i] = c;
    return 0;
}

static void sift_down(struct heap *h, struct candidate c)
{
    size_t i = 0;
    for (;;) {
        size_t child = 4 * i + 1, best = child;
        if (child >= h->n)
            break;
        size_t end = h->n - child < 4 ? h->n : child + 4;
        for (size_t k = child + 1; k < end; k++) {
            if (before(&h->v[k], &h->v[best]))
                best = k;
        }
        if (!before(&h->v[best], &c))
            break;
        h->v[i] = h->v[best];
        i = best;
    }
    h->v[i] = c;
}

void heap_pop(struct heap *h)
{
    struct candidate last = h->v[--h->n];
    if (h->n > 0)
        sift_down(h, last);
}

void heap_lower_top(struct heap *h, uint64_t count)
{
    sift_down(h, (struct candidate){count, h->v[0].key});
}
