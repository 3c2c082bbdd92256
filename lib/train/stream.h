/*
 * A stream of shards as a feed: windows in the order of arrival, nothing kept but one window. With
 * a share, the documents held out by their keyed hash go to a corpus of their own instead, which
 * grows as the stream is read.
 */
#ifndef TRAIN_STREAM_H
#define TRAIN_STREAM_H

#include "train/feed.h"

struct stream;
struct stream *stream_new(struct shard_in *const *in, int n_in, int n_ctx, int64_t bos, int64_t eos,
                          double val_share, uint64_t seed, struct err *e);
struct feed stream_feed(struct stream *s);
/* The documents held out so far, windowed; fill returns 0 behind the last. */
struct feed stream_val_feed(struct stream *s);
void stream_free(struct stream *s);

#endif
