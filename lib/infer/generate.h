/*
 * Text from a model, token by token.
 *
 *     struct generator *g = generator_new(&modeldir, &options, e);
 *     generator_run(g, prompt_ids, n, number, sink, user, e)
 *     generator_free(g);
 *
 * sink gets each piece of the completion as soon as it is certain: text that cuts no character and
 * holds nothing of a stop string, or ids where no text is wanted. It returns nonzero to stop.
 *
 * When prompt and completion exceed the context, the oldest half is dropped and the rest read
 * again; so with and without the cache the model sees the same ids at every step.
 */
#ifndef INFER_GENERATE_H
#define INFER_GENERATE_H

#include <stdbool.h>
#include "infer/modeldir.h"
#include "infer/sampler.h"
#include "model/exec.h"

struct generate_options {
    struct sampler_options sampler;
    int64_t n_max; /* ids of a completion; -1: until something else ends it */
    bool ignore_eos, no_cache, ids_only;
    const char *const *stop; /* none of them empty */
    size_t n_stop;
    int n_threads;
    enum gemm_dtype dtype;
    enum gemm_backend gemm;
};
enum generate_end {
    GENERATE_EOS,
    GENERATE_STOP,
    GENERATE_LENGTH,
    GENERATE_SINK,  /* it wanted no more */
    GENERATE_SIGNAL /* sig_pending(): the completion is not complete */
};

struct generated {
    enum generate_end end;
    size_t n_prompt, n_new;
    size_t n_dropped; /* how often the oldest half was dropped */
    double prompt_s, new_s;
};

typedef int generate_sink(void *user, const char *text, size_t n, const uint32_t *id,
                          struct err *e);

struct generator;
struct generator *generator_new(struct modeldir *d, const struct generate_options *o,
                                struct err *e);
/* Whether ids can be a prompt: one at least, all below the model's vocabulary. */
int generator_check(const struct generator *g, const uint32_t *prompt, size_t n, struct err *e);
int generator_run(struct generator *g, const uint32_t *prompt, size_t n, uint64_t number,
                  generate_sink *sink, void *user, struct generated *out, struct err *e);
double generator_packing_s(const struct generator *g); /* of the first pass; 0 before it */
void generator_free(struct generator *g);

#endif
