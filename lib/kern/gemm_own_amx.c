/*
 * The suite's own products of bf16 for AMX: tdpbf16ps on tiles of 16 rows of 16 words. A panel of b
 * is, 16 words at a time, two tiles beside each other; one of a is one or two tiles above each
 * other, each row of 16 words whole. A tile's product is a sum of its own over 32 elements of k,
 * added to c: these are the links of the chain.
 */
#if defined(__x86_64__)
#    include "kern/gemm_own_int.h"
#    include "kern/gemm_pairs_avx512bf16_int.h"
#    include "kern/tiles_amx_int.h"

#    define OWN_PAIRS
#    define OWN_TILES
#    define OWN_ROW_UNIT  16
#    define OWN_WORD_UNIT 16
#    define OWN_FETCHES   false
#    define OWN_IN_PLACE  true
#    define OWN_KC_TILE   192
#    define OWN_KC        512
#    define OWN_KC_DGRAD  512
#    define OWN_KC_TEAM   4096
#    define OWN_KC_PUT    192
#    define OWN_JOB_A     8
#    define OWN_JOB_B     12
#    define OWN_ROW_B     24
#    define OWN_BEGIN     tiles_begin
#    define OWN_END       tiles_end
#    define OWN_PUT       put_rows
#    define OWN_PUT_END   v_stream_end

enum { ROWS = 16, TILE = 16 * 16 }; /* words of a tile */

static void own_tile_of(const struct own_operands *o)
{
    enum { LDB = 2 * VL * sizeof(float) };
    const float *a = o->a, *b = o->b;
    float *c = o->c;
    size_t ldc = o->ldc;
    int rows = o->rows, n_words = o->n_words;
    bool add = o->add;
    size_t step = ldc * sizeof(float);
    float *low = c + ROWS * ldc, *next = add ? c + 2 * VL : c; /* to be fetched */
    bool both = rows > ROWS;
    size_t lda = o->lda ? o->lda : 64;
    size_t below = o->lda ? ROWS * lda / sizeof *a : TILE; /* from a tile to the next ones */
    size_t behind = o->lda ? VL : both ? 2 * TILE : TILE;

    tiles_load_barrier();
    if (add) {
        _tile_loadd(0, c, step);
        _tile_loadd(1, c + VL, step);
    } else {
        _tile_zero(0);
        _tile_zero(1);
    }
    if (!both) {
        for (int i = 0; i < n_words; i += ROWS, a += behind, b += 2 * TILE) {
            _tile_loadd(4, a, lda);
            _tile_loadd(6, b, LDB);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, b + VL, LDB);
            _tile_dpbf16ps(1, 4, 7);
        }
    } else {
        if (add) {
            _tile_loadd(2, low, step);
            _tile_loadd(3, low + VL, step);
        } else {
            _tile_zero(2);
            _tile_zero(3);
        }
        for (int i = 0; i < n_words; i += ROWS, a += behind, b += 2 * TILE) {
            for (int r = i / 4; i < 8 * ROWS && r < i / 4 + 4; r++) {
                PREFETCH_WRITE(next + (size_t)r * ldc);
                PREFETCH_WRITE(next + (size_t)r * ldc + VL);
            }
            _tile_loadd(4, a, lda);
            _tile_loadd(6, b, LDB);
            _tile_loadd(7, b + VL, LDB);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, a + below, lda);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        _tile_stored(2, low, step);
        _tile_stored(3, low + VL, step);
    }
    _tile_stored(0, c, step);
    _tile_stored(1, c + VL, step);
}

static int whole(int rows)
{
    return (rows + ROWS - 1) / ROWS * ROWS;
}

static void plain_a_along(float *to, int rows, const void *x, size_t ldx, int k);
static void plain_a_across(float *to, int rows, const void *x, size_t ldx, int k);
static void half_a_along(float *to, int rows, const void *x, size_t ldx, int k);
static void half_a_across(float *to, int rows, const void *x, size_t ldx, int k);
static void put_rows(float *c, size_t ldc, const float *tile, int rows, int n);

#    include "kern/gemm_own_impl_int.h"

static ALWAYS_INLINE void tiles_along(float *to, int rows, const void *x, size_t ldx, int k,
                                      const enum own_source s)
{
    enum { STEP = 2 * VL };
    int width = whole(rows);
    for (int r = 0; r < width; r++, to += VL, x = own_at(x, ldx, s)) {
        float *row = to;
        for (int i = 0; i < k; i += STEP, row += width * VL) {
            size_t n = (size_t)(k - i < STEP ? k - i : STEP);
            v_store(row, r < rows ? own_words_along(own_at(x, (size_t)i, s), n, s) : v_set(0));
        }
    }
}

/* Sixteen pairs of rows of x at a time, turned in registers. */
static ALWAYS_INLINE void tiles_across(float *to, int rows, const void *x, size_t ldx, int k,
                                       const enum own_source s)
{
    enum { STEP = 2 * VL };
    for (int i = 0; i < k; i += STEP, x = own_at(x, STEP * ldx, s))
        for (int r = 0; r < rows; r += ROWS, to += TILE) {
            size_t n = (size_t)(rows - r < ROWS ? rows - r : ROWS);
            float in[TILE];
            for (int v = 0; v < VL; v++) {
                int left = k - i - 2 * v;
                const void *from = own_at(x, (size_t)(2 * v) * ldx + (size_t)r, s);
                v_store(in + v * VL, left > 0 ? own_words_across(from, ldx, left, n, s) : v_set(0));
            }
            v_transpose(to, VL, in, VL);
        }
}

static void plain_a_along(float *to, int rows, const void *x, size_t ldx, int k)
{
    tiles_along(to, rows, x, ldx, k, OWN_PLAIN);
}

static void plain_a_across(float *to, int rows, const void *x, size_t ldx, int k)
{
    tiles_across(to, rows, x, ldx, k, OWN_PLAIN);
}

static void half_a_along(float *to, int rows, const void *x, size_t ldx, int k)
{
    tiles_along(to, rows, x, ldx, k, OWN_HALF);
}

static void half_a_across(float *to, int rows, const void *x, size_t ldx, int k)
{
    tiles_across(to, rows, x, ldx, k, OWN_HALF);
}

static void put_rows(float *c, size_t ldc, const float *tile, int rows, int n)
{
    bool lines = ((uintptr_t)c | ldc * sizeof *c) % sizeof(vf) == 0;
    for (int r = 0; r < rows; r++, c += ldc, tile += 2 * VL)
        for (int i = 0; i < n; i += VL) {
            size_t lanes = (size_t)(n - i < VL ? n - i : VL);
            if (lines && lanes == VL)
                v_stream(c + i, v_load(tile + i));
            else
                v_st(c + i, v_load(tile + i), lanes);
        }
}
#else
typedef int no_kernels_of_another_processor;
#endif
