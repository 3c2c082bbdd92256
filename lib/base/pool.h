/*
 * Ordered batch pipeline: batches are read one after the other, worked on by n_threads threads, and
 * written in the order in which they were read; so the output's bytes do not depend on the number
 * of threads. With n_threads <= 1 everything runs in the calling thread, in the same order.
 *
 *     struct pool_ops ops = {.read = ..., .work = ..., .write = ...};
 *     rc = pool_run(&ops, user, n_threads, n_batches, sizeof(struct my_batch), e);
 *
 * read(user, batch, e): fills a batch: 1 = filled, 0 = end of input, -1 = error.
 * work(user, batch, thread, e): in the thread that has read the batch; thread in [0, n_threads)
 * picks scratch.
 * settle(user, batch, e): in order, before the batch is written; may be NULL. For what depends on
 * all batches before but is no writing, so that two threads share what must be done in order.
 * write(user, batch, e): in order.
 * All threads are alike, the calling one among them: each reads, works and writes as the turn
 * comes. There is one read at a time, one settle, and one write, but these run side by side: what
 * only reads touch needs no lock, nor what only settles or only writes touch; what two of them
 * touch does.
 * Batches are n_batches (0: 2 per thread + 2) structs of batch_size zeroed bytes that are used
 * again and again; init/release (may be NULL) set up and free what a batch owns.
 * The first error in input order is the one reported, and everything before it has been written.
 * Signals are blocked in all threads but the calling one, except SIGPIPE, which a write of theirs
 * may raise. Where the system grants fewer threads than asked for, those that there are do the
 * work.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include "quern/err.h"

struct pool_ops {
    int (*init)(void *user, void *batch, struct err *e);
    int (*read)(void *user, void *batch, struct err *e);
    int (*work)(void *user, void *batch, int thread, struct err *e);
    int (*write)(void *user, void *batch, struct err *e);
    void (*release)(void *user, void *batch);
    int (*settle)(void *user, void *batch, struct err *e);
};
int pool_run(const struct pool_ops *ops, void *user, int n_threads, int n_batches,
             size_t batch_size, struct err *e);

/* fn(user, i, thread) for i in [0, n), claimed dynamically and in order by n_threads threads, the
 * calling one among them. The first error by index is returned; what comes behind may be left. */
int pool_for(int n_threads, size_t n, int (*fn)(void *user, size_t i, int thread, struct err *e),
             void *user, struct err *e);

#endif
