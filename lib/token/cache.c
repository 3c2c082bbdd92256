/* What pieces of text became: see cache.h. */
#include "token/cache.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/sys.h"

/* 2 MiB at first, 32 MiB at most, and 8 MiB of long pieces and results. */
enum { FIRST_BITS = 16, MOST_CELLS = 1 << 20, POOL_WORDS = 1 << 21 };

#define ALL UINT64_MAX
#define KEEP(n)                                          \
    {                                                    \
        ALL >> (64 - 8 * (n)), 0, (uint64_t)(n) << 56, 0 \
    }
#define KEEP_ON(n)                                             \
    {                                                          \
        ALL, ALL >> (64 - 8 * ((n)-8)), (uint64_t)(n) << 56, 0 \
    }
const uint64_t cache_keep[CACHE_INLINE + 1][4] = {
    {0},         KEEP(1),     KEEP(2),
    KEEP(3),     KEEP(4),     KEEP(5),
    KEEP(6),     KEEP(7),     {ALL, 0, UINT64_C(8) << 56, 0},
    KEEP_ON(9),  KEEP_ON(10), KEEP_ON(11),
    KEEP_ON(12), KEEP_ON(13), KEEP_ON(14),
    KEEP_ON(15),
};

static uint64_t homes_of(size_t n_cells)
{
    return (n_cells - 2) * sizeof(struct cache_cell);
}

int cache_init(struct cache *c, struct err *e)
{
    *c = (struct cache){.n_cells = (size_t)1 << FIRST_BITS, .pool_used = 1};
    c->homes = homes_of(c->n_cells);
    c->cells = sys_pages(c->n_cells * sizeof *c->cells, e);
    c->pool = sys_pages(POOL_WORDS * sizeof *c->pool, e);
    return c->cells && c->pool ? 0 : -1;
}

void cache_release(struct cache *c)
{
    sys_pages_free(c->cells, c->n_cells * sizeof *c->cells);
    sys_pages_free(c->pool, POOL_WORDS * sizeof *c->pool);
    *c = (struct cache){0};
}

static void forget(struct cache *c)
{
    memset(c->cells, 0, c->n_cells * sizeof *c->cells);
    c->used = 0;
    c->pool_used = 1; /* place 0 is none: a cell of a long piece is never equal to a bare key */
}

/* A cell's hash is made of what it holds, but for that of a long piece, which k0 is. */
static uint64_t hash_of(const struct cache_cell *cell)
{
    return cell->k1 >= CACHE_LONG ? cell->k0 : cache_mix(cell->k0, cell->k1);
}

static int grow(struct cache *c, struct err *e)
{
    size_t n = c->n_cells * 4;
    struct cache_cell *cells = sys_pages(n * sizeof *cells, e);
    if (!cells)
        return -1;
    struct cache grown = *c;
    grown.cells = cells;
    grown.n_cells = n;
    grown.homes = homes_of(n);
    for (size_t i = 0; i < c->n_cells; i++) {
        if (c->cells[i].k1 == 0)
            continue;
        struct cache_cell *cell = cache_home(&grown, hash_of(&c->cells[i]));
        while (cell->k1)
            cell = cell + 1 < cells + n ? cell + 1 : cells;
        *cell = c->cells[i];
    }
    sys_pages_free(c->cells, c->n_cells * sizeof *c->cells);
    *c = grown;
    return 0;
}

int cache_ready(struct cache *c, size_t n, struct err *e)
{
    if (c->used + n > c->n_cells / 2) {
        if (c->n_cells == MOST_CELLS)
            forget(c);
        else if (grow(c, e) < 0)
            return -1;
    }
    if (c->pool_used > POOL_WORDS - POOL_WORDS / 8)
        forget(c);
    return 0;
}

struct cache_key cache_long_key(const struct cache *c, const char *s, size_t n)
{
    const uint64_t hash = hash64(s, n, 0);
    return (struct cache_key){hash, CACHE_LONG, cache_home(c, hash), s};
}

bool cache_long_is(const struct cache *c, const struct cache_cell *cell, const char *s, size_t n)
{
    const uint32_t *p = c->pool + (uint32_t)cell->k1;
    return p[0] == n && memcmp(p + 1, s, n) == 0;
}

/* The place of n words in the pool; false: there is no room. */
static bool take(struct cache *c, size_t n, uint32_t *at)
{
    if (POOL_WORDS - c->pool_used < n)
        return false;
    *at = (uint32_t)c->pool_used;
    c->pool_used += n;
    return true;
}

bool cache_take(struct cache *c, struct cache_cell *cell, const struct cache_key *k, size_t n)
{
    struct cache_cell taken = {.k0 = k->k0, .k1 = k->k1};
    uint32_t at;
    if (c->used >= c->n_cells - c->n_cells / 4)
        return false;
    if (n > CACHE_INLINE) {
        /* what is long seldom comes again: it must not fill the pool */
        if ((n > 8 * CACHE_INLINE && c->pool_used > POOL_WORDS / 4) ||
            !take(c, 1 + (n + 3) / 4, &at))
            return false;
        c->pool[at] = (uint32_t)n;
        memcpy(c->pool + at + 1, k->s, n);
        taken.k1 |= at;
    }
    taken.id[0] = (uint32_t)CACHE_NONE << CACHE_COUNT_AT;
    *cell = taken;
    c->used++;
    return true;
}

void cache_fill(struct cache *c, struct cache_cell *cell, const uint32_t *ids, size_t n_ids)
{
    uint32_t at;
    if (n_ids <= CACHE_IDS) {
        memcpy(cell->id, ids, n_ids * sizeof *ids);
        cell->id[0] |= (uint32_t)n_ids << CACHE_COUNT_AT;
    } else if (take(c, n_ids, &at)) {
        memcpy(c->pool + at, ids, n_ids * sizeof *ids);
        cell->id[0] = (uint32_t)CACHE_POOLED << CACHE_COUNT_AT;
        cell->id[1] = at;
        cell->id[2] = (uint32_t)n_ids;
    }
}

void cache_put(struct cache *c, const struct cache_key *k, size_t n, const uint32_t *ids,
               size_t n_ids)
{
    struct cache_cell *cell = cache_find(c, k, n);
    if (POOL_WORDS - c->pool_used < CACHE_LONGEST + n_ids) /* it must not stay without ids */
        return;
    if (cache_take(c, cell, k, n))
        cache_fill(c, cell, ids, n_ids);
}
