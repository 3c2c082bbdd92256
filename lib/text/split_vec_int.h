/*
 * Between split_machines.c and its twins for single instruction sets. Those look at 64 bytes at
 * once, and give the same pieces as the plain machines, as windows.
 */
#ifndef TEXT_SPLIT_VEC_INT_H
#define TEXT_SPLIT_VEC_INT_H

#include "text/split_int.h"

/* NULL: there is none for this rule. */
split_windows *split_avx2_of(const struct split_rule *r);
split_windows *split_avx512_of(const struct split_rule *r);

#endif
