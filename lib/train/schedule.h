/*
 * Learning rate by step. Steps count from 1 to n_steps; the first n_warmup rise linearly from
 * lr/n_warmup to lr, then the schedule falls so that step n_steps has min_lr.
 *   cosine    min + (lr - min)·(1 + cos(π p))/2, p = (s - warmup)/(n_steps - warmup)
 *             (Loshchilov & Hutter 2017, eq. 5, one period)
 *   linear    lr + (min - lr)·p
 *   wsd       lr, and over the last decay_share of all steps linearly to min (Hu et al. 2024)
 *   constant  lr
 */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdint.h>

enum lr_schedule { LR_COSINE, LR_LINEAR, LR_WSD, LR_CONSTANT };
extern const char *const lr_schedule_words[]; /* for OPT_CHOICE */

struct schedule {
    int kind; /* enum lr_schedule */
    double lr, min_lr, decay_share;
    uint64_t n_warmup, n_steps;
};
double schedule_lr(const struct schedule *s, uint64_t step);

/* Sequences in step s (from 1) with a growing batch: linear in the step from `first` to `full` over
 * the first n_ramp steps, full after (Brown et al. 2020, app. B). n_ramp 0: always full. */
uint64_t schedule_batch(uint64_t first, uint64_t full, uint64_t n_ramp, uint64_t step);

#endif
