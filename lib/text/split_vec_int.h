/*
 * Between split_machines.c and its twins for single instruction sets. Those look at 64 bytes at
 * once, so they want a text that goes on; they give the same ends as the plain machines, though
 * not as many at a time.
 */
#ifndef TEXT_SPLIT_VEC_INT_H
#define TEXT_SPLIT_VEC_INT_H

#include "text/split_int.h"

/* A plain machine, whatever the processor has. */
split_machine *split_plain_of(const struct split_rule *r);
/* NULL: there is none for this rule. */
split_machine *split_avx2_of(const struct split_rule *r);
split_machine *split_avx512_of(const struct split_rule *r);

#endif
