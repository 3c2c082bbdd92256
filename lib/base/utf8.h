/* UTF-8 as the Unicode Standard, table 3-7, defines it: no surrogates, nothing over U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

/* Bytes before the first ill-formed sequence: n where all of s is valid. Vectorised for ASCII. */
size_t utf8_valid(const char *s, size_t n);
/* Code point at s (n > 0 bytes there) and its length in *len; ill-formed: -1 and the length of
 * the maximal subpart (1..3), as the standard recommends for replacement. */
int32_t utf8_get(const char *s, size_t n, int *len);
/* Writes cp's 1..4 bytes to out and returns how many. cp is a scalar value. */
int utf8_put(char *out, uint32_t cp);
/* Appends s with every maximal ill-formed subpart replaced by U+FFFD; returns how many, -1 = err.
 */
long utf8_replace(struct buf *out, const char *s, size_t n, struct err *e);
/* How many of the last bytes of s[0..n) begin a character that more bytes could complete: 0..3. */
int utf8_partial_tail(const char *s, size_t n);

#endif
