/* pool_run and pool_for: order, errors at every place, numbers of threads, signals. */
#include "tap.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/pool.h"
#include "base/rng.h"

enum { NONE = -1 };

struct job {
    int n;                                         /* batches to read */
    int bad_read, bad_work, bad_settle, bad_write; /* batch that fails, or NONE */
    int late_bad_work; /* a second one, behind bad_work, that fails sooner */
    bool delays;
    int n_read, n_settled, n_written, n_thread_max;
    bool in_order, right, masked;
    atomic_int n_init, n_release, n_in_read, n_in_settle, n_in_write, n_clash, n_bad_thread;
    pthread_t caller;
};

struct batch {
    int number, result;
    uint32_t seed;
    pthread_t reader;
    char fill[1000];
};

static void doze(uint32_t us)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static uint32_t mix(uint32_t k)
{
    uint32_t out[4];
    rng_philox((uint32_t[4]){k, 1, 2, 3}, (uint32_t[2]){4, 5}, out);
    return out[0];
}

static int init(void *user, void *batch, struct err *e)
{
    struct job *j = user;
    const char *p = batch;
    (void)e;
    for (size_t i = 0; i < sizeof(struct batch); i++)
        j->right = j->right && p[i] == 0;
    atomic_fetch_add(&j->n_init, 1);
    return 0;
}

static void release(void *user, void *batch)
{
    struct job *j = user;
    (void)batch;
    atomic_fetch_add(&j->n_release, 1);
}

/* One at a time: *n counts those within. */
static void enter(struct job *j, atomic_int *n)
{
    if (atomic_fetch_add(n, 1) != 0)
        atomic_fetch_add(&j->n_clash, 1);
}

/* Whether this thread may be interrupted: the calling one alone. */
static bool mask_is_right(const struct job *j)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    bool is_caller = pthread_equal(pthread_self(), j->caller);
    return sigismember(&now, SIGTERM) == !is_caller && !sigismember(&now, SIGPIPE);
}

static int read_one(void *user, void *batch, struct err *e)
{
    struct job *j = user;
    struct batch *b = batch;
    int rc = 1;
    enter(j, &j->n_in_read);
    if (j->n_read == j->bad_read)
        rc = err_set(e, "read %d", j->n_read);
    else if (j->n_read == j->n)
        rc = 0;
    else
        *b = (struct batch){.number = j->n_read++, .seed = mix((uint32_t)j->n_read)};
    b->reader = pthread_self();
    atomic_fetch_sub(&j->n_in_read, 1);
    return rc;
}

static int work(void *user, void *batch, int thread, struct err *e)
{
    struct job *j = user;
    struct batch *b = batch;
    if (thread < 0 || thread >= j->n_thread_max || !mask_is_right(j) ||
        !pthread_equal(pthread_self(), b->reader))
        atomic_fetch_add(&j->n_bad_thread, 1);
    if (j->delays)
        doze(b->seed % 300);
    if (b->number == j->bad_work) {
        doze(3000); /* so that one behind it fails first */
        return err_set(e, "work %d", b->number);
    }
    if (b->number == j->late_bad_work)
        return err_set(e, "work %d", b->number);
    b->result = b->number * 7;
    return 0;
}

static int write_one(void *user, void *batch, struct err *e)
{
    struct job *j = user;
    struct batch *b = batch;
    int rc = 0;
    enter(j, &j->n_in_write);
    if (j->delays)
        doze(b->seed % 200);
    j->in_order = j->in_order && b->number == j->n_written;
    j->right = j->right && b->result == b->number * 7 + 1;
    if (b->number == j->bad_write)
        rc = err_set(e, "write %d", b->number);
    else
        j->n_written++;
    atomic_fetch_sub(&j->n_in_write, 1);
    return rc;
}

static int settle(void *user, void *batch, struct err *e)
{
    struct job *j = user;
    struct batch *b = batch;
    int rc = 0;
    enter(j, &j->n_in_settle);
    if (j->delays)
        doze(b->seed % 250);
    j->in_order = j->in_order && b->number == j->n_settled && b->result == b->number * 7;
    if (b->number == j->bad_settle)
        rc = err_set(e, "settle %d", b->number);
    else
        j->n_settled++;
    b->result++;
    atomic_fetch_sub(&j->n_in_settle, 1);
    return rc;
}

static const struct pool_ops ops = {init, read_one, work, write_one, release, settle};

static struct job new_job(int n)
{
    return (struct job){.n = n,
                        .bad_read = NONE,
                        .bad_work = NONE,
                        .bad_settle = NONE,
                        .bad_write = NONE,
                        .late_bad_work = NONE,
                        .in_order = true,
                        .right = true,
                        .caller = pthread_self()};
}

