/*
 * A team of threads that runs one pass: one OpenMP parallel region, in which every thread calls
 * the same collective functions in the same order. Work is cut into tiles by its shape, never by
 * the number of threads; threads claim tiles dynamically, each first of its own range of them, so
 * that it finds in its caches what it wrote in the step before; a barrier stands between dependent
 * steps. It spins briefly, then sleeps, so that a waiting thread does not burn a core.
 *
 *     team_run(n_threads, pass, arg)   calls pass(w, arg) in each thread, w->tid in [0, w->n)
 *
 *     TEAM_FOR (w, i, n_tiles)         at most one between two barriers
 *         work_on_tile(i);
 *     team_barrier(w);
 *
 * Each thread has denormals flushed to zero (FTZ, DAZ) while inside, the caller's setting after.
 */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct team;
struct worker {
    struct team *team;
    int tid, n;
    uint32_t phase; /* barriers passed */
    int spin;       /* turns that it waits before it sleeps */
    int range;      /* whose tiles it takes, as an offset from its own */
};
void team_run(int n_threads, void (*pass)(struct worker *w, void *arg), void *arg);
void team_barrier(struct worker *w);
/* Waits until *count is at least n, which a tile below the caller's will make it. */
void team_await(const atomic_int *count, int n);
/* An unclaimed tile of n since the last barrier: of the thread's range, in ascending order, and
 * when that is done of the others'. Ranges begin at multiples of unit; n: there is one range. */
bool team_next(struct worker *w, int64_t n, int64_t unit, int64_t *i);
/* Faults in fresh pages of sys_pages(), which is dear, by the whole team at once. Collective; ends
 * with a barrier. */
void team_touch(struct worker *w, void *pages, size_t n_bytes);
#define TEAM_FOR(w, i, n)             for (int64_t i; team_next((w), (n), 1, &i);)
#define TEAM_FOR_UNITS(w, i, n, unit) for (int64_t i; team_next((w), (n), (unit), &i);)

#endif
