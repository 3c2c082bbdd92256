/*
 * A token's result depends on its own sequence alone: decoding with a cache against a full pass, a
 * prompt alone against one in a batch, packed documents against each alone. Bit for bit with our
 * own products (and attention), within the golden tolerances with OpenBLAS.
 */
#include "model_test.h"

enum { N_SEQ = 8, MAX_TOK = 400 };
static const int lengths[N_SEQ] = {5, 64, 1, 65, 33, 2, 130, 17};

static double allowed(enum gemm_backend b, double tol)
{
    return b == GEMM_OPENBLAS ? tol : 0;
}

/* Logits of every token of a batch without a cache. */
static float *full_pass(struct model *m, struct exec_opt o, const struct batch *b)
{
    struct err e = {0};
    struct exec *x = test_exec(m, o);
    size_t n_vocab = (size_t)model_config(m)->vocab_size;
    float *logits = calloc((size_t)b->n_tok * n_vocab, sizeof *logits);
    int32_t rows[MAX_TOK];

    for (int i = 0; i < b->n_tok; i++)
        rows[i] = i;
    if (exec_logits(x, b, rows, b->n_tok, logits, &e) < 0)
        bail_out(e.msg);
    exec_free(x);
    return logits;
}

/* One sequence through a cache, in chunks of 1, 2, 3 ... tokens. */
static void check_cache(struct model *m, struct exec_opt o, const char *name)
{
    enum { N = 150 };
    struct err e = {0};
    struct test_batch all, t;
    size_t n_vocab = (size_t)model_config(m)->vocab_size;
    float *got = calloc(N * n_vocab, sizeof *got), *want;
    int n = N, past = 0;
    int32_t slot = 1, rows[N];

    test_batch_new(&all, &n, 1, NULL, (uint32_t)n_vocab, 11);
    want = full_pass(m, o, &all.b);
    o.n_slot = 2;
    o.slot_tok = N;
    struct exec *x = test_exec(m, o);
    for (int chunk = 1; past < N; chunk++) {
        int len = chunk > 12 ? 1 : chunk;
        if (len > N - past)
            len = N - past;
        test_batch_new(&t, &len, 1, all.ids + past, 0, 0);
        test_batch_slots(&t, &slot, &past);
        for (int i = 0; i < len; i++)
            rows[i] = i;
        if (exec_logits(x, &t.b, rows, len, got + (size_t)past * n_vocab, &e) < 0)
            bail_out(e.msg);
        past += len;
        test_batch_free(&t);
    }
    double d = max_diff(got, want, N * n_vocab) / max_abs(want, N * n_vocab);
    ok(d <= allowed(o.gemm, 1e-5), "%s: decoding with a cache, %g from a full pass", name, d);
    exec_free(x);
    test_batch_free(&all);
    free(got);
    free(want);
}

static void check_batch(struct model *m, struct exec_opt o, const char *name)
{
    struct test_batch all, t;
    size_t n_vocab = (size_t)model_config(m)->vocab_size;
    double worst = 0;

    test_batch_new(&all, lengths, N_SEQ, NULL, (uint32_t)n_vocab, 12);
    float *want = full_pass(m, o, &all.b);
    for (int s = 0; s < N_SEQ; s++) {
        test_batch_new(&t, &lengths[s], 1, all.ids + all.cu[s], 0, 0);
        float *got = full_pass(m, o, &t.b);
        worst = fmax(
            worst, max_diff(got, want + (size_t)all.cu[s] * n_vocab, (size_t)lengths[s] * n_vocab));
        free(got);
        test_batch_free(&t);
    }
    worst /= max_abs(want, (size_t)all.b.n_tok * n_vocab);
    ok(worst <= allowed(o.gemm, 1e-5), "%s: prompts alone, %g from those in a batch of %d", name,
       worst, N_SEQ);
    test_batch_free(&all);
    free(want);
}

static void train(struct exec *x, const struct batch *b, float *nll)
{
    struct err e = {0};
    struct exec_loss l;
    uint32_t target[MAX_TOK];

    for (int i = 0; i < b->n_tok; i++)
        target[i] = b->ids[i] * 7 % 77;
    if (exec_train(x, b, target, NULL, 1.f / 317, 0, &l, nll, &e) < 0)
        bail_out(e.msg);
}

