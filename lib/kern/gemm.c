/* Matrix products: choice of the backend, tiles, rounding to bf16, what follows each tile. */
#include <string.h>
#include "base/bug.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "kern/gemm_int.h"
#include "kern/gemm_own_int.h"

const char *const gemm_backend_words[] = {"ref", "openblas", "own", NULL};
const char *const gemm_dtype_words[] = {"f32", "bf16", NULL};

struct gemm_weight {
    const float *w;
    float *copy; /* rounded, or for own packed; NULL: w is read in place */
    int n, k;
    enum gemm_backend backend;
    enum gemm_dtype dtype;
    bool with_dgrad;
    struct gemm_source source; /* where w is NULL */
};

/* Floats that a thread rounds or copies at a time. */
#define STRETCH 65536
/* Elements of weights that are packed past the caches: more than a cache keeps until they are used.
 */
#define FAR (8 << 20)

static size_t times(int a, int b)
{
    return (size_t)a * (size_t)b;
}

/* ---- backends */

const struct gemm_kernels *gemm_ref_for(enum isa isa)
{
#if defined(__x86_64__)
    if (cpu_isa_includes(isa, ISA_AVX512))
        return &gemm_ref_avx512;
    if (isa == ISA_AVX2)
        return &gemm_ref_avx2;
#elif defined(__aarch64__)
    if (isa == ISA_NEON)
        return &gemm_ref_neon;
#endif
    (void)isa;
    return &gemm_ref_portable;
}

int gemm_backend_check(enum gemm_backend b, enum gemm_dtype t, struct err *e)
{
    (void)t, (void)e;
#if defined(HAVE_OPENBLAS)
    if (b == GEMM_OPENBLAS)
        return gemm_openblas_prepare(e);
#else
    if (b == GEMM_OPENBLAS)
        return err_usage(e, "--gemm openblas: this build is without OpenBLAS; use own");
#endif
    return 0;
}

enum gemm_backend gemm_backend_default(void)
{
#if defined(HAVE_OPENBLAS)
    if (!cpu_has(ISA_AVX2)) /* its kernels know more processors */
        return GEMM_OPENBLAS;
#endif
    return GEMM_OWN;
}

static const struct gemm_kernels *kernels(enum gemm_backend b)
{
    enum isa isa = ISA_PORTABLE;
    switch (b) {
    case GEMM_REF:
        if (cpu_isa(&isa, NULL) < 0)
            isa = ISA_PORTABLE;
        return gemm_ref_for(isa);
    case GEMM_OPENBLAS:
#if defined(HAVE_OPENBLAS)
        return &gemm_openblas;
#endif
    case GEMM_OWN: /* has products of its own */
        break;
    }
    BUG("gemm backend %d was not checked", (int)b);
}

/* ---- weights */

size_t gemm_weight_bytes(int n, int k, enum gemm_backend b, enum gemm_dtype t, bool with_dgrad)
{
    if (b == GEMM_OWN)
        return gemm_own_weight_floats(n, k, t, with_dgrad) * sizeof(float);
    return t == GEMM_F32 ? 0 : times(n, k) * sizeof(float);
}

struct gemm_weight *gemm_weight_new(const float *w, int n, int k, enum gemm_backend b,
                                    enum gemm_dtype t, bool with_dgrad, void *place, struct err *e)
{
    struct gemm_weight *g = mem_new(1, sizeof *g, e);
    if (g)
        *g = (struct gemm_weight){.w = w,
                                  .copy = gemm_weight_bytes(n, k, b, t, with_dgrad) ? place : NULL,
                                  .n = n,
                                  .k = k,
                                  .backend = b,
                                  .dtype = t,
                                  .with_dgrad = with_dgrad};
    return g;
}

struct gemm_weight *gemm_weight_from(const struct gemm_source *s, int n, int k, enum gemm_dtype t,
                                     void *place, struct err *e)
{
    struct gemm_weight *g = gemm_weight_new(NULL, n, k, GEMM_OWN, t, false, place, e);
    if (g)
        g->source = *s;
    return g;
}

void gemm_weight_free(struct gemm_weight *g)
{
    free(g);
}

bool gemm_far(size_t n_elem)
{
    return n_elem >= FAR;
}

size_t gemm_weight_copies(const struct gemm_weight *g)
{
    return gemm_weight_bytes(g->n, g->k, g->backend, g->dtype, g->with_dgrad);
}

int gemm_weight_job_rows(const struct gemm_weight *g)
{
    return g->backend == GEMM_OWN && g->w ? gemm_own_pack_rows(g->dtype, g->with_dgrad) : 0;
}

