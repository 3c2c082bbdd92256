/*
 * Register kernels and packing of the suite's own products, on a vec_*_int.h. A file with an
 * instruction for pairs of bf16 defines OWN_PAIRS and own_dot, own_words_along, own_words_across;
 * AMX's, which has tiles of its own, OWN_TILES besides, own_tile_of and the packing of a.
 */
#ifndef GEMM_OWN_IMPL_INT_H
#define GEMM_OWN_IMPL_INT_H

#include <math.h>
#include <string.h>
#include "kern/gemm_own_int.h"
#include "kern/math_impl_int.h"

/* Rows of the register tile, beside two vectors: accumulators, b and a fill the registers. */
#if defined(OWN_TILES)
#    define OWN_M 32
#elif VL == 16
#    define OWN_M 14
#elif VL == 8
#    define OWN_M 6
#elif VEC_HAS_FMA /* four lanes, and 32 registers */
#    define OWN_M 12
#else
#    define OWN_M 4
#endif
#define OWN_N (2 * VL)

/* Words that a step of the micro-kernel takes: so few instructions that the processor repeats them
 * out of a buffer. What it saves by that, it has for a higher clock. */
#if VL == 16 && !defined(OWN_PAIRS)
#    define OWN_CHUNK 2
#else
#    define OWN_CHUNK 4
#endif

/* Blocks; measured with tests/bench/kern. */
#if !defined(OWN_KC)
#    define OWN_KC_TILE  1024
#    define OWN_KC       1024
#    define OWN_KC_DGRAD 768
#    define OWN_KC_TEAM  3072
#    define OWN_KC_PUT   0
#    define OWN_JOB_A    (168 / OWN_M)
#    define OWN_JOB_B    (64 / OWN_N)
#    define OWN_ROW_B    (3072 / OWN_N)
#    define OWN_BEGIN    NULL
#    define OWN_END      NULL
#    define OWN_PUT      NULL
#    define OWN_PUT_END  NULL
#endif

/* Words ahead that a cold tile fetches into L1: about what memory takes to answer. */
#define OWN_AHEAD 24

/* Floats ahead that packing prefetches: it reads as many rows as a panel is wide by turns. */
#define AHEAD 64

#if !defined(OWN_PAIRS)
#    define OWN_PER_WORD 1

static ALWAYS_INLINE vf own_dot(vf a, vf b, vf c)
{
    return v_fma(a, b, c);
}

/* The words of n ≤ VL * OWN_PER_WORD elements, zeros behind. */
static ALWAYS_INLINE vf own_words_along(const void *x, size_t n, enum own_source s)
{
    vf v = n == VL ? v_load(x) : v_load_n(x, n);
    return s == OWN_ROUND ? v_bf16_round(v) : v;
}

/* The words of n ≤ VL vectors, from one row of memory (or two: rows 2; ldx elements apart). */
static ALWAYS_INLINE vf own_words_across(const void *x, size_t ldx, int rows, size_t n,
                                         enum own_source s)
{
    (void)ldx, (void)rows;
    return own_words_along(x, n, s);
}
#else
#    define OWN_PER_WORD 2
#endif
#define OWN_PAIRED (OWN_PER_WORD > 1)

/* Whether a word that another follows may be moved as a whole vector: what is too much lies in the
 * next word, which goes over it. */
#define OWN_OVERLAP(width) ((width) < VL && 2 * (width) >= VL)

/* ---- the micro-kernel */

#if !defined(OWN_TILES)
#    define OWN_ROW_UNIT  1
#    define OWN_WORD_UNIT OWN_CHUNK
#    define OWN_FETCHES   true
#    define OWN_IN_PLACE  false

/* Next to the products a step has next to nothing to do: what is not a load takes a product's place
 * in the processor, an addition to a pointer more than a fetch. gcc would keep the sums in memory
 * if a loop might have no turn. */
