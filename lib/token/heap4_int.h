/*
 * A heap of 64-bit keys, the least on top, with four children a node (LaMarca & Ladner 1996: fewer
 * levels, each in one cache line). BPE keeps places in it: rank << 40 | place.
 */
#ifndef TOKEN_HEAP4_INT_H
#define TOKEN_HEAP4_INT_H

#include <stddef.h>
#include <stdint.h>

static inline void heap4_sink(uint64_t *h, size_t n, size_t i)
{
    const uint64_t x = h[i];
    for (size_t c; (c = 4 * i + 1) < n;) {
        size_t least = c, end = c + 4 < n ? c + 4 : n;
        for (size_t k = c + 1; k < end; k++)
            if (h[k] < h[least])
                least = k;
        if (h[least] >= x)
            break;
        h[i] = h[least];
        i = least;
    }
    h[i] = x;
}

/* h has room for one more. */
static inline void heap4_push(uint64_t *h, size_t *n, uint64_t x)
{
    size_t i = (*n)++;
    for (; i > 0 && h[(i - 1) / 4] > x; i = (i - 1) / 4)
        h[i] = h[(i - 1) / 4];
    h[i] = x;
}

/* n > 0. */
static inline uint64_t heap4_pop(uint64_t *h, size_t *n)
{
    const uint64_t top = h[0];
    h[0] = h[--*n];
    if (*n)
        heap4_sink(h, *n, 0);
    return top;
}

/* Any n keys become a heap. */
static inline void heap4_make(uint64_t *h, size_t n)
{
    for (size_t i = n; i-- > 0;)
        heap4_sink(h, n, i);
}

#endif
