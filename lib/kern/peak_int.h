/* Bursts of multiply-adds for peak.c, one file per instruction set that has its own. */
#ifndef PEAK_INT_H
#define PEAK_INT_H

#include <stddef.h>

/* n rounds of products of pairs of bf16, added up in f32. Returns the operations done; *sink keeps
 * them alive. */
double peak_burst_avx512bf16(size_t n, float *sink);
/* The same with tiles. */
double peak_burst_amx(size_t n, float *sink);

#endif
