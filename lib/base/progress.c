/* The progress line. */
#include "base/progress.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/signals.h"
#include "base/sys.h"
#include "base/utf8.h"

#define REDRAW_S 0.1
#define PLAIN_S  5.0

enum { LINE_CAP = 512 };

/* There is one terminal, so one line; whoever prints to it must be able to clear that line. */
static atomic_bool line_shown;

void progress_start(struct progress *p, const char *name, const char *unit, double total,
                    bool force, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (struct progress){.name = name, .unit = unit, .total = total};
    p->tty = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    p->on = !quiet && (p->tty || force);
    p->start_s = sys_time();
    p->shown_s = p->start_s;
    sig_status_catch();
}

/* "1.18 GiB", or "1.2M tok" where with_unit. */
static char *amount(char out[48], const struct progress *p, double v, bool with_unit)
{
    char num[32];
    if (strcmp(p->unit, "B") == 0)
        snprintf(out, 48, "%s", num_human_bytes(num, v));
    else
        snprintf(out, 48, "%s%s%.12s", num_human(num, v), with_unit ? " " : "",
                 with_unit ? p->unit : "");
    return out;
}

static void make_line(const struct progress *p, double now, char line[LINE_CAP])
{
    char done[48], total[48], rate[48], passed[32], left[32];
    double time_s = now - p->start_s, fresh = p->done - p->base;
    double per_s = time_s > 0 && fresh > 0 ? fresh / time_s : 0;
    int n = snprintf(line, LINE_CAP, "%.64s: %s", p->name, amount(done, p, p->done, p->total <= 0));
    if (p->total > 0)
        n += snprintf(line + n, LINE_CAP - (size_t)n, " of %s  %.0f%%",
                      amount(total, p, p->total, true), floor(100 * fmin(p->done / p->total, 1)));
    n += snprintf(line + n, LINE_CAP - (size_t)n, "  %s/s", amount(rate, p, per_s, true));
    if (p->extra[0])
        n += snprintf(line + n, LINE_CAP - (size_t)n, "  %s", p->extra);
    n += snprintf(line + n, LINE_CAP - (size_t)n, "  %s", num_human_time(passed, time_s));
    if (p->total > p->done && per_s > 0)
        snprintf(line + n, LINE_CAP - (size_t)n, "  %s left",
                 num_human_time(left, ceil((p->total - p->done) / per_s)));
}

/* Cuts the line to the terminal's width less one; the wide scripts take two columns a letter. */
static void cut(char *line, int width)
{
    size_t n = strlen(line), i = 0;
    int at = 0;
    while (i < n) {
        int len;
        int32_t cp = utf8_get(line + i, n - i, &len);
        int w = cp >= 0x1100 ? 2 : 1;
        if (at + w > width - 1)
            break;
        at += w;
        i += (size_t)len;
    }
    line[i] = '\0';
}

static void print_plain(const struct progress *p, double now)
{
    char line[LINE_CAP];
    progress_clear();
    make_line(p, now, line);
    fprintf(stderr, "%s\n", line);
}

static void redraw(const struct progress *p, double now)
{
    char line[LINE_CAP];
    make_line(p, now, line);
    cut(line, sys_term_width(STDERR_FILENO));
    fprintf(stderr, "\r%s\033[K", line);
    atomic_store(&line_shown, true);
}

void progress_at(struct progress *p, double done, const char *extra)
{
    p->done = done;
    bool asked = sig_status_wanted();
    if (!p->on && !asked)
        return;
    snprintf(p->extra, sizeof p->extra, "%s", extra ? extra : "");
    double now = sys_time();
    bool due = p->on && now - p->shown_s >= (p->tty ? REDRAW_S : PLAIN_S);
    if (asked)
        print_plain(p, now);
    if (!due)
        return;
    if (p->tty)
        redraw(p, now);
    else if (!asked)
        print_plain(p, now);
    p->shown_s = now;
}

void progress_finish(struct progress *p)
{
    progress_clear();
    if (p->on && !p->tty)
        print_plain(p, sys_time());
    p->on = false;
}

void progress_clear(void)
{
    if (atomic_exchange(&line_shown, false))
        fputs("\r\033[K", stderr);
}
