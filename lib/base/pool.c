/* The ordered batch pipeline, and a parallel for. */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

/* Signals are for the calling thread, but for those that a thread raises itself. */
static void block_signals(sigset_t *was)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPIPE};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, was);
}

/* Starts up to n threads; how many there are. Fewer than asked for change no output. */
static int start_threads(pthread_t *threads, int n, void *(*body)(void *), void *arg)
{
    sigset_t was;
    int k = 0;
    block_signals(&was);
    while (k < n && pthread_create(&threads[k], NULL, body, arg) == 0)
        k++;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return k;
}

/* ---- pool_run */

struct slot {
    void *batch;
    int thread; /* that has read it */
    bool done;
    int rc;       /* of work */
    struct err e; /* where rc < 0 */
};

/* What is done with batches in order, one at a time: settling, where that is asked for, and
 * writing.
 */
struct stage {
    int (*run)(void *user, void *batch, struct err *e);
    uint64_t n; /* batches that have passed */
    bool busy;
};
enum { MOST_STAGES = 2 };

/* Batch k lives in slots[k % n_slots], in one of the pieces of memory on the stack `spare`: the one
 * that was given back last is taken first, for it is the likeliest to be in a cache. Batches
 * from the last stage's n to n_read are being worked on or wait for a stage. */
struct pipeline {
    const struct pool_ops *ops;
    void *user;
    struct slot *slots;
    void **batches, **spare; /* of the first, n_init are set up */
    size_t n_slots, n_init, n_spare;
    pthread_mutex_t lock;
    pthread_cond_t to_do;
    uint64_t n_read;
    struct stage stage[MOST_STAGES];
    int n_stages;
    uint64_t first_bad; /* the first batch that failed; nothing is done with those behind it */
    bool reading, stop;
    int end;                 /* what read returned last: 1, 0 or -1 */
    int n_waiting;           /* threads */
    int n_threads;           /* that have taken their number */
    int rc;                  /* once stop: the result */
    struct err read_err, *e; /* e: the caller's, or NULL */
};

static struct slot *slot_of(struct pipeline *p, uint64_t k)
{
    return &p->slots[k % p->n_slots];
}

static bool can_run(struct pipeline *p, int i)
{
    const struct stage *s = &p->stage[i];
    if (s->busy || s->n > p->first_bad)
        return false;
    return i > 0 ? s->n < p->stage[i - 1].n : s->n < p->n_read && slot_of(p, s->n)->done;
}

/* A stage that can be run, the last one first; for a batch of this thread's, or of any: -1. A
 * negative result: there is none. */
static int next_stage(struct pipeline *p, int thread)
{
    int i = p->n_stages - 1;
    while (i >= 0 &&
           !(can_run(p, i) && (thread < 0 || slot_of(p, p->stage[i].n)->thread == thread)))
        i--;
    return i;
}

static bool can_read(const struct pipeline *p)
{
    return !p->reading && p->end == 1 && p->first_bad == UINT64_MAX && p->n_spare > 0;
}

static bool is_over(const struct pipeline *p)
{
    return p->stop || (p->end != 1 && !p->reading && p->stage[p->n_stages - 1].n == p->n_read);
}

/* Whoever takes a part sees to it that somebody takes another one, if there is one. */
static void call_another(struct pipeline *p)
{
    if (p->n_waiting > 0 && (is_over(p) || can_read(p) || next_stage(p, -1) >= 0))
        pthread_cond_signal(&p->to_do);
}

static void stop_with(struct pipeline *p, const struct err *e)
{
    if (p->stop)
        return;
    p->stop = true;
    p->rc = e ? -1 : 0;
    if (e && p->e)
        *p->e = *e;
    pthread_cond_broadcast(&p->to_do);
}

static void note_result(struct pipeline *p, uint64_t k, int rc)
{
    slot_of(p, k)->rc = rc;
    if (rc < 0 && k < p->first_bad)
        p->first_bad = k;
}

/* A stage of the batch whose turn it is; one that failed only passes on, until its error is the
 * first in order. Like all that follows, called and left with the lock held. */
static void run_stage(struct pipeline *p, int i)
{
    struct stage *stage = &p->stage[i];
    struct slot *s = slot_of(p, stage->n);
    bool last = i == p->n_stages - 1;
    if (s->rc == 0) {
        stage->busy = true;
        call_another(p);
        pthread_mutex_unlock(&p->lock);
        int rc = stage->run(p->user, s->batch, &s->e);
        pthread_mutex_lock(&p->lock);
        stage->busy = false;
        note_result(p, stage->n, rc < 0 ? -1 : 0);
    }
    if (last && s->rc < 0) {
        stop_with(p, &s->e);
        return;
    }
    if (last)
        p->spare[p->n_spare++] = s->batch;
    stage->n++;
}

/* Who has read a batch works on it too, since its bytes are in that processor's cache. */
static void read_and_work(struct pipeline *p, int thread)
{
    uint64_t k = p->n_read;
    struct slot *s = slot_of(p, k);
    void *batch = s->batch = p->spare[--p->n_spare];
    s->thread = thread;
    s->done = false;
    p->reading = true;
    call_another(p);
    pthread_mutex_unlock(&p->lock);
    int end = p->ops->read(p->user, batch, &p->read_err);
    pthread_mutex_lock(&p->lock);
    p->reading = false;
    p->end = end;
    if (end != 1)
        return;
    p->n_read++;
    call_another(p);
    if (p->stop)
        return;
    pthread_mutex_unlock(&p->lock);
    int rc = p->ops->work(p->user, batch, thread, &s->e);
    pthread_mutex_lock(&p->lock);
    s->done = true;
    note_result(p, k, rc < 0 ? -1 : 0);
}