static void check_packed(struct model *m, struct exec_opt o, const char *name)
{
    struct test_batch all, t;
    size_t n_elem = model_n_elem(m), d = (size_t)model_config(m)->d_model;
    float nll[MAX_TOK], alone[MAX_TOK];
    double worst_nll = 0, worst_dx = 0, worst_grad = 0;
    float *sum, *dx;

    o.train = o.embed_grad = true;
    struct exec *x = test_exec(m, o);
    test_batch_new(&all, lengths, N_SEQ, NULL, (uint32_t)model_config(m)->vocab_size, 13);
    for (int s = 0; s < N_SEQ; s++) { /* gradients add up over the calls */
        test_batch_new(&t, &lengths[s], 1, all.ids + all.cu[s], 0, 0);
        train(x, &t.b, alone + all.cu[s]);
        test_batch_free(&t);
    }
    sum = calloc(n_elem, sizeof *sum);
    memcpy(sum, exec_grads(x), n_elem * sizeof *sum);
    exec_zero_grads(x);
    train(x, &all.b, nll);
    dx = calloc((size_t)all.b.n_tok * d, sizeof *dx);
    memcpy(dx, exec_embed_grad(x), (size_t)all.b.n_tok * d * sizeof *dx);
    for (int i = 0; i < model_n_params(m); i++) {
        const struct param *p = model_param(m, i);
        const float *g = exec_grads(x) + p->at;
        worst_grad = fmax(worst_grad, max_diff(g, sum + p->at, p->n) / max_abs(g, p->n));
    }
    for (int s = 0; s < N_SEQ; s++) {
        size_t n = (size_t)lengths[s] * d;
        const float *want = dx + (size_t)all.cu[s] * d;
        test_batch_new(&t, &lengths[s], 1, all.ids + all.cu[s], 0, 0);
        train(x, &t.b, NULL);
        worst_dx = fmax(worst_dx, max_diff(exec_embed_grad(x), want, n) / max_abs(want, n));
        test_batch_free(&t);
    }
    worst_nll = max_diff(nll, alone, (size_t)all.b.n_tok) / max_abs(nll, (size_t)all.b.n_tok);
    ok(worst_nll <= allowed(o.gemm, 1e-5), "%s: packed documents' losses, %g from each alone", name,
       worst_nll);
    ok(worst_dx <= allowed(o.gemm, 3e-5), "%s: packed documents' dL/dx, %g from each alone", name,
       worst_dx);
    /* a sum in another order: OpenBLAS takes hundreds of tokens in one go */
    ok(worst_grad <= (o.gemm == GEMM_OPENBLAS ? 3e-6 : 1e-6),
       "%s: packed documents' gradients, %g from the sum", name, worst_grad);
    test_batch_free(&all);
    exec_free(x);
    free(sum);
    free(dx);
}

int main(void)
{
    for (size_t c = 0; c < ARRAY_LEN(test_configs); c++)
        for (int k = 0; k < (GEMM_OWN + 1) * 2; k++) {
            struct err e = {0};
            char name[64];
            struct exec_opt o = {.max_tok = MAX_TOK, .max_seq = N_SEQ, .n_threads = 2};
            o.gemm = (enum gemm_backend)(k / 2);
            o.dtype = (enum gemm_dtype)(k % 2);
            /* bf16 through OpenBLAS has no tolerance to be held to */
            if (gemm_backend_check(o.gemm, o.dtype, &e) < 0 ||
                (o.gemm == GEMM_OPENBLAS && o.dtype == GEMM_BF16))
                continue;
            struct model *m = test_model(test_configs[c], 20 + c);
            snprintf(name, sizeof name, "%s, %s %s", model_config(m)->model_type,
                     gemm_backend_words[o.gemm], gemm_dtype_words[o.dtype]);
            check_cache(m, o, name);
            check_batch(m, o, name);
            check_packed(m, o, name);
            model_free(m);
        }
    return done_testing();
}
