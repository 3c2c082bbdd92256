/*
 * Where byte-level BPE can never merge: between two characters of three bytes each (Han, kana,
 * Hangul and their punctuation) that no token of the vocabulary spans. A merge makes a token, so
 * what stands on the two sides of such a place is encoded as if each stood alone; and cutting there
 * turns long pieces without spaces, each of which is seen once, into short ones that come again.
 *
 *     struct junctions *j = junctions_new(e);
 *     junctions_add(j, s, n) ...         the bytes of every token
 *     junctions_mark(j, s, windows, k)   of a text, as split.h gives them
 *     junctions_free(j);
 *
 * The pairs that are spanned are bits in a table without keys: a bit set by another pair only means
 * that a place is not cut.
 */
#ifndef TOKEN_JUNCTIONS_H
#define TOKEN_JUNCTIONS_H

#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "quern/err.h"
#include "text/split.h"

enum { JUNCTION_BITS = 20 };
#define JUNCTION_MIX UINT64_C(0x9e3779b97f4a7c15)

struct junctions {
    /* Bits are places from s on where a character of three bytes begins and another one follows: of
     * those that no token spans. 8 bytes are readable from each. */
    uint64_t (*between)(const struct junctions *j, const unsigned char *s, uint64_t places);
    uint64_t pair[1 << (JUNCTION_BITS - 6)]; /* by a hash of both characters */
    uint64_t edge[65536 / 64];               /* by the last byte of one and the first of the next */
};

struct junctions *junctions_new(struct err *e);
void junctions_free(struct junctions *j);
void junctions_add(struct junctions *j, const char *s, size_t n);

static ALWAYS_INLINE uint32_t junction_hash(uint64_t six)
{
    return (uint32_t)((six << 16) * JUNCTION_MIX >> (64 - JUNCTION_BITS));
}

uint64_t junctions_between(const struct junctions *j, const unsigned char *s, uint64_t places);
uint64_t junctions_between_avx512vbmi(const struct junctions *j, const unsigned char *s,
                                      uint64_t places);

/* Adds to the windows' ends the places within pieces that no token spans, and leaves in wide those
 * alone: whether there are any. */
bool junctions_mark(const struct junctions *j, const char *s, struct cut_window *w, size_t n);

#endif