static int64_t pack_jobs(const struct gemm_weight *g)
{
    if (g->backend == GEMM_OWN)
        return gemm_own_pack_jobs(g->n, g->dtype, g->with_dgrad);
    return g->copy ? (int64_t)((times(g->n, g->k) + STRETCH - 1) / STRETCH) : 0;
}

void gemm_weight_pack_job(const struct gemm_weight *g, int64_t job, bool far)
{
    if (g->backend == GEMM_OWN) {
        if (g->w)
            gemm_own_pack(g->copy, g->w, g->n, g->k, g->dtype, g->with_dgrad, far, job);
        else
            gemm_own_pack_from(g->copy, &g->source, g->n, g->k, g->dtype, far, job);
        return;
    }
    size_t all = times(g->n, g->k), from = (size_t)job * STRETCH;
    ops_get()->bf16_round(g->copy + from, g->w + from, all - from < STRETCH ? all - from : STRETCH);
}

void gemm_weight_pack(struct worker *wk, struct gemm_weight *const *g, int n_weights)
{
    int64_t n = 0;
    size_t n_elem = 0;
    for (int i = 0; i < n_weights; i++) {
        n += pack_jobs(g[i]);
        n_elem += times(g[i]->n, g[i]->k);
    }
    int at = 0;
    int64_t before = 0; /* jobs of the weights before g[at] */
    TEAM_FOR(wk, i, n)
    {
        if (i < before) /* tiles ascend but where another thread's are begun */
            at = 0, before = 0;
        for (int64_t own; i >= before + (own = pack_jobs(g[at])); at++)
            before += own;
        gemm_weight_pack_job(g[at], i - before, gemm_far(n_elem));
    }
    team_barrier(wk);
}

/* ---- activations in bf16 */

static size_t round_up(size_t n)
{
    return (n + 15) / 16 * 16;
}

size_t gemm_scratch(enum gemm_backend b, enum gemm_dtype t, int m, int n, int k)
{
    if (b == GEMM_OWN)
        return gemm_own_scratch_floats(t, m, n, k) * sizeof(float);
    return t == GEMM_F32 ? 0 : (round_up(times(m, n)) + round_up(times(m, k))) * sizeof(float);
}

/* Rounds x[m, n] (and x2[m, n2]) to rows without gaps; a barrier stands at the end. */
static void round_rows(struct worker *wk, int m, float *to, const float *x, int n, int ldx,
                       float *to2, const float *x2, int n2, int ldx2)
{
    const struct ops *ops = ops_get();
    int rows = 1 + STRETCH / 8 / (n + n2);
    TEAM_FOR(wk, t, (m + rows - 1) / rows)
    {
        int end = (int)(t + 1) * rows < m ? (int)(t + 1) * rows : m;
        for (int r = (int)t * rows; r < end; r++) {
            ops->bf16_round(to + times(r, n), x + times(r, ldx), (size_t)n);
            if (to2)
                ops->bf16_round(to2 + times(r, n2), x2 + times(r, ldx2), (size_t)n2);
        }
    }
    team_barrier(wk);
}

/* ---- products */

void gemm_finish_tile(const struct gemm_epilogue *ep, float *y, int ldy, int row, int col, int m,
                      int n)
{
    const struct ops *ops = ops_get();
    for (int r = row; r < row + m; r++) {
        float *out = y + times(r, ldy) + col;
        if (ep->bias)
            ops->add(out, out, ep->bias + col, (size_t)n);
        if (ep->pre)
            memcpy(ep->pre + times(r, ep->ldpre) + col, out, (size_t)n * sizeof *out);
        if (ep->half)
            ops->act_bf16(ep->act, ep->half + times(r, ep->ldhalf) + col, out, (size_t)n);
        else if (ep->act != ACT_NONE)
            ops->act(ep->act, out, out, (size_t)n);
        if (ep->residual)
            ops->add(out, out, ep->residual + times(r, ep->ldr) + col, (size_t)n);
    }
}

