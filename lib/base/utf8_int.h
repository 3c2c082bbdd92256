/* Between utf8.c and what it has for single instruction sets. */
#ifndef BASE_UTF8_INT_H
#define BASE_UTF8_INT_H

#include <stddef.h>

/* Bytes from the start of p[0..n) that are valid for sure and end with a character: not all that
 * are, for what is left of a block, or before an error, is for the plain code. */
size_t utf8_skip_avx2(const unsigned char *p, size_t n);
/* utf8_valid of p[0..n), of which p[0..i) is known to be valid and to end with a character. */
size_t utf8_valid_from(const unsigned char *p, size_t i, size_t n);

#endif
