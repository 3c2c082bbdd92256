/* The tables that ops.c chooses from. */
#ifndef OPS_INT_H
#define OPS_INT_H

#include "kern/ops.h"

extern const struct ops ops_portable;
#if defined(__x86_64__)
extern const struct ops ops_avx2, ops_avx512, ops_avx512bf16;
#elif defined(__aarch64__)
extern const struct ops ops_neon;
#endif

#endif
