/*
 * The "precompiled charsmap" of SentencePiece: which strings a normalizer replaces by which. As
 * stored: the trie's length in bytes (4 bytes), the trie, an array of 4-byte units (Darts-clone's
 * double array), and the replacements, each ending in NUL; the value of a string in the trie is
 * where its replacement begins. All little-endian, in base64.
 */
#ifndef TOKEN_CHARSMAP_H
#define TOKEN_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include "quern/err.h"

struct charsmap;
struct charsmap *charsmap_new(const char *base64, size_t n, struct err *e);
void charsmap_free(struct charsmap *m);
/* What replaces s[0..n) as a whole, by the shortest of its beginnings that the map has; NULL: the
 * map has none. */
const char *charsmap_find(const struct charsmap *m, const char *s, size_t n, size_t *len);

/* The longest of the map's strings that s[0..n) begins with, and what replaces it; 0: none. */
size_t charsmap_longest(const struct charsmap *m, const char *s, size_t n, const char **to,
                        size_t *n_to);

/* Whether the map leaves an ASCII character alone before another, alone or with that one; not of
 * CR, which LF may join. */
bool charsmap_plain(const struct charsmap *m, unsigned char c);

#endif
