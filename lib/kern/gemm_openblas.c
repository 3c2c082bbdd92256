/*
 * OpenBLAS behind gemm_int.h: one BLAS thread for each tile. Inside a team its OpenMP flavour sees
 * a parallel region (or, in a team of one, a limit of one thread) and stays in the calling thread;
 * its pthread flavour is told to. Its serial flavour always does, but as Debian builds it two
 * threads may not be in it at once, which gave wrong products: there tiles are done one at a time.
 *
 * The library is loaded when it is first asked for: its start-up takes 128 MiB of address space,
 * without which it never returns, and most commands multiply nothing.
 */
#include "kern/gemm_int.h"

#if defined(HAVE_OPENBLAS)

#    include <cblas.h>
#    include <dlfcn.h>
#    include <pthread.h>
#    include <stdio.h>
#    include <string.h>
#    include "base/sys.h"

static struct {
    void (*sgemm)(enum CBLAS_ORDER, enum CBLAS_TRANSPOSE, enum CBLAS_TRANSPOSE, blasint, blasint,
                  blasint, float, const float *, blasint, const float *, blasint, float, float *,
                  blasint);
    void (*sgemv)(enum CBLAS_ORDER, enum CBLAS_TRANSPOSE, blasint, blasint, float, const float *,
                  blasint, const float *, blasint, float, float *, blasint);
    int (*get_parallel)(void);
    void (*set_num_threads)(int);
    bool serial;
    char why[256]; /* it could not be loaded */
} blas;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

/* Up to so many rows, x·wᵀ is a matrix by vectors; sgemm would pack all of w for them. */
#    define FEW_ROWS 8
/* Rows of w that stay in the first cache from one vector to the next. */
#    define GEMV_ROWS 64

/* The length of equal parts of n, of at most `most` and an even number of them. */
static int part(int n, int most)
{
    int parts = (n + most - 1) / most;
    if (n <= 128)
        return n;
    parts += parts & 1;
    return ((n + parts - 1) / parts + 15) / 16 * 16;
}

/* Large tiles, for each packs its operands anew; measured with tests/bench/kern. */
static void cut(enum gemm_kind kind, int m, int n, int k, int *tile_m, int *tile_n)
{
    (void)k;
    *tile_m = kind == GEMM_TN ? part(m, 640) : m <= 512 ? m : part(m, 512);
    *tile_n = kind == GEMM_TN ? (n <= 1536 ? n : part(n, 1536)) : part(n, 640);
}

static void few_rows(int m, int n, int k, const float *x, int ldx, const float *w, int ldw,
                     float *y, int ldy, bool add)
{
    for (int j = 0; j < n; j += GEMV_ROWS)
        for (int i = 0; i < m; i++)
            blas.sgemv(CblasRowMajor, CblasNoTrans, n - j < GEMV_ROWS ? n - j : GEMV_ROWS, k, 1,
                       w + (size_t)j * (size_t)ldw, ldw, x + (size_t)i * (size_t)ldx, 1, add,
                       y + (size_t)i * (size_t)ldy + j, 1);
}

static void tile(enum gemm_kind kind, int m, int n, int k, const float *a, int lda, const float *b,
                 int ldb, float *c, int ldc, bool add)
{
    if (blas.serial)
        pthread_mutex_lock(&one_at_a_time);
    if (kind == GEMM_NT && m <= FEW_ROWS)
        few_rows(m, n, k, a, lda, b, ldb, c, ldc, add);
    else
        blas.sgemm(CblasRowMajor, kind == GEMM_TN ? CblasTrans : CblasNoTrans,
                   kind == GEMM_NT ? CblasTrans : CblasNoTrans, m, n, k, 1, a, lda, b, ldb, add, c,
                   ldc);
    if (blas.serial)
        pthread_mutex_unlock(&one_at_a_time);
}

/* POSIX lets a pointer from dlsym stand for a function; C has no cast for it. */
static int find(void *lib, const char *name, void *function_pointer)
{
    void *p = dlsym(lib, name);

    memcpy(function_pointer, &p, sizeof p);
    return p ? 0 : -1;
}

static void load(void)
{
    void *lib;

    if (sys_mem_available() < (uint64_t)192 << 20) {
        snprintf(blas.why, sizeof blas.why, "too little memory to load OpenBLAS");
        return;
    }
    lib = dlopen(OPENBLAS_SO, RTLD_NOW | RTLD_LOCAL);
    if (!lib || find(lib, "cblas_sgemm", &blas.sgemm) < 0 ||
        find(lib, "cblas_sgemv", &blas.sgemv) < 0 ||
        find(lib, "openblas_get_parallel", &blas.get_parallel) < 0 ||
        find(lib, "openblas_set_num_threads", &blas.set_num_threads) < 0) {
        snprintf(blas.why, sizeof blas.why, "%s", dlerror());
        return;
    }
    blas.serial = blas.get_parallel() == OPENBLAS_SEQUENTIAL;
    if (blas.get_parallel() == OPENBLAS_THREAD)
        blas.set_num_threads(1);
}

int gemm_openblas_prepare(struct err *e)
{
    pthread_once(&loaded, load);
    return blas.why[0] ? err_set(e, "--gemm openblas: %s", blas.why) : 0;
}

const struct gemm_kernels gemm_openblas = {.cut = cut, .tile = tile};

#else
typedef int no_openblas_in_this_build;
#endif
