/* The lanes of bpe_lanes.c, by instruction set. */
#ifndef TOKEN_BPE_LANES_INT_H
#define TOKEN_BPE_LANES_INT_H

#include "token/bpe_model.h"

void bpe_merge_lanes_avx512(const struct bpe *b, struct piece_job *jobs, size_t n_jobs);

#endif
