/* The gradients' norm, summed by products or by the optimiser, against sums in double. */
#include "model_test.h"
#include "train/optim.h"

enum { N_SEQ = 3 };
static const int lengths[N_SEQ] = {37, 1, 60};

struct setting {
    struct model *m;
    struct exec *x;
    struct optim o;
    struct exec_opt opt;
    struct test_batch t;
    uint32_t target[128];
    float weight[128];
};

static struct optim_hyper hyper = {.lr = 1e-3, .beta1 = .9, .beta2 = .95, .eps = 1e-8, .clip = 1};

static void open(struct setting *s, size_t config, struct exec_opt o)
{
    struct err e = {0};

    o.max_tok = 128;
    o.max_seq = N_SEQ;
    o.train = true;
    s->opt = o;
    s->m = test_model(test_configs[config], config);
    s->x = test_exec(s->m, o);
    if (optim_init(&s->o, s->m, s->x, o.n_threads, &e) < 0)
        bail_out(e.msg);
    test_batch_new(&s->t, lengths, N_SEQ, NULL, (uint32_t)model_config(s->m)->vocab_size, 3);
    test_targets(&s->t.b, s->target, s->weight);
}

static void done(struct setting *s)
{
    test_batch_free(&s->t);
    optim_release(&s->o);
    exec_free(s->x);
    model_free(s->m);
}

/* n_micro passes; how far optim_step()'s norm is from theirs. */
static double step(struct setting *s, int n_micro, float scale, double *norm)
{
    struct err e = {0};
    struct exec_loss l;
    double sum = 0, limit = hyper.clip_value;

    exec_zero_grads(s->x);
    for (int i = 0; i < n_micro; i++) {
        if (i == n_micro - 1)
            exec_want_squares(s->x);
        if (exec_train(s->x, &s->t.b, s->target, s->weight, scale, 0, &l, NULL, &e) < 0)
            bail_out(e.msg);
    }
    float *g = exec_grads(s->x);
    for (int i = 0; i < model_n_params(s->m); i++)
        for (size_t k = 0; k < model_param(s->m, i)->n; k++) {
            double v = fabs((double)g[model_param(s->m, i)->at + k]);
            sum += pow(limit > 0 && v > limit ? limit : v, 2);
        }
    if (optim_step(&s->o, g, &hyper, s->opt.n_threads, norm) != !isfinite(*norm))
        bail_out("a norm that is not finite was taken for one, or the other way round");
    return fabs(*norm / sqrt(sum) - 1);
}

/* Steps of one and of two passes, on any number of threads. */
static void check(size_t config, struct exec_opt o, const char *name)
{
    static const int threads[] = {1, 2, 3, 5};
    double most = 0, norm[ARRAY_LEN(threads)][3];
    size_t n_sums = 0;

    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        struct setting s;
        o.n_threads = threads[i];
        o.recompute = i % 2 ? RECOMPUTE_BLOCK : RECOMPUTE_NONE;
        open(&s, config, o);
        for (int k = 0; k < 3; k++)
            most = fmax(most, step(&s, 1 + k % 2, .01f, &norm[i][k]));
        exec_squares(s.x, &n_sums);
        done(&s);
    }
    ok(most < 1e-7, "%s: %g from a sum in double", name, most);
    ok(!memcmp(norm[0], norm[1], sizeof norm[0]) && !memcmp(norm[0], norm[2], sizeof norm[0]) &&
           !memcmp(norm[0], norm[3], sizeof norm[0]),
       "%s: the same on 1, 2, 3 and 5 threads, whether or not layers are run again", name);
    ok((n_sums > 0) == (o.gemm == GEMM_OWN), "%s: products leave %zu sums", name, n_sums);
}

static void odd_ones(enum gemm_dtype t)
{
    struct setting s;
    double norm, far;

    open(&s, 1, (struct exec_opt){.gemm = GEMM_OWN, .dtype = t, .n_threads = 2});
    hyper.lr = 0;
    far = step(&s, 1, 1e24f, &norm);
    ok(far < 1e-6, "squares that are no floats: norm %g, %g from a sum in double", norm, far);
    far = step(&s, 1, 1e-24f, &norm);
    ok(far < 1e-6, "squares that vanish as floats: norm %g, %g from a sum in double", norm, far);
    hyper.clip_value = 1e-3;
    far = step(&s, 1, .01f, &norm);
    ok(far < 1e-6, "elements that are clipped: norm %g, %g from a sum in double", norm, far);
    hyper.clip_value = 0;
    far = step(&s, 1, 3e38f, &norm);
    ok(!isfinite(norm), "gradients that are not finite: norm %g", norm);
    memset(s.weight, 0, sizeof s.weight);
    step(&s, 2, 1, &norm);
    ok(norm == 0, "nothing is scored: norm %g", norm);
    exec_zero_grads(s.x);
    size_t n;
    ok(!exec_squares(s.x, &n), "no sums of gradients that are zeroed");
    hyper.lr = 1e-3;
    done(&s);
}

/* The second of two passes scores nothing. */
static void late_rows(void)
{
    struct setting s;
    struct err e = {0};
    struct exec_loss l;
    double norm, sum = 0;

    open(&s, 1, (struct exec_opt){.gemm = GEMM_OWN, .n_threads = 2});
    exec_zero_grads(s.x);
    exec_train(s.x, &s.t.b, s.target, s.weight, .01f, 0, &l, NULL, &e);
    memset(s.weight, 0, sizeof s.weight);
    exec_want_squares(s.x);
    exec_train(s.x, &s.t.b, s.target, s.weight, .01f, 0, &l, NULL, &e);
    float *g = exec_grads(s.x);
    for (size_t i = 0; i < model_n_elem(s.m); i++)
        sum += (double)g[i] * (double)g[i];
    optim_step(&s.o, g, &hyper, 2, &norm);
    ok(fabs(norm / sqrt(sum) - 1) < 1e-6, "a last pass that scores nothing: norm %g", norm);
    done(&s);
}

int main(void)
{
    for (size_t c = 0; c < ARRAY_LEN(test_configs); c++)
        for (int k = 0; k < (GEMM_OWN + 1) * 2; k++) {
            struct err e = {0};
            struct exec_opt o = {.gemm = (enum gemm_backend)(k / 2),
                                 .dtype = (enum gemm_dtype)(k % 2)};
            char name[64];
            if (gemm_backend_check(o.gemm, o.dtype, &e) < 0)
                continue;
            snprintf(name, sizeof name, "config %zu, %s %s", c, gemm_backend_words[o.gemm],
                     gemm_dtype_words[o.dtype]);
            check(c, o, name);
        }
    odd_ones(GEMM_F32);
    odd_ones(GEMM_BF16);
    late_rows();
    return done_testing();
}
