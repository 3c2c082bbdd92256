/* The ordered batch pipeline, and a parallel for. */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

/* Signals are for the calling thread, but for those that a thread's own mistake raises. */
static void block_signals(sigset_t *was)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
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
    bool done;
    int rc;       /* of work */
    struct err e; /* where rc < 0 */
};

/* Batch k lives in slots[k % n_slots]. Always n_written <= n_taken <= n_read <= n_written +
 * n_slots: batches [n_written, n_taken) are being worked on or done, [n_taken, n_read) wait. */
struct pipeline {
    const struct pool_ops *ops;
    void *user;
    struct slot *slots;
    size_t n_slots;
    pthread_mutex_t lock;
    pthread_cond_t to_work, to_write;
    uint64_t n_read, n_taken, n_written;
    uint64_t first_bad; /* the first batch whose work failed; those behind it need no work */
    bool stop;
    int n_threads; /* that have taken their number */
};

static struct slot *slot_of(struct pipeline *p, uint64_t k)
{
    return &p->slots[k % p->n_slots];
}

static void *worker(void *arg)
{
    struct pipeline *p = arg;
    pthread_mutex_lock(&p->lock);
    int thread = p->n_threads++;
    for (;;) {
        while (!p->stop && p->n_taken == p->n_read)
            pthread_cond_wait(&p->to_work, &p->lock);
        if (p->stop)
            break;
        uint64_t k = p->n_taken++;
        struct slot *s = slot_of(p, k);
        if (k < p->first_bad) {
            pthread_mutex_unlock(&p->lock);
            s->rc = p->ops->work(p->user, s->batch, thread, &s->e);
            pthread_mutex_lock(&p->lock);
            if (s->rc < 0 && k < p->first_bad)
                p->first_bad = k;
        }
        s->done = true;
        if (k == p->n_written)
            pthread_cond_signal(&p->to_write);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* The calling thread's part, lock held: writes what is next in order, else reads, else waits.
 * So read and write never run at the same time. */
static int read_and_write(struct pipeline *p, struct err *e)
{
    struct err read_err = {0};
    int end = 1; /* what read returned last */
    for (;;) {
        struct slot *s = slot_of(p, p->n_written);
        if (p->n_written < p->n_read && s->done) {
            if (s->rc < 0) {
                if (e)
                    *e = s->e;
                return -1;
            }
            pthread_mutex_unlock(&p->lock);
            int rc = p->ops->write(p->user, s->batch, e);
            pthread_mutex_lock(&p->lock);
            if (rc < 0)
                return -1;
            p->n_written++;
        } else if (end == 1 && p->first_bad == UINT64_MAX &&
                   p->n_read - p->n_written < p->n_slots) {
            s = slot_of(p, p->n_read);
            pthread_mutex_unlock(&p->lock);
            end = p->ops->read(p->user, s->batch, &read_err);
            pthread_mutex_lock(&p->lock);
            if (end == 1) {
                s->done = false;
                p->n_read++;
                pthread_cond_signal(&p->to_work);
            }
        } else if (p->n_written == p->n_read && end != 1) {
            if (end < 0 && e)
                *e = read_err;
            return end < 0 ? -1 : 0;
        } else {
            pthread_cond_wait(&p->to_write, &p->lock);
        }
    }
}

static int run_inline(const struct pool_ops *ops, void *user, void *batch, struct err *e)
{
    int r;
    while ((r = ops->read(user, batch, e)) == 1)
        if (ops->work(user, batch, 0, e) < 0 || ops->write(user, batch, e) < 0)
            return -1;
    return r < 0 ? -1 : 0;
}

static int run_threads(struct pipeline *p, int n_threads, struct err *e)
{
    pthread_t *threads = mem_new((size_t)n_threads, sizeof *threads, e);
    if (!threads)
        return -1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->to_work, NULL);
    pthread_cond_init(&p->to_write, NULL);
    int rc, n = start_threads(threads, n_threads, worker, p);
    if (n == 0) {
        rc = run_inline(p->ops, p->user, p->slots[0].batch, e);
    } else {
        pthread_mutex_lock(&p->lock);
        rc = read_and_write(p, e);
        p->stop = true;
        pthread_cond_broadcast(&p->to_work);
        pthread_mutex_unlock(&p->lock);
    }
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&p->to_write);
    pthread_cond_destroy(&p->to_work);
    pthread_mutex_destroy(&p->lock);
    free(threads);
    return rc;
}

int pool_run(const struct pool_ops *ops, void *user, int n_threads, int n_batches,
             size_t batch_size, struct err *e)
{
    struct pipeline p = {.ops = ops, .user = user, .first_bad = UINT64_MAX};
    struct arena mem;
    size_t n_init = 0;
    int rc = -1;
    arena_init(&mem, 0);
    if (n_threads <= 1)
        p.n_slots = 1;
    else
        p.n_slots = n_batches > 0 ? (size_t)n_batches : 2 * (size_t)n_threads + 2;
    p.slots = arena_new(&mem, p.n_slots, sizeof *p.slots, e);
    if (!p.slots)
        goto out;
    for (size_t i = 0; i < p.n_slots; i++) {
        p.slots[i].batch = arena_new(&mem, 1, batch_size, e);
        if (!p.slots[i].batch)
            goto out;
        if (ops->init && ops->init(user, p.slots[i].batch, e) < 0)
            goto out;
        n_init++;
    }
    if (n_threads <= 1)
        rc = run_inline(ops, user, p.slots[0].batch, e);
    else
        rc = run_threads(&p, n_threads, e);
out:
    for (size_t i = 0; ops->release && i < n_init; i++)
        ops->release(user, p.slots[i].batch);
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
