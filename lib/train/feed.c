/* Windows of an epoch as a feed. */
#include "train/feed.h"

#include "base/rng.h"

static int windows_feed_fill(void *self, uint64_t i, struct batchbuf *b, struct err *e)
{
    return windows_fill(self, i, b, e) < 0 ? -1 : 1;
}

struct feed feed_windows(struct windows *w)
{
    return (struct feed){.self = w,
                         .n_windows = w->n_windows,
                         .n_pairs = w->n_pairs,
                         .window_tok = w->n_ctx,
                         .window_seq = windows_max_pieces(w),
                         .fill = windows_feed_fill};
}

uint64_t feed_order(const struct feed *f, uint64_t seed, bool shuffle, uint64_t i)
{
    if (f->n_windows == UINT64_MAX)
        return i;
    uint64_t epoch = i / f->n_windows, at = i % f->n_windows;
    return shuffle ? rng_permute(seed, RNG_SHUFFLE, epoch, f->n_windows, at) : at;
}
