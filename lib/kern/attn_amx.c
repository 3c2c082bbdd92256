/* Attention on pairs of bf16 for AMX: tdpbf16ps on tiles of 16 rows of 16 words. */
#if defined(__x86_64__)
#    include "kern/gemm_pairs_avx512bf16_int.h"
#    include "kern/tiles_amx_int.h"

/* One or two tiles above each other by one or two beside each other. */
static ALWAYS_INLINE void product_tiles(float *c, size_t ldc, const float *a, size_t lda,
                                        const float *b, size_t ldb, int words, bool add,
                                        const bool two_rows, const bool two_cols)
{
    enum { N = 16 };
    size_t c_step = ldc * sizeof *c, a_step = lda * sizeof *a, b_step = ldb * sizeof *b;
    float *low = c + N * ldc;
    if (add) {
        _tile_loadd(0, c, c_step);
        if (two_cols)
            _tile_loadd(1, c + N, c_step);
        if (two_rows)
            _tile_loadd(2, low, c_step);
        if (two_rows && two_cols)
            _tile_loadd(3, low + N, c_step);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int i = 0; i < words; i += N, a += N, b += N * ldb) {
        _tile_loadd(4, a, a_step);
        _tile_loadd(6, b, b_step);
        _tile_dpbf16ps(0, 4, 6);
        if (two_cols) {
            _tile_loadd(7, b + N, b_step);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (two_rows) {
            _tile_loadd(5, a + N * lda, a_step);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (two_rows && two_cols)
            _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_step);
    if (two_cols)
        _tile_stored(1, c + N, c_step);
    if (two_rows)
        _tile_stored(2, low, c_step);
    if (two_rows && two_cols)
        _tile_stored(3, low + N, c_step);
}

static NO_INLINE void product(float *c, size_t ldc, const float *a, size_t lda, const float *b,
                              size_t ldb, int m, int n, int words, bool add)
{
    tiles_load_barrier();
    for (int i = 0; i < m; i += 32, c += 32 * ldc, a += 32 * lda)
        for (int j = 0; j < n; j += 32) {
            bool rows = m - i > 16, cols = n - j > 16;
            if (rows && cols)
                product_tiles(c + j, ldc, a, lda, b + j, ldb, words, add, true, true);
            else if (rows)
                product_tiles(c + j, ldc, a, lda, b + j, ldb, words, add, true, false);
            else if (cols)
                product_tiles(c + j, ldc, a, lda, b + j, ldb, words, add, false, true);
            else
                product_tiles(c + j, ldc, a, lda, b + j, ldb, words, add, false, false);
        }
    tiles_load_barrier();
}

#    include "kern/attn_pairs_impl_int.h"

const struct attn_kernels attn_amx = ATTN_PAIRS_TABLE(tiles_begin, tiles_end);
#else
typedef int no_kernels_of_another_processor;
#endif
