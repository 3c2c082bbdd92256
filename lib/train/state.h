/*
 * What a run needs besides the weights to go on bit for bit: moments, counters, and the execution
 * plan that it was computed under. Lives in checkpoint-N/state/.
 */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include <stdint.h>
#include "train/optim.h"

struct train_state {
    uint64_t step;      /* complete steps */
    uint64_t n_windows; /* taken from the feed */
    uint64_t n_tokens;  /* pairs trained on */
    uint64_t n_bad;     /* steps in a row that were passed over as not finite */
    uint64_t mark;      /* of a stream */
    double time_s;
    double best_val; /* INFINITY: none yet */
    uint64_t best_step;
    double val;             /* of the last validation, at val_step; NAN: none */
    uint64_t val_step;      /* a validation that is due at step but was not done is pending */
    double loss, grad_norm; /* of the last step */
    char isa[16];
};

/* dir is a checkpoint under construction; makes dir/state. */
int state_save(const struct train_state *s, const struct optim *o, const char *dir, struct err *e);
int state_load(struct train_state *s, struct optim *o, const char *dir, struct err *e);

#endif
