/* What pieces of text became: see cache.h. */
#include "token/cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/sys.h"

/* 2 MiB at first, then 8, 16 and 32 at most, and 8 MiB of long pieces and results; as much again
 * while some still see the table before. */
enum { FIRST_BITS = 16, SECOND_CELLS = 1 << 18, MOST_CELLS = 1 << 20, POOL_WORDS = 1 << 21 };
enum { GRANT = 16 }; /* cells that a struct cache counts at once: all threads write their number */

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

struct cache_pool {
    uint32_t *words;
    atomic_size_t used;
};

struct cache_table {
    struct cache_cell *cells;
    size_t n_cells;
    struct cache_pool *pool; /* also of the table before, if that one grew */
    int n_users;             /* with the lock held */
    char apart[128];         /* threads write the next one often, and read the others */
    atomic_size_t used;      /* cells, and those granted */
};

struct cache_shared {
    pthread_mutex_t lock;
    int n_users; /* struct caches; if there is one, nobody needs the lock */
    struct cache_table *_Atomic table;
    struct cache_table *old; /* NULL: nobody sees the one before any more */
};

static bool try_lock(struct cache_shared *s)
{
    return s->n_users == 1 || pthread_mutex_trylock(&s->lock) == 0;
}

static void unlock(struct cache_shared *s)
{
    if (s->n_users > 1)
        pthread_mutex_unlock(&s->lock);
}

/* ---- tables */

static void pool_free(struct cache_pool *p)
{
    if (p)
        sys_pages_free(p->words, POOL_WORDS * sizeof *p->words);
    free(p);
}

static struct cache_pool *pool_new(struct err *e)
{
    struct cache_pool *p = mem_new(1, sizeof *p, e);
    if (!p || !(p->words = sys_pages(POOL_WORDS * sizeof *p->words, e))) {
        free(p);
        return NULL;
    }
    atomic_store(&p->used, 1); /* place 0 is none: no cell of a long piece is equal to a bare key */
    return p;
}

static void table_free(struct cache_table *t)
{
    if (t)
        sys_pages_free(t->cells, t->n_cells * sizeof *t->cells);
    free(t);
}

static struct cache_table *table_new(size_t n_cells, struct cache_pool *pool, struct err *e)
{
    struct cache_table *t = mem_new(1, sizeof *t, e);
    if (!t || !(t->cells = sys_pages(n_cells * sizeof *t->cells, e))) {
        free(t);
        return NULL;
    }
    t->n_cells = n_cells;
    t->pool = pool;
    return t;
}

static void see(struct cache *c, struct cache_table *t)
{
    c->table = t;
    c->cells = t->cells;
    c->n_cells = t->n_cells;
    c->homes = (t->n_cells - 2) * sizeof *t->cells;
    c->pool = t->pool->words;
    c->n_granted = 0;
    t->n_users++;
}

/* Who leaves a table that is not the present one, as the last, frees it. */
static void leave(struct cache *c)
{
    struct cache_shared *s = c->shared;
    struct cache_table *t = c->table, *now = atomic_load(&s->table);
    if (!t || --t->n_users > 0 || t == now)
        return;
    if (t->pool != now->pool)
        pool_free(t->pool);
    if (t == s->old)
        s->old = NULL;
    table_free(t);
}

