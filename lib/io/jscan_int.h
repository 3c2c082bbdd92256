/* Between jscan.c and what it has for single instruction sets: jscan_scan_* is
 * jscan_scan_string. */
#ifndef IO_JSCAN_INT_H
#define IO_JSCAN_INT_H

#include <stddef.h>

size_t jscan_scan_portable(const char *s, size_t n);
size_t jscan_scan_avx2(const char *s, size_t n);
size_t jscan_scan_avx512(const char *s, size_t n);

/* Copies s up to a backslash, at most n bytes; returns how many. `to` has room for n + JSCAN_OVER.
 */
enum { JSCAN_OVER = 64 };
size_t jscan_copy_portable(char *to, const char *s, size_t n);
size_t jscan_copy_avx2(char *to, const char *s, size_t n);
size_t jscan_copy_avx512(char *to, const char *s, size_t n);

#endif
