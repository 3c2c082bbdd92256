/*
 * Metrics of a run as TSV with a header line: step, tokens, loss, val_loss, lr, grad_norm,
 * tok_per_s, time_s. A value that was not taken is an empty field. A file that is gone on with
 * loses the rows after the step that the run goes on from, so that no step stands twice; one that
 * a run begins with is emptied. A file that holds anything and does not begin with this header is
 * refused in both cases.
 *
 *     metrics_open(&m, "-", step, e);     "-" is stdout
 *     r = metrics_row(&m, &row, e);       1: the reader of a pipe has gone away, no more is written
 *     metrics_sync(&m, e);                before a checkpoint: the rows must not be lost behind it
 *     metrics_close(&m, e);
 */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include <stdint.h>
#include "quern/err.h"

struct metrics {
    int fd;           /* -1: not open, or its reader has gone */
    const char *name; /* for messages; the caller's */
};
#define METRICS_INIT \
    {                \
        .fd = -1     \
    }
struct metrics_row {
    uint64_t step, n_tokens;
    double loss, val_loss, lr, grad_norm, tok_per_s, time_s; /* NAN: empty */
};
/* Whether metrics_open would refuse the file: to know before a run has begun. */
int metrics_check(const char *path, struct err *e);
/* resume_step: rows up to it are kept; 0: the file starts afresh. */
int metrics_open(struct metrics *m, const char *path, uint64_t resume_step, struct err *e);
int metrics_row(struct metrics *m, const struct metrics_row *r, struct err *e);
int metrics_sync(struct metrics *m, struct err *e);
int metrics_close(struct metrics *m, struct err *e);

#endif
