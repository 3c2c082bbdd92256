/* The processor's peak, measured. */
#include "kern/peak.h"

#include "base/sys.h"
#include "kern/peak_int.h"

enum { FIRST_ROUNDS = 64, MAX_THREADS = 1024 };
#define BURST_S 5e-4

struct trial {
    double (*burst)(size_t n, float *sink);
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
        double ops = t->burst(n, &sink), to_s = sys_time(), burst_s = to_s - from_s;
        if (burst_s < BURST_S)
            n *= 2; /* too short to be measured */
        else if (ops / burst_s > best)
            best = ops / burst_s;
        from_s = to_s;
    }
    t->best[w->tid] = best;
}

static double measure(double (*burst)(size_t n, float *sink), int n_threads, double time_s)
{
    double best[MAX_THREADS] = {0}, sum = 0;
    struct trial t = {.burst = burst, .time_s = time_s, .best = best};

    team_run(n_threads, trial_pass, &t);
    for (int i = 0; i < n_threads; i++)
        sum += best[i];
    return sum;
}

double peak_flops(enum gemm_dtype t, int n_threads, double time_s)
{
    int n = n_threads < MAX_THREADS ? n_threads : MAX_THREADS;
    double peak = measure(ops_get()->fma_burst, n, time_s);

#if defined(__x86_64__)
    enum isa isa;
    /* there are processors whose products of bf16 are no faster than those of f32 */
    if (t == GEMM_BF16 && cpu_isa(&isa, NULL) == 0 && cpu_isa_includes(isa, ISA_AVX512BF16)) {
        double bf16 = measure(isa == ISA_AMX ? peak_burst_amx : peak_burst_avx512bf16, n, time_s);
        peak = bf16 > peak ? bf16 : peak;
    }
#endif
    (void)t;
    return peak;
}