static void product(struct worker *wk, enum gemm_backend backend, enum gemm_kind kind, int m, int n,
                    int k, const float *a, int lda, const float *b, int ldb, float *c, int ldc,
                    bool add, const struct gemm_epilogue *ep)
{
    const struct gemm_kernels *kn = kernels(backend);
    int tm, tn;
    kn->cut(kind, m, n, k, &tm, &tn);
    int across = (n + tn - 1) / tn, down = (m + tm - 1) / tm;
    TEAM_FOR(wk, t, (int64_t)across * down)
    {
        int i = (int)(t % down) * tm, j = (int)(t / down) * tn;
        int rows = m - i < tm ? m - i : tm, cols = n - j < tn ? n - j : tn;
        kn->tile(kind, rows, cols, k, kind == GEMM_TN ? a + i : a + times(i, lda), lda,
                 kind == GEMM_NT ? b + times(j, ldb) : b + j, ldb, c + times(i, ldc) + j, ldc, add);
        if (ep)
            gemm_finish_tile(ep, c, ldc, i, j, rows, cols);
    }
    team_barrier(wk);
}

bool gemm_reads_bf16(enum gemm_backend b, enum gemm_dtype t)
{
    return b == GEMM_OWN && t == GEMM_BF16 && gemm_own_reads_bf16();
}

void gemm_forward(struct worker *wk, const struct gemm_weight *g, int m, struct gemm_rows x,
                  float *y, int ldy, const struct gemm_epilogue *ep, void *scratch)
{
    struct gemm_epilogue rest = {0};
    bool add = false, more = false;
    if (ep) {
        rest = *ep;
        add = ep->accumulate;
        if (ep->residual == y && !add && ep->act == ACT_NONE && !ep->pre) {
            add = true;
            rest.residual = NULL;
        }
        if (add && (rest.act != ACT_NONE || rest.pre || rest.residual == y))
            BUG("an activation cannot follow a sum that accumulates");
        more = rest.bias || rest.pre || rest.half || rest.act != ACT_NONE || rest.residual;
    }
    if (g->backend == GEMM_OWN) {
        gemm_own_product(wk, g->dtype, GEMM_NT, m, g->n, g->k, x, gemm_f32(g->copy, 0), y, ldy, add,
                         more ? &rest : NULL, scratch);
        return;
    }
    if (g->dtype == GEMM_BF16) {
        round_rows(wk, m, scratch, x.at, g->k, x.ld, NULL, NULL, 0, 0);
        x = gemm_f32(scratch, g->k);
    }
    product(wk, g->backend, GEMM_NT, m, g->n, g->k, x.at, x.ld, g->copy ? g->copy : g->w, g->k, y,
            ldy, add, more ? &rest : NULL);
}

void gemm_dgrad(struct worker *wk, const struct gemm_weight *g, int m, struct gemm_rows dy,
                float *dx, int lddx, bool accumulate, void *scratch)
{
    if (g->backend == GEMM_OWN) {
        const float *w = g->w;
        if (gemm_own_keeps_both(g->dtype))
            w = g->copy + gemm_own_weight_floats(g->n, g->k, g->dtype, false);
        gemm_own_product(wk, g->dtype, GEMM_NN, m, g->k, g->n, dy, gemm_f32(w, g->k), dx, lddx,
                         accumulate, NULL, scratch);
        return;
    }
    if (g->dtype == GEMM_BF16) {
        round_rows(wk, m, scratch, dy.at, g->n, dy.ld, NULL, NULL, 0, 0);
        dy = gemm_f32(scratch, g->n);
    }
    product(wk, g->backend, GEMM_NN, m, g->k, g->n, dy.at, dy.ld, g->copy ? g->copy : g->w, g->k,
            dx, lddx, accumulate, NULL);
}

size_t gemm_wgrad_squares(enum gemm_backend b, enum gemm_dtype t, int n, int k)
{
    return b == GEMM_OWN ? gemm_own_tiles(t, n, k) : 0;
}

void gemm_wgrad(struct worker *wk, enum gemm_backend b, enum gemm_dtype t, int m, int n, int k,
                struct gemm_rows dy, struct gemm_rows x, float *dw, int lddw, bool accumulate,
                bool far, double *squares, void *scratch)
{
    if (b == GEMM_OWN) {
        const struct gemm_epilogue ep = {.squares = squares, .far = far};
        gemm_own_product(wk, t, GEMM_TN, n, k, m, dy, x, dw, lddw, accumulate,
                         squares || far ? &ep : NULL, scratch);
        return;
    }
    if (squares)
        BUG("gemm backend %d sums no squares", (int)b);
    if (t == GEMM_BF16) {
        float *dy2 = scratch, *x2 = dy2 + round_up(times(m, n));
        round_rows(wk, m, dy2, dy.at, n, dy.ld, x2, x.at, k, x.ld);
        dy = gemm_f32(dy2, n), x = gemm_f32(x2, k);
    }
    product(wk, b, GEMM_TN, n, k, m, dy.at, dy.ld, x.at, x.ld, dw, lddw, accumulate, NULL);
}
