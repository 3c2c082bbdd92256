/* A team of threads over one OpenMP region; see team.h. */
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "base/bug.h"
#include "base/compiler.h"
#include "base/team.h"

/* Turns of the waiting loop before a thread sleeps, at most: under a millisecond, and longer than
 * the last tile of a product takes, for to be woken costs more than to wait for that. Each wait
 * that is in vain halves them, since then other programs have the processors, and those that are
 * not bring them back. */
#define SPIN     20000
#define SPIN_MIN 100
/* Of a wait that gives its turn away instead of sleeping. */
#define SPIN_AWAIT 2000

/* Ranges of tiles, at most: beyond that threads share them. */
enum { MAX_RANGES = 64 };

/* The counters that threads write have cache lines of their own. */
struct range {
    _Alignas(64) atomic_int_least64_t n_claimed;
};
struct team {
    _Alignas(64) atomic_uint_least32_t phase; /* barriers completed */
    atomic_int n_asleep;
    _Alignas(64) atomic_int n_arrived;
    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t wake;
    int n_ranges;
    struct range ranges[MAX_RANGES];
};

static void enter(struct team *t, void (*pass)(struct worker *w, void *arg), void *arg)
{
    struct worker w = {.team = t, .tid = omp_get_thread_num(), .n = omp_get_num_threads()};
    w.spin = w.n > omp_get_num_procs() ? 0 : SPIN;
    /* A library called from a pass that asks how many threads it may use hears: one. It changes
     * this thread's setting inside the region alone. */
    omp_set_num_threads(1);
    unsigned long fpu = fpu_flush_denormals();
    pass(&w, arg);
    fpu_restore(fpu);
}

void team_run(int n_threads, void (*pass)(struct worker *w, void *arg), void *arg)
{
    struct team t = {.n_ranges = n_threads < MAX_RANGES ? n_threads : MAX_RANGES};
    if (n_threads < 1 || pthread_mutex_init(&t.lock, NULL) || pthread_cond_init(&t.wake, NULL))
        BUG("cannot set up a team of %d threads", n_threads);
#pragma omp parallel num_threads(n_threads)
    enter(&t, pass, arg);
    pthread_cond_destroy(&t.wake);
    pthread_mutex_destroy(&t.lock);
}

static void sleep_until_phase_ends(struct team *t, uint32_t phase)
{
    pthread_mutex_lock(&t->lock);
    /* Either we see the new phase below, or the last thread sees us asleep and takes the lock. */
    atomic_fetch_add(&t->n_asleep, 1);
    while (atomic_load(&t->phase) == phase)
        pthread_cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->n_asleep, 1);
    pthread_mutex_unlock(&t->lock);
}

void team_barrier(struct worker *w)
{
    struct team *t = w->team;
    uint32_t phase = w->phase++;
    w->range = 0;
    if (atomic_fetch_add(&t->n_arrived, 1) == w->n - 1) {
        atomic_store_explicit(&t->n_arrived, 0, memory_order_relaxed);
        for (int i = 0; i < t->n_ranges; i++)
            atomic_store_explicit(&t->ranges[i].n_claimed, 0, memory_order_relaxed);
        atomic_store(&t->phase, phase + 1);
        if (atomic_load(&t->n_asleep) > 0) {
            pthread_mutex_lock(&t->lock);
            pthread_cond_broadcast(&t->wake);
            pthread_mutex_unlock(&t->lock);
        }
        return;
    }
    for (int i = 0; i < w->spin; i++) {
        if (atomic_load_explicit(&t->phase, memory_order_acquire) != phase) {
            w->spin += (SPIN - w->spin) / 64;
            return;
        }
        CPU_RELAX();
    }
    if (w->spin > SPIN_MIN)
        w->spin /= 2;
    sleep_until_phase_ends(t, phase);
}

bool team_next(struct worker *w, int64_t n, int64_t unit, int64_t *i)
{
    struct team *t = w->team;
    int64_t n_units = (n + unit - 1) / unit;

    for (; w->range < t->n_ranges; w->range++) {
        int r = (w->tid + w->range) % t->n_ranges;
        int64_t from = r * n_units / t->n_ranges * unit,
                to = (r + 1) * n_units / t->n_ranges * unit;
        if (from == to)
            continue;
        *i = from + atomic_fetch_add_explicit(&t->ranges[r].n_claimed, 1, memory_order_relaxed);
        if (*i < (to < n ? to : n))
            return true;
    }
    return false;
}

/* A huge page at a time, and in it every small one, where there are no huge ones. */
void team_touch(struct worker *w, void *pages, size_t n_bytes)
{
    const size_t huge = 2 << 20, small = 4096;

    TEAM_FOR(w, i, (int64_t)((n_bytes + huge - 1) / huge))
    {
        size_t from = (size_t)i * huge, to = from + huge < n_bytes ? from + huge : n_bytes;
        for (size_t at = from; at < to; at += small)
            ((volatile char *)pages)[at] = 0;
    }
    team_barrier(w);
}

void team_await(const atomic_int *count, int n)
{
    for (int turn = 0; atomic_load_explicit(count, memory_order_acquire) < n;)
        if (turn < SPIN_AWAIT) {
            CPU_RELAX();
            turn++;
        } else {
            sched_yield();
        }
}
