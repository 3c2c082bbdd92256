/*
 * Choosing the next token from logits. Order, as llama.cpp has it: repeat penalty, top-k, top-p,
 * min-p, temperature. Everything is computed in double from candidates in order of falling logit
 * (equal ones by rising id), so a draw is a function of logits, options, seed and the prompt's
 * number. At least one candidate is left by every cut. Only as many candidates are sorted as the
 * cuts and the draw come to.
 *
 *     struct sampler s; sampler_init(&s, &options, vocab_size, e);
 *     sampler_bar(&s, id)                      ids that are never chosen
 *     sampler_begin(&s, prompt_number);        nothing has been seen
 *     sampler_see(&s, id)                      ids of the prompt and of what was chosen
 *     sampler_next(&s, logits, &id, e);
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
    struct candidate *c;    /* [n_vocab] */
    uint8_t *barred, *seen; /* [n_vocab] */
};
int sampler_init(struct sampler *s, const struct sampler_options *o, uint32_t n_vocab,
                 struct err *e);
void sampler_begin(struct sampler *s, uint64_t prompt_number);
void sampler_bar(struct sampler *s, uint32_t id);
void sampler_see(struct sampler *s, uint32_t id);
/* logits: [n_vocab]; one of +inf, or none that is finite and not barred, is an error. */
int sampler_next(struct sampler *s, const float *logits, uint32_t *id, struct err *e);
void sampler_release(struct sampler *s);

#endif
