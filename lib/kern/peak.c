/* The processor's peak, measured. */
#include "kern/peak.h"

#include "base/sys.h"
#include "kern/peak_int.h"

enum { FIRST_ROUNDS = 64, MAX_THREADS = 1024 };
#define BURST_S 5e-4

struct trial {
    enum gemm_dtype dtype;
    double time_s;
    double *best; /* [thread] operations a second */
};

static void trial_pass(struct worker *w, void *arg)
{
    const struct trial *t = arg;
    double begun_s = sys_time(), from_s = begun_s, best = 0;
    size_t n = FIRST_ROUNDS;

    while (from_s - begun_s < t->time_s) {
        float sink = 0;
        double ops = peak_burst(t->dtype, n, &sink), to_s = sys_time(), burst_s = to_s - from_s;
        if (burst_s < BURST_S)
            n *= 2; /* too short to be measured */
        else if (ops / burst_s > best)
            best = ops / burst_s;
        from_s = to_s;
    }
    t->best[w->tid] = best;
}

/* A thread more than there are processors would take turns: its burst has a processor to itself,
 * and a pass over memory may be over before its first turn. */
static int at_once(int n_threads)
{
    int n = sys_n_cpu();
    return n_threads < n ? n_threads : n;
}

static double measure(enum gemm_dtype dtype, int n_threads, double time_s)
{
    double best[MAX_THREADS] = {0}, sum = 0;
    struct trial t = {.dtype = dtype, .time_s = time_s, .best = best};

    team_run(n_threads, trial_pass, &t);
    for (int i = 0; i < n_threads; i++)
        sum += best[i];
    return sum;
}

double peak_burst(enum gemm_dtype t, size_t n, float *sink)
{
#if defined(__x86_64__)
    enum isa isa;
    if (t == GEMM_BF16 && cpu_isa(&isa, NULL) == 0 && cpu_isa_includes(isa, ISA_AVX512BF16))
        return (isa == ISA_AMX ? peak_burst_amx : peak_burst_avx512bf16)(n, sink);
#endif
    (void)t;
    return ops_get()->fma_burst(n, sink);
}

double peak_flops(enum gemm_dtype t, int n_threads, double time_s)
{
    int all = at_once(n_threads), n = all < MAX_THREADS ? all : MAX_THREADS;
    double peak = measure(GEMM_F32, n, time_s), bf16 = 0;

    if (t == GEMM_BF16) /* there are processors whose products of bf16 are no faster */
        bf16 = measure(t, n, time_s);
    return bf16 > peak ? bf16 : peak;
}

/* ---- memory */

enum { READ_PASSES = 3, READ_TILE = 1 << 18 };

struct reading {
    float *v;
    size_t n;
    double time_s[READ_PASSES];
};

static void reading_pass(struct worker *w, void *arg)
{
    struct reading *r = arg;
    const struct ops *k = ops_get();
    int64_t n_tiles = (int64_t)(r->n / READ_TILE);

    TEAM_FOR(w, i, n_tiles)
    for (size_t j = 0; j < READ_TILE; j++) /* written once, so that every page is there */
        r->v[(size_t)i * READ_TILE + j] = (float)j;
    team_barrier(w);
    for (int pass = 0; pass < READ_PASSES; pass++) {
        double from_s = sys_time();
        TEAM_FOR(w, i, n_tiles)
        if (k->max(r->v + i * READ_TILE, READ_TILE) < 0)
            r->v[0] = -1; /* never: so that the sum is needed */
        team_barrier(w);
        if (w->tid == 0)
            r->time_s[pass] = sys_time() - from_s;
    }
}

int peak_read(double *bytes_per_s, int n_threads, struct err *e)
{
    int n = at_once(n_threads);
    size_t most = (size_t)n << 28, have = sys_mem_available() / 4;
    size_t n_bytes =
        (most < have ? most : have) / sizeof(float) / READ_TILE * READ_TILE * sizeof(float);
    struct reading r = {.n = n_bytes / sizeof(float)};

    *bytes_per_s = 0;
    if (n_bytes == 0)
        return err_set(e, "there is no memory left to measure its speed");
    if (!(r.v = sys_pages(n_bytes, e)))
        return -1;
    team_run(n, reading_pass, &r);
    sys_pages_free(r.v, n_bytes);
    for (int i = 0; i < READ_PASSES; i++)
        if ((double)n_bytes / r.time_s[i] > *bytes_per_s)
            *bytes_per_s = (double)n_bytes / r.time_s[i];
    return 0;
}
