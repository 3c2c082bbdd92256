/* The cache of pieces: what is found is what was put, alone and by threads that share it, while it
 * grows and is forgotten. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "base/rng.h"
#include "tap.h"
#include "token/cache.h"

enum { THREADS = 3, BATCHES = 600, BATCH = 2000, LONGEST = 40 };

struct worker {
    pthread_t thread;
    struct cache cache;
    int number;
    size_t n_found, n_wrong, n_put, n_none;
    bool failed;
};

/* Piece number i, of 3 to LONGEST bytes; room: LONGEST + 16. */
static size_t piece(uint32_t i, char *s)
{
    const size_t n = i % 50 ? 3 + i % 12 : 16 + i % (LONGEST - 15);
    memset(s, 0, LONGEST + 16);
    for (size_t k = 0; k < n; k++)
        s[k] = (char)('a' + (i >> (k % 8 * 4) & 15));
    return n;
}

/* What the piece is to become: a sum over its bytes, as 1 to 9 ids. */
static size_t ids_of(const char *s, size_t n, uint32_t *ids)
{
    uint32_t sum = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        sum = sum * 31 + (unsigned char)s[i];
    const size_t n_ids = sum % 16 ? 1 + sum % 4 : 9;
    for (size_t i = 0; i < n_ids; i++)
        ids[i] = (sum + (uint32_t)i) & 0xfffffff;
    return n_ids;
}

static void look(struct worker *w, const struct cache_cell *cell, const uint32_t *want, size_t n)
{
    uint32_t got[64];
    if (cache_is_none(cell)) { /* another thread is about to fill it, or could not */
        w->n_none++;
        return;
    }
    w->n_found++;
    w->n_wrong += cache_n_ids(cell) != n || cache_all_ids(&w->cache, got, cell) != n ||
                  memcmp(got, want, n * sizeof *got) != 0;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct rng r;
    struct err e;
    rng_init(&r, 1, RNG_TEST, (uint64_t)w->number);
    for (size_t b = 0; b < BATCHES; b++) {
        static _Thread_local struct cache_cell *mine[BATCH];
        static _Thread_local uint32_t number[BATCH];
        size_t n_mine = 0;
        char s[LONGEST + 16];
        uint32_t ids[16];
        if (cache_ready(&w->cache, BATCH, &e) < 0) {
            w->failed = true;
            break;
        }
        for (size_t i = 0; i < BATCH; i++) {
            /* what all look for, and what only a batch has, so that tables fill */
            const uint32_t k = rng_below(&r, 3)
                                   ? (uint32_t)rng_below(&r, 3000)
                                   : (uint32_t)(b / 2 * BATCH + rng_below(&r, BATCH)) * 7 + 5000;
            const size_t n = piece(k, s), n_ids = ids_of(s, n, ids);
            const struct cache_key key = cache_key(&w->cache, s, n);
            struct cache_cell *cell = cache_find(&w->cache, &key, n);
            bool took = false;
            if (cell) {
                look(w, cell, ids, n_ids);
            } else if (i % 2) {
                cache_put(&w->cache, &key, n, ids, n_ids);
                w->n_put++;
            } else if ((cell = cache_take(&w->cache, &key, n, &took)) && took) {
                number[n_mine] = k;
                mine[n_mine++] = cell;
            }
        }
        while (n_mine > 0) { /* later, as encoding does */
            const size_t n = piece(number[--n_mine], s), n_ids = ids_of(s, n, ids);
            cache_fill(&w->cache, mine[n_mine], ids, n_ids);
            look(w, mine[n_mine], ids, n_ids);
        }
    }
    return NULL;
}

static void try_threads(int n)
{
    struct worker w[THREADS] = {{.number = 0}};
    struct err e;
    int k = 0;
    size_t n_found = 0, n_wrong = 0, n_put = 0, n_none = 0;
    for (; k < n; k++) {
        w[k].number = k;
        if (cache_init(&w[k].cache, k ? &w[0].cache : NULL, &e) < 0)
            break;
    }
    if (!ok(k == n, "%d that share a cache", n))
        return;
    for (int i = 1; i < n; i++)
        pthread_create(&w[i].thread, NULL, work, &w[i]);
    work(&w[0]);
    for (int i = 1; i < n; i++)
        pthread_join(w[i].thread, NULL);
    for (int i = 0; i < n; i++) {
        n_found += w[i].n_found;
        n_wrong += w[i].n_wrong;
        n_put += w[i].n_put;
        n_none += w[i].n_none;
        k -= w[i].failed;
        cache_release(&w[i].cache);
    }
    is_int(k, n, "no failure");
    is_int(n_wrong, 0, "what is found is what was put");
    ok(n_found > 2 * n_put && n_put > 100000 && n_none < n_found / 10,
       "%zu put, %zu found, %zu of them not filled yet", n_put, n_found, n_none);
}

/* One piece of each length, each a beginning of the next: found again, and not one that differs in
 * its last byte. NULs: one whose words are all 0, but for its length. */
