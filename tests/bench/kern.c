/*
 * Speed of the kernels beside the peak measured in the same run: "name figure unit share %"; of
 * products a second share, of the best burst.
 *
 *     obj/tests/bench/kern [-j N] [-g ref|openblas|own] [-t f32|bf16] [-m ROWS] [-p] [-r]
 * [gemm|attn|ops]...
 *
 * gemm: the five products of GPT-2 124M at 256 and 1024 tokens (or ROWS), forward, input gradient,
 * weight gradient; median time over rounds, and median share of the peak measured before and after
 * each: what all threads reach at once, on average over bursts, and each one's best burst.
 * -p: with the weight packed for each product. -r: inputs are rows of bf16 (own products of bf16).
 * attn: a layer of its attention. ops: on one thread, in the caches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/cpu.h"
#include "base/rng.h"
#include "base/sys.h"
#include "kern/attn.h"
#include "kern/gemm.h"
#include "kern/peak.h"

static int n_threads = 2, dtype = -1, n_rows;
static bool pack_inside, halves;
static enum gemm_backend backend;
static double peaks[2]; /* by enum gemm_dtype */

/* One thread is timed by the processor's clock, which other programs disturb less. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return n_threads > 1 ? sys_time() : (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A step's time: from when the first thread begins until all have ended. */
struct watch {
    double start[256], best;
};

static void watch_start(struct worker *w, struct watch *c)
{
    team_barrier(w);
    c->start[w->tid] = now();
}

static void watch_stop(struct worker *w, struct watch *c)
{
    team_barrier(w);
    if (w->tid != 0)
        return;
    double end = now(), first = c->start[0];
    for (int i = 1; i < w->n; i++)
        first = c->start[i] < first ? c->start[i] : first;
    if (c->best == 0 || end - first < c->best)
        c->best = end - first;
}

static float *filled(size_t n)
{
    struct err e = {0};
    float *v = sys_pages(n * sizeof *v, &e);
    struct rng r;
    rng_init(&r, 1, RNG_TEST, n);
    for (size_t i = 0; v && i < n; i++)
        v[i] = rng_f32(&r) - 0.5f;
    return v;
}

/* ---- products */

enum { MAX_ROUNDS = 15 };

struct product {
    int m, n, k, what, rounds, times;
    int ldy;      /* whole lines of cache, as the head has its logits */
    bool pack[3]; /* the weight inside the timing, by what */
    enum gemm_dtype t;
    struct gemm_rows in, dy; /* x and y */
    struct gemm_weight *g;   /* with the gradient's layout where that is what */
    float *x, *y, *dw;
    void *scratch;
    size_t burst; /* rounds of a burst, a third of a millisecond or more */
    struct watch watch;
    double time_s[MAX_ROUNDS];
    struct peak {
        double mean, best;
    } peak[MAX_ROUNDS + 1][256]; /* of each thread */
};

/* The peak beside each round, of all threads at once. Both last as long: products take more current
 * than chains in registers, and for the first milliseconds afterwards these run at a clock between
 * the two. The mean over bursts, during which a thread is interrupted as often as in a product, and
 * the best of them, which nothing disturbed. */
static void burst(struct worker *w, struct product *p, struct peak *peak)
{
    enum { LEAD = 15, BURSTS = 30 };
    float sink = 0.001f;
    double best = 0, ops = 0;
    team_barrier(w);
    for (int i = 0; i < LEAD; i++)
        peak_burst(p->t, p->burst, &sink);
    double begin = now(), start = begin;
    for (int i = 0; i < BURSTS; i++) {
        double some = peak_burst(p->t, p->burst, &sink), end = now(), rate = some / (end - start);
        best = rate > best ? rate : best;
        ops += some;
        start = end;
    }
    peak[w->tid] = (struct peak){ops / (start - begin), best};
    team_barrier(w);
}

