/*
 * What pieces of text became: a hash table from pieces to ids, one an encoder, of bounded size.
 *
 * A cell is half a cache line: up to 15 bytes of the piece and its length, and up to 4 ids, their
 * number in the top bits of the first. Longer pieces and longer results stand in a pool, and the
 * cell says where. When table or pool is full, all is forgotten: ids never depend on what is kept.
 * The table changes its size only in cache_ready(), so that keys hashed and fetched ahead stay good
 * for a batch.
 */
#ifndef TOKEN_CACHE_H
#define TOKEN_CACHE_H

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
    CACHE_IDS = 4,        /* ids that a cell holds */
    CACHE_POOLED = 15,    /* as a number of ids: id[1] is their place in the pool, id[2] how many */
    CACHE_NONE = 14,      /* as a number of ids: the model is to be asked each time */
    CACHE_COUNT_AT = 28,  /* bit of id[0] where their number stands */
};

struct cache_cell {
    uint64_t k0, k1;
    uint32_t id[CACHE_IDS];
};

/* k1's top byte is the length of an inline piece, or LONG; of a long piece k0 is a hash and k1's
 * low half the place of its bytes in the pool. k1 == 0: an empty cell. */
struct cache_key {
    uint64_t k0, k1, hash;
};
#define CACHE_LONG (UINT64_C(0xff) << 56)

struct cache {
    struct cache_cell *cells;
    size_t n_cells, used;
    int shift;      /* 64 - log2(n_cells) */
    uint32_t *pool; /* words */
    size_t pool_used;
};

int cache_init(struct cache *c, struct err *e);
void cache_release(struct cache *c);
/* Makes room for n more pieces. */
int cache_ready(struct cache *c, size_t n, struct err *e);
/* Keeps the piece in the empty cell that cache_find gave for it, with CACHE_NONE until cache_fill.
 * false: there is no room. */
bool cache_take(struct cache *c, struct cache_cell *cell, const struct cache_key *k, const char *s,
                size_t n);
void cache_fill(struct cache *c, struct cache_cell *cell, const uint32_t *ids, size_t n_ids);
/* Both at once: keeps the ids of a piece that is not there, if there is room. */
void cache_put(struct cache *c, const struct cache_key *k, const char *s, size_t n,
               const uint32_t *ids, size_t n_ids);
/* Of pieces longer than CACHE_INLINE and at most CACHE_LONGEST. */
void cache_long_key(struct cache_key *k, const char *s, size_t n);
bool cache_long_is(const struct cache *c, const struct cache_cell *cell, const char *s, size_t n);

/* Its top bits choose the cell. */
static ALWAYS_INLINE uint64_t cache_mix(uint64_t a, uint64_t b)
{
    return (a ^ b * UINT64_C(0x9fb21c651e98df25)) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The bytes of a piece in the two words that it is loaded with. */
extern const uint64_t cache_keep[CACHE_INLINE + 1][2];

/* The key of a piece of 1 to CACHE_LONGEST bytes, with 16 readable bytes from its beginning. */
static ALWAYS_INLINE void cache_key(struct cache_key *k, const char *s, size_t n)
{
    if (UNLIKELY(n > CACHE_INLINE)) {
        cache_long_key(k, s, n);
        return;
    }
    k->k0 = le64_get((const unsigned char *)s) & cache_keep[n][0];
    k->k1 = (le64_get((const unsigned char *)s + 8) & cache_keep[n][1]) | (uint64_t)n << 56;
    k->hash = cache_mix(k->k0, k->k1);
}

static ALWAYS_INLINE void cache_prefetch(const struct cache *c, const struct cache_key *k)
{
    PREFETCH(&c->cells[k->hash >> c->shift]);
}

/* The piece's cell, or the empty one where it would go. */
static ALWAYS_INLINE struct cache_cell *cache_find(const struct cache *c, const struct cache_key *k,
                                                   const char *s, size_t n)
{
    for (size_t i = k->hash >> c->shift;; i++) {
        struct cache_cell *cell = &c->cells[i & (c->n_cells - 1)];
        if (cell->k1 == 0)
            return cell;
        if (cell->k0 == k->k0 &&
            (LIKELY(cell->k1 == k->k1) ||
             (n > CACHE_INLINE && cell->k1 >= CACHE_LONG && cache_long_is(c, cell, s, n))))
            return cell;
    }
}

#endif