/* want: the message, or NULL for success; n_out: batches that must have been written. */
static void run(struct job j, int n_threads, int n_batches, const char *want, int n_out,
                const char *what)
{
    struct err e = {0};
    j.n_thread_max = n_threads > 1 ? n_threads : 1;
    int rc = pool_run(&ops, &j, n_threads, n_batches, sizeof(struct batch), &e);
    bool said = want ? rc == -1 && strcmp(e.msg, want) == 0 : rc == 0 && e.kind == ERR_NONE;
    ok(said && j.n_written == n_out && j.in_order && j.right && j.n_clash == 0 &&
           j.n_bad_thread == 0 && j.n_init == j.n_release,
       "%s, -j %d, %d batches: rc %d '%s', %d written", what, n_threads, n_batches, rc, e.msg,
       j.n_written);
}

static void test_run(int t)
{
    struct job j = new_job(100);
    j.delays = true;
    run(j, t, 0, NULL, 100, "order under random delays");
    run(j, t, 1, NULL, 100, "one batch only");
    run(new_job(0), t, 0, NULL, 0, "empty input");
    run(new_job(1), t, 0, NULL, 1, "one batch of input");
    run(new_job(3000), t, 3, NULL, 3000, "many small ones");
    j = new_job(50);
    j.bad_read = 0;
    run(j, t, 0, "read 0", 0, "first read fails");
    j.bad_read = 20;
    run(j, t, 0, "read 20", 20, "a read fails");
    j.bad_work = 19;
    run(j, t, 0, "work 19", 19, "work before it fails, too");
    j.bad_settle = 18;
    run(j, t, 0, "settle 18", 18, "settling before both fails");
    j.bad_write = 17;
    run(j, t, 0, "write 17", 17, "a write before all fails");
    j = new_job(50);
    j.bad_work = 10;
    j.late_bad_work = 12;
    run(j, t, 8, "work 10", 10, "the later error comes first in time");
    j = new_job(50);
    j.bad_work = 49;
    run(j, t, 0, "work 49", 49, "the last one fails");
    j = new_job(50);
    j.bad_write = 0;
    run(j, t, 0, "write 0", 0, "first write fails");
}

static int bad_init(void *user, void *batch, struct err *e)
{
    struct job *j = user;
    (void)batch;
    if (j->n_init == 2)
        return err_set(e, "init fails");
    atomic_fetch_add(&j->n_init, 1);
    return 0;
}

static void test_init_error(void)
{
    struct pool_ops bad = ops;
    struct job j = new_job(10);
    struct err e = {0};
    bad.init = bad_init;
    is_int(pool_run(&bad, &j, 4, 0, sizeof(struct batch), &e), -1, "a failing init is an error");
    is_str(e.msg, "init fails", "and its message comes through");
    ok(j.n_release == 2 && j.n_read == 0, "what was set up is freed, nothing is read");
}

struct sums {
    atomic_int *hits;
    int n_threads, n_bad_thread;
    size_t bad[3];
    uint32_t doze_us[3]; /* before each fails */
};

static int visit(void *user, size_t i, int thread, struct err *e)
{
    struct sums *s = user;
    if (thread < 0 || thread >= s->n_threads)
        return err_set(e, "thread %d", thread);
    atomic_fetch_add(&s->hits[i], 1);
    for (int k = 0; k < 3; k++)
        if (i == s->bad[k]) {
            doze(s->doze_us[k]);
            return err_set(e, "index %zu", i);
        }
    return 0;
}

static void test_for(int t)
{
    enum { N = 1000 };
    static atomic_int hits[N];
    struct err e = {0};
    struct sums s = {.hits = hits, .n_threads = t, .bad = {N, N, N}};
    bool once = true;
    for (int i = 0; i < N; i++)
        hits[i] = 0;
    is_int(pool_for(t, N, visit, &s, &e), 0, "pool_for with -j %d", t);
    for (int i = 0; i < N; i++)
        once = once && hits[i] == 1;
    ok(once, "each index once");
    is_int(pool_for(t, 0, visit, &s, &e), 0, "nothing to do");
    static const uint32_t delays[][3] = {{3000, 0, 0}, {1000, 3000, 0}, {0, 0, 0}};
    memcpy(s.bad, (size_t[]){500, 501, 503}, sizeof s.bad);
    for (size_t k = 0; k < ARRAY_LEN(delays); k++) {
        memcpy(s.doze_us, delays[k], sizeof s.doze_us);
        is_int(pool_for(t, N, visit, &s, &e), -1, "errors");
        is_str(e.msg, "index 500", "the first by index, whenever the others come");
    }
    is_int(pool_for(t, N, visit, &s, NULL), -1, "err may be NULL");
}

int main(void)
{
    for (int t = 0; t <= 8; t++)
        test_run(t);
    test_init_error();
    for (int t = 1; t <= 8; t++)
        test_for(t);
    return done_testing();
}
