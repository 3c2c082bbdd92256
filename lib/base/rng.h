/*
 * Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A draw is a pure function of (seed, purpose, counter): the same for any
 * thread and any order of calls.
 *     struct rng r; rng_init(&r, seed, RNG_INIT_WEIGHTS, tensor_index);  then rng_u32(&r) ...
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What numbers are for: part of the key, so that no two uses share a stream. Append only. */
enum rng_purpose {
    RNG_TEST = 0,
    RNG_INIT = 1,    /* initial weights; stream = index of the tensor */
    RNG_SHUFFLE = 2, /* order of windows or documents; stream = epoch */
    RNG_DROPOUT = 3,
    RNG_SAMPLE = 4, /* generation; stream = index of the prompt */
    RNG_VALID = 5,  /* which documents are held out */
    RNG_MIX = 6,
};

/* out[4] = Philox4x32-10(counter[4], key[2]) */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

struct rng {
    uint32_t key[2];
    uint32_t counter[4]; /* [0] runs, [1] carries, [2] and [3] are the stream */
    uint32_t out[4];
    int left; /* unused words of out */
};
void rng_init(struct rng *r, uint64_t seed, enum rng_purpose purpose, uint64_t stream);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n), n > 0, without bias */
float rng_f32(struct rng *r);                  /* uniform in [0, 1), 24 bits */
double rng_f64(struct rng *r);                 /* uniform in [0, 1), 53 bits */
float rng_normal(struct rng *r);               /* N(0, 1), Box & Muller 1958, by own log and cos */

/* A keyed permutation of [0, n) (cycle-walking Feistel network over Philox): where index i goes. */
uint64_t rng_permute(uint64_t seed, enum rng_purpose purpose, uint64_t stream, uint64_t n,
                     uint64_t i);

#endif
