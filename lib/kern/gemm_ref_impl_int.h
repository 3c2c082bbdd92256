/*
 * The reference product, the definition of the others: c = Σ a·b by fused multiply-adds from 0 in
 * ascending k, one chain for each output; a gradient of weights, whose k are tokens, takes a chain
 * for each REF_TOK of them, so that the sum over many loses little. Lanes are outputs, so every
 * instruction set gives the same bits. Blocks of outputs and of k (chains wait in acc) only keep
 * operands near.
 */
#ifndef GEMM_REF_IMPL_INT_H
#define GEMM_REF_IMPL_INT_H

#include <math.h>
#include <string.h>
#include "kern/gemm_int.h"

#define REF_M   32
#define REF_N   64
#define REF_K   128
#define REF_TOK 32

static void ref_cut(enum gemm_kind kind, int m, int n, int k, int *tile_m, int *tile_n)
{
    (void)kind, (void)m, (void)n, (void)k;
    *tile_m = REF_M;
    *tile_n = REF_N;
}

static ALWAYS_INLINE vf ref_fma(vf a, vf b, vf c)
{
#if VEC_HAS_FMA
    return v_fma(a, b, c);
#else
    float x[VL], y[VL], z[VL];
    v_store(x, a);
    v_store(y, b);
    v_store(z, c);
    for (int i = 0; i < VL; i++)
        z[i] = fmaf(x[i], y[i], z[i]);
    return v_load(z);
#endif
}

/* acc[REF_N] += Σ a[k * step] · b[k][REF_N] */
static void ref_row(float *acc, const float *a, size_t step, const float *b, int k)
{
    for (int j = 0; j < REF_N; j += 4 * VL) {
        vf s0 = v_load(acc + j), s1 = v_load(acc + j + VL);
        vf s2 = v_load(acc + j + 2 * VL), s3 = v_load(acc + j + 3 * VL);
        for (int i = 0; i < k; i++) {
            vf x = v_set(a[(size_t)i * step]);
            const float *p = b + i * REF_N + j;
            s0 = ref_fma(x, v_load(p), s0);
            s1 = ref_fma(x, v_load(p + VL), s1);
            s2 = ref_fma(x, v_load(p + 2 * VL), s2);
            s3 = ref_fma(x, v_load(p + 3 * VL), s3);
        }
        v_store(acc + j, s0);
        v_store(acc + j + VL, s1);
        v_store(acc + j + 2 * VL, s2);
        v_store(acc + j + 3 * VL, s3);
    }
}

static void ref_pack(enum gemm_kind kind, float *to, const float *b, int ldb, int n, int k0, int k)
{
    memset(to, 0, (size_t)k * REF_N * sizeof *to);
    for (int i = 0; i < k; i++)
        for (int j = 0; j < n; j++)
            to[i * REF_N + j] = kind == GEMM_NT ? b[(size_t)j * (size_t)ldb + (size_t)(k0 + i)]
                                                : b[(size_t)(k0 + i) * (size_t)ldb + (size_t)j];
}

/* c (+)= acc, which is zeroed */
static void ref_store(float *acc, int m, int n, float *c, int ldc, bool add)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float *out = c + (size_t)i * (size_t)ldc + (size_t)j;
            *out = add ? *out + acc[i * REF_N + j] : acc[i * REF_N + j];
        }
    memset(acc, 0, (size_t)m * REF_N * sizeof *acc);
}

/* m ≤ REF_M, n ≤ REF_N */
static void ref_tile(enum gemm_kind kind, int m, int n, int k, const float *a, int lda,
                     const float *b, int ldb, float *c, int ldc, bool add)
{
    float acc[REF_M * REF_N] = {0}, packed[REF_K * REF_N];
    size_t row = kind == GEMM_TN ? 1 : (size_t)lda, step = kind == GEMM_TN ? (size_t)lda : 1;
    int block = kind == GEMM_TN ? REF_TOK : REF_K;
    for (int k0 = 0; k0 < k; k0 += block) {
        int len = k - k0 < block ? k - k0 : block;
        ref_pack(kind, packed, b, ldb, n, k0, len);
        for (int i = 0; i < m; i++)
            ref_row(acc + i * REF_N, a + (size_t)i * row + (size_t)k0 * step, step, packed, len);
        if (kind == GEMM_TN && k0 + block < k) {
            ref_store(acc, m, n, c, ldc, add);
            add = true;
        }
    }
    ref_store(acc, m, n, c, ldc, add);
}

const struct gemm_kernels VEC(gemm_ref) = {.cut = ref_cut, .tile = ref_tile};

#endif
