/*
 * The columns of a shard file that is mapped, where they lie: for readers that go to any token at
 * any time. The file must have been read through shard_open() before, which verifies what is
 * taken for granted here.
 */
#ifndef SHARD_SHARD_MAP_H
#define SHARD_SHARD_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/sys.h"
#include "quern/err.h"

struct shard_cols {
    const unsigned char *n_tok; /* [n_docs] tokens of each document, 4 bytes little-endian */
    const unsigned char *ids;   /* [n_tokens] width bytes each, aligned to 64 */
    const uint8_t *weights;     /* [n_tokens], or NULL: all 255 */
    int width;
    uint32_t n_docs, n_tokens;
    bool continues, goes_on; /* the first document began before, the last ends later */
};

/* Calls fn for every block of documents in order. 0; 1 if a block is deflated, and then fn was not
 * called at all; -1: an error, or what fn returned below 0. */
int shard_map_walk(const struct sys_map *m, const char *name,
                   int (*fn)(void *user, const struct shard_cols *c, struct err *e), void *user,
                   struct err *e);

#endif
