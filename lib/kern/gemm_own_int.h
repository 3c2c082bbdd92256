/*
 * The suite's own products: what gemm_own.c asks of an instruction set, and what it gives to
 * gemm.c. After BLIS (Van Zee & van de Geijn 2015) with Goto's packing (Goto & van de Geijn 2008).
 *
 * Packed operands are made of words of 32 bits: a float, or a pair of bf16 that follow each other
 * along k (the second of an odd k's last pair is zero). A panel holds, for each word along k in
 * turn, the words of its `width` vectors: panel[i * width + r] is word i of vector r.
 *
 *     c[m, n] = a · b    a in panels of about equal width, at most mr; b in panels of width nr,
 *                        zeros behind the last vector
 */
#ifndef GEMM_OWN_INT_H
#define GEMM_OWN_INT_H

#include "base/cpu.h"
#include "kern/gemm_int.h"

struct own_kernels {
    int mr, nr;   /* rows and columns of the register tile */
    int per_word; /* elements along k in a word */
    /* c[rows, nr] = (or +=) Σ over n_words of the panels a (width rows ≤ mr) and b, each element
     * one chain from 0 in ascending k, whatever rows is */
    void (*tile)(int rows, int n_words, const float *a, const float *b, float *c, size_t ldc,
                 bool add);
    /* Panels of vectors that lie along memory, x[r·ldx + i], or across it, x[i·ldx + r]: n ≤ width
     * of them, k elements each, zeros behind. */
    void (*pack_along)(float *to, int width, const float *x, size_t ldx, int n, int k);
    void (*pack_across)(float *to, int width, const float *x, size_t ldx, int n, int k);
};

enum { OWN_MAX_TILE = 1024 }; /* mr * nr at most */

/* By enum gemm_dtype; without an instruction for pairs, bf16 is floats that were rounded. */
extern const struct own_kernels gemm_own_portable[2];
#if defined(__x86_64__)
extern const struct own_kernels gemm_own_avx2[2], gemm_own_avx512[2], gemm_own_avx512bf16;
#endif

/* Floats of a packed [n, k] weight: for the forward product, and behind it for the gradient. */
size_t gemm_own_weight_floats(int n, int k, enum gemm_dtype t, bool with_dgrad);
/* Packing in jobs that any thread may do. */
int64_t gemm_own_pack_jobs(int n, enum gemm_dtype t, bool with_dgrad);
void gemm_own_pack(float *to, const float *w, int n, int k, enum gemm_dtype t, int64_t job);

size_t gemm_own_scratch_floats(enum gemm_dtype t, int m, int n, int k);

/* As gemm_int.h's tile, but collective and of the whole c, with a barrier at its end. b is the
 * weight as packed, or for GEMM_TN the matrix. */
void gemm_own_product(struct worker *wk, enum gemm_dtype t, enum gemm_kind kind, int m, int n,
                      int k, const float *a, int lda, const float *b, int ldb, float *c, int ldc,
                      bool add, const struct gemm_epilogue *ep, float *scratch);

#endif