static void try_lengths(char c)
{
    struct cache cache;
    struct err e;
    char s[CACHE_LONGEST + 16];
    size_t n_lost = 0, n_wrong = 0;
    if (!ok(cache_init(&cache, NULL, &e) == 0 && cache_ready(&cache, CACHE_LONGEST, &e) == 0,
            "a cache for pieces of \\%o", (unsigned)c))
        return;
    memset(s, c, sizeof s);
    for (uint32_t n = 1; n <= CACHE_LONGEST; n++) {
        const struct cache_key key = cache_key(&cache, s, n);
        n_wrong += cache_find(&cache, &key, n) != NULL;
        cache_put(&cache, &key, n, &n, 1);
    }
    for (size_t n = 1; n <= CACHE_LONGEST; n++) {
        struct cache_key key = cache_key(&cache, s, n);
        const struct cache_cell *cell = cache_find(&cache, &key, n);
        uint32_t ids[CACHE_ROOM] = {0};
        n_lost += !cell || cache_all_ids(&cache, ids, cell) != 1 || ids[0] != n;
        s[n - 1] ^= 1;
        key = cache_key(&cache, s, n);
        n_wrong += cache_find(&cache, &key, n) != NULL;
        s[n - 1] ^= 1;
    }
    is_int(n_lost, 0, "of each length is found");
    is_int(n_wrong, 0, "and no other");
    cache_release(&cache);
}

/* A piece put again and again, as by threads that encode it at the same time, costs room once. */
static void try_again(void)
{
    enum { TIMES = 1 << 18, IDS = 9 };
    struct cache cache;
    struct err e;
    char s[LONGEST + 16];
    uint32_t ids[IDS] = {0};
    const size_t n = piece(50, s);
    if (!ok(cache_init(&cache, NULL, &e) == 0 && cache_ready(&cache, 1, &e) == 0,
            "a cache for a piece put again and again"))
        return;
    struct cache_key key = cache_key(&cache, s, n);
    for (int i = 0; i < TIMES; i++)
        cache_put(&cache, &key, n, ids, IDS);
    ok(cache_ready(&cache, 1, &e) == 0, "there is room still");
    key = cache_key(&cache, s, n);
    ok(cache_find(&cache, &key, n) != NULL, "and the piece is not forgotten");
    cache_release(&cache);
}

/* Two that take the same pieces at the same moments, for SECONDS at most: where other programs have
 * the processors, the two wait for each other in each round. */
enum { ROUNDS = 20000, SECONDS = 3 };
struct twin {
    pthread_t thread;
    struct cache cache;
    atomic_int *arrived, *n_rounds; /* the first one ends before the other can begin a round more */
    bool first, mine[ROUNDS];
};

static void *take_in_step(void *arg)
{
    struct twin *t = arg;
    const time_t end = time(NULL) + SECONDS;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        char s[LONGEST + 16];
        uint32_t ids[16];
        const size_t n = piece(i * 7, s), n_ids = ids_of(s, n, ids);
        const struct cache_key key = cache_key(&t->cache, s, n);
        if (t->first && time(NULL) > end)
            atomic_store(t->n_rounds, (int)i);
        /* the second to arrive is ahead by as long as the first needs to see it */
        if (atomic_fetch_add(t->arrived, 1) % 2)
            for (volatile uint32_t k = i % 64; k > 0; k--)
                ;
        for (int k = 0; atomic_load(t->arrived) < 2 * ((int)i + 1); k++)
            if (k > 1000)
                sched_yield();
        if ((int)i >= atomic_load(t->n_rounds))
            break;
        struct cache_cell *cell = cache_take(&t->cache, &key, n, &t->mine[i]);
        if (t->mine[i])
            cache_fill(&t->cache, cell, ids, n_ids);
    }
    return NULL;
}

static void try_in_step(void)
{
    static struct twin t[2];
    atomic_int arrived = 0, n_rounds = ROUNDS;
    struct err e;
    size_t n_both = 0, n_wrong = 0;
    t[0].arrived = t[1].arrived = &arrived;
    t[0].n_rounds = t[1].n_rounds = &n_rounds;
    t[0].first = true;
    if (!ok(cache_init(&t[0].cache, NULL, &e) == 0 && cache_init(&t[1].cache, &t[0].cache, &e) == 0,
            "two that take the same pieces at the same moments"))
        return;
    pthread_create(&t[1].thread, NULL, take_in_step, &t[1]);
    take_in_step(&t[0]);
    pthread_join(t[1].thread, NULL);
    for (uint32_t i = 0; i < (uint32_t)atomic_load(&n_rounds); i++) {
        char s[LONGEST + 16];
        uint32_t ids[16], got[64];
        const size_t n = piece(i * 7, s), n_ids = ids_of(s, n, ids);
        const struct cache_key key = cache_key(&t[1].cache, s, n);
        const struct cache_cell *cell = cache_find(&t[1].cache, &key, n);
        n_both += t[0].mine[i] && t[1].mine[i];
        n_wrong += !cell || cache_all_ids(&t[1].cache, got, cell) != n_ids ||
                   memcmp(got, ids, n_ids * sizeof *got) != 0;
    }
    is_int(n_both, 0, "no piece is both's to fill");
    is_int(n_wrong, 0, "all are filled");
    cache_release(&t[0].cache);
    cache_release(&t[1].cache);
}

int main(void)
{
    try_in_step();
    try_lengths('a');
    try_lengths('\0');
    try_again();
    try_threads(1);
    try_threads(THREADS);
    return done_testing();
}