static void product(struct worker *w, struct product *p)
{
    if (p->pack[p->what])
        gemm_weight_pack(w, &p->g, 1);
    if (p->what == 0)
        gemm_forward(w, p->g, p->m, p->in, p->y, p->ldy, NULL, p->scratch);
    else if (p->what == 1)
        gemm_dgrad(w, p->g, p->m, p->dy, p->x, p->k, false, p->scratch);
    else
        gemm_wgrad(w, backend, p->t, p->m, p->n, p->k, p->dy, p->in, p->dw, p->k, true, false, NULL,
                   p->scratch);
}

/* About ten milliseconds or more of a product at a time. How often that is, two rounds before the
 * others say: the first finds nothing in the caches and memory that has no pages yet. */
static void product_pass(struct worker *w, void *arg)
{
    struct product *p = arg;
    gemm_weight_pack(w, &p->g, 1);
    for (int r = -2; r < p->rounds; r++) {
        int times = p->times;
        if (r >= 0)
            burst(w, p, p->peak[r]);
        p->watch.best = 0;
        watch_start(w, &p->watch);
        for (int i = 0; i < times; i++)
            product(w, p);
        watch_stop(w, &p->watch);
        if (w->tid == 0 && r >= 0)
            p->time_s[r] = p->watch.best / times;
        else if (w->tid == 0)
            p->times = (int)(.01 * times / p->watch.best) + 1;
        team_barrier(w);
    }
    burst(w, p, p->peak[p->rounds]);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The median time, and the median shares of the peaks before and after a round. */
static double product_time(struct product *p, double work, double *share, double *of_best)
{
    double mean[MAX_ROUNDS], strict[MAX_ROUNDS];
    p->times = 1;
    team_run(n_threads, product_pass, p);
    for (int r = 0; r < p->rounds; r++) {
        struct peak sum = {0};
        for (int i = 0; i < n_threads; i++) {
            sum.mean += (p->peak[r][i].mean + p->peak[r + 1][i].mean) / 2;
            sum.best += (p->peak[r][i].best + p->peak[r + 1][i].best) / 2;
        }
        mean[r] = work / p->time_s[r] / sum.mean;
        strict[r] = work / p->time_s[r] / sum.best;
    }
    qsort(p->time_s, (size_t)p->rounds, sizeof *p->time_s, by_value);
    qsort(mean, (size_t)p->rounds, sizeof *mean, by_value);
    qsort(strict, (size_t)p->rounds, sizeof *strict, by_value);
    *share = mean[p->rounds / 2];
    *of_best = strict[p->rounds / 2];
    return p->time_s[p->rounds / 2];
}

/* x[m, n] as bf16, in rows that lie as a model has them. */
static struct gemm_rows rows_of(const float *x, int m, int n, int ldx)
{
    int ld = ((n + 63) / 64 | 1) * 64;
    struct err e = {0};
    uint16_t *h = halves ? sys_pages((size_t)m * (size_t)ld * sizeof *h, &e) : NULL;
    for (int r = 0; h && r < m; r++)
        ops_get()->bf16_from_f32(h + (size_t)r * (size_t)ld, x + (size_t)r * (size_t)ldx,
                                 (size_t)n);
    return h ? (struct gemm_rows){h, ld, GEMM_BF16} : gemm_f32(x, ldx);
}

static void free_rows(struct gemm_rows x, int m)
{
    if (x.type == GEMM_BF16)
        sys_pages_free((void *)x.at, (size_t)m * (size_t)x.ld * sizeof(uint16_t));
}

static size_t burst_rounds(enum gemm_dtype t)
{
    float sink = 0.001f;
    for (size_t n = 1024;; n *= 2) {
        double start = sys_time();
        peak_burst(t, n, &sink);
        if (sys_time() - start > 3e-4)
            return n;
    }
}

static void products(int m, enum gemm_dtype t)
{
    static const int shape[][2] = {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}, {50257, 768}};
    static const int times[] = {12, 12, 12, 12, 1};
    static const char *const names[] = {"qkv", "proj", "up", "down", "head"};
    static const char *const directions[] = {"forward", "dgrad", "wgrad"};
    double flops = 0, seconds = 0, peak_seconds = 0, best_seconds = 0;
    for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++) {
        int n = shape[i][0], k = shape[i][1];
        double work = 2.0 * m * n * k;
        struct err e = {0};
        float *w = filled((size_t)n * (size_t)k);
        struct product p = {.m = m, .n = n, .k = k, .t = t, .rounds = n > 10000 ? 5 : MAX_ROUNDS};
        /* a gradient without a layout of its own packs the matrix itself, always */
        bool both =
            gemm_weight_bytes(n, k, backend, t, true) > gemm_weight_bytes(n, k, backend, t, false);
        p.ldy = (n + 15) / 16 * 16;
        p.pack[0] = pack_inside;
        p.pack[1] = pack_inside && both;
        p.burst = burst_rounds(t);
        p.x = filled((size_t)m * (size_t)k);
        p.y = filled((size_t)m * (size_t)p.ldy);
        p.in = rows_of(p.x, m, k, k);
        p.dy = rows_of(p.y, m, n, p.ldy);
        p.dw = filled((size_t)n * (size_t)k);
        size_t scratch = gemm_scratch(backend, t, m, n, k);
        p.scratch = scratch ? sys_pages(scratch, &e) : NULL;
        size_t copies = gemm_weight_bytes(n, k, backend, t, true);
        void *place = copies ? sys_pages(copies, &e) : NULL;
        for (p.what = 0; p.what < 3; p.what++) {
            p.g = gemm_weight_new(w, n, k, backend, t, p.what == 1, place, &e);
            double share, of_best, time = product_time(&p, work, &share, &of_best);
            flops += work * times[i];
            seconds += time * times[i];
            peak_seconds += work * times[i] / share;
            best_seconds += work * times[i] / of_best;
            printf("gemm-%s-%d-%s-%s %.1f GFLOP/s %.1f %% %.1f %%, weights %.1f GB/s\n",
                   gemm_dtype_words[t], m, names[i], directions[p.what], work / time / 1e9,
                   100 * share, 100 * of_best, (t == GEMM_BF16 ? 2. : 4.) * n * k / time / 1e9);
            fflush(stdout);
            gemm_weight_free(p.g);
        }
        if (place)
            sys_pages_free(place, copies);
        sys_pages_free(w, (size_t)n * (size_t)k * 4);
        sys_pages_free(p.dw, (size_t)n * (size_t)k * 4);
        sys_pages_free(p.x, (size_t)m * (size_t)k * 4);
        free_rows(p.in, m);
        free_rows(p.dy, m);
        sys_pages_free(p.y, (size_t)m * (size_t)p.ldy * 4);
        if (p.scratch)
            sys_pages_free(p.scratch, scratch);
    }
    printf("gemm-%s-%d-all %.1f GFLOP/s %.1f %% %.1f %%\n", gemm_dtype_words[t], m,
           flops / seconds / 1e9, 100 * flops / peak_seconds, 100 * flops / best_seconds);
}

