/* The ends of lines, for in.c. */
#ifndef IO_LINES_INT_H
#define IO_LINES_INT_H

#include <stddef.h>
#include <stdint.h>

enum { LINES_OVER = 8 };
/* Where the newlines of s[0..n) stand, if s has place `at`, and at + n is at most 4 GiB; how many.
 * end has room for LINES_OVER more than there are. */
size_t lines_find(const char *s, size_t n, size_t at, uint32_t *end);
/* The same for whole blocks of 64 bytes alone. */
size_t lines_find_avx2(const char *s, size_t n, size_t at, uint32_t *end);

#endif
