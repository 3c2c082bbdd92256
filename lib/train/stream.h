/*
 * A stream of shards as a feed: windows in the order of arrival, nothing kept but one window. With
 * a share, the documents held out by their keyed hash go to a corpus of their own instead, which
 * grows as the stream is read.
 */
#ifndef TRAIN_STREAM_H
#define TRAIN_STREAM_H

#include "train/feed.h"

struct stream_plan {
    int n_ctx;
    uint64_t vocab_size; /* every id must be below it */
    int64_t bos, eos;    /* -1: none */
    double val_share;    /* 0: none is held out */
    uint64_t seed;
};
struct stream;
struct stream *stream_new(struct shard_in *const *in, int n_in, const struct stream_plan *p,
                          struct err *e);
struct feed stream_feed(struct stream *s);
/* The documents held out so far, windowed; fill returns 0 behind the last. */
struct feed stream_val_feed(struct stream *s);
void stream_free(struct stream *s);

#endif