/* ---- attention */

struct attention {
    struct attn a;
    struct attn_io io;
    struct watch forward, backward;
};

static void attention_pass(struct worker *w, void *arg)
{
    struct attention *p = arg;
    for (int r = 0; r < (p->io.seq->n > 10000 ? 2 : 10); r++) {
        watch_start(w, &p->forward);
        attn_forward(w, &p->a, &p->io);
        watch_stop(w, &p->forward);
        watch_start(w, &p->backward);
        attn_backward(w, &p->a, &p->io);
        watch_stop(w, &p->backward);
    }
}

static void attention(int n_seq, int n, int n_head, int n_kv_head, int head_dim, enum gemm_dtype t)
{
    struct attention p = {.a = {n_head, n_kv_head, head_dim, {.causal = true}, 0.125f, 0, t, NULL}};
    struct attn_seq seq[64] = {{0}};
    size_t tok = (size_t)(n_seq * n);
    int lo = n_head * head_dim, ld = lo + 2 * n_kv_head * head_dim, v = lo + n_kv_head * head_dim;
    for (int i = 0; i < n_seq; i++)
        seq[i] = (struct attn_seq){.row = i * n, .n = n};
    float *qkv = filled(tok * (size_t)ld), *dqkv = filled(tok * (size_t)ld);
    float *o = filled(tok * (size_t)lo), *d_o = filled(tok * (size_t)lo);
    float *lse = filled(tok * (size_t)n_head);
    struct err e = {0};
    size_t bytes = attn_scratch_bytes(&p.a, (int)tok, n_seq, n_threads, true);
    p.io = (struct attn_io){.seq = seq,
                            .n_seq = n_seq,
                            .q = qkv,
                            .k = qkv + lo,
                            .v = qkv + v,
                            .ldq = ld,
                            .ldk = ld,
                            .ldv = ld,
                            .o = o,
                            .ldo = lo,
                            .lse = lse,
                            .d_o = d_o,
                            .ldd_o = lo,
                            .dq = dqkv,
                            .dk = dqkv + lo,
                            .dv = dqkv + v,
                            .lddq = ld,
                            .lddk = ld,
                            .lddv = ld,
                            .scratch = sys_pages(bytes, &e)};
    team_run(n_threads, attention_pass, &p);
    double work = 2.0 * n_seq * n * (n + 1.0) * n_head * head_dim; /* causal, two products */
    printf("attn-%s-%dx%d-%d/%d-forward %.1f GFLOP/s %.0f %%\n", gemm_dtype_words[t], n_seq, n,
           n_head, n_kv_head, work / p.forward.best / 1e9, work / p.forward.best / 1e7 / peaks[t]);
    printf("attn-%s-%dx%d-%d/%d-backward %.1f GFLOP/s %.0f %%\n", gemm_dtype_words[t], n_seq, n,
           n_head, n_kv_head, 2.5 * work / p.backward.best / 1e9,
           2.5 * work / p.backward.best / 1e7 / peaks[t]);
    fflush(stdout);
}

