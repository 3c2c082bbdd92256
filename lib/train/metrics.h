/*
 * Metrics of a run as TSV with a header line: step, tokens, loss, val_loss, lr, grad_norm,
 * tok_per_s, time_s. A value that was not taken is an empty field. A log that is gone on with loses
 * the rows after the step that the run goes on from, so that no step stands twice.
 */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include <stdint.h>
#include <stdio.h>
#include "quern/err.h"

struct metrics {
    FILE *f;
    const char *name;
};
struct metrics_row {
    uint64_t step, n_tokens;
    double loss, val_loss, lr, grad_norm, tok_per_s, time_s; /* NAN: empty */
};
/* path "-" is stdout. resume_step: rows up to it are kept; 0: starts afresh. */
int metrics_open(struct metrics *m, const char *path, uint64_t resume_step, struct err *e);
int metrics_row(struct metrics *m, const struct metrics_row *r, struct err *e);
int metrics_close(struct metrics *m, struct err *e);

#endif