static ALWAYS_INLINE void own_tile(const int rows, const bool across, const bool cold,
                                   const struct own_operands *o)
{
    vf acc[OWN_M][2];
    const float *a = o->a, *b = o->b;
    float *c = o->c;
    size_t ldc = o->ldc;
    const char *at = (const char *)c, *next = o->ahead.at; /* first c itself */
    ptrdiff_t step = (ptrdiff_t)(ldc * sizeof *c);
    int left = o->n_words / OWN_CHUNK, n = rows;
    for (int r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = v_set(0);
    do {
        n = n < left ? n : left;
        left -= n;
        const float *end = b + (size_t)n * OWN_CHUNK * OWN_N;
        do {
            PREFETCH_L2(at);
            if (cold || OWN_CHUNK > 2)
                PREFETCH_L2(at + OWN_LINE);
            at += step;
            for (int i = 0; i < OWN_CHUNK; i++) {
                if (cold) {
                    PREFETCH(b + (OWN_AHEAD + i) * OWN_N);
                    PREFETCH(b + (OWN_AHEAD + i) * OWN_N + VL);
                }
                vf b0 = v_load(b + i * OWN_N), b1 = v_load(b + i * OWN_N + VL);
                for (int r = 0; r < rows; r++) {
                    vf x = v_set(a[across ? i * rows + r : r * OWN_CHUNK + i]);
                    acc[r][0] = own_dot(x, b0, acc[r][0]);
                    acc[r][1] = own_dot(x, b1, acc[r][1]);
                }
            }
            a += OWN_CHUNK * rows;
            b += OWN_CHUNK * OWN_N;
        } while (b != end);
        at = next;
        next += o->ahead.next;
        step = o->ahead.step;
        n = o->ahead.turn;
    } while (left > 0);
    if (o->add)
        for (int r = 0; r < rows; r++, c += ldc) {
            v_store(c, v_add(v_load(c), acc[r][0]));
            v_store(c + VL, v_add(v_load(c + VL), acc[r][1]));
        }
    else
        for (int r = 0; r < rows; r++, c += ldc) {
            v_store(c, acc[r][0]);
            v_store(c + VL, acc[r][1]);
        }
}

/* Functions for each count of rows, so that every loop over rows is unrolled into registers. */
#    define OWN_ROW(name, n, across, cold)                       \
        static NO_INLINE void name(const struct own_operands *o) \
        {                                                        \
            own_tile(n, across, cold, o);                        \
        }
#    define OWN_ROWS(n)                             \
        OWN_ROW(own_along_##n, n, false, false)     \
        OWN_ROW(own_along_cold_##n, n, false, true) \
        OWN_ROW(own_across_##n, n, true, false)     \
        OWN_ROW(own_across_cold_##n, n, true, true)
OWN_ROWS(1)
OWN_ROWS(2)
OWN_ROWS(3)
OWN_ROWS(4)
#    if OWN_M > 4
OWN_ROWS(5)
OWN_ROWS(6)
#    endif
#    if OWN_M > 6
OWN_ROWS(7)
OWN_ROWS(8)
OWN_ROWS(9)
OWN_ROWS(10)
OWN_ROWS(11)
OWN_ROWS(12)
#    endif
#    if OWN_M > 12
OWN_ROWS(13)
OWN_ROWS(14)
#    endif

#    define OWN_OF(n)                               \
        {                                           \
            {own_along_##n, own_along_cold_##n},    \
            {                                       \
                own_across_##n, own_across_cold_##n \
            }                                       \
        }
static void own_tile_of(const struct own_operands *o)
{
    static void (*const of_rows[][2][2])(const struct own_operands *) = {
        OWN_OF(1),
        OWN_OF(2),
        OWN_OF(3),
        OWN_OF(4),
#    if OWN_M > 4
        OWN_OF(5),
        OWN_OF(6),
#    endif
#    if OWN_M > 6
        OWN_OF(7),
        OWN_OF(8),
        OWN_OF(9),
        OWN_OF(10),
        OWN_OF(11),
        OWN_OF(12),
#    endif
#    if OWN_M > 12
        OWN_OF(13),
        OWN_OF(14),
#    endif
    };
    of_rows[o->rows - 1][o->across][o->cold](o);
}
#endif

/* ---- packing */

/* Words that k elements take in a panel. */
static ALWAYS_INLINE int own_padded(int k)
{
    int n = (k + OWN_PER_WORD - 1) / OWN_PER_WORD;
    return (n + OWN_WORD_UNIT - 1) / OWN_WORD_UNIT * OWN_WORD_UNIT;
}

/* A vector of a panel: past the caches if so is asked, and it is whole. */
static ALWAYS_INLINE void put_words(float *to, vf v, size_t lanes, const bool stream)
{
    if (stream && lanes == VL)
        v_stream(to, v);
    else
        v_st(to, v, lanes);
}

/* A panel of b, which is whole vectors wide. */
static ALWAYS_INLINE void pack_along(float *to, int width, const void *x, size_t ldx, int n, int k,
                                     const enum own_source s, const bool stream)
{
    enum { STEP = VL * OWN_PER_WORD };
    for (int i = 0; i < k; i += STEP, to += VL * width) {
        size_t len = (size_t)(k - i < STEP ? k - i : STEP);
        int words = own_padded((int)len);
        for (int r = 0; r < width; r += VL) {
            float in[VL * VL], out[VL * VL];
            for (int v = 0; v < VL; v++) {
                if (!stream)
                    PREFETCH_WRITE(to + (VL + v) * width + r);
                if (r + v < n)
                    for (int q = 0; q < OWN_PER_WORD; q++)
                        PREFETCH(
                            own_at(x, (size_t)(r + v) * ldx + (size_t)(i + AHEAD + q * VL), s));
                v_store(in + v * VL,
                        r + v < n ? own_words_along(own_at(x, (size_t)(r + v) * ldx + (size_t)i, s),
                                                    len, s)
                                  : v_set(0));
            }
            if (words == VL && !stream) {
                v_transpose(to + r, (size_t)width, in, VL);
                continue;
            }
            v_transpose(out, VL, in, VL);
            for (int w = 0; w < words; w++)
                put_words(to + w * width + r, v_load(out + w * VL), VL, stream);
        }
    }
}

static ALWAYS_INLINE void pack_across(float *to, int width, const void *x, size_t ldx, int n, int k,
                                      const enum own_source s, const bool stream)
{
    int words = own_padded(k), i = 0;
    for (; !OWN_PAIRED && OWN_OVERLAP(width) && n == width && i + 1 < k;
         i++, to += width, x = own_at(x, ldx, s)) {
        PREFETCH(own_at(x, (size_t)width, s));
        v_store(to, own_words_along(x, VL, s));
    }
    for (; i < words; i++, to += width, x = own_at(x, OWN_PER_WORD * ldx, s))
        for (int r = 0; r < width; r += VL) {
            size_t lanes = (size_t)(width - r < VL ? width - r : VL);
            size_t have = n <= r ? 0 : (size_t)(n - r < VL ? n - r : VL);
            int rows = k - i * OWN_PER_WORD;
            for (int q = 0; q < rows && q < OWN_PER_WORD; q++)
                PREFETCH(
                    own_at(x, (size_t)q * ldx + (size_t)(r + width), s)); /* the next panel's */
            put_words(to + r,
                      have && rows > 0
                          ? own_words_across(own_at(x, (size_t)r, s), ldx, rows, have, s)
                          : v_set(0),
                      lanes, stream);
        }
}

/* k rows of all panels of b, `panel` floats apart. A few rows at a time: where the next panel lies
 * in them is still in the first-level cache then, though their length may be a power of two. Where
 * it goes to is fetched, since another thread's cache may hold it. */
static ALWAYS_INLINE void pack_strip(float *to, size_t panel, const void *x, size_t ldx, int n,
                                     int k, const enum own_source s, const bool stream)
{
    enum { UNIT = OWN_PER_WORD * OWN_WORD_UNIT, STEP = UNIT > 8 ? UNIT : 8 };
    enum { LEN = STEP / OWN_PER_WORD * OWN_N };
    for (int i = 0; i < k; i += STEP, x = own_at(x, STEP * ldx, s), to += LEN) {
        float *at = to;
        for (int j = 0; j < n; j += OWN_N, at += panel) {
            for (int q = 0; !stream && j + OWN_N < n && q < LEN; q += VL)
                PREFETCH_WRITE(at + panel + q);
            pack_across(at, OWN_N, own_at(x, (size_t)j, s), ldx, n - j < OWN_N ? n - j : OWN_N,
                        k - i < STEP ? k - i : STEP, s, stream);
        }
    }
}

#if !defined(OWN_TILES)
/* A panel of a whose vectors lie along memory: OWN_CHUNK words of each row in turn, then the next
 * ones. So it is a copy, and a step touches no more lines than if they lay across. */
static ALWAYS_INLINE void pack_rows(float *to, int rows, const void *x, size_t ldx, int k,
                                    const enum own_source s)
{
    enum { STEP = VL * OWN_PER_WORD };
    for (int i = 0; i < k; i += STEP, to += rows * VL, x = own_at(x, STEP, s)) {
        size_t len = (size_t)(k - i < STEP ? k - i : STEP);
        int words = own_padded((int)len);
        for (int r = 0; r < rows; r++) {
            float in[VL];
            const float *from = own_at(x, (size_t)r * ldx, s);
            if (OWN_PAIRED || s != OWN_PLAIN || len < STEP) {
                v_store(in, own_words_along(from, len, s));
                from = in;
            }
            for (int w = 0; w < words; w += OWN_CHUNK)
                memcpy(to + w * rows + r * OWN_CHUNK, from + w, OWN_CHUNK * sizeof *to);
        }
    }
}
#endif

#define OWN_PACK_STRIP(name, source, stream)                                                   \
    static void name##_strip(float *to, size_t panel, const void *x, size_t ldx, int n, int k) \
    {                                                                                          \
        pack_strip(to, panel, x, ldx, n, k, source, stream);                                   \
        if (stream)                                                                            \
            v_stream_end();                                                                    \
    }
#define OWN_PACK_B(name, source, stream)                                         \
    static void name##_along(float *to, int n, const void *x, size_t ldx, int k) \
    {                                                                            \
        pack_along(to, OWN_N, x, ldx, n, k, source, stream);                     \
        if (stream)                                                              \
            v_stream_end();                                                      \
    }                                                                            \
    OWN_PACK_STRIP(name, source, stream)
#define OWN_PACK(name, source)          \
    OWN_PACK_B(name##_b, source, false) \
    OWN_PACK_B(name##_w, source, true)
#define OWN_PACK_A(name, source)                                                       \
    static void name##_a_along(float *to, int rows, const void *x, size_t ldx, int k)  \
    {                                                                                  \
        pack_rows(to, rows, x, ldx, k, source);                                        \
    }                                                                                  \
    static void name##_a_across(float *to, int rows, const void *x, size_t ldx, int k) \
    {                                                                                  \
        pack_across(to, rows, x, ldx, rows, k, source, false);                         \
    }

OWN_PACK(plain, OWN_PLAIN)
#if defined(OWN_PAIRS)
OWN_PACK_STRIP(half_b, OWN_HALF, false)
#    define OWN_FROM_HALF(what) half_##what
#else
#    define OWN_FROM_HALF(what) NULL
#endif
#if !defined(OWN_TILES)
OWN_PACK_A(plain, OWN_PLAIN)
#    if defined(OWN_PAIRS)
OWN_PACK_A(half, OWN_HALF)
#    endif
#endif

#define OWN_TABLE(name)                                                                           \
    {                                                                                             \
        OWN_M, OWN_N, OWN_PER_WORD, OWN_ROW_UNIT, OWN_FETCHES, OWN_IN_PLACE, OWN_WORD_UNIT,       \
            OWN_KC_TILE, OWN_KC, OWN_KC_DGRAD, OWN_KC_TEAM, OWN_KC_PUT, OWN_JOB_A, OWN_JOB_B,     \
            OWN_ROW_B, OWN_BEGIN, OWN_END, own_tile_of, OWN_PUT, OWN_PUT_END,                     \
            {name##_a_along, OWN_FROM_HALF(a_along)}, {name##_a_across, OWN_FROM_HALF(a_across)}, \
            name##_b_along, {name##_b_strip, OWN_FROM_HALF(b_strip)}, name##_w_along,             \
            name##_w_strip                                                                        \
    }

#if defined(OWN_TILES)
const struct own_kernels gemm_own_amx = OWN_TABLE(plain);
#elif defined(OWN_PAIRS)
const struct own_kernels gemm_own_avx512bf16 = OWN_TABLE(plain);
#else
OWN_PACK(rounded, OWN_ROUND)
OWN_PACK_A(rounded, OWN_ROUND)
const struct own_kernels VEC(gemm_own)[2] = {OWN_TABLE(plain), OWN_TABLE(rounded)};
#endif

#endif
