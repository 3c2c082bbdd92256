/*
 * Which keys a query sees, as data. Positions count from the first token of a sequence; documents
 * packed together are sequences of their own, so a mask never speaks of them.
 */
#ifndef KERN_MASK_H
#define KERN_MASK_H

#include <stdbool.h>
#include <stdint.h>

struct mask {
    bool causal; /* key j is hidden from query i if j > i */
    int window;  /* ... and if i - j >= window; 0: no limit (Mistral's sliding window) */
};

#define MASK_BLOCK 64 /* keys a block; blocks start at multiples of it */

enum mask_block { MASK_SKIP, MASK_SOME, MASK_ALL };
/* Queries [q0, q1) against keys [k0, k1): none sees any, some see some, each sees all. */
enum mask_block mask_block(const struct mask *m, int q0, int q1, int k0, int k1);
/* Bit j: query q sees key k0 + j. */
uint64_t mask_bits(const struct mask *m, int q, int k0);

#endif
