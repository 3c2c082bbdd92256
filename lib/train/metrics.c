/* Metrics of a run as TSV. */
#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "io/in.h"
#include "io/out.h"

static const char header[] = "step\ttokens\tloss\tval_loss\tlr\tgrad_norm\ttok_per_s\ttime_s\n";

enum { LINE_MAX_BYTES = 1 << 16 };

static bool is_header(const char *line, size_t len)
{
    return len <= sizeof header - 2 && memcmp(line, header, len) == 0;
}

int metrics_check(const char *path, struct err *e)
{
    struct stat st;
    const char *line;
    size_t len;

    if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    struct in *in = in_open(path, IN_RAW, e);
    if (!in)
        return -1;
    int r = in_line(in, &line, &len, LINE_MAX_BYTES, NULL);
    if (r < 0 || (r > 0 && !is_header(line, len)))
        r = err_set(e, "%s: not a log of this program, so it is not replaced; --log another file",
                    path);
    in_close(in);
    return r < 0 ? -1 : 0;
}

/* Rewrites the log with the rows up to a step; what was cut short by a kill goes too. */
static int keep_rows(const char *path, uint64_t last, struct err *e)
{
    struct buf kept = BUF_INIT;
    const char *line;
    size_t len;
    int r, rc = -1;
    struct in *in = in_open(path, IN_RAW, e);

    if (!in || buf_puts(&kept, header, e) < 0 ||
        (r = in_line(in, &line, &len, LINE_MAX_BYTES, e)) < 0)
        goto out;
    if (r > 0 && !is_header(line, len)) {
        err_set(e, "%s: not a log of this program, so it is not gone on with", path);
        goto out;
    }
    while (r > 0 && (r = in_line(in, &line, &len, LINE_MAX_BYTES, e)) > 0) {
        char *end;
        uint64_t step = strtoull(line, &end, 10);
        if (end != line && *end == '\t' && step <= last &&
            (buf_add(&kept, line, len, e) < 0 || buf_putc(&kept, '\n', e) < 0))
            goto out;
    }
    if (r == 0)
        rc = out_file(path, kept.s, kept.len, e);
out:
    in_close(in);
    buf_release(&kept);
    return rc;
}

/* A row is one call, so that a kill or a full disk leaves no half of one if it can be helped. */
static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t r = write(fd, p, n);
        if (r < 0 && errno != EINTR)
            return -1;
        if (r > 0) {
            p += r;
            n -= (size_t)r;
        }
    }
    return 0;
}

static int open_log(const char *path, int how)
{
    int fd;

    do
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | how, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int metrics_open(struct metrics *m, const char *path, uint64_t resume_step, struct err *e)
{
    struct stat st;
    bool is_stdout = strcmp(path, "-") == 0;
    bool go_on = !is_stdout && resume_step > 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);

    *m = (struct metrics){.fd = -1, .name = is_stdout ? "stdout" : path};
    if (go_on ? keep_rows(path, resume_step, e) < 0 : metrics_check(path, e) < 0)
        return -1;
    m->fd = is_stdout ? dup(STDOUT_FILENO) : open_log(path, go_on ? O_APPEND : O_TRUNC);
    if (m->fd < 0)
        return err_sys(e, "%s", m->name);
    /* that a pipe is closed is for the first row to tell */
    if (go_on || write_all(m->fd, header, sizeof header - 1) == 0 || errno == EPIPE)
        return 0;
    err_sys(e, "%s: cannot write", m->name);
    metrics_close(m, NULL);
    return -1;
}

static int put(struct buf *b, const char *fmt, double v, char end, struct err *e)
{
    char text[64] = "";

    if (!isnan(v))
        snprintf(text, sizeof text, fmt, v);
    return buf_printf(b, e, "%s%c", text, end);
}

int metrics_row(struct metrics *m, const struct metrics_row *r, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = -1;

    if (m->fd < 0)
        return 0;
    if (buf_printf(&b, e, "%" PRIu64 "\t%" PRIu64 "\t", r->step, r->n_tokens) < 0 ||
        put(&b, "%.6f", r->loss, '\t', e) < 0 || put(&b, "%.6f", r->val_loss, '\t', e) < 0 ||
        put(&b, "%.6g", r->lr, '\t', e) < 0 || put(&b, "%.5g", r->grad_norm, '\t', e) < 0 ||
        put(&b, "%.1f", r->tok_per_s, '\t', e) < 0 || put(&b, "%.3f", r->time_s, '\n', e) < 0)
        goto out;
    if (write_all(m->fd, b.s, b.len) == 0) {
        rc = 0;
    } else if (errno != EPIPE) {
        err_sys(e, "%s: cannot write", m->name);
    } else {
        metrics_close(m, NULL);
        rc = 1;
    }
out:
    buf_release(&b);
    return rc;
}

int metrics_sync(struct metrics *m, struct err *e)
{
    /* pipes, terminals and devices have no disk behind them */
    if (m->fd >= 0 && fsync(m->fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        return err_sys(e, "%s: cannot write to the disk", m->name);
    return 0;
}

int metrics_close(struct metrics *m, struct err *e)
{
    int rc = 0;

    if (m->fd >= 0 && close(m->fd) != 0 && errno != EINTR)
        rc = err_sys(e, "%s: cannot write", m->name);
    m->fd = -1;
    return rc;
}
