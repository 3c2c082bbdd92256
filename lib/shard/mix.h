/*
 * Documents of several shards in given proportions of tokens, deterministic: the next document
 * comes from the source whose tokens so far, divided by its weight, are fewest (the first named of
 * equals). So after any number of documents each source's share differs from its weight by no more
 * than its longest document. Within a source the order stays.
 */
#ifndef SHARD_MIX_H
#define SHARD_MIX_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/progress.h"
#include "quern/shard.h"

enum mix_until {
    MIX_FIRST,  /* stop when a source that is due has ended: the proportions hold throughout */
    MIX_ALL,    /* go on with the others until all have ended */
    MIX_REPEAT, /* begin an ended source again, until each has been read to its end once */
};
extern const char *const mix_until_words[];

struct mix_source {
    const char *path;
    double weight; /* > 0 */
    /* Filled: what was drawn, how often the end was reached and it was begun again, and what a
     * regular file holds. */
    uint64_t n_docs, n_tokens, n_ends, n_again;
    bool all_known;
    uint64_t all_docs, all_tokens;
};
struct mix;
/* Opens the sources; their heads, joined as in set.h, are mix_head's. */
struct mix *mix_open(struct mix_source *src, int n, struct err *e);
struct shard_head *mix_head(struct mix *m);
struct buf *mix_provenance(struct mix *m);
/* max_tokens 0: no limit; else no document is begun once that many tokens are drawn (with
 * MIX_REPEAT this alone ends the drawing). */
int mix_run(struct mix *m, enum mix_until until, uint64_t max_tokens, struct shard_out *out,
            struct progress *pr, struct err *e);
void mix_close(struct mix *m); /* NULL is allowed */

/* "0.7:a.tok" taken apart: a weight over 0, a colon, a path. */
int mix_parse(struct mix_source *src, const char *word, struct err *e);

#endif
