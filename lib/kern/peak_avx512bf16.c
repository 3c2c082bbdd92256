/* Products of bf16 pairs on registers. */
#if defined(__x86_64__)
#    include <immintrin.h>
#    include "kern/peak_int.h"

double peak_burst_avx512bf16(size_t n, float *sink)
{
    enum { CHAINS = 10, LANES = 16, OPS_A_LANE = 4 };
    __m512 s[CHAINS];
    __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(*sink));

    for (int j = 0; j < CHAINS; j++)
        s[j] = _mm512_set1_ps((float)j);
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < CHAINS; j++)
            s[j] = _mm512_dpbf16_ps(s[j], a, a);
    for (int j = 0; j < CHAINS; j++)
        *sink += _mm512_reduce_add_ps(s[j]);
    return (double)CHAINS * LANES * OPS_A_LANE * (double)n;
}
#else
typedef int no_kernels_of_another_processor;
#endif
