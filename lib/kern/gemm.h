/*
 * Matrix products, one interface over three backends: ref (scalar, the definition; f32 FMA in
 * ascending k), openblas (one BLAS thread per tile), own (this suite's kernels). All functions are
 * collective: every worker of the team calls them with the same arguments; no tile may have been
 * claimed since the last barrier, and a barrier stands at their end. Results do
 * not depend on the number of threads: tiles are cut by shape, or (own) no bit depends on their
 * cut. An output element's accumulation order depends on k alone (ref, own).
 *
 * Matrices are row-major with a leading dimension in elements. Weights are [n, k] = [out, in].
 * dtype BF16 rounds both inputs to bf16 (nearest even) and accumulates in f32.
 */
#ifndef KERN_GEMM_H
#define KERN_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/team.h"
#include "kern/ops.h"
#include "quern/err.h"

enum gemm_backend { GEMM_REF, GEMM_OPENBLAS, GEMM_OWN };
enum gemm_dtype { GEMM_F32, GEMM_BF16 };
extern const char *const gemm_backend_words[]; /* for OPT_CHOICE: "ref", "openblas", "own", NULL */
extern const char *const gemm_dtype_words[];   /* "f32", "bf16", NULL */
/* -1 and a reason if this build or machine lacks the backend for the dtype; else the backend is
 * made ready. To be called once before its first product. */
int gemm_backend_check(enum gemm_backend b, enum gemm_dtype t, struct err *e);
/* own; on a machine that has no AVX2, openblas where that is built in. */
enum gemm_backend gemm_backend_default(void);

/* A weight matrix with the copies that a backend wants: packed once per optimiser step. */
struct gemm_weight;
/* w stays the caller's, [n, k], and so does place: gemm_weight_bytes() bytes for the copies, at 64
 * bytes' alignment. f32 backends that need no copy read w in place. */
struct gemm_weight *gemm_weight_new(const float *w, int n, int k, enum gemm_backend b,
                                    enum gemm_dtype t, bool with_dgrad, void *place, struct err *e);
/* The same of a matrix that is nowhere in memory: fetch gives elements [at, at + n) of it, from any
 * thread, while gemm_weight_pack() runs. Own products only, without with_dgrad. */
struct gemm_source {
    void (*fetch)(const void *self, int which, size_t at, size_t n, float *to);
    const void *self;
    int which;
};
struct gemm_weight *gemm_weight_from(const struct gemm_source *s, int n, int k, enum gemm_dtype t,
                                     void *place, struct err *e);
size_t gemm_weight_bytes(int n, int k, enum gemm_backend b, enum gemm_dtype t, bool with_dgrad);
/* Collective: after the weights have changed, before the next product. */
void gemm_weight_pack(struct worker *wk, struct gemm_weight *const *g, int n_weights);
/* The same by whoever changes the weights: job j packs rows [j, j + 1) * gemm_weight_job_rows(),
 * which are final, in any thread. No rows: there is nothing to pack, or not by rows. far: it is
 * part of more than a cache keeps. */
int gemm_weight_job_rows(const struct gemm_weight *g);
void gemm_weight_pack_job(const struct gemm_weight *g, int64_t job, bool far);
size_t gemm_weight_copies(const struct gemm_weight *g); /* bytes */
bool gemm_far(size_t n_elem); /* whether so many elements of weights are */
void gemm_weight_free(struct gemm_weight *g);

/* Rows of an input: floats, or bf16 as they would be rounded to, for own products where
 * gemm_reads_bf16() says so. Those need zeros behind each, up to a multiple of 32. */
struct gemm_rows {
    const void *at;
    int ld; /* elements */
    enum gemm_dtype type;
};
bool gemm_reads_bf16(enum gemm_backend b, enum gemm_dtype t);
static inline struct gemm_rows gemm_f32(const float *x, int ld)
{
    return (struct gemm_rows){x, ld, GEMM_F32};
}

/* What happens to an element before it is stored, in this order. */
struct gemm_epilogue {
    const float *bias; /* [n] added, or NULL */
    float *pre;        /* [m, n] keeps the value before the activation (its gradient needs it), */
    int ldpre;         /* or NULL */
    enum act_kind act; /* ACT_NONE: none */
    const float *residual; /* [m, n] with leading dimension ldr added, or NULL; may be y itself */
    int ldr;
    bool accumulate; /* y += instead of y = */
    uint16_t *half; /* [m, n] gets act(y) as bf16, and y keeps the value before; or NULL. With it */
    int ldhalf;     /* no pre, no residual */
    /* gemm_wgrad()'s alone: */
    double *squares;
    bool far;
};

/* scratch below: gemm_scratch() bytes, 64-byte aligned, shared by the team; NULL where that is 0.
 * It suffices for all three products of these sizes, and for all smaller ones. */
size_t gemm_scratch(enum gemm_backend b, enum gemm_dtype t, int m, int n, int k);

/* y[m, n] = x[m, k] · w[n, k]ᵀ; ep may be NULL */
void gemm_forward(struct worker *wk, const struct gemm_weight *g, int m, struct gemm_rows x,
                  float *y, int ldy, const struct gemm_epilogue *ep, void *scratch);
/* dx[m, k] = dy[m, n] · w[n, k]; accumulate adds to dx */
void gemm_dgrad(struct worker *wk, const struct gemm_weight *g, int m, struct gemm_rows dy,
                float *dx, int lddx, bool accumulate, void *scratch);
/* dw[n, k] += dy[m, n]ᵀ · x[m, k]; accumulate false: =. squares, or NULL: gets Σ dw² of each part
 * of the new dw, by ops.h's sum_squares_rows(); parts are cut by n and k alone.
 * far: dw is part of more than a cache keeps until it is read. */
void gemm_wgrad(struct worker *wk, enum gemm_backend b, enum gemm_dtype t, int m, int n, int k,
                struct gemm_rows dy, struct gemm_rows x, float *dw, int lddw, bool accumulate,
                bool far, double *squares, void *scratch);
/* How many parts that are; 0: the backend sums nothing, squares must be NULL. */
size_t gemm_wgrad_squares(enum gemm_backend b, enum gemm_dtype t, int n, int k);

#endif
