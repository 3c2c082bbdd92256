/*
 * The one parser of numbers from the command line and from option files.
 * Integers take a sign where min < 0, suffixes K M G T (powers of 1000) and Ki Mi Gi Ti (of
 * 1024), a point before a suffix (1.5M), and 1e6 where the value is whole. Reals take what
 * strtod takes in the C locale, except nan, inf and hexadecimal. The whole string must be used.
 * k may be written for K. Errors are ERR_USAGE and quote the text and the range.
 * Byte sizes (num_bytes): K M G T are powers of 1024, as in dd and sort; KB MB GB of 1000.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>
#include "quern/err.h"

int num_int(const char *s, int64_t min, int64_t max, int64_t *out, struct err *e);
int num_bytes(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct err *e);
int num_real(const char *s, double min, double max, double *out, struct err *e);
/* Seconds: 90, 90s, 15m, 2h, 1d, 1h30m. */
int num_duration(const char *s, double *out_s, struct err *e);

/* The fewest digits that read back as the same value: 0.1, 100, 1.5e-7, nan, -inf. Returns out. */
char *num_show_f32(char out[32], float v);
char *num_show_f64(char out[32], double v);
/* For people: 1234567 -> "1.23M", bytes -> "1.18 MiB", seconds -> "1h02m" or "12.3 s". */
char *num_human(char out[32], double v);
char *num_human_bytes(char out[32], double n_bytes);
char *num_human_time(char out[32], double time_s);

#endif
