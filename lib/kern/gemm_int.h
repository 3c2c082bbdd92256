/*
 * What a backend gives to gemm.c: one tile of a product, computed by one thread.
 *
 *     GEMM_NT  c[m, n] = a[m, k] · b[n, k]ᵀ      forward: x · wᵀ
 *     GEMM_NN  c[m, n] = a[m, k] · b[k, n]       input gradient: dy · w
 *     GEMM_TN  c[m, n] = a[k, m]ᵀ · b[k, n]      weight gradient: dyᵀ · x
 *
 * add: c += instead. The cut gives the rows and columns of c in a tile, by shape alone.
 */
#ifndef GEMM_INT_H
#define GEMM_INT_H

#include "kern/gemm.h"

enum gemm_kind { GEMM_NT, GEMM_NN, GEMM_TN };

struct gemm_kernels {
    void (*cut)(enum gemm_kind kind, int m, int n, int k, int *tile_m, int *tile_n);
    void (*tile)(enum gemm_kind kind, int m, int n, int k, const float *a, int lda, const float *b,
                 int ldb, float *c, int ldc, bool add);
};

extern const struct gemm_kernels gemm_ref_portable;
#if defined(__x86_64__)
extern const struct gemm_kernels gemm_ref_avx2, gemm_ref_avx512;
#elif defined(__aarch64__)
extern const struct gemm_kernels gemm_ref_neon;
#endif
#if defined(HAVE_OPENBLAS)
extern const struct gemm_kernels gemm_openblas;
/* Loads the library; before the first product. -1: it cannot be had. */
int gemm_openblas_prepare(struct err *e);
#endif

/* What of ep follows the sum, for rows [row, row + m) and columns [col, col + n) of y. */
void gemm_finish_tile(const struct gemm_epilogue *ep, float *y, int ldy, int row, int col, int m,
                      int n);

/* The reference for an instruction set: the same bits from each. */
const struct gemm_kernels *gemm_ref_for(enum isa isa);

#endif
