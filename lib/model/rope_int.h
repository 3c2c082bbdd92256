/* The angles of rotary positions: freq[n_rot / 2], radians a position. Scalings: linear (Chen 2023,
 * arXiv 2306.15595), llama3 (Grattafiori 2024, as transformers computes it). */
#ifndef MODEL_ROPE_INT_H
#define MODEL_ROPE_INT_H

#include "model/config.h"

void rope_freqs(const struct config *c, int n_rot, float *freq);

#endif
