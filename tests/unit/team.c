/* A team: every tile once, barriers that hold, denormals flushed inside only. */
#include <omp.h>
#include <stdatomic.h>
#include <time.h>
#include "kern_test.h"

enum { TILES = 1000, ROUNDS = 300 };

struct work {
    atomic_int done[TILES];
    int64_t sum[ROUNDS];
    int64_t part[TILES];
    atomic_int wrong, n;
    float tiny;
};

static void rounds(struct worker *w, void *arg)
{
    struct work *k = arg;
    volatile float x = k->tiny;
    if (w->tid < 0 || w->tid >= w->n || x * 0.5f != 0 || omp_get_max_threads() != 1)
        atomic_fetch_add(&k->wrong, 1);
    atomic_store(&k->n, w->n);
    for (int r = 0; r < ROUNDS; r++) {
        int n = r % 7 == 0 ? TILES : r % 5, unit = r % 3 == 0 ? 1 : r % 3 == 1 ? 6 : n + 1;
        TEAM_FOR_UNITS(w, i, n, unit)
        {
            atomic_fetch_add(&k->done[i], 1);
            k->part[i] = i * r;
        }
        team_barrier(w);
        if (w->tid == 0)
            for (int i = 0; i < n; i++)
                k->sum[r] += k->part[i];
        team_barrier(w);
    }
}

struct firsts {
    int64_t unit, tile[4];
};

/* Each thread's first tile of 20. */
static void first(struct worker *w, void *arg)
{
    struct firsts *f = arg;
    team_next(w, 20, f->unit, &f->tile[w->tid]);
    team_barrier(w);
}

/* One thread works long enough for the others to fall asleep. */
static void lazy(struct worker *w, void *arg)
{
    atomic_int *late = arg;
    for (int r = 0; r < 5; r++) {
        if (w->tid == r % w->n) {
            struct timespec t = {.tv_nsec = 3000000};
            nanosleep(&t, NULL);
            atomic_fetch_add(late, 1);
        }
        team_barrier(w);
        if (atomic_load(late) < r + 1)
            atomic_store(late, -1000);
        team_barrier(w);
    }
}

int main(void)
{
    static const int threads[] = {1, 2, 3, 5, 16, 70};
    int allowed = omp_get_max_threads();
    for (size_t t = 0; t < ARRAY_LEN(threads); t++) {
        struct work *k = calloc(1, sizeof *k);
        k->tiny = 1.2e-38f; /* normal; half of it is not */
        team_run(threads[t], rounds, k);
        bool once = true, sums = true;
        for (int i = 0; i < TILES; i++) {
            int want = (ROUNDS + 6) / 7;
            for (int r = 0; r < ROUNDS; r++)
                want += r % 7 != 0 && i < r % 5;
            once &= atomic_load(&k->done[i]) == want;
        }
        for (int r = 0; r < ROUNDS; r++) {
            int64_t n = r % 7 == 0 ? TILES : r % 5;
            sums &= k->sum[r] == n * (n - 1) / 2 * r;
        }
        is_int(k->n, threads[t], "a team of %d", threads[t]);
        ok(once, "every tile is done once in each round");
        ok(sums, "after a barrier the others' work is seen");
        is_int(k->wrong, 0, "ids are in range, denormals are zero, a library may use one thread");
        volatile float x = k->tiny;
        is_int(omp_get_max_threads(), allowed, "outside, libraries may use as many as before");
        ok(x * 0.5f != 0, "outside, denormals are as before");
        free(k);
    }
    static const int64_t begins[2][4] = {{0, 5, 10, 15}, {0, 6, 12, 18}};
    for (int u = 0; u < 2; u++) {
        struct firsts f = {.unit = u ? 6 : 1};
        team_run(4, first, &f);
        for (int i = 0; i < 4; i++)
            is_int(f.tile[i], begins[u][i], "thread %d begins with its own range", i);
    }
    struct firsts f = {.unit = 20};
    team_run(4, first, &f);
    is_int(f.tile[0] + f.tile[1] + f.tile[2] + f.tile[3], 6, "or all with the first tiles");
    atomic_int late = 0;
    team_run(3, lazy, &late);
    is_int(late, 5, "a barrier waits for a late thread");
    return done_testing();
}
