/*
 * What the processor could do at most: multiply-adds on registers, independent of each other and of
 * memory, in the instruction set that cpu_isa() chose. For showing how much of it is used; nothing
 * that is computed depends on it. Of more threads than processors, what the processors do.
 */
#ifndef KERN_PEAK_H
#define KERN_PEAK_H

#include "kern/gemm.h"

/* Floating-point operations a second of n_threads at once, with inputs of this dtype; of each
 * thread the best of the bursts that fit into time_s (a twentieth of a second is enough; bf16 may
 * take as long again). */
double peak_flops(enum gemm_dtype t, int n_threads, double time_s);
/* Bytes a second that n_threads read from memory together, by the best of three passes over a
 * quarter of a GiB for each thread, or less where little memory is to be had. */
int peak_read(double *bytes_per_s, int n_threads, struct err *e);

/* n rounds of that arithmetic in the calling thread, bf16 by its own instruction where there is
 * one; returns the operations done, *sink keeps them alive. For a peak beside each of many
 * measurements, since the clock drifts. */
double peak_burst(enum gemm_dtype t, size_t n, float *sink);

#endif