static struct cache_shared *shared_new(struct err *e)
{
    struct cache_shared *s = mem_new(1, sizeof *s, e);
    struct cache_pool *pool = s ? pool_new(e) : NULL;
    struct cache_table *table = pool ? table_new((size_t)1 << FIRST_BITS, pool, e) : NULL;
    if (!table) {
        pool_free(pool);
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    atomic_store(&s->table, table);
    return s;
}

int cache_init(struct cache *c, const struct cache *beside, struct err *e)
{
    *c = (struct cache){.shared = beside ? beside->shared : shared_new(e)};
    if (!c->shared)
        return -1;
    c->shared->n_users++;
    see(c, atomic_load(&c->shared->table));
    return 0;
}

void cache_release(struct cache *c)
{
    struct cache_shared *s = c->shared;
    if (!s)
        return;
    leave(c);
    if (--s->n_users == 0) {
        struct cache_table *t = atomic_load(&s->table);
        pool_free(t->pool);
        table_free(t);
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
    *c = (struct cache){0};
}

/* ---- growing and forgetting */

static uint64_t get(const _Atomic uint64_t *p)
{
    return atomic_load_explicit((_Atomic uint64_t *)p, memory_order_relaxed);
}

static void put(_Atomic uint64_t *p, uint64_t v)
{
    atomic_store_explicit(p, v, memory_order_relaxed);
}

/* Their number last, for who looks meanwhile. */
static void set_ids(struct cache_cell *cell, const uint32_t ids[CACHE_IDS], uint32_t n_ids)
{
    put(&cell->id01, ids[0] | (uint64_t)ids[1] << 32);
    atomic_store_explicit(&cell->id2, ids[2], memory_order_relaxed);
    atomic_store_explicit(&cell->n_ids, n_ids, memory_order_release);
}

/* What a table holds, in one that is larger, and that nobody sees yet; but for pieces that others
 * are about to fill the cells of. */
static void copy_cells(struct cache_table *to, const struct cache_table *from)
{
    struct cache at = {.cells = to->cells, .homes = (to->n_cells - 2) * sizeof *to->cells};
    size_t n = 0;
    for (size_t i = 0; i < from->n_cells; i++) {
        const struct cache_cell *was = &from->cells[i];
        const uint64_t k1 = cache_load(&was->k1), k0 = get(&was->k0);
        if (k1 == 0 || cache_is_none(was))
            continue;
        /* a cell's hash is made of what it holds, but for that of a long piece, which k0 is */
        struct cache_cell *cell = cache_home(&at, k1 >= CACHE_LONG ? k0 : cache_mix(k0, k1));
        while (get(&cell->k1))
            cell = cell + 1 < to->cells + to->n_cells ? cell + 1 : to->cells;
        put(&cell->k0, k0);
        put(&cell->k1, k1);
        uint32_t ids[CACHE_ROOM];
        const uint32_t n_ids = cache_ids(ids, was);
        set_ids(cell, ids, n_ids);
        n++;
    }
    atomic_store_explicit(&to->used, n, memory_order_relaxed);
}

static size_t used(const atomic_size_t *n)
{
    return atomic_load_explicit((atomic_size_t *)n, memory_order_relaxed);
}

static bool is_pool_full(const struct cache_pool *p)
{
    return used(&p->used) > POOL_WORDS - POOL_WORDS / 8;
}

static bool is_full(const struct cache_table *t, size_t n)
{
    return used(&t->used) + n > t->n_cells / 2 || is_pool_full(t->pool);
}

/* A larger table or, if this one is the largest or the pool is full, an empty one. */
static int replace(struct cache_shared *s, struct err *e)
{
    struct cache_table *was = atomic_load(&s->table), *t;
    const bool grows = was->n_cells < MOST_CELLS && !is_pool_full(was->pool);
    struct cache_pool *pool = grows ? was->pool : pool_new(e);
    if (!pool)
        return -1;
    const size_t n_cells = was->n_cells < SECOND_CELLS ? SECOND_CELLS : was->n_cells * 2;
    t = table_new(grows ? n_cells : was->n_cells, pool, e);
    if (!t) {
        if (!grows)
            pool_free(pool);
        return -1;
    }
    if (grows)
        copy_cells(t, was);
    atomic_store(&s->table, t);
    s->old = was;
    return 0;
}

/* Who does not get the lock goes on with the table at hand: another one makes room. */
static NO_INLINE int move_on(struct cache *c, size_t n, struct err *e)
{
    struct cache_shared *s = c->shared;
    int rc = 0;
    if (!try_lock(s))
        return 0;
    const struct cache_table *now = atomic_load(&s->table);
    if (!s->old && is_full(now, n))
        rc = replace(s, e);
    struct cache_table *t = atomic_load(&s->table);
    if (rc == 0 && t != c->table) {
        leave(c);
        see(c, t);
    }
    unlock(s);
    return rc;
}

int cache_ready(struct cache *c, size_t n, struct err *e)
{
    if (LIKELY(c->table == atomic_load_explicit(&c->shared->table, memory_order_acquire) &&
               !is_full(c->table, n)))
        return 0;
    return move_on(c, n, e);
}

/* ---- pieces */

struct cache_key cache_long_key(const struct cache *c, const char *s, size_t n)
{
    if (s[0] == s[n - 1] && memcmp(s, s + 1, n - 1) == 0) {
        const uint64_t k0 = (unsigned char)s[0], k1 = CACHE_RUN | n;
        return (struct cache_key){k0, k1, cache_home(c, cache_mix(k0, k1)), s};
    }
    const uint64_t hash = hash64(s, n, 0);
    return (struct cache_key){hash, CACHE_LONG, cache_home(c, hash), s};
}

bool cache_long_is(const struct cache *c, const struct cache_cell *cell, const char *s, size_t n)
{
    const uint32_t *p = c->pool + (uint32_t)cache_load(&cell->k1);
    return p[0] == n && memcmp(p + 1, s, n) == 0;
}

/* The place of n words in the pool; 0: there is no room. */
static uint32_t take_words(struct cache_pool *p, size_t n)
{
    if (used(&p->used) + n > POOL_WORDS)
        return 0;
    const size_t at = atomic_fetch_add_explicit(&p->used, n, memory_order_relaxed);
    return at + n <= POOL_WORDS ? (uint32_t)at : 0;
}

/* ids as a cell holds them, and their number there; 0: there is no room for so many. */
static uint32_t pack_ids(struct cache_pool *p, const uint32_t *ids, size_t n_ids,
                         uint32_t packed[CACHE_IDS])
{
    if (n_ids <= CACHE_IDS) {
        memcpy(packed, ids, n_ids * sizeof *ids);
        return (uint32_t)n_ids;
    }
    const uint32_t at = take_words(p, n_ids);
    if (!at)
        return 0;
    memcpy(p->words + at, ids, n_ids * sizeof *ids);
    packed[0] = at;
    packed[1] = (uint32_t)n_ids;
    return CACHE_POOLED;
}

/* The word that k1 is with the place of the piece's bytes; 0: there is no room. */
static uint64_t keep_bytes(struct cache_pool *p, const struct cache_key *k, size_t n)
{
    if (k->k1 < CACHE_LONG)
        return k->k1;
    /* what is long seldom comes again: it must not fill the pool */
    if (n > 8 * CACHE_INLINE && used(&p->used) > POOL_WORDS / 4)
        return 0;
    const uint32_t at = take_words(p, 1 + (n + 3) / 4);
    if (!at)
        return 0;
    p->words[at] = (uint32_t)n;
    memcpy(p->words + at + 1, k->s, n);
    return k->k1 | at;
}

/* A cell more, if the table has room for it. */
static bool grant(struct cache *c)
{
    struct cache_table *t = c->table;
    const size_t most = t->n_cells - t->n_cells / 4;
    if (c->n_granted == 0) {
        if (used(&t->used) >= most ||
            atomic_fetch_add_explicit(&t->used, GRANT, memory_order_relaxed) >= most)
            return false;
        c->n_granted = GRANT;
    }
    c->n_granted--;
    return true;
}

/* An empty cell becomes this thread's, which looks empty to others still; false: another's. */
static bool claim(const struct cache *c, struct cache_cell *cell)
{
    uint32_t n_ids = 0;
    if (c->shared->n_users == 1)
        return true;
    return atomic_compare_exchange_strong_explicit(&cell->n_ids, &n_ids, CACHE_NONE,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* With ids, or if they are NULL with CACHE_NONE. What the pool keeps is kept only where a cell is
 * to be had. */
static struct cache_cell *take_cell(struct cache *c, const struct cache_key *k, size_t n,
                                    const uint32_t *ids, size_t n_ids, bool *mine)
{
    bool found;
    struct cache_cell *cell = cache_place(c, k, n, &found);
    struct cache_pool *pool = c->table->pool;
    uint32_t packed[CACHE_IDS] = {0};
    *mine = false;
    if (found)
        return cell;
    if (!grant(c))
        return NULL;
    const uint64_t k1 = keep_bytes(pool, k, n);
    const uint32_t count = !k1 ? 0 : ids ? pack_ids(pool, ids, n_ids, packed) : CACHE_NONE;
    if (!count || !claim(c, cell)) {
        c->n_granted++;
        return NULL;
    }
    put(&cell->k0, k->k0);
    set_ids(cell, packed, count);
    atomic_store_explicit(&cell->k1, k1, memory_order_release);
    *mine = true;
    return cell;
}

struct cache_cell *cache_take(struct cache *c, const struct cache_key *k, size_t n, bool *mine)
{
    return take_cell(c, k, n, NULL, 0, mine);
}

void cache_fill(struct cache *c, struct cache_cell *cell, const uint32_t *ids, size_t n_ids)
{
    uint32_t packed[CACHE_IDS] = {0};
    const uint32_t n = pack_ids(c->table->pool, ids, n_ids, packed);
    if (n)
        set_ids(cell, packed, n);
}

void cache_put(struct cache *c, const struct cache_key *k, size_t n, const uint32_t *ids,
               size_t n_ids)
{
    bool mine;
    take_cell(c, k, n, ids, n_ids, &mine);
}
