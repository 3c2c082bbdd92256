/*
 * Conversations packed whole into windows: best-fit decreasing over the number of pairs, as a
 * document mask keeps them apart nothing else about a window matters. Documents of the corpus are
 * trained as (t1,t2) ... (tn-1,tn) with the weight of the target; none is cut.
 */
#ifndef TRAIN_PACK_H
#define TRAIN_PACK_H

#include "train/feed.h"

struct pack {
    const struct corpus *c;
    int n_ctx;
    uint64_t *doc;  /* documents in the order of the windows */
    uint64_t *from; /* [n_windows + 1] first of each window in doc */
    uint64_t n_windows, n_pairs;
    uint32_t *scratch;
};
/* Takes the documents that are (val) or are not held out at this share, all at 0. A document of
 * more than n_ctx + 1 tokens is a BUG: the reader has refused or shortened it. */
int pack_init(struct pack *p, const struct corpus *c, int n_ctx, double share, bool val,
              uint64_t seed, struct err *e);
struct feed pack_feed(struct pack *p);
void pack_release(struct pack *p);

#endif
