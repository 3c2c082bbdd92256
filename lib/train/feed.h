/*
 * Where windows of training come from: an epoch's windows by number (files, a spool, packed
 * conversations) or a stream, which is read once in the order of arrival.
 */
#ifndef TRAIN_FEED_H
#define TRAIN_FEED_H

#include <stdbool.h>
#include <stdint.h>
#include "model/batchbuf.h"
#include "train/windows.h"

struct feed {
    void *self;
    uint64_t n_windows; /* in an epoch; UINT64_MAX: a stream */
    uint64_t n_pairs;   /* training pairs in an epoch; 0: not known */
    int window_tok;     /* largest window */
    int window_seq;     /* most sequences in a window; 0: not known, then as many as tokens */
    /* Appends window i of an epoch: 1 = filled, 0 = there is none (a stream has ended), -1 = error.
     * A stream's windows are asked for in order. */
    int (*fill)(void *self, uint64_t i, struct batchbuf *b, struct err *e);
    /* Streams: whether there is another window (1, 0, -1), which waits for it; hash of all tokens
     * given out; and going on behind n_windows of an earlier run whose hash was that one. NULL
     * otherwise. */
    int (*more)(void *self, struct err *e);
    uint64_t (*mark)(void *self);
    int (*forward)(void *self, uint64_t n_windows, uint64_t mark, struct err *e);
};

struct feed feed_windows(struct windows *w);

/* Which window of the feed the i-th of the whole run is: epoch i / n, permuted within the epoch by
 * a keyed permutation unless in order. */
uint64_t feed_order(const struct feed *f, uint64_t seed, bool shuffle, uint64_t i);

#endif
