/* The measured peak: not below what a burst shows, and no more than the processors have. */
#include "base/sys.h"
#include "kern/peak.h"
#include "tap.h"

int main(void)
{
    float sink = 0;
    double from_s = sys_time(), ops = ops_get()->fma_burst(100000, &sink);
    double burst = ops / (sys_time() - from_s), one = peak_flops(GEMM_F32, 1, .05);

    from_s = sys_time();
    double bf16 = peak_flops(GEMM_BF16, 1, .05), time_s = sys_time() - from_s;
    note("f32 %.3g, bf16 %.3g, one burst %.3g operations a second", one, bf16, burst);
    ok(one > 1e6 && one >= burst / 2, "the peak is not below what a burst shows");
    ok(bf16 > one / 4, "bf16 is no slower");
    ok(time_s >= .05 && time_s < 5, "it takes the time that it is given");
    ok(peak_flops(GEMM_F32, 2, .05) > 0, "two threads");
    int n_cpu = sys_n_cpu();
    double all = peak_flops(GEMM_F32, n_cpu, .05), more = peak_flops(GEMM_F32, 8 * n_cpu, .2);
    note("%d threads %.3g, %d threads %.3g", n_cpu, all, 8 * n_cpu, more);
    ok(more < 2.5 * all, "more threads than processors have no more than these");
    return done_testing();
}
