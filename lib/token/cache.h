/*
 * What pieces of text became: a hash table from pieces to ids of bounded size, which the encoders
 * of several threads may share, each through a struct cache of its own.
 *
 * A cell is half a cache line: up to 15 bytes of the piece and its length, up to 3 ids and their
 * number. Longer pieces and longer results stand in a pool, and the
 * cell says where. When table or pool is full, all is forgotten: ids never depend on what is kept.
 * The table that a struct cache sees changes only in its cache_ready(), so that keys hashed and
 * fetched ahead stay good for a batch.
 *
 * Neither looking up nor taking a cell waits for another thread: a cell is claimed by its number of
 * ids, then written once, k1 last, and its ids, if they come later, with their number last. Who
 * finds it claimed and not yet written has no room. Tables that grow or are to be forgotten are
 * replaced by others, with a lock held, at most two at a time, and freed when nobody sees them any
 * more; a piece that another thread keeps in the one before meanwhile may be lost.
 */
#ifndef TOKEN_CACHE_H
#define TOKEN_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/compiler.h"
#include "base/le.h"
#include "quern/err.h"

enum {
    CACHE_INLINE = 15,    /* bytes of a piece that a cell holds */
    CACHE_LONGEST = 1024, /* longer pieces are not kept */
    CACHE_IDS = 3,        /* ids that a cell holds */
    CACHE_ROOM = 4,       /* words that are written for a cell's ids, whether there are as many */
    CACHE_POOLED = 15,    /* as a number of ids: the first two are their place in the pool and how
                             many there are */
    CACHE_NONE = 14,      /* as a number of ids: the model is to be asked each time */
    CACHE_HOME_BIT = 39,  /* of a hash, from which on its bits say where a home is */
};

struct cache_cell {
    _Atomic uint64_t k0, k1;
    _Atomic uint64_t id01; /* the first in the low half */
    _Atomic uint32_t id2, n_ids;
};

/* k1's top byte is the length of an inline piece, or LONG; of a long piece k0 is a hash and k1's
 * low half the place of its bytes in the pool. k1 == 0: an empty cell. */
struct cache_key {
    uint64_t k0, k1;
    struct cache_cell *home; /* two cells that are looked at first; until the next cache_ready() */
    const char *s;           /* the piece */
};
#define CACHE_LONG (UINT64_C(0xff) << 56)
/* Of a longer piece of one byte again and again, as code is full of, k0 is the byte and k1 this and
 * how many there are. */
#define CACHE_RUN (UINT64_C(0xfe) << 56)

struct cache_table;
struct cache_shared;
struct cache {
    struct cache_cell *cells;
    size_t n_cells; /* a power of two */
    uint64_t homes; /* bits of a hash, from CACHE_HOME_BIT on: at which byte of cells a home is, the
                       first of two cells in a line of the cache */
    const uint32_t *pool; /* words */
    struct cache_table *table;
    struct cache_shared *shared;
    size_t n_granted; /* cells that may still be taken without asking the table */
};

/* beside: another thread's, whose table it is to share; before any of those is used. NULL: none. */
int cache_init(struct cache *c, const struct cache *beside, struct err *e);
void cache_release(struct cache *c);
/* Makes room for n more pieces, if that is possible at the moment. */
int cache_ready(struct cache *c, size_t n, struct err *e);
/* The cell of a piece that was not there, with CACHE_NONE until cache_fill; NULL: there is no room.
 * *mine: it is to be filled; else another thread has taken one for the piece meanwhile. */
struct cache_cell *cache_take(struct cache *c, const struct cache_key *k, size_t n, bool *mine);
void cache_fill(struct cache *c, struct cache_cell *cell, const uint32_t *ids, size_t n_ids);
/* Both at once: keeps the ids of a piece that is not there, if there is room. */
void cache_put(struct cache *c, const struct cache_key *k, size_t n, const uint32_t *ids,
               size_t n_ids);
/* Of pieces longer than CACHE_INLINE and at most CACHE_LONGEST. */
struct cache_key cache_long_key(const struct cache *c, const char *s, size_t n);
bool cache_long_is(const struct cache *c, const struct cache_cell *cell, const char *s, size_t n);

#define CACHE_MIX   UINT64_C(0x9e3779b97f4a7c15)
#define CACHE_MIX_B UINT64_C(0x9fb21c651e98df25)

static ALWAYS_INLINE uint64_t cache_mix(uint64_t a, uint64_t b)
{
    return (a ^ b * CACHE_MIX_B) * CACHE_MIX;
}

static ALWAYS_INLINE struct cache_cell *cache_home(const struct cache *c, uint64_t hash)
{
    return (struct cache_cell *)((char *)c->cells + (hash >> CACHE_HOME_BIT & c->homes));
}

/* What a piece of n bytes keeps of the two words that it is loaded with, and its length. */
extern const uint64_t cache_keep[CACHE_INLINE + 1][4];

