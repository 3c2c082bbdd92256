/* Between jscan.c and what it has for single instruction sets. */
#ifndef IO_JSCAN_INT_H
#define IO_JSCAN_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* jscan_scan_string. */
size_t jscan_scan_portable(const char *s, size_t n, bool *escaped);
size_t jscan_scan_avx2(const char *s, size_t n, bool *escaped);
size_t jscan_scan_avx512(const char *s, size_t n, bool *escaped);
size_t jscan_scan_avx512vbmi(const char *s, size_t n, bool *escaped);

/* The same where the string is wanted too, without its escapes: all that is
 * passed over goes to *to, which moves behind it, unless *escaped was false and there is no
 * backslash. There is room for n + 64 bytes, and 64 readable bytes stand behind s[0..n). */
size_t jscan_take_portable(const char *s, size_t n, char **to, bool *escaped);
size_t jscan_take_avx2(const char *s, size_t n, char **to, bool *escaped);
size_t jscan_take_avx512(const char *s, size_t n, char **to, bool *escaped);
size_t jscan_take_avx512vbmi(const char *s, size_t n, char **to, bool *escaped);

/* What the character behind a backslash stands for; 0: it is no escape of two characters. */
extern const char jscan_short_escape[256];
/* One of them has a bit that stands at both its lower and its upper half. */
extern const uint8_t jscan_escape_low[16], jscan_escape_high[16];

#endif
