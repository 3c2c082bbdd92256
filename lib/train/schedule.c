/* Learning rate and batch size by step. */
#include "train/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const lr_schedule_words[] = {"cosine", "linear", "wsd", "constant", NULL};

double schedule_lr(const struct schedule *s, uint64_t step)
{
    const double pi = 3.14159265358979323846;
    double from = (double)s->n_warmup, to = (double)s->n_steps, at = (double)step;

    if (step <= s->n_warmup)
        return s->lr * at / from;
    if (s->kind == LR_CONSTANT)
        return s->lr;
    if (s->kind == LR_WSD && to - to * s->decay_share > from)
        from = to - to * s->decay_share;
    if (at <= from || to <= from)
        return s->lr;
    double p = at < to ? (at - from) / (to - from) : 1.0;
    if (s->kind == LR_COSINE)
        return s->min_lr + (s->lr - s->min_lr) * 0.5 * (1.0 + cos(pi * p));
    return s->lr + (s->min_lr - s->lr) * p;
}

uint64_t schedule_batch(uint64_t first, uint64_t full, uint64_t n_ramp, uint64_t step)
{
    if (first >= full || step > n_ramp)
        return full;
    return first + (uint64_t)((double)(full - first) * (double)(step - 1) / (double)n_ramp);
}
