/*
 * Whole training steps: random ids, no dropout, clipping at 1.0, AdamW; the median of the steps
 * after the second, and the peak of memory. TRAIN_STEP_ALL=1 in the environment shows each step.
 *     train-step [-j N] [CONFIG [BxT[:f32|bf16][:ref|openblas|own]]...]
 * as gpt2-124m 4x64:f32 (the default). One shape a run has its memory peak to itself.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/rng.h"
#include "base/sys.h"
#include "kern/ops.h"
#include "model/exec.h"

enum { TILE = 1 << 16, MAX_STEPS = 12 };

struct step {
    struct model *m;
    float *grad, *mv;
    double *norms; /* of each tile */
    int64_t n_tiles;
    uint64_t t;
};

static int die(const char *what)
{
    fprintf(stderr, "train-step: %s\n", what);
    exit(1);
}

static size_t tile_len(const struct step *s, int64_t i)
{
    size_t left = model_n_elem(s->m) - (size_t)i * TILE;
    return left < TILE ? left : TILE;
}

/* Clipping and AdamW, as a trainer does them: a pass for the norm, a pass for the rest. */
static void update(struct worker *w, void *arg)
{
    struct step *s = arg;
    const struct ops *k = ops_get();
    double norm = 0;
    struct adamw a;

    TEAM_FOR(w, i, s->n_tiles)
    s->norms[i] = k->sum_squares(s->grad + i * TILE, tile_len(s, i));
    team_barrier(w);
    for (int64_t i = 0; i < s->n_tiles; i++)
        norm += s->norms[i];
    adamw_init(&a, 6e-4, .9, .95, 1e-8, .1, s->t, fmin(1, 1 / (sqrt(norm) + 1e-6)));
    TEAM_FOR(w, i, s->n_tiles)
    {
        float *m = s->mv + i * TILE, *v = m + model_n_elem(s->m);
        k->adamw(&a, model_weights(s->m) + i * TILE, m, v, s->grad + i * TILE, tile_len(s, i));
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void new_batch(struct batch *b, int n_seq, int n_tok, uint32_t n_vocab, uint32_t **target)
{
    int n = n_seq * n_tok;
    uint32_t *ids = calloc((size_t)n, sizeof *ids);
    int32_t *pos = calloc((size_t)n, sizeof *pos), *seq = calloc((size_t)n, sizeof *seq);
    int32_t *cu = calloc((size_t)n_seq + 1, sizeof *cu);
    struct rng r;

    *target = calloc((size_t)n, sizeof **target);
    rng_init(&r, 0, RNG_TEST, 0);
    for (int i = 0; i < n; i++) {
        ids[i] = (uint32_t)rng_below(&r, n_vocab);
        (*target)[i] = (uint32_t)rng_below(&r, n_vocab);
        pos[i] = i % n_tok;
        seq[i] = i / n_tok;
    }
    for (int s = 0; s <= n_seq; s++)
        cu[s] = s * n_tok;
    *b = (struct batch){n, ids, pos, seq, n_seq, cu, NULL};
}

static void run(const char *preset, const char *spec, int n_threads)
{
    struct err e = {0};
    struct config c;
    struct exec_opt o = {.train = true, .gemm = gemm_backend_default(), .n_threads = n_threads};
    struct exec_cost cost;
    struct exec_loss l;
    struct batch b;
    struct step s = {0};
    uint32_t *target;
    double times[MAX_STEPS], passes[MAX_STEPS];
    char *at;
    int n_seq = (int)strtol(spec, &at, 10), n_tok = *at == 'x' ? (int)strtol(at + 1, &at, 10) : 0;
    int n_steps;

    if (n_seq < 1 || n_tok < 1 || config_load(&c, preset, &e) < 0)
        die(e.kind ? e.msg : spec);
    if (strstr(at, ":bf16"))
        o.dtype = GEMM_BF16;
    for (int i = 0; gemm_backend_words[i]; i++)
        if (strstr(at, gemm_backend_words[i]))
            o.gemm = (enum gemm_backend)i;
    o.max_tok = n_seq * n_tok;
    o.max_seq = n_seq;
    n_steps = o.max_tok < 1024 ? 10 : 6;
    s.m = model_new(&c, 0, &e);
    struct exec *x = s.m ? exec_new(s.m, &o, &e) : NULL;
    if (!x || exec_cost(&c, n_seq, n_tok, &cost, &e) < 0)
        die(e.msg);
    s.grad = exec_grads(x);
    s.mv = sys_pages(2 * sizeof(float) * model_n_elem(s.m), &e);
    s.n_tiles = (int64_t)((model_n_elem(s.m) + TILE - 1) / TILE);
    s.norms = calloc((size_t)s.n_tiles, sizeof *s.norms);
    if (!s.mv || !s.norms)
        die(e.msg);
    new_batch(&b, n_seq, n_tok, (uint32_t)c.vocab_size, &target);
    for (int i = 0; i < n_steps; i++) {
        double t0 = sys_time(), t1;
        exec_zero_grads(x);
        if (exec_train(x, &b, target, NULL, 1.f / (float)b.n_tok, (uint64_t)i, &l, NULL, &e) < 0)
            die(e.msg);
        t1 = sys_time();
        s.t = (uint64_t)i + 1;
        team_run(n_threads, update, &s);
        exec_weights_changed(x);
        times[i] = sys_time() - t0;
        passes[i] = t1 - t0;
        if (getenv("TRAIN_STEP_ALL"))
            fprintf(stderr, "step %d: %.3f s, update %.3f s, loss %.6f\n", i, times[i],
                    times[i] - passes[i], l.loss_sum / l.weight_sum);
    }
    double first = times[0];
    qsort(times + 2, (size_t)n_steps - 2, sizeof *times, by_value);
    double median = times[2 + (n_steps - 2) / 2];
    char name[128];
    snprintf(name, sizeof name, "train-step/%s/%dx%d/%s/%s", preset, n_seq, n_tok,
             gemm_dtype_words[o.dtype], gemm_backend_words[o.gemm]);
    printf("%s %.1f tok/s\n", name, b.n_tok / median);
    printf("%s/first-step %.2f of-median\n", name, first / median);
    printf("%s/flops %.1f GFLOP/s\n", name,
           (cost.flops_forward + cost.flops_backward) / median / 1e9);
    printf("%s/max-rss %.2f GiB\n", name, (double)sys_max_rss() / 0x1p30);
    exec_free(x);
    model_free(s.m);
    config_release(&c);
}

int main(int argc, char **argv)
{
    int n_threads = sys_n_cpu(), at = 1;

    if (argc > 2 && !strcmp(argv[1], "-j")) {
        n_threads = (int)strtol(argv[2], NULL, 10);
        at = 3;
    }
    const char *preset = at < argc ? argv[at++] : "gpt2-124m";
    if (at >= argc)
        run(preset, "4x64:f32", n_threads);
    for (; at < argc; at++)
        run(preset, argv[at], n_threads);
    return 0;
}
