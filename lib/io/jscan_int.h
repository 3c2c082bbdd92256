/* Between jscan.c and what it has for single instruction sets: each is jscan_scan_string. */
#ifndef IO_JSCAN_INT_H
#define IO_JSCAN_INT_H

#include <stddef.h>

size_t jscan_scan_portable(const char *s, size_t n);
size_t jscan_scan_avx2(const char *s, size_t n);
size_t jscan_scan_avx512(const char *s, size_t n);

#endif
