/* Rows of a benchmark, each in a child process. */
#include "train/bench.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/num.h"
#include "base/sys.h"
#include "kern/peak.h"
#include "model/info.h"

#define PEAK_S .3

/* Steps of a training row, fewer where each is long; repeats of the others. */
enum { STEPS = 12, LONG_STEPS = 6, LONG_TOKENS = 1024, REPEATS = 7 };

const char *const bench_kind_words[] = {"peak", "train", "prefill", "decode", NULL};

static int measure_peak(struct bench_row *r, const struct exec_opt *o, struct err *e)
{
    if (r->read)
        return peak_read(&r->bytes_per_s, o->n_threads, e);
    r->flops_per_s = peak_flops(o->dtype, o->n_threads, PEAK_S);
    return 0;
}

/* What the row takes, before it is taken. */
static int check_memory(const struct bench_row *r, const struct config *c, const struct exec_opt *o,
                        struct err *e)
{
    bool train = r->kind == BENCH_TRAIN;
    uint64_t free_bytes = sys_mem_available(), need_bytes;
    struct exec_opt infers = *o;
    struct exec_bytes b;
    struct info i;
    char need[32], have[32];

    if (info_make(&i, c, o, train ? r->n_seq : 1, train ? r->n_ctx : 1, e) < 0)
        return -1;
    need_bytes = i.training;
    if (!train) {
        infers.max_tok = r->kind == BENCH_PREFILL ? r->n_ctx : 1;
        infers.max_seq = infers.n_slot = 1;
        infers.slot_tok = r->n_ctx;
        if (exec_plan_bytes(c, &infers, &b, e) < 0)
            return -1;
        need_bytes = i.weights + b.total;
    }
    if (need_bytes <= free_bytes)
        return 0;
    return err_set(e, "%s %dx%d takes %s of memory, and %s are to be had",
                   bench_kind_words[r->kind], r->n_seq, r->n_ctx,
                   num_human_bytes(need, (double)need_bytes),
                   num_human_bytes(have, (double)free_bytes));
}

static int measure(struct bench_row *r, const struct config *c, const struct exec_opt *o,
                   struct buf *profile, struct err *e)
{
    struct speed s = {.profile = BUF_INIT};
    struct speed_times times = {REPEATS, SPEED_MOST_S};
    int rc = 0;

    if (r->kind != BENCH_PEAK && check_memory(r, c, o, e) < 0)
        return -1;
    switch (r->kind) {
    case BENCH_PEAK:
        rc = measure_peak(r, o, e);
        break;
    case BENCH_TRAIN:
        times.n = r->n_seq * r->n_ctx < LONG_TOKENS ? STEPS : LONG_STEPS;
        rc = speed_train(&s, c, o, r->n_seq, r->n_ctx, times, e);
        break;
    case BENCH_PREFILL:
        rc = speed_prefill(&s, c, o, r->n_ctx, times, e);
        break;
    case BENCH_DECODE:
        rc = speed_decode(&s, c, o, r->n_ctx, times, e);
        break;
    }
    if (r->kind != BENCH_PEAK) {
        r->tok_per_s = s.tok_per_s;
        r->flops_per_s = s.flops_per_s;
        r->bytes_per_s = s.bytes_per_s;
        r->step_s = s.step_s;
        r->first_s = s.first_s;
        r->n_made = s.n_made;
    }
    *profile = s.profile;
    r->max_rss = sys_max_rss();
    return rc;
}

/* ---- the child */

/* What it sends to its parent, and behind it the profile. */
struct answer {
    int rc;
    struct bench_row row;
    struct err err;
    size_t profile_len;
};

static bool send_to(int fd, const void *what, size_t left)
{
    for (const char *p = what; left > 0;) {
        ssize_t n = write(fd, p, left);
        if (n < 0 && errno != EINTR)
            return false;
        p += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Ends the process when nobody listens any more at fd, a pipe's end for writing. */
static void *end_with_listener(void *fd)
{
    struct pollfd p = {.fd = *(const int *)fd};

    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    _exit(1);
}

static _Noreturn void answer(int fd, const struct bench_row *r, const struct config *c,
                             const struct exec_opt *o)
{
    struct answer a;
    struct buf profile = BUF_INIT;
    pthread_t watch;

    memset(&a, 0, sizeof a); /* gaps are sent, too */
    a.row = *r;
    if (pthread_create(&watch, NULL, end_with_listener, &fd) != 0)
        a.rc = err_sys(&a.err, "a thread for %s", bench_kind_words[r->kind]);
    else
        a.rc = measure(&a.row, c, o, &profile, &a.err);
    a.profile_len = profile.len;
    bool sent = send_to(fd, &a, sizeof a) && send_to(fd, profile.s, profile.len);
    _exit(!sent);
}

static bool listen_to(int fd, void *what, size_t left)
{
    for (char *p = what; left > 0;) {
        ssize_t n = read(fd, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        left -= (size_t)n;
    }
    return true;
}

static int in_child(struct bench_row *r, const struct config *c, const struct exec_opt *o,
                    struct buf *profile, struct err *e)
{
    struct answer a;
    int fd[2], status = 0;

    if (pipe(fd) != 0)
        return err_sys(e, "pipe");
    fflush(stdout); /* a child that gives up must not print it again */
    pid_t pid = fork();
    if (pid < 0) {
        close(fd[0]);
        close(fd[1]);
        return err_sys(e, "a process for %s", bench_kind_words[r->kind]);
    }
    if (pid == 0) {
        close(fd[0]);
        answer(fd[1], r, c, o);
    }
    close(fd[1]);
    bool whole = listen_to(fd[0], &a, sizeof a);
    int rc = whole ? a.rc : 0;
    if (whole && a.profile_len > 0) {
        rc = buf_reserve(profile, a.profile_len, e);
        whole = rc < 0 || listen_to(fd[0], profile->s + profile->len, a.profile_len);
        profile->len += rc == 0 && whole ? a.profile_len : 0;
    }
    close(fd[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!whole)
        return err_set(e, "%s %dx%d: its process ended%s%s", bench_kind_words[r->kind], r->n_seq,
                       r->n_ctx, WIFSIGNALED(status) ? " by a signal: " : "",
                       WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
    *r = a.row;
    if (a.rc < 0 && e)
        *e = a.err;
    return rc;
}

int bench_run(struct bench_row *r, const struct config *c, const struct exec_opt *o,
              const struct bench_peaks *peaks, struct buf *profile, struct err *e)
{
    if (in_child(r, c, o, profile, e) < 0)
        return -1;
    if (r->kind == BENCH_DECODE)
        r->peak_share = r->bytes_per_s / peaks->bytes_per_s;
    else if (r->kind != BENCH_PEAK)
        r->peak_share = r->flops_per_s / peaks->flops_per_s;
    return 0;
}
