/*
 * The suite's own products: the loops around the micro-kernel, by the names of BLIS.
 *
 *     5th loop  jc   columns of a job        4th  pc   blocks of k
 *     3rd loop  ic   rows of a job           2nd  ir   panels of a
 *     1st loop  jr   panels of b             then the micro-kernel over k
 *
 * Threads share the fifth and the third: a job is a block of c, claimed dynamically. Nothing here
 * changes the chain of an element of c but the blocks of k, and these depend on k alone.
 */
#include <string.h>
#include "kern/gemm_own_int.h"

/* Words of k in a block at most: a panel of a stays in the first-level cache, a job's panels of b
 * in the second. */
#define KC 768
/* Panels of a and of b in a job at most; measured with tests/bench/kern. */
#define JOB_A 16
#define JOB_B 8
/* Jobs that a product is cut into where it is large enough. */
#define JOBS 12
/* Rows that a job packs across. */
#define PACK_ROWS 64

static int parts(int n, int most)
{
    return (n + most - 1) / most;
}

/* Where part i of n begins, of equal parts but for one. */
static int start(int64_t i, int n, int n_parts)
{
    return (int)(i * n / n_parts);
}

static size_t times(int a, int b)
{
    return (size_t)a * (size_t)b;
}

static const struct own_kernels *kernels(enum gemm_dtype t)
{
    enum isa isa = ISA_PORTABLE;
    if (cpu_isa(&isa, NULL) < 0)
        isa = ISA_PORTABLE;
#if defined(__x86_64__)
    if (cpu_isa_includes(isa, ISA_AVX512BF16) && t == GEMM_BF16)
        return &gemm_own_avx512bf16;
    if (cpu_isa_includes(isa, ISA_AVX512))
        return &gemm_own_avx512[t];
    if (isa == ISA_AVX2)
        return &gemm_own_avx2[t];
#endif
    return &gemm_own_portable[t];
}

static int words(const struct own_kernels *kn, int k)
{
    return parts(k, kn->per_word);
}

/* ---- packing */

