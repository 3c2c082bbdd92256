/* Metrics of a run as TSV. */
#include "train/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "io/in.h"
#include "io/out.h"

static const char header[] = "step\ttokens\tloss\tval_loss\tlr\tgrad_norm\ttok_per_s\ttime_s\n";

enum { LINE_MAX_BYTES = 1 << 16 };

/* Rewrites the log with the rows up to a step; what was cut short by a kill goes too. */
static int keep_rows(const char *path, uint64_t last, struct err *e)
{
    struct buf kept = BUF_INIT;
    const char *line;
    size_t len, n_head = sizeof header - 2; /* without its newline */
    int r, rc = -1;
    struct in *in = in_open(path, IN_RAW, e);

    if (!in || buf_puts(&kept, header, e) < 0 ||
        (r = in_line(in, &line, &len, LINE_MAX_BYTES, e)) < 0)
        goto out;
    if (r > 0 && (len > n_head || memcmp(line, header, len) != 0)) {
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

static FILE *open_stdout(void)
{
    int fd = dup(STDOUT_FILENO);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    if (!f && fd >= 0)
        close(fd);
    return f;
}

int metrics_open(struct metrics *m, const char *path, uint64_t resume_step, struct err *e)
{
    struct stat st;
    bool is_stdout = strcmp(path, "-") == 0;
    bool go_on = !is_stdout && resume_step > 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);

    *m = (struct metrics){.name = is_stdout ? "stdout" : path};
    if (go_on && keep_rows(path, resume_step, e) < 0)
        return -1;
    m->f = is_stdout ? open_stdout() : fopen(path, go_on ? "a" : "w");
    if (!m->f)
        return err_sys(e, "%s", m->name);
    errno = 0;
    if (go_on || (fputs(header, m->f) >= 0 && fflush(m->f) == 0) || errno == EPIPE)
        return 0; /* that a pipe is closed is for the first row to tell */
    err_sys(e, "%s", m->name);
    fclose(m->f);
    m->f = NULL;
    return -1;
}

static void put(FILE *f, const char *fmt, double v, char end)
{
    if (!isnan(v))
        fprintf(f, fmt, v);
    fputc(end, f);
}

int metrics_row(struct metrics *m, const struct metrics_row *r, struct err *e)
{
    if (!m->f)
        return 0;
    errno = 0;
    fprintf(m->f, "%llu\t%llu\t", (unsigned long long)r->step, (unsigned long long)r->n_tokens);
    put(m->f, "%.6f", r->loss, '\t');
    put(m->f, "%.6f", r->val_loss, '\t');
    put(m->f, "%.6g", r->lr, '\t');
    put(m->f, "%.5g", r->grad_norm, '\t');
    put(m->f, "%.1f", r->tok_per_s, '\t');
    put(m->f, "%.3f", r->time_s, '\n');
    if (fflush(m->f) == 0 && !ferror(m->f))
        return 0;
    if (errno != EPIPE)
        return err_sys(e, "%s", m->name);
    fclose(m->f);
    m->f = NULL;
    return 1;
}

int metrics_sync(struct metrics *m, struct err *e)
{
    /* EINVAL, ENOTSUP: pipes, terminals and devices have no disk behind them */
    if (m->f && fsync(fileno(m->f)) != 0 && errno != EINVAL && errno != ENOTSUP)
        return err_sys(e, "%s: cannot write to the disk", m->name);
    return 0;
}

int metrics_close(struct metrics *m, struct err *e)
{
    int rc = 0;

    if (m->f && fclose(m->f) != 0)
        rc = err_sys(e, "%s", m->name);
    m->f = NULL;
    return rc;
}
