/*
 * OpenBLAS behind gemm_int.h: one BLAS thread for each tile. Inside a team its OpenMP flavour sees
 * a parallel region (or, in a team of one, a limit of one thread) and stays in the calling thread;
 * its serial flavour always does.
 */
#include "kern/gemm_int.h"

#if defined(HAVE_OPENBLAS)

#    include <cblas.h>

static int even_part(int n, int most, int multiple)
{
    int parts = (n + most - 1) / most;
    int part = (n + parts - 1) / parts;
    return (part + multiple - 1) / multiple * multiple;
}

static void cut(enum gemm_kind kind, int m, int n, int k, int *tile_m, int *tile_n)
{
    (void)kind, (void)k;
    *tile_n = even_part(n, 384, 16);
    *tile_m = even_part(m, 512, 16);
}

static void tile(enum gemm_kind kind, int m, int n, int k, const float *a, int lda, const float *b,
                 int ldb, float *c, int ldc, bool add)
{
    cblas_sgemm(CblasRowMajor, kind == GEMM_TN ? CblasTrans : CblasNoTrans,
                kind == GEMM_NT ? CblasTrans : CblasNoTrans, m, n, k, 1, a, lda, b, ldb, add, c,
                ldc);
}

const struct gemm_kernels gemm_openblas = {.cut = cut, .tile = tile};

#else
typedef int no_openblas_in_this_build;
#endif