static size_t panels_floats(const struct own_kernels *kn, int n, int k)
{
    return times(parts(n, kn->nr), kn->nr) * (size_t)words(kn, k);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* The strip of rows [row, row + PACK_ROWS) of x[k, n], as its part of all panels of width nr. */
static void pack_strip(const struct own_kernels *kn, float *to, const float *x, size_t ldx, int n,
                       int k, int row)
{
    size_t panel = times(words(kn, k), kn->nr);
    to += times(row / kn->per_word, kn->nr);
    x += (size_t)row * ldx;
    for (int j = 0; j < n; j += kn->nr, to += panel)
        kn->pack_across(to, kn->nr, x + j, ldx, least(n - j, kn->nr), least(k - row, PACK_ROWS));
}

size_t gemm_own_weight_floats(int n, int k, enum gemm_dtype t, bool with_dgrad)
{
    const struct own_kernels *kn = kernels(t);
    return panels_floats(kn, n, k) + (with_dgrad ? panels_floats(kn, k, n) : 0);
}

int64_t gemm_own_pack_jobs(int n, enum gemm_dtype t, bool with_dgrad)
{
    return parts(n, kernels(t)->nr) + (with_dgrad ? parts(n, PACK_ROWS) : 0);
}

void gemm_own_pack(float *to, const float *w, int n, int k, enum gemm_dtype t, int64_t job)
{
    const struct own_kernels *kn = kernels(t);
    int j = (int)job, panels = parts(n, kn->nr), first = j * kn->nr;
    if (j < panels)
        kn->pack_along(to + times(first, words(kn, k)), kn->nr, w + times(first, k), (size_t)k,
                       least(n - first, kn->nr), k);
    else
        pack_strip(kn, to + panels_floats(kn, n, k), w, (size_t)k, k, n, (j - panels) * PACK_ROWS);
}

static size_t round_up(size_t n)
{
    return (n + 15) / 16 * 16;
}

size_t gemm_own_scratch_floats(enum gemm_dtype t, int m, int n, int k)
{
    const struct own_kernels *kn = kernels(t);
    size_t forward = times(m, words(kn, k)), dgrad = times(m, words(kn, n));
    size_t wgrad = round_up(times(n, words(kn, m))) + panels_floats(kn, k, m);
    size_t most = forward > dgrad ? forward : dgrad;
    return round_up(most > wgrad ? most : wgrad);
}

/* ---- products */

struct product {
    const struct own_kernels *kn;
    int m, n, n_words;
    int a_panels, b_panels, a_jobs, b_jobs; /* of all c */
    const float *a, *b;                     /* packed */
    float *c;
    int ldc;
    bool add;
};

/* Blocks of c for the threads, by shape. */
static void cut(struct product *p)
{
    int most_a = JOB_A, most_b = JOB_B;
    p->a_panels = parts(p->m, p->kn->mr);
    p->b_panels = parts(p->n, p->kn->nr);
    for (;;) {
        p->a_jobs = parts(p->a_panels, most_a);
        p->b_jobs = parts(p->b_panels, most_b);
        if (p->a_jobs * p->b_jobs >= JOBS || most_b == 1)
            break;
        most_b /= 2;
    }
}

/* c's part of a panel that is not whole: through a tile of the whole width. */
static void edge_tile(const struct product *p, int rows, int cols, int n_words, const float *a,
                      const float *b, float *c, bool add)
{
    float tmp[OWN_MAX_TILE];
    p->kn->tile(rows, n_words, a, b, tmp, (size_t)p->kn->nr, false);
    for (int r = 0; r < rows; r++, c += p->ldc)
        for (int j = 0; j < cols; j++)
            c[j] = add ? c[j] + tmp[r * p->kn->nr + j] : tmp[r * p->kn->nr + j];
}

/* The inner loops over panels [i, i_end) of a and [j, j_end) of b, words [pc, pc_end). */
static void macro_kernel(const struct product *p, int i, int i_end, int j, int j_end, int pc,
                         int pc_end)
{
    int nr = p->kn->nr, n_words = pc_end - pc;
    bool add = p->add || pc > 0;
    for (int ir = i; ir < i_end; ir++) {
        int row = start(ir, p->m, p->a_panels), rows = start(ir + 1, p->m, p->a_panels) - row;
        const float *a = p->a + times(row, p->n_words) + times(pc, rows);
        for (int jr = j; jr < j_end; jr++) {
            const float *b = p->b + times(jr, nr) * (size_t)p->n_words + times(pc, nr);
            int col = jr * nr, cols = least(p->n - col, nr);
            float *c = p->c + times(row, p->ldc) + col;
            if (cols == nr)
                p->kn->tile(rows, n_words, a, b, c, (size_t)p->ldc, add);
            else
                edge_tile(p, rows, cols, n_words, a, b, c, add);
        }
    }
}

static void block(const struct product *p, int64_t job, const struct gemm_epilogue *ep)
{
    int64_t ic = job % p->a_jobs, jc = job / p->a_jobs;
    int i = start(ic, p->a_panels, p->a_jobs), i_end = start(ic + 1, p->a_panels, p->a_jobs);
    int j = start(jc, p->b_panels, p->b_jobs), j_end = start(jc + 1, p->b_panels, p->b_jobs);
    int k_blocks = parts(p->n_words, KC);
    for (int pc = 0; pc < k_blocks; pc++)
        macro_kernel(p, i, i_end, j, j_end, start(pc, p->n_words, k_blocks),
                     start(pc + 1, p->n_words, k_blocks));
    if (ep) {
        int row = start(i, p->m, p->a_panels), col = j * p->kn->nr;
        gemm_finish_tile(ep, p->c, p->ldc, row, col, start(i_end, p->m, p->a_panels) - row,
                         least(p->n, j_end * p->kn->nr) - col);
    }
}

/* Both operands of the weight gradient in strips of rows of k, shared by the team. */
static void pack_rows(struct worker *wk, const struct product *p, float *to_a, const float *a,
                      int lda, float *to_b, const float *b, int ldb, int k)
{
    TEAM_FOR(wk, s, parts(k, PACK_ROWS))
    {
        int at = (int)s * PACK_ROWS, len = least(k - at, PACK_ROWS);
        const float *from = a + times(at, lda);
        for (int ir = 0; ir < p->a_panels; ir++) {
            int row = start(ir, p->m, p->a_panels), rows = start(ir + 1, p->m, p->a_panels) - row;
            p->kn->pack_across(to_a + times(row, p->n_words) + times(at / p->kn->per_word, rows),
                               rows, from + row, (size_t)lda, rows, len);
        }
        pack_strip(p->kn, to_b, b, (size_t)ldb, p->n, k, at);
    }
    team_barrier(wk);
}

/* The panels of a whose vectors are its rows. */
static void pack_panels(struct worker *wk, const struct product *p, float *to, const float *a,
                        int lda, int k)
{
    TEAM_FOR(wk, ir, p->a_panels)
    {
        int row = start(ir, p->m, p->a_panels), rows = start(ir + 1, p->m, p->a_panels) - row;
        p->kn->pack_along(to + times(row, p->n_words), rows, a + times(row, lda), (size_t)lda, rows,
                          k);
    }
    team_barrier(wk);
}

void gemm_own_product(struct worker *wk, enum gemm_dtype t, enum gemm_kind kind, int m, int n,
                      int k, const float *a, int lda, const float *b, int ldb, float *c, int ldc,
                      bool add, const struct gemm_epilogue *ep, float *scratch)
{
    const struct own_kernels *kn = kernels(t);
    struct product p = {.kn = kn, .m = m, .n = n, .n_words = words(kn, k), .a = scratch, .b = b};
    p.c = c;
    p.ldc = ldc;
    p.add = add;
    cut(&p);
    if (kind == GEMM_TN) {
        float *to_b = scratch + round_up(times(m, p.n_words));
        p.b = to_b;
        pack_rows(wk, &p, scratch, a, lda, to_b, b, ldb, k);
    } else {
        pack_panels(wk, &p, scratch, a, lda, k);
    }
    TEAM_FOR(wk, job, (int64_t)p.a_jobs * p.b_jobs)
    block(&p, job, ep);
    team_barrier(wk);
}