/* All threads are alike: each takes what is to be done next, and sleeps where others do all that
 * there is. It settles and writes its own batches, whose bytes are in its processor's cache, rather
 * than those of others, which it does where there is nothing else. */
static void take_turns(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    int thread = p->n_threads++;
    while (!is_over(p)) {
        int i = next_stage(p, thread);
        if (i < 0 && can_read(p)) {
            read_and_work(p, thread);
        } else if (i >= 0 || (i = next_stage(p, -1)) >= 0) {
            run_stage(p, i);
        } else {
            p->n_waiting++;
            pthread_cond_wait(&p->to_do, &p->lock);
            p->n_waiting--;
        }
    }
    stop_with(p, p->end < 0 ? &p->read_err : NULL);
    pthread_mutex_unlock(&p->lock);
}

static void *helper_turns(void *arg)
{
    take_turns(arg);
    return NULL;
}

static int run_inline(const struct pipeline *p, struct err *e)
{
    void *batch = p->spare[0];
    int r;
    while ((r = p->ops->read(p->user, batch, e)) == 1) {
        if (p->ops->work(p->user, batch, 0, e) < 0)
            return -1;
        for (int i = 0; i < p->n_stages; i++)
            if (p->stage[i].run(p->user, batch, e) < 0)
                return -1;
    }
    return r < 0 ? -1 : 0;
}

static int run_threads(struct pipeline *p, int n_threads, struct err *e)
{
    pthread_t *threads = mem_new((size_t)n_threads, sizeof *threads, e);
    if (!threads)
        return -1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->to_do, NULL);
    int n = start_threads(threads, n_threads - 1, helper_turns, p);
    take_turns(p);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&p->to_do);
    pthread_mutex_destroy(&p->lock);
    free(threads);
    return p->rc;
}

static int init_batches(struct pipeline *p, struct arena *mem, size_t batch_size, struct err *e)
{
    size_t n = p->n_slots;
    if (!(p->slots = arena_new(mem, n, sizeof *p->slots, e)) ||
        !(p->batches = arena_new(mem, n, sizeof *p->batches, e)) ||
        !(p->spare = arena_new(mem, n, sizeof *p->spare, e)))
        return -1;
    for (; p->n_init < n; p->n_init++) {
        void *batch = arena_new(mem, 1, batch_size, e);
        if (!batch || (p->ops->init && p->ops->init(p->user, batch, e) < 0))
            return -1;
        p->batches[p->n_init] = p->spare[p->n_spare++] = batch;
    }
    return 0;
}

int pool_run(const struct pool_ops *ops, void *user, int n_threads, int n_batches,
             size_t batch_size, struct err *e)
{
    struct pipeline p = {.ops = ops, .user = user, .first_bad = UINT64_MAX, .end = 1, .e = e};
    struct arena mem;
    int rc = -1;
    arena_init(&mem, 0);
    if (ops->settle)
        p.stage[p.n_stages++].run = ops->settle;
    p.stage[p.n_stages++].run = ops->write;
    if (n_threads <= 1)
        p.n_slots = 1;
    else
        p.n_slots = n_batches > 0 ? (size_t)n_batches : 2 * (size_t)n_threads + 2;
    if (init_batches(&p, &mem, batch_size, e) == 0)
        rc = n_threads <= 1 ? run_inline(&p, e) : run_threads(&p, n_threads, e);
    for (size_t i = 0; ops->release && i < p.n_init; i++)
        ops->release(user, p.batches[i]);
    arena_release(&mem);
    return rc;
}

/* ---- pool_for */

struct loop {
    int (*fn)(void *user, size_t i, int thread, struct err *e);
    void *user;
    size_t n;
    atomic_size_t next;
    atomic_bool stop;
    atomic_int n_threads;
    pthread_mutex_t lock; /* of what follows */
    size_t bad;           /* the first index that failed; n: none */
    struct err e;
};

/* Indices are claimed in order, so when one fails all before it are claimed and will be finished:
 * the first error by index is always found. */
static void claim(struct loop *l, int thread)
{
    while (!atomic_load(&l->stop)) {
        size_t i = atomic_fetch_add(&l->next, 1);
        if (i >= l->n)
            return;
        struct err e = {0};
        if (l->fn(l->user, i, thread, &e) >= 0)
            continue;
        atomic_store(&l->stop, true);
        pthread_mutex_lock(&l->lock);
        if (i < l->bad) {
            l->bad = i;
            l->e = e;
        }
        pthread_mutex_unlock(&l->lock);
    }
}

static void *helper(void *arg)
{
    struct loop *l = arg;
    claim(l, atomic_fetch_add(&l->n_threads, 1));
    return NULL;
}

int pool_for(int n_threads, size_t n, int (*fn)(void *user, size_t i, int thread, struct err *e),
             void *user, struct err *e)
{
    struct loop l = {.fn = fn, .user = user, .n = n, .bad = n, .n_threads = 1};
    pthread_t *threads = NULL;
    int n_started = 0;
    size_t n_more = n_threads > 1 && n > 1 ? (size_t)n_threads - 1 : 0;
    if (n_more > n - 1 && n_more > 0)
        n_more = n - 1;
    pthread_mutex_init(&l.lock, NULL);
    if (n_more > 0 && (threads = mem_new(n_more, sizeof *threads, NULL)) != NULL)
        n_started = start_threads(threads, (int)n_more, helper, &l);
    claim(&l, 0);
    for (int i = 0; i < n_started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&l.lock);
    free(threads);
    if (l.bad == n)
        return 0;
    if (e)
        *e = l.e;
    return -1;
}
