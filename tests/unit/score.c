/* Scores of sequences against the definition: each target alone, from the logits behind what its
 * window holds before it. */
#include "infer/score.h"
#include "model_test.h"

static const char json[] = "{\"model_type\":\"llama\",\"vocab_size\":60,\"hidden_size\":16,"
                           "\"num_hidden_layers\":2,\"num_attention_heads\":2,"
                           "\"intermediate_size\":16,\"max_position_embeddings\":64,"
                           "\"tie_word_embeddings\":false}";
enum { N_VOCAB = 60, LONGEST = 90 };
static struct err e;

/* -log p(ids[n] | ids[0..n)) */
static double nats_of(struct exec *x, const uint32_t *ids, int n)
{
    float logits[N_VOCAB];
    struct test_batch t;
    int32_t last = n - 1;
    double sum = 0;

    test_batch_new(&t, &n, 1, ids, N_VOCAB, 0);
    if (exec_logits(x, &t.b, &last, 1, logits, &e) < 0)
        bail_out(e.msg);
    test_batch_free(&t);
    for (int i = 0; i < N_VOCAB; i++)
        sum += exp((double)logits[i]);
    return log(sum) - logits[ids[n]];
}

static double slow(struct exec *x, const uint32_t *ids, int n_ids, int n_ctx, int stride)
{
    double nats = 0;

    for (int t = 1; t < n_ids; t++) {
        int from = 0;
        while (from + n_ctx < t) /* the first window whose inputs end before this target */
            from += stride;
        nats += nats_of(x, ids + from, t - from);
    }
    return nats;
}

static void test(struct model *m, struct exec *x, int n_ctx, int stride, int max_tok)
{
    static const int lens[] = {0, 1, 2, 3, 8, 9, 10, 17, 33, LONGEST};
    enum { N = sizeof lens / sizeof *lens };
    struct scorer_options o = {
        .n_ctx = n_ctx, .stride = stride, .max_tok = max_tok, .n_threads = 2};
    uint32_t ids[N][LONGEST];
    double nats[N] = {0}, worst = 0;
    struct rng r;

    o.gemm = gemm_backend_default();
    struct scorer *s = scorer_new(m, &o, &e);
    if (!s)
        bail_out(e.msg);
    rng_init(&r, 3, RNG_TEST, 0);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < lens[i]; k++)
            ids[i][k] = (uint32_t)rng_below(&r, N_VOCAB);
        if (scorer_put(s, ids[i], (size_t)lens[i], &nats[i], &e) < 0)
            bail_out(e.msg);
    }
    if (scorer_flush(s, &e) < 0 || scorer_flush(s, &e) < 0)
        bail_out(e.msg);
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs(nats[i] - slow(x, ids[i], lens[i], n_ctx, stride)));
    ok(worst < 1e-4, "context %d, stride %d, passes of %d: differs by %.2g", n_ctx, stride, max_tok,
       worst);
    ok(nats[0] == 0 && nats[1] == 0 && nats[2] > 0, "nothing to score in one token");
    scorer_free(s);
}

int main(void)
{
    struct model *m = test_model(json, 2);
    struct exec_opt o = {.max_tok = 64, .max_seq = 1, .n_threads = 1};

    o.gemm = gemm_backend_default();
    struct exec *x = test_exec(m, o);
    test(m, x, 64, 32, 64);
    test(m, x, 8, 4, 64);
    test(m, x, 8, 8, 20);
    test(m, x, 8, 1, 8);
    test(m, x, 8, 3, 50);
    test(m, x, 1, 1, 3);
    test(m, x, 9, 5, 10);
    exec_free(x);
    model_free(m);
    return done_testing();
}
