/* Between jscan.c and what it has for single instruction sets. */
#ifndef IO_JSCAN_INT_H
#define IO_JSCAN_INT_H

#include <stdbool.h>
#include <stddef.h>

/* jscan_scan_string. */
size_t jscan_scan_portable(const char *s, size_t n, bool *escaped);
size_t jscan_scan_avx2(const char *s, size_t n, bool *escaped);
size_t jscan_scan_avx512(const char *s, size_t n, bool *escaped);

/* Undoes the escapes of two characters in s, whose escapes are good, up to one that begins with \u
 * or to some place not far from the end; returns how much it took. *to has room for n bytes and
 * comes to stand behind those that were written. */
size_t jscan_unescape_avx2(char **to, const char *s, size_t n);
size_t jscan_unescape_avx512(char **to, const char *s, size_t n);

/* What the character behind a backslash stands for; 0: it is no escape of two characters. */
extern const char jscan_short_escape[256];

#endif