/* The key of a piece of 1 to CACHE_INLINE bytes, with 16 readable bytes from its beginning. */
static ALWAYS_INLINE struct cache_key
cache_short_key(const struct cache *c, const uint64_t (*keep)[4], const char *s, size_t n)
{
    const uint64_t k0 = le64_get((const unsigned char *)s) & keep[n][0];
    const uint64_t k1 = (le64_get((const unsigned char *)s + 8) & keep[n][1]) | keep[n][2];
    return (struct cache_key){k0, k1, cache_home(c, cache_mix(k0, k1)), s};
}

/* Of a piece of 1 to CACHE_LONGEST bytes. */
static ALWAYS_INLINE struct cache_key cache_key(const struct cache *c, const char *s, size_t n)
{
    return LIKELY(n <= CACHE_INLINE) ? cache_short_key(c, cache_keep, s, n)
                                     : cache_long_key(c, s, n);
}

/* Of a piece that is not kept: no cell is it. */
static ALWAYS_INLINE struct cache_key cache_no_key(const struct cache *c, const char *s)
{
    return (struct cache_key){0, CACHE_LONG, c->cells, s};
}

static ALWAYS_INLINE uint64_t cache_load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit((_Atomic uint64_t *)p, memory_order_acquire);
}

/* Of a short piece; k1: the cell's, which is loaded first: the k0 of a cell that is being taken is
 * still 0, as that of a piece of NULs. */
static ALWAYS_INLINE bool cache_is_with(const struct cache_cell *cell, uint64_t k1,
                                        const struct cache_key *k)
{
    return ((k1 ^ k->k1) | (cache_load(&cell->k0) ^ k->k0)) == 0;
}

static ALWAYS_INLINE bool cache_is(const struct cache_cell *cell, const struct cache_key *k)
{
    return cache_is_with(cell, cache_load(&cell->k1), k);
}

/* The piece's cell; *found: false where it has none, then the empty one that it could have taken.
 */
static ALWAYS_INLINE struct cache_cell *
cache_place(const struct cache *c, const struct cache_key *k, size_t n, bool *found)
{
    for (struct cache_cell *cell = k->home;; cell++) {
        if (UNLIKELY(cell == c->cells + c->n_cells))
            cell = c->cells;
        const uint64_t k1 = cache_load(&cell->k1); /* once: another thread may be taking the cell */
        *found = cache_is_with(cell, k1, k) ||
                 (n > CACHE_INLINE && k1 >= CACHE_LONG && cache_load(&cell->k0) == k->k0 &&
                  cache_long_is(c, cell, k->s, n));
        if (*found || k1 == 0)
            return cell;
    }
}

/* The piece's cell, or NULL. */
static ALWAYS_INLINE struct cache_cell *cache_find(const struct cache *c, const struct cache_key *k,
                                                   size_t n)
{
    bool found;
    struct cache_cell *cell = cache_place(c, k, n, &found);
    return found ? cell : NULL;
}

static ALWAYS_INLINE uint32_t cache_count(const struct cache_cell *cell)
{
    return atomic_load_explicit((_Atomic uint32_t *)&cell->n_ids, memory_order_acquire);
}

static ALWAYS_INLINE bool cache_is_none(const struct cache_cell *cell)
{
    return cache_count(cell) == CACHE_NONE;
}

/* A cell's ids at v, where there is room for CACHE_ROOM: how many, or CACHE_POOLED or CACHE_NONE
 * and none that count. */
static ALWAYS_INLINE uint32_t cache_ids(uint32_t *v, const struct cache_cell *cell)
{
    const uint32_t n = cache_count(cell);
    const uint64_t two = cache_load(&cell->id01); /* all of them: quicker than to look how many */
    v[0] = (uint32_t)two;
    v[1] = (uint32_t)(two >> 32);
    v[2] = atomic_load_explicit((_Atomic uint32_t *)&cell->id2, memory_order_relaxed);
    return n;
}

/* How many a cell has, unless it has CACHE_NONE. */
static ALWAYS_INLINE size_t cache_n_ids(const struct cache_cell *cell)
{
    const uint32_t n = cache_count(cell);
    return n == CACHE_POOLED ? cache_load(&cell->id01) >> 32 : n;
}

/* Of a cell that has CACHE_POOLED. */
static ALWAYS_INLINE const uint32_t *cache_pooled(const struct cache *c,
                                                  const struct cache_cell *cell)
{
    return c->pool + (uint32_t)cache_load(&cell->id01);
}

/* All of them, pooled or not, at v, where there is room for CACHE_ROOM more: how many. */
static ALWAYS_INLINE size_t cache_all_ids(const struct cache *c, uint32_t *v,
                                          const struct cache_cell *cell)
{
    size_t n = cache_ids(v, cell);
    if (UNLIKELY(n == CACHE_POOLED)) {
        n = cache_n_ids(cell);
        memcpy(v, cache_pooled(c, cell), n * sizeof *v);
    }
    return n;
}

#endif
