/*
 * What this machine does with a model: rows of a benchmark, each measured in a process of its own,
 * so that its peak of memory is its own, which ends when the caller's does. To be called before any
 * thread exists.
 *
 *     struct bench_row r = {.kind = BENCH_TRAIN, .n_seq = 1, .n_ctx = 1024, ...};
 *     bench_run(&r, &config, &o, &peaks, e);
 */
#ifndef TRAIN_BENCH_H
#define TRAIN_BENCH_H

#include "train/speed.h"

enum bench_kind { BENCH_PEAK, BENCH_TRAIN, BENCH_PREFILL, BENCH_DECODE };
extern const char *const bench_kind_words[]; /* "peak", "train", "prefill", "decode", NULL */

/* What is measured: of a peak, the processor's for o->dtype or, where read is set, the memory's. */
struct bench_row {
    enum bench_kind kind;
    bool read;
    int n_seq, n_ctx; /* prefill, decode: one sequence of n_ctx tokens */
    /* Set by bench_run; 0 where it has no meaning. */
    double tok_per_s, flops_per_s, bytes_per_s;
    double peak_share; /* of the processor's peak; of decoding, which reads, the memory's */
    double step_s, first_s;
    int n_made; /* steps, prompts or runs of tokens, the first included */
    uint64_t max_rss;
};

struct bench_peaks {
    double flops_per_s, bytes_per_s;
};

/* c is not used by a peak. o: dtype, gemm, n_threads, recompute; profile, which counts for
 * training: the table of its steps is added to *profile, which else may be NULL. An error of the
 * child is e's; memory that would not suffice is refused beforehand. */
int bench_run(struct bench_row *r, const struct config *c, const struct exec_opt *o,
              const struct bench_peaks *peaks, struct buf *profile, struct err *e);

#endif