/* ---- elements */

#define TIME(name, n, call)                                         \
    do {                                                            \
        double best = 1e9;                                          \
        for (int r = 0; r < 20; r++) {                              \
            double start = now();                                   \
            for (int i = 0; i < 10; i++)                            \
                call;                                               \
            double time = (now() - start) / 10;                     \
            best = time < best ? time : best;                       \
        }                                                           \
        printf("ops-%s %.3f ns/element\n", name, best * 1e9 / (n)); \
    } while (0)

static void elements(void)
{
    const struct ops *k = ops_get();
    enum { N = 32 * 768, V = 50257 };
    float *x = filled(2 * V), *y = filled(2 * V), *z = filled(2 * V), *w = filled(2 * V);
    float loss[1], lse[1], dw[768] = {0}, db[768] = {0}, mean[32], rstd[32];
    uint16_t *h = (uint16_t *)w;
    const uint32_t target[1] = {5};
    const struct norm ln = {768, 1, 1e-5f, false, false}, rms = {768, 1, 1e-5f, true, false};
    const struct norm qk = {64, 12, 1e-5f, true, false};
    struct dropout d;
    struct adamw a;
    dropout_init(&d, 0.1, 1, 1, 1, 1);
    adamw_init(&a, 1e-3, 0.9, 0.95, 1e-8, 0.1, 3, 1);
    TIME("add", N, k->add(y, x, z, N));
    TIME("exp", N, k->exp(y, x, N));
    TIME("softcap", N, k->softcap(y, x, 30, N));
    TIME("gelu", N, k->act(ACT_GELU, y, x, N));
    TIME("gelu_tanh", N, k->act(ACT_GELU_TANH, y, x, N));
    TIME("gelu_tanh-gradient", N, k->act_grad(ACT_GELU_TANH, y, x, z, N));
    TIME("silu-gate", N, k->glu(ACT_SILU, y, x, z, N));
    TIME("silu-gate-gradient", N, k->glu_grad(ACT_SILU, y, w, x, z, x, N));
    TIME("bf16_round", N, k->bf16_round(y, x, N));
    TIME("bf16_from_f32", N, k->bf16_from_f32(h, x, N));
    TIME("sum_squares", N, k->sum_squares(x, N));
    TIME("layernorm", N, k->norm(&ln, y, 768, x, 768, w, w, mean, rstd, 32));
    TIME("layernorm-gradient", N,
         k->norm_grad(&ln, y, 768, false, z, 768, x, 768, w, mean, rstd, dw, db, 32));
    TIME("rmsnorm", N, k->norm(&rms, y, 768, x, 768, w, NULL, NULL, rstd, 32));
    TIME("rmsnorm-of-heads", N, k->norm(&qk, y, 768, x, 768, w, NULL, NULL, NULL, 32));
    TIME("sum-of-rows", N, k->sum_rows(y, x, 768, 768, 32));
    TIME("dropout", N, k->dropout(&d, y, 768, x, 768, 768, 1, 0, 32));
    TIME("cross-entropy", V, k->xent(loss, lse, x, V, V, target, 1));
    TIME("cross-entropy-gradient", V, k->xent_grad(y, V, x, V, V, lse, target, loss, 1));
    TIME("adamw", N, k->adamw(&a, x, y, z, w, N));
}

