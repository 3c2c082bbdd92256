/*
 * Choosing the next token from logits. Order, as llama.cpp has it: repeat penalty, top-k, top-p,
 * min-p, temperature. Everything is computed in double from candidates sorted by falling logit
 * (equal ones by rising id), so a draw is a function of logits, options, seed and the prompt's
 * number.
 *
 *     struct sampler s; sampler_init(&s, &options, vocab_size, e);
 *     sampler_begin(&s, prompt_number);
 *     sampler_bar(&s, id)                      ids that are never chosen
 *     id = sampler_next(&s, logits, seen, n_seen);
 */
#ifndef INFER_SAMPLER_H
#define INFER_SAMPLER_H

#include <stddef.h>
#include <stdint.h>
#include "base/rng.h"
#include "quern/err.h"

struct sampler_options {
    double temperature;    /* 0: greedy, whatever the others say */
    int64_t top_k;         /* 0: all */
    double top_p, min_p;   /* 1 and 0: no cut */
    double repeat_penalty; /* 1: none; Keskar 2019: a seen token's logit is divided by it, or
                              multiplied where it is not above 0 */
    int64_t seed;
};

struct candidate {
    double logit;
    uint32_t id;
};
struct sampler {
    struct sampler_options o;
    struct rng rng;
    uint32_t n_vocab;
    struct candidate *c;
    uint8_t *barred, *seen; /* [n_vocab] */
};
int sampler_init(struct sampler *s, const struct sampler_options *o, uint32_t n_vocab,
                 struct err *e);
void sampler_begin(struct sampler *s, uint64_t prompt_number);
void sampler_bar(struct sampler *s, uint32_t id);
/* seen: the ids of prompt and completion so far, for the penalty. */
uint32_t sampler_next(struct sampler *s, const float *logits, const uint32_t *seen, size_t n_seen);
void sampler_release(struct sampler *s);

#endif
