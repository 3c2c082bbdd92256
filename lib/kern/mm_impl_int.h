/*
 * The small product of attention, on a vec_*_int.h: c[m, n_vec·VL] from a[m, k] and b[k, n_vec·VL].
 * Element (r, i) of a is at a[r·a_row + i·a_step], so a transpose costs nothing. An element of c is
 * one chain of fused multiply-adds in ascending k from where it starts, whatever m is.
 */
#ifndef MM_IMPL_INT_H
#define MM_IMPL_INT_H

#include "kern/math_impl_int.h"

/* Rows and vectors of a register tile, so that accumulators and operands fit the registers. */
#if VL == 16
#    define MM_M 6
#    define MM_N 4
#elif VL == 8
#    define MM_M 6
#    define MM_N 2
#else
#    define MM_M 4
#    define MM_N 2
#endif

/* A file may define it for words that hold more than one element. */
#if !defined(MM_DOT)
#    define MM_DOT(a, b, c) v_fma(a, b, c)
#endif

enum mm_start {
    MM_ZERO,  /* c = a·b */
    MM_ADD,   /* c = c + a·b */
    MM_SCALED /* c = c·alpha[row] + a·b */
};

struct mm {
    const float *a, *b;
    size_t a_row, a_step, ldb;
    float *c;
    size_t ldc;
    int k;
    enum mm_start start;
    const float *alpha;
};

static ALWAYS_INLINE void mm_tile(const struct mm *p, const int rows, const int vecs, int row,
                                  int vec)
{
    vf acc[MM_M][MM_N];
    const float *a = p->a + (size_t)row * p->a_row, *b = p->b + vec * VL;
    float *c = p->c + (size_t)row * p->ldc + vec * VL;
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vecs; j++) {
            acc[r][j] = p->start == MM_ZERO ? v_set(0) : v_load(c + (size_t)r * p->ldc + j * VL);
            if (p->start == MM_SCALED)
                acc[r][j] = v_mul(acc[r][j], v_set(p->alpha[row + r]));
        }
    for (int i = 0; i < p->k; i++, a += p->a_step, b += p->ldb) {
        vf y[MM_N];
        for (int j = 0; j < vecs; j++)
            y[j] = v_load(b + j * VL);
        for (int r = 0; r < rows; r++) {
            vf x = v_set(a[(size_t)r * p->a_row]);
            for (int j = 0; j < vecs; j++)
                acc[r][j] = MM_DOT(x, y[j], acc[r][j]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vecs; j++)
            v_store(c + (size_t)r * p->ldc + j * VL, acc[r][j]);
}

#define MM_ROWS(n)                 \
case n:                            \
    mm_tile(p, n, vecs, row, vec); \
    break

static ALWAYS_INLINE void mm_column(const struct mm *p, const int vecs, int row, int m, int vec)
{
    switch (m) {
        MM_ROWS(1);
        MM_ROWS(2);
        MM_ROWS(3);
        MM_ROWS(4);
#if MM_M > 4
        MM_ROWS(5);
        MM_ROWS(6);
#endif
    }
}

#define MM_VECS(n)                \
case n:                           \
    mm_column(p, n, row, m, vec); \
    break

/* Rows [row, row + m), m ≤ MM_M; the caller goes on to the next rows, perhaps with another k. */
static NO_INLINE void mm_rows(const struct mm *p, int row, int m, int n_vec)
{
    for (int vec = 0; vec < n_vec; vec += MM_N)
        switch (n_vec - vec < MM_N ? n_vec - vec : MM_N) {
            MM_VECS(1);
            MM_VECS(2);
#if MM_N > 2
            MM_VECS(3);
            MM_VECS(4);
#endif
        }
}

#endif