/* Of before and after, so that a change of the clock shows. */
static void measure_peaks(void)
{
    for (int t = GEMM_F32; t <= GEMM_BF16; t++) {
        peaks[t] = peak_flops((enum gemm_dtype)t, n_threads, .2) / 1e9;
        printf("peak-%s-%d-threads %.1f GFLOP/s\n", gemm_dtype_words[t], n_threads, peaks[t]);
    }
}

int main(int argc, char **argv)
{
    backend = gemm_backend_default();
    bool all = true, gemm = false, attn = false, ops = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-j") == 0 && i + 1 < argc) {
            n_threads = (int)strtol(argv[++i], NULL, 10);
            continue;
        }
        if (strcmp(argv[i], "-g") == 0 && i + 1 < argc) {
            for (i++, backend = GEMM_REF; strcmp(argv[i], gemm_backend_words[backend]) != 0;)
                if (++backend > GEMM_OWN)
                    return 2;
            continue;
        }
        if (strcmp(argv[i], "-t") == 0 && i + 1 < argc) {
            dtype = strcmp(argv[++i], "f32") == 0 ? GEMM_F32 : GEMM_BF16;
            continue;
        }
        if (strcmp(argv[i], "-m") == 0 && i + 1 < argc) {
            n_rows = (int)strtol(argv[++i], NULL, 10);
            continue;
        }
        if (strcmp(argv[i], "-p") == 0) {
            pack_inside = true;
            continue;
        }
        if (strcmp(argv[i], "-r") == 0) {
            halves = true;
            continue;
        }
        all = false;
        gemm |= strcmp(argv[i], "gemm") == 0;
        attn |= strcmp(argv[i], "attn") == 0;
        ops |= strcmp(argv[i], "ops") == 0;
    }
    struct err e = {0};
    if (gemm_backend_check(backend, GEMM_F32, &e) < 0 ||
        gemm_backend_check(backend, GEMM_BF16, &e) < 0) {
        fprintf(stderr, "kern: %s\n", e.msg);
        return 1;
    }
    measure_peaks();
    for (int t = GEMM_F32; t <= GEMM_BF16; t++)
        for (int m = n_rows ? n_rows : 256, most = n_rows ? n_rows : 1024;
             m <= most && (all || gemm); m *= 4)
            if (dtype < 0 || t == dtype)
                products(m, (enum gemm_dtype)t);
    if (all || attn) {
        for (int t = GEMM_F32; t <= GEMM_BF16; t++) {
            if (dtype >= 0 && t != dtype)
                continue;
            attention(4, 64, 12, 12, 64, (enum gemm_dtype)t);
            attention(1, 1024, 12, 12, 64, (enum gemm_dtype)t);
            attention(1, 1024, 9, 3, 64, (enum gemm_dtype)t);
            attention(1, 4096, 9, 3, 64, (enum gemm_dtype)t);
            attention(1, 16384, 9, 3, 64, (enum gemm_dtype)t);
        }
    }
    if (all || ops)
        elements();
    measure_peaks();
    return 0;
}
