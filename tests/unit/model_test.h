/* For tests of models: batches from lengths, and small configurations of every family. */
#ifndef MODEL_TEST_H
#define MODEL_TEST_H

#include <jansson.h>
#include "base/rng.h"
#include "model/exec.h"
#include "tap.h"

struct test_batch {
    struct batch b;
    uint32_t *ids;
    int32_t *pos, *seq, *cu;
    int32_t *slot;
};

/* Sequences of the given lengths; ids is copied, or NULL: random below n_vocab. */
static inline void test_batch_new(struct test_batch *t, const int *len, int n_seq,
                                  const uint32_t *ids, uint32_t n_vocab, uint64_t seed)
{
    struct rng r;
    int n = 0;

    for (int s = 0; s < n_seq; s++)
        n += len[s];
    t->ids = calloc((size_t)n, sizeof *t->ids);
    t->pos = calloc((size_t)n, sizeof *t->pos);
    t->seq = calloc((size_t)n, sizeof *t->seq);
    t->cu = calloc((size_t)n_seq + 1, sizeof *t->cu);
    t->slot = NULL;
    rng_init(&r, seed, RNG_TEST, 0);
    for (int s = 0, i = 0; s < n_seq; s++) {
        for (int k = 0; k < len[s]; k++, i++) {
            t->ids[i] = ids ? ids[i] : (uint32_t)rng_below(&r, n_vocab);
            t->pos[i] = k;
            t->seq[i] = s;
        }
        t->cu[s + 1] = i;
    }
    t->b = (struct batch){.n_tok = n,
                          .ids = t->ids,
                          .pos = t->pos,
                          .seq = t->seq,
                          .n_seq = n_seq,
                          .cu_seqlens = t->cu};
}

/* The same through cache slots: positions go on from `past` of each. */
static inline void test_batch_slots(struct test_batch *t, const int32_t *slot, const int *past)
{
    t->slot = calloc((size_t)t->b.n_seq, sizeof *t->slot);
    memcpy(t->slot, slot, sizeof *slot * (size_t)t->b.n_seq);
    for (int i = 0; i < t->b.n_tok; i++)
        t->pos[i] += past[t->seq[i]];
    t->b.slot = t->slot;
}

static inline void test_batch_free(struct test_batch *t)
{
    free(t->ids);
    free(t->pos);
    free(t->seq);
    free(t->cu);
    free(t->slot);
}

/* The next id of the same sequence; the last of each gets weight 0. */
static inline void test_targets(const struct batch *b, uint32_t *target, float *weight)
{
    for (int s = 0; s < b->n_seq; s++)
        for (int i = b->cu_seqlens[s]; i < b->cu_seqlens[s + 1]; i++) {
            bool last = i + 1 == b->cu_seqlens[s + 1];
            target[i] = last ? 0 : b->ids[i + 1];
            weight[i] = last ? 0 : 1;
        }
}

/* Configurations that between them have every choice; odd sizes on purpose. */
static const char *const test_configs[] = {
    "{\"model_type\":\"gpt2\",\"vocab_size\":77,\"n_embd\":48,\"n_layer\":2,\"n_head\":3,"
    "\"n_positions\":160}",
    "{\"model_type\":\"llama\",\"vocab_size\":77,\"hidden_size\":40,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":12,"
    "\"intermediate_size\":52,\"attention_bias\":true,\"mlp_bias\":true}",
    "{\"model_type\":\"mistral\",\"vocab_size\":77,\"hidden_size\":48,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":4,\"num_key_value_heads\":1,\"intermediate_size\":52,"
    "\"sliding_window\":9}",
    "{\"model_type\":\"qwen3\",\"vocab_size\":77,\"hidden_size\":40,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16,"
    "\"intermediate_size\":52,\"tie_word_embeddings\":true}",
    "{\"model_type\":\"gemma\",\"vocab_size\":77,\"hidden_size\":40,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":20,"
    "\"intermediate_size\":52}",
};

/* The weights are spread far more than a fresh model's, so that nothing is near zero. */
static inline struct model *test_model(const char *json, uint64_t seed)
{
    struct err e = {0};
    struct config c;
    struct rng r;
    json_t *tree = json_loads(json, 0, NULL);

    if (!tree || config_parse(&c, tree, "test", &e) < 0)
        bail_out(e.msg);
    json_decref(tree);
    struct model *m = model_new(&c, seed, &e);
    config_release(&c);
    if (!m)
        bail_out(e.msg);
    rng_init(&r, seed, RNG_TEST, 1);
    for (int i = 0; i < model_n_params(m); i++) {
        const struct param *p = model_param(m, i);
        float *w = model_weights(m) + p->at;
        for (size_t k = 0; k < p->n; k++)
            w[k] = p->decay ? rng_normal(&r) * 1.6f / sqrtf((float)p->cols)
                            : w[k] + .1f * rng_normal(&r);
    }
    return m;
}

static inline struct exec *test_exec(struct model *m, struct exec_opt o)
{
    struct err e = {0};
    struct exec *x = exec_new(m, &o, &e);

    if (!x)
        bail_out(e.msg);
    return x;
}

/* The largest |a - b|. */
static inline double max_diff(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= most)) /* NaN counts */
            most = d;
    }
    return most;
}

static inline double max_abs(const float *a, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs((double)a[i]) > most)
            most = fabs((double)a[i]);
    return most;
}

#endif
