/* Metrics of a run as TSV. */
#include "train/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "io/in.h"
#include "io/out.h"

static const char header[] = "step\ttokens\tloss\tval_loss\tlr\tgrad_norm\ttok_per_s\ttime_s\n";

/* Rewrites the log with the rows up to a step; what was cut short by a kill goes too. */
static int keep_rows(const char *path, uint64_t last, struct err *e)
{
    struct buf kept = BUF_INIT;
    const char *line;
    size_t len;
    int r, rc = -1;
    struct in *in = in_open(path, IN_RAW, e);

    if (!in)
        return -1;
    while ((r = in_line(in, &line, &len, 1 << 16, e)) > 0) {
        char *end;
        uint64_t step = strtoull(line, &end, 10);
        bool row = end != line && *end == '\t' && step <= last;
        if ((row || (kept.len == 0 && len + 1 == sizeof header - 1)) &&
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

int metrics_open(struct metrics *m, const char *path, uint64_t resume_step, struct err *e)
{
    *m = (struct metrics){.name = path};
    if (strcmp(path, "-") == 0) {
        m->name = "stdout";
        m->f = stdout;
    } else {
        FILE *old = resume_step ? fopen(path, "r") : NULL;
        if (old) {
            fclose(old);
            if (keep_rows(path, resume_step, e) < 0)
                return -1;
        }
        m->f = fopen(path, old ? "a" : "w");
        if (!m->f)
            return err_sys(e, "%s", path);
        if (old)
            return 0;
    }
    if (resume_step == 0 && (fputs(header, m->f) < 0 || fflush(m->f) != 0))
        return err_sys(e, "%s", m->name);
    return 0;
}

static void put(FILE *f, const char *fmt, double v, char end)
{
    if (!isnan(v))
        fprintf(f, fmt, v);
    fputc(end, f);
}

int metrics_row(struct metrics *m, const struct metrics_row *r, struct err *e)
{
    fprintf(m->f, "%llu\t%llu\t", (unsigned long long)r->step, (unsigned long long)r->n_tokens);
    put(m->f, "%.6f", r->loss, '\t');
    put(m->f, "%.6f", r->val_loss, '\t');
    put(m->f, "%.6g", r->lr, '\t');
    put(m->f, "%.5g", r->grad_norm, '\t');
    put(m->f, "%.1f", r->tok_per_s, '\t');
    put(m->f, "%.3f", r->time_s, '\n');
    return fflush(m->f) != 0 || ferror(m->f) ? err_sys(e, "%s", m->name) : 0;
}

int metrics_close(struct metrics *m, struct err *e)
{
    int rc = 0;

    if (m->f && m->f != stdout && fclose(m->f) != 0)
        rc = err_sys(e, "%s", m->name);
    m->f = NULL;
    return rc;
}
