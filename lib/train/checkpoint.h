/*
 * Checkpoints of a trainer: a complete model directory with state/ beside, which appears as a
 * whole.
 */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "train/trainer.h"

/* Writes RUN/checkpoint-STEP unless it is there, then checkpoint_settle(). */
int checkpoint_save(struct trainer *t, struct err *e);
/* Points RUN/best at the best one, and removes those that are no longer kept. */
int checkpoint_settle(struct trainer *t, struct err *e);
/* Moments and counters of the newest checkpoint, whose weights the model was opened with; a stream
 * goes to where it stood. Nothing is done where there is none. */
int checkpoint_load(struct trainer *t, struct err *e);

#endif
