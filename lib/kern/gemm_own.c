/*
 * The suite's own products: the loops around the micro-kernel, by the names of BLIS.
 *
 *     4th loop  pc   blocks of k that the team packs
 *     5th loop  jc   columns of a job        3rd  ic   rows of a job
 *     inside a job   blocks of k again
 *     2nd loop  ir   panels of a             1st  jr   panels of b, then the micro-kernel over k
 *
 * Threads share the fifth and the third: a job is a block of c, claimed dynamically. Nothing here
 * changes the chain of an element of c but the blocks of k, and these depend on k alone.
 */
#include <limits.h>
#include <string.h>
#include "base/compiler.h"
#include "kern/gemm_own_int.h"

/* Jobs for each thread at least, where a product is large enough. */
#define JOBS 4
/* Panels of a, at least, for which a job goes through all of b. */
#define OWN_PANELS 6
/* Rows that are packed across at a time. */
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

static int least(int a, int b)
{
    return a < b ? a : b;
}

static size_t times(int a, int b)
{
    return (size_t)a * (size_t)b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t round_up(size_t n)
{
    return (n + 15) / 16 * 16;
}

static int up(int n, int unit)
{
    return parts(n, unit) * unit;
}

static const struct own_kernels *kernels(enum gemm_dtype t)
{
    enum isa isa = ISA_PORTABLE;
    if (cpu_isa(&isa, NULL) < 0)
        isa = ISA_PORTABLE;
#if defined(__x86_64__)
    if (isa == ISA_AMX && t == GEMM_BF16)
        return &gemm_own_amx;
    if (cpu_isa_includes(isa, ISA_AVX512BF16) && t == GEMM_BF16)
        return &gemm_own_avx512bf16;
    if (cpu_isa_includes(isa, ISA_AVX512))
        return &gemm_own_avx512[t];
    if (isa == ISA_AVX2)
        return &gemm_own_avx2[t];
#elif defined(__aarch64__)
    if (isa == ISA_NEON)
        return &gemm_own_neon[t];
#endif
    return &gemm_own_portable[t];
}

static int words(const struct own_kernels *kn, int k)
{
    return up(parts(k, kn->per_word), kn->word_unit);
}

/* ---- packed weights */

/* A second layout for the gradient: with pairs along n it is none that a copy of rows gives. */
static bool keeps_both(const struct own_kernels *kn)
{
    return kn->per_word > 1;
}

static size_t b_floats(const struct own_kernels *kn, int n, int k)
{
    return times(up(n, kn->nr), words(kn, k));
}

/* The strip of rows [row, row + PACK_ROWS) of x[k, n], as its part of all panels of b. */
static void pack_strip(const struct own_kernels *kn, float *to, const float *x, size_t ldx, int n,
                       int k, int row, bool far)
{
    void (*pack)(float *, int, const float *, size_t, int) =
        far ? kn->pack_w_across : kn->pack_b_across;
    size_t panel = times(words(kn, k), kn->nr);
    to += times(row / kn->per_word, kn->nr);
    x += (size_t)row * ldx;
    for (int j = 0; j < n; j += kn->nr, to += panel)
        pack(to, least(n - j, kn->nr), x + j, ldx, least(k - row, PACK_ROWS));
}

bool gemm_own_keeps_both(enum gemm_dtype t)
{
    return keeps_both(kernels(t));
}

size_t gemm_own_weight_floats(int n, int k, enum gemm_dtype t, bool with_dgrad)
{
    const struct own_kernels *kn = kernels(t);
    return b_floats(kn, n, k) + (with_dgrad && keeps_both(kn) ? b_floats(kn, k, n) : 0);
}

/* A job takes a panel's rows; of two layouts, PACK_ROWS, so that memory is read once. */
int gemm_own_pack_rows(enum gemm_dtype t, bool with_dgrad)
{
    const struct own_kernels *kn = kernels(t);
    return with_dgrad && keeps_both(kn) ? PACK_ROWS : kn->nr;
}

int64_t gemm_own_pack_jobs(int n, enum gemm_dtype t, bool with_dgrad)
{
    return parts(n, gemm_own_pack_rows(t, with_dgrad));
}

void gemm_own_pack(float *to, const float *w, int n, int k, enum gemm_dtype t, bool with_dgrad,
                   bool far, int64_t job)
{
    const struct own_kernels *kn = kernels(t);
    bool both = with_dgrad && keeps_both(kn);
    int step = both ? PACK_ROWS : kn->nr, first = (int)job * step, end = least(n, first + step);
    for (int j = first; j < end; j += kn->nr)
        (far ? kn->pack_w_along : kn->pack_b_along)(
            to + times(j, words(kn, k)), least(n - j, kn->nr), w + times(j, k), (size_t)k, k);
    if (both)
        pack_strip(kn, to + b_floats(kn, n, k), w, (size_t)k, k, n, first, far);
}

/* The rows of a panel, a stretch of them at a time. */
void gemm_own_pack_from(float *to, const struct gemm_source *s, int n, int k, enum gemm_dtype t,
                        bool far, int64_t job)
{
    enum { STRETCH = 512 };
    const struct own_kernels *kn = kernels(t);
    int first = (int)job * kn->nr, rows = least(n - first, kn->nr);
    float x[OWN_MAX_NR * STRETCH];

    to += times(first, words(kn, k));
    for (int at = 0; at < k; at += STRETCH) {
        int len = least(k - at, STRETCH);
        for (int r = 0; r < rows; r++)
            s->fetch(s->self, s->which, times(first + r, k) + (size_t)at, (size_t)len,
                     x + r * STRETCH);
        (far ? kn->pack_w_along : kn->pack_b_along)(to + times(at / kn->per_word, kn->nr), rows, x,
                                                    STRETCH, len);
    }
}

/* ---- products */

/* The length of about equal blocks of k for the team. */
static int team_k(const struct own_kernels *kn, int k)
{
    int most_k = kn->kc_team * kn->per_word;
    return least(up(parts(k, parts(k, most_k)), PACK_ROWS), most_k);
}

static size_t a_floats(const struct own_kernels *kn, int m, int k)
{
    return times(up(m, kn->row_unit), words(kn, least(k, kn->kc_team * kn->per_word)));
}

struct product {
    const struct own_kernels *kn;
    enum gemm_kind kind;
    int m, n;
    int a_units, a_panels, b_panels, a_jobs, b_jobs; /* of all c */
    const float *a, *b;                              /* matrices; b NULL: it is packed already */
    int lda, ldb;
    float *c;
    int ldc;
    int all_k;
    bool own_a; /* a job packs its panels of a */
    const struct gemm_epilogue *ep;
    /* the team's block of k */
    bool add, last;
    int k0, k, n_words;
    float *packed_a;
    const float *packed_b;
    size_t b_panel; /* floats from panel to panel of b */
};

/* The row of c where a panel of a begins: about equal panels, whole row_units. */
static int panel_row(const struct product *p, int panel)
{
    return least(start(panel, p->a_units, p->a_panels) * p->kn->row_unit, p->m);
}

/* What a job's panels of a take for one of its blocks of n_words. */
static size_t own_floats(const struct product *p, int n_words)
{
    return times(parts(p->a_panels, p->a_jobs) * p->kn->mr, least(p->kn->kc, n_words));
}

/* Blocks of c for n_threads: no bit depends on them. Where there are many rows, a job takes many
 * columns and packs its part of a itself: with a place for each thread, or all columns. */
static void cut(struct product *p, int n_threads)
{
    const struct own_kernels *kn = p->kn;
    int jobs = n_threads > 1 ? JOBS * n_threads : 1;
    p->a_units = parts(p->m, kn->row_unit);
    p->a_panels = parts(p->m, kn->mr);
    p->b_panels = parts(p->n, kn->nr);
    p->a_jobs = parts(p->a_panels, kn->job_a);
    p->b_jobs = parts(p->b_panels, kn->job_b);
    p->own_a = p->a_panels >= jobs * OWN_PANELS;
    if (p->own_a) {
        p->a_jobs = least(p->a_panels, up(p->a_jobs, jobs));
        int n_words = words(kn, least(p->all_k, kn->kc_team * kn->per_word));
        bool places = own_floats(p, n_words) * (size_t)n_threads <= a_floats(kn, p->m, p->all_k);
        p->b_jobs = places ? parts(p->b_panels, kn->row_b) : 1;
    }
    while (p->a_jobs * p->b_jobs < jobs && p->b_jobs < p->b_panels)
        p->b_jobs++;
}

/* The panel of a from row, words [0, n_words) of it and k elements from k0 on. */
static void pack_a(const struct product *p, float *to, int row, int rows, int k0, int k)
{
    if (p->kind == GEMM_TN)
        p->kn->pack_a_across(to, rows, p->a + times(k0, p->lda) + row, (size_t)p->lda, k);
    else
        p->kn->pack_a_along(to, rows, p->a + times(row, p->lda) + k0, (size_t)p->lda, k);
}

/* Where the packed panel of a row of c lies. */
static size_t a_at(const struct product *p, int row, int n_words)
{
    return times(up(row, p->kn->row_unit), n_words);
}

/* The job's panels [i, i_end) of a, words [w, w_end), at `to`. */
static void pack_own(const struct product *p, float *to, int i, int i_end, int w, int w_end)
{
    int from = w * p->kn->per_word, len = least(p->k - from, (w_end - w) * p->kn->per_word);
    int first = panel_row(p, i), step = p->kind == GEMM_TN ? PACK_ROWS / 2 : len;
    for (int at = 0; at < len; at += step)
        for (int ir = i; ir < i_end; ir++) {
            int row = panel_row(p, ir), rows = panel_row(p, ir + 1) - row;
            pack_a(p,
                   to + a_at(p, row - first, w_end - w) +
                       times(at / p->kn->per_word, up(rows, p->kn->row_unit)),
                   row, rows, p->k0 + from + at, least(step, len - at));
        }
}

/* Panels [i, i_end) of a that a job multiplies: words [w, w + n_words) of rows from `row` on. They
 * are packed, or will be at `to`, each before it is needed. */
struct a_block {
    const float *packed;
    float *to;
    int i, i_end, row, w, n_words;
};

static int panel_rows(const struct product *p, int panel)
{
    return panel_row(p, panel + 1) - panel_row(p, panel);
}

static void pack_panel(const struct product *p, const struct a_block *a, int ir)
{
    int from = a->w * p->kn->per_word, row = panel_row(p, ir);
    pack_a(p, a->to + a_at(p, row - a->row, a->n_words), row, panel_rows(p, ir), p->k0 + from,
           least(p->k - from, a->n_words * p->kn->per_word));
}

/* ---- what a tile fetches for those that follow */

/* What is in the cache already. */
static struct own_ahead ahead_none(const float *here)
{
    return (struct own_ahead){(const char *)here, 0, 0, INT_MAX};
}

/* Panel ir of a, whose vectors lie along memory: a line of each in turn. */
static struct own_ahead ahead_a(const struct product *p, const struct a_block *a, int ir)
{
    int k = p->k0 + a->w * p->kn->per_word, rows = panel_rows(p, ir);
    ptrdiff_t row_bytes = (ptrdiff_t)sizeof *p->a * p->lda;
    return (struct own_ahead){(const char *)(p->a + times(panel_row(p, ir), p->lda) + k), row_bytes,
                              64 - rows * row_bytes, rows};
}

/* Part i of n of a panel of b. */
static struct own_ahead ahead_b(const struct product *p, const float *b, int n_words, int i, int n)
{
    const float *at = b + times(start(i, n_words, n), p->kn->nr);
    return (struct own_ahead){(const char *)at, (ptrdiff_t)sizeof *b * p->kn->nr / n, 0, INT_MAX};
}

/* ---- jobs */

/* c's part of a panel that is not whole: through a tile of the whole size. */
static void edge_tile(const struct product *p, int rows, int cols, int n_words, const float *a,
                      const float *b, float *c, bool add, const struct own_ahead *ahead)
{
    float tmp[OWN_MAX_TILE] = {0};
    int nr = p->kn->nr;
    for (int r = 0; add && r < rows; r++)
        memcpy(tmp + r * nr, c + times(r, p->ldc), (size_t)cols * sizeof *c);
    p->kn->tile(rows, n_words, a, b, tmp, (size_t)nr, add, ahead);
    for (int r = 0; r < rows; r++)
        memcpy(c + times(r, p->ldc), tmp + r * nr, (size_t)cols * sizeof *c);
}

static void micro_kernel(const struct product *p, int row, int rows, int jr, int n_words,
                         const float *a, const float *b, bool add, const struct own_ahead *ahead)
{
    const struct own_kernels *kn = p->kn;
    int col = jr * kn->nr, cols = least(p->n - col, kn->nr);
    float *c = p->c + times(row, p->ldc) + col;
    if (cols == kn->nr && rows % kn->row_unit == 0)
        kn->tile(rows, n_words, a, b, c, (size_t)p->ldc, add, ahead);
    else
        edge_tile(p, rows, cols, n_words, a, b, c, add, ahead);
}

/* Words [w, w_end) of a block of a by panels [j, j_end) of b, which stay in the second-level cache:
 * the loops ir and jr. As many panels after them are fetched meanwhile, of those before job_end. */
static void macro_kernel(const struct product *p, const struct a_block *a, int j, int j_end,
                         int job_end, int w, int w_end)
{
    const struct own_kernels *kn = p->kn;
    const float *b = p->packed_b + times(w, kn->nr);
    bool last = p->last && w_end == p->n_words, add = p->add || w > 0;
    for (int ir = a->i; ir < a->i_end; ir++) {
        int row = panel_row(p, ir), rows = panel_rows(p, ir);
        const float *panel =
            a->packed + a_at(p, row - a->row, a->n_words) + times(w - a->w, up(rows, kn->row_unit));
        if (a->to)
            pack_panel(p, a, ir);
        for (int jr = j; jr < j_end; jr++) {
            int next = jr + j_end - j;
            struct own_ahead ahead = ahead_none(panel);
            if (a->to && jr == j && ir + 1 < a->i_end)
                ahead = ahead_a(p, a, ir + 1);
            else if (next < job_end)
                ahead = ahead_b(p, b + (size_t)next * p->b_panel, w_end - w, ir - a->i,
                                a->i_end - a->i);
            micro_kernel(p, row, rows, jr, w_end - w, panel, b + (size_t)jr * p->b_panel, add,
                         &ahead);
        }
        if (last && p->ep)
            gemm_finish_tile(p->ep, p->c, p->ldc, row, j * kn->nr, rows,
                             least(p->n, j_end * kn->nr) - j * kn->nr);
    }
}

/* Where block i of about n_blocks equal ones of the team's words begins. */
static int block_start(const struct product *p, int from, int len, int i, int n_blocks)
{
    int unit = p->kn->word_unit;
    return from + start(i, len / unit, n_blocks) * unit;
}

/* Where a job packs its panels of a: in the thread's own place, which stays in its cache, if there
 * is one for each thread; else in the job's. */
static float *own_place(const struct worker *wk, const struct product *p, int i)
{
    if (own_floats(p, p->n_words) * (size_t)wk->n <= a_floats(p->kn, p->m, p->all_k))
        return p->packed_a + own_floats(p, p->n_words) * (size_t)wk->tid;
    return p->packed_a + a_at(p, panel_row(p, i), least(p->kn->kc, p->n_words));
}

static void block(struct worker *wk, const struct product *p, int64_t job)
{
    const struct own_kernels *kn = p->kn;
    int64_t ic = job % p->a_jobs, jc = job / p->a_jobs;
    int i = start(ic, p->a_panels, p->a_jobs), i_end = start(ic + 1, p->a_panels, p->a_jobs);
    int j = start(jc, p->b_panels, p->b_jobs), j_end = start(jc + 1, p->b_panels, p->b_jobs);
    int n_blocks = parts(p->n_words, kn->kc);
    float *own = p->own_a ? own_place(wk, p, i) : NULL;
    struct a_block a = {p->packed_a, NULL, i, i_end, 0, 0, p->n_words};
    if (kn->begin)
        kn->begin();
    for (int pc = 0; pc < n_blocks; pc++) {
        int w = block_start(p, 0, p->n_words, pc, n_blocks);
        int len = block_start(p, 0, p->n_words, pc + 1, n_blocks) - w,
            n_tiles = parts(len, kn->kc_tile);
        bool lazy = own && p->kind != GEMM_TN; /* strips across serve many panels at once */
        if (own)
            a = (struct a_block){own, NULL, i, i_end, panel_row(p, i), w, len};
        if (own && !lazy)
            pack_own(p, own, i, i_end, w, w + len);
        for (int jr = j; jr < j_end; jr += kn->job_b)
            for (int t = 0; t < n_tiles; t++) {
                a.to = lazy && jr == j && t == 0 ? own : NULL;
                macro_kernel(p, &a, jr, least(j_end, jr + kn->job_b), j_end,
                             block_start(p, w, len, t, n_tiles),
                             block_start(p, w, len, t + 1, n_tiles));
            }
    }
    if (kn->end)
        kn->end();
}

/* Strips of k: of b, and of a where its vectors lie across memory. */
static void pack_strips(const struct product *p, int s, float *to_b, bool with_a)
{
    const struct own_kernels *kn = p->kn;
    int at = s * PACK_ROWS, len = least(p->k - at, PACK_ROWS);
    for (int ir = 0; with_a && ir < p->a_panels; ir++) {
        int row = panel_row(p, ir), rows = panel_row(p, ir + 1) - row;
        pack_a(p,
               p->packed_a + a_at(p, row, p->n_words) +
                   times(at / kn->per_word, up(rows, kn->row_unit)),
               row, rows, p->k0 + at, len);
    }
    if (to_b)
        pack_strip(kn, to_b, p->b + times(p->k0, p->ldb), (size_t)p->ldb, p->n, p->k, at, false);
}

/* What the jobs read, packed by the team: a whole panel of a or a strip of k at a time. */
static void pack_block(struct worker *wk, const struct product *p, float *to_b)
{
    bool a_strips = p->kind == GEMM_TN && !p->own_a;
    int panels = p->kind == GEMM_TN || p->own_a ? 0 : p->a_panels;
    int strips = to_b || a_strips ? parts(p->k, PACK_ROWS) : 0;
    TEAM_FOR(wk, i, panels + strips)
    {
        if (i >= panels) {
            pack_strips(p, (int)i - panels, to_b, a_strips);
            continue;
        }
        int row = panel_row(p, (int)i);
        pack_a(p, p->packed_a + a_at(p, row, p->n_words), row, panel_row(p, (int)i + 1) - row,
               p->k0, p->k);
    }
    team_barrier(wk);
}

size_t gemm_own_scratch_floats(enum gemm_dtype t, int m, int n, int k)
{
    const struct own_kernels *kn = kernels(t);
    int most_k = kn->kc_team * kn->per_word;
    size_t forward = a_floats(kn, m, k), dgrad = a_floats(kn, m, n), wgrad = a_floats(kn, n, m);
    wgrad = round_up(wgrad) + b_floats(kn, k, least(m, most_k));
    if (!keeps_both(kn))
        dgrad = round_up(dgrad) + b_floats(kn, k, least(n, most_k));
    return round_up(most(most(forward, dgrad), wgrad));
}

void gemm_own_product(struct worker *wk, enum gemm_dtype t, enum gemm_kind kind, int m, int n,
                      int k, const float *a, int lda, const float *b, int ldb, float *c, int ldc,
                      bool add, const struct gemm_epilogue *ep, float *scratch)
{
    const struct own_kernels *kn = kernels(t);
    bool b_packed = kind == GEMM_NT || (kind == GEMM_NN && keeps_both(kn));
    struct product p = {.kn = kn, .kind = kind, .m = m, .n = n, .a = a, .lda = lda, .b = b};
    p.ldb = ldb;
    p.c = c;
    p.ldc = ldc;
    p.ep = ep;
    p.packed_a = scratch;
    p.all_k = k;
    cut(&p, wk->n);
    float *to_b = b_packed ? NULL : scratch + round_up(a_floats(kn, m, k));
    for (int step = team_k(kn, k); p.k0 < k; p.k0 += step) {
        p.k = least(k - p.k0, step);
        p.n_words = words(kn, p.k);
        p.add = add || p.k0 > 0;
        p.last = p.k0 + p.k == k;
        p.packed_b = b_packed ? b + times(p.k0 / kn->per_word, kn->nr) : to_b;
        p.b_panel = times(b_packed ? words(kn, k) : p.n_words, kn->nr);
        if (!b_packed || !p.own_a)
            pack_block(wk, &p, to_b);
        TEAM_FOR(wk, job, (int64_t)p.a_jobs * p.b_jobs)
        block(wk, &p, job);
        team_barrier(wk);
    }
}
