/* Between ids.c and what it has for single instruction sets. */
#ifndef SHARD_IDS_INT_H
#define SHARD_IDS_INT_H

#include <stddef.h>
#include <stdint.h>

/* n ids of 2 bytes to 4, of 4 to 2, of 4 to 4, in the host's order and at any alignment; returns
 * the largest. most: the largest alone. */
struct ids_loops {
    uint32_t (*widen)(void *dst, const void *src, size_t n);
    uint32_t (*narrow)(void *dst, const void *src, size_t n);
    uint32_t (*copy)(void *dst, const void *src, size_t n);
    uint32_t (*most)(const uint32_t *ids, size_t n);
};
extern const struct ids_loops ids_loops_avx2;

#endif
