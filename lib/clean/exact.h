/*
 * A set of 128-bit hashes with a few words of value each: which documents were seen.
 *
 * Entries lie in an array of buckets of four, each in the bucket that its hash's high word is
 * proportional to or, where that is full, in the first below it that was not. So the array can grow
 * where it stands, from its end, and never needs a copy of itself; it consists of segments of one
 * huge page each. An entry takes 16 bytes without a value, else 32, divided by the load: at most 41
 * bytes, once there are some thousands.
 *
 *     struct exact x;
 *     exact_init(&x, 1);
 *     bool added;
 *     uint64_t *v = exact_put(&x, hash, &added, e);   NULL: no memory; then only release
 *     if (added) v[0] = ...;
 *     exact_release(&x);
 */
#ifndef CLEAN_EXACT_H
#define CLEAN_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/hash.h"
#include "quern/err.h"

struct exact {
    uint64_t **seg; /* buckets: four high words, four low words, four times two values or none */
    size_t n_seg, seg_cap;
    size_t n_buckets;
    size_t n_homes; /* hashes point at the last n_homes buckets; those before take the overflow */
    size_t n;       /* entries */
    size_t n_max;   /* entries at which homes are added */
    unsigned width, seg_shift; /* words of a bucket; 2 to this power buckets are a segment */
};

void exact_init(struct exact *x, unsigned n_values);
/* The values of h's entry, made if there was none (then they are 0 and *added is true). Valid
 * until the next exact_put. */
uint64_t *exact_put(struct exact *x, struct hash128 h, bool *added, struct err *e);
/* Puts the hashes of n items, stride bytes apart, those that are wanted, one after the other, and
 * notes which of them were added. For a set without values. */
struct exact_item {
    struct hash128 hash;
    bool wanted, added;
};
int exact_put_each(struct exact *x, struct exact_item *first, size_t stride, size_t n,
                   struct err *e);
/* Fetches h's place: best called some entries before exact_put or exact_get. */
void exact_prefetch(const struct exact *x, struct hash128 h);
uint64_t *exact_get(const struct exact *x, struct hash128 h); /* NULL: not there */
size_t exact_bytes(const struct exact *x);                    /* of all buckets */
void exact_release(struct exact *x);

#endif
