/* Products of tiles of bf16. */
#if defined(__x86_64__)
#    include <immintrin.h>
#    include "kern/peak_int.h"
#    include "kern/tiles_amx_int.h"

double peak_burst_amx(size_t n, float *sink)
{
    enum { CHAINS = 4, OPS = 2 * 16 * 16 * 32 };
    ALIGNED(64) uint16_t a[16 * 32];
    ALIGNED(64) float c[16 * 16];

    for (int i = 0; i < 16 * 32; i++)
        a[i] = 0x3f00; /* 0.5 */
    tiles_begin();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    tiles_load_barrier();
    _tile_loadd(4, a, 64);
    _tile_loadd(5, a, 64);
    _tile_loadd(6, a, 64);
    _tile_loadd(7, a, 64);
    for (size_t i = 0; i < n; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, 64);
    *sink += c[0];
    tiles_end();
    return (double)CHAINS * OPS * (double)n;
}
#else
typedef int no_kernels_of_another_processor;
#endif
