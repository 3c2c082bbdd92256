/*
 * Where the time of training steps goes: a table by kind of node, forward and backward, with the
 * share of the machine's peaks; its rows add up to the step.
 */
#ifndef TRAIN_STEPTIME_H
#define TRAIN_STEPTIME_H

#include "base/buf.h"
#include "model/exec.h"

struct step_profile {
    uint64_t n_steps;
    double steps_s;    /* of all steps */
    double update_s;   /* of that: gradient norm, clipping, AdamW, packing */
    double peak_flops; /* of all threads, for the dtype of the products */
    double peak_read;  /* bytes a second from memory */
};

/* Measures the peaks, for which it takes a second and some memory that it returns. */
int step_profile_init(struct step_profile *s, enum gemm_dtype t, int n_threads, struct err *e);
/* x was planned with .profile and has run the steps, each with an update that moves so many bytes.
 */
int step_profile_table(const struct step_profile *s, const struct exec *x, uint64_t update_bytes,
                       struct buf *b, struct err *e);

#endif
