/* The table of --profile. */
#include "train/steptime.h"

#include <stdio.h>
#include "kern/peak.h"

#define PEAK_S .1

int step_profile_init(struct step_profile *s, enum gemm_dtype t, int n_threads, struct err *e)
{
    *s = (struct step_profile){.peak_flops = peak_flops(t, n_threads, PEAK_S)};
    return peak_read(&s->peak_read, n_threads, e);
}

struct line {
    const char *kind, *pass;
    double time_s, flops, bytes;
};

/* "123.4  56 %", or blanks where there is nothing to tell. */
static void rate(char out[32], double amount, double time_s, double peak)
{
    if (amount > 0 && time_s > 0)
        snprintf(out, 32, "%9.1f %4.0f %%", amount / time_s / 1e9, 100 * amount / time_s / peak);
    else
        snprintf(out, 32, "%16s", "");
}

static int put(struct buf *b, const struct step_profile *s, const struct line *l, struct err *e)
{
    char flops[32], bytes[32];

    rate(flops, l->flops, l->time_s, s->peak_flops);
    rate(bytes, l->bytes, l->time_s, s->peak_read);
    return buf_printf(b, e, "%-10s %-9s %9.3f %5.1f %% %s %s\n", l->kind, l->pass,
                      1e3 * l->time_s / (double)s->n_steps, 100 * l->time_s / s->steps_s, flops,
                      bytes);
}

int step_profile_table(const struct step_profile *s, const struct exec *x, uint64_t update_bytes,
                       struct buf *b, struct err *e)
{
    static const char *const passes[2] = {"forward", "backward"};
    const struct exec_profile_row *rows;
    int n_rows = exec_profile(x, &rows);
    double rest_s = s->steps_s - s->update_s, all_flops = 0;

    if (s->n_steps == 0)
        return 0;
    if (buf_printf(b, e, "%-10s %-9s %9s %7s %9s %6s %9s %6s\n", "node", "", "ms/step", "share",
                   "GFLOP/s", "peak", "GB/s", "peak") < 0)
        return -1;
    for (int i = 0; i < n_rows; i++)
        for (int k = 0; k < 2; k++) {
            struct line l = {rows[i].kind, i ? passes[k] : "", rows[i].time_s[k], rows[i].flops[k],
                             rows[i].bytes[k]};
            rest_s -= l.time_s;
            all_flops += l.flops;
            if (l.time_s > 0 && !(k && rows[i].fused) && put(b, s, &l, e) < 0)
                return -1;
        }
    struct line last[] = {
        {"update", "", s->update_s, 0, (double)update_bytes * (double)s->n_steps},
        {"rest", "", rest_s, 0, 0},
        {"step", "", s->steps_s, all_flops, 0},
    };
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        if (put(b, s, &last[i], e) < 0)
            return -1;
    return 0;
}
