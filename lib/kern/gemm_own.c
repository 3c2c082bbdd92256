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
#include <string.h>
#include "base/compiler.h"
#include "kern/gemm_own_int.h"

/* Jobs for each thread at least, where a product is large enough. */
#define JOBS 4
/* Words of k below which a tile is over before what it fetches at its pace has come. */
#define WARM_WORDS 512
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

static const void *elem_at(const void *x, enum gemm_dtype type, size_t i)
{
    return own_at(x, i, type == GEMM_BF16 ? OWN_HALF : OWN_PLAIN);
}

/* The strip of rows [row, row + PACK_ROWS) of x[k, n], as its part of all panels of b. */
static void pack_strip(const struct own_kernels *kn, float *to, const void *x, enum gemm_dtype type,
                       size_t ldx, int n, int k, int row, bool far)
{
    (far ? kn->pack_w_strip : kn->pack_b_strip[type])(
        to + times(row / kn->per_word, kn->nr), times(words(kn, k), kn->nr),
        elem_at(x, type, (size_t)row * ldx), ldx, n, least(k - row, PACK_ROWS));
}

bool gemm_own_reads_bf16(void)
{
    return kernels(GEMM_BF16)->pack_b_strip[GEMM_BF16] != NULL;
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
        pack_strip(kn, to + b_floats(kn, n, k), w, GEMM_F32, (size_t)k, k, n, first, far);
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
    struct gemm_rows a, b;                           /* matrices; b may be packed already */
    float *c;
    int ldc;
    int all_k, kc; /* words of a job's blocks of k, at most */
    bool in_place; /* a is not packed at all */
    bool own_a;    /* a job packs its panels of a */
    bool once;     /* nobody adds to what a tile stores: it goes past the caches */
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

static int panel_rows(const struct product *p, int panel)
{
    return panel_row(p, panel + 1) - panel_row(p, panel);
}

/* What a job's panels of a take for one of its blocks of n_words. */
static size_t own_floats(const struct product *p, int n_words)
{
    return times(parts(p->a_panels, p->a_jobs) * p->kn->mr, least(p->kc, n_words));
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
    p->own_a = !p->in_place && p->a_panels >= jobs * OWN_PANELS;
    if (p->own_a) {
        p->a_jobs = least(p->a_panels, up(p->a_jobs, jobs));
        int n_words = words(kn, least(p->all_k, kn->kc_team * kn->per_word));
        bool places = own_floats(p, n_words) * (size_t)n_threads <= a_floats(kn, p->m, p->all_k);
        p->b_jobs = places ? parts(p->b_panels, kn->row_b) : 1;
    }
    while (p->a_jobs * p->b_jobs < jobs && p->b_jobs < p->b_panels)
        p->b_jobs++;
}

/* ---- packing of a */

/* The panel of a from row, k elements from k0 on. */
static void pack_a(const struct product *p, float *to, int row, int rows, int k0, int k)
{
    const struct gemm_rows *a = &p->a;
    if (p->kind == GEMM_TN)
        p->kn->pack_a_across[a->type](
            to, rows, elem_at(a->at, a->type, times(k0, a->ld) + (size_t)row), (size_t)a->ld, k);
    else
        p->kn->pack_a_along[a->type](
            to, rows, elem_at(a->at, a->type, times(row, a->ld) + (size_t)k0), (size_t)a->ld, k);
}

/* Where the packed panel of a row of c lies. */
static size_t a_at(const struct product *p, int row, int n_words)
{
    return times(up(row, p->kn->row_unit), n_words);
}

/* Panels [i, i_end) of a that a job multiplies: words [w, w + n_words) of rows from `row` on. They
 * are packed, or will be at `to`, each before it is needed. */
struct a_block {
    const float *packed;
    float *to;
    int i, i_end, row, w, n_words;
};

/* Panels [i, i_end) of them: strips across serve many panels at once. */
static void pack_own(const struct product *p, const struct a_block *a, int i, int i_end)
{
    int per_word = p->kn->per_word, from = a->w * per_word;
    int len = least(p->k - from, a->n_words * per_word);
    int step = p->kind == GEMM_TN ? PACK_ROWS / 2 : len;
    for (int at = 0; at < len; at += step)
        for (int ir = i; ir < i_end; ir++) {
            int row = panel_row(p, ir), rows = panel_rows(p, ir);
            pack_a(p,
                   a->to + a_at(p, row - a->row, a->n_words) +
                       times(at / per_word, up(rows, p->kn->row_unit)),
                   row, rows, p->k0 + from + at, least(step, len - at));
        }
}

/* ---- what a tile fetches for those that follow */

/* Panels of b. */
struct b_block {
    int j, j_end, w, n_words;
};

static const float *b_at(const struct product *p, int panel, int w)
{
    return p->packed_b + (size_t)panel * p->b_panel + times(w, p->kn->nr);
}

/* Half of panel ir of a, whose vectors lie along memory: row by row. */
static struct own_ahead ahead_a(const struct product *p, const struct a_block *a, int ir, int half)
{
    int per_word = p->kn->per_word, k = p->k0 + a->w * per_word;
    int size = p->a.type == GEMM_BF16 ? (int)sizeof(uint16_t) : (int)sizeof(float);
    int lines = OWN_LINE * p->kn->word_unit / 2;
    int chunks = parts(a->n_words * per_word * size, lines); /* of a row */
    int row = panel_row(p, ir) + half * parts(a->n_words / p->kn->word_unit, chunks);
    return (struct own_ahead){elem_at(p->a.at, p->a.type, times(row, p->a.ld) + (size_t)k), lines,
                              (ptrdiff_t)size * p->a.ld, chunks};
}

/* Tiles that fetch a panel of b: more lines at a time would make the present tile wait for its own.
 */
#define FETCHES 8

static struct own_ahead ahead_b(const struct product *p, const struct b_block *b, int part)
{
    const float *at =
        b_at(p, b->j + part / FETCHES, b->w + start(part % FETCHES, b->n_words, FETCHES));
    ptrdiff_t step = p->kn->word_unit * p->kn->nr / FETCHES * (ptrdiff_t)sizeof *at;
    return (struct own_ahead){(const char *)at, step, 0, b->n_words};
}

/* ---- jobs */

/* c's part of a panel that is not whole: through a tile of the whole size. */
static void edge_tile(const struct product *p, struct own_operands *o, int rows, int cols)
{
    float tmp[OWN_MAX_TILE] = {0}, *c = o->c;
    size_t ldc = o->ldc;
    int nr = p->kn->nr;
    for (int r = 0; o->add && r < rows; r++)
        memcpy(tmp + r * nr, c + (size_t)r * ldc, (size_t)cols * sizeof *c);
    o->c = tmp;
    o->ldc = (size_t)nr;
    p->kn->tile(o);
    for (int r = 0; r < rows; r++)
        memcpy(c + (size_t)r * ldc, tmp + r * nr, (size_t)cols * sizeof *c);
}

/* The sum of panel ir of a by panel jr of b, c. */
static void leave_squares(const struct product *p, const float *c, int ldc, int ir, int jr)
{
    int nr = p->kn->nr;
    p->ep->squares[times(ir, p->b_panels) + (size_t)jr] =
        ops_get()->sum_squares_rows(c, ldc, least(p->n - jr * nr, nr), panel_rows(p, ir));
}

/* Through a tile that stays in the first-level cache: fetching the lines that are stored would cost
 * as much as to store them. */
static void put_tile(const struct product *p, struct own_operands *o, int ir, int jr, int cols)
{
    _Alignas(64) float tmp[OWN_MAX_TILE];
    float *c = o->c;
    int nr = p->kn->nr;
    o->c = tmp;
    o->ldc = (size_t)nr;
    p->kn->tile(o);
    if (p->ep->squares)
        leave_squares(p, tmp, nr, ir, jr);
    p->kn->put(c, (size_t)p->ldc, tmp, o->rows, cols);
}

static void micro_kernel(const struct product *p, struct own_operands *o, int ir, int jr)
{
    const struct own_kernels *kn = p->kn;
    int col = jr * kn->nr, cols = least(p->n - col, kn->nr);
    o->c = p->c + times(panel_row(p, ir), p->ldc) + col;
    o->ldc = (size_t)p->ldc;
    if (p->once)
        put_tile(p, o, ir, jr, cols);
    else if (cols == kn->nr && o->rows % kn->row_unit == 0)
        kn->tile(o);
    else
        edge_tile(p, o, o->rows, cols);
}

/* What follows the sums of a panel of a by panels of b, whose part of c is still in a cache. */
static void finish(const struct product *p, int ir, const struct b_block *b)
{
    int row = panel_row(p, ir), rows = panel_rows(p, ir), nr = p->kn->nr;
    for (int jr = b->j; p->ep->squares && jr < b->j_end; jr++)
        leave_squares(p, p->c + times(row, p->ldc) + jr * nr, p->ldc, ir, jr);
    gemm_finish_tile(p->ep, p->c, p->ldc, row, b->j * nr, rows,
                     least(p->n, b->j_end * nr) - b->j * nr);
}

/* A block of a by panels of b, which stay in the second-level cache: the loops ir and jr. What
 * comes after them is fetched meanwhile: the first two tiles of a panel of a fetch the next one, or
 * what they have steps for of it, if that is still to be packed, the others next's panels of b. */
static void macro_kernel(const struct product *p, const struct a_block *a, const struct b_block *b,
                         const struct b_block *next)
{
    const struct own_kernels *kn = p->kn;
    int to_fetch = kn->fetches ? FETCHES * (next->j_end - next->j) : 0, fetched = 0;
    bool last = p->last && b->w + b->n_words == p->n_words;
    struct own_operands o = {
        .n_words = b->n_words, .across = p->kind == GEMM_TN, .add = p->add || b->w > 0};
    if (p->in_place)
        o.lda = (size_t)p->a.ld * sizeof(uint16_t);
    for (int ir = a->i; ir < a->i_end; ir++) {
        int row = panel_row(p, ir);
        o.rows = panel_rows(p, ir);
        o.a = p->in_place
                  ? elem_at(p->a.at, GEMM_BF16, times(row, p->a.ld) + (size_t)(p->k0 + 2 * b->w))
                  : a->packed + a_at(p, row - a->row, a->n_words) +
                        times(b->w - a->w, up(o.rows, kn->row_unit));
        if (a->to)
            pack_own(p, a, ir, ir + 1);
        for (int jr = b->j; jr < b->j_end; jr++) {
            o.b = b_at(p, jr, b->w);
            o.cold = ir == a->i || b->n_words < WARM_WORDS;
            o.ahead = (struct own_ahead){(const char *)o.a, 0, 0, b->n_words};
            if (a->to && jr < b->j + 2 && ir + 1 < a->i_end && kn->fetches)
                o.ahead = ahead_a(p, a, ir + 1, jr - b->j);
            else if (fetched < to_fetch)
                o.ahead = ahead_b(p, next, fetched++);
            micro_kernel(p, &o, ir, jr);
        }
        if (last && p->ep && !p->once)
            finish(p, ir, b);
    }
}

/* Where block i of about n_blocks equal ones of len words begins. */
static int block_start(const struct product *p, int len, int i, int n_blocks)
{
    int unit = p->kn->word_unit;
    return start(i, len / unit, n_blocks) * unit;
}

/* Where a job packs its panels of a: in the thread's own place, which stays in its cache, if there
 * is one for each thread; else in the job's. */
static float *own_place(const struct worker *wk, const struct product *p, int i)
{
    if (own_floats(p, p->n_words) * (size_t)wk->n <= a_floats(p->kn, p->m, p->all_k))
        return p->packed_a + own_floats(p, p->n_words) * (size_t)wk->tid;
    return p->packed_a + a_at(p, panel_row(p, i), least(p->kc, p->n_words));
}

/* The g-th panels of b that a job has in the cache at a time, words [w, w_end). */
static struct b_block b_group(const struct product *p, int j, int j_end, int g, int w, int w_end)
{
    int first = j + g * p->kn->job_b;
    return (struct b_block){first, least(j_end, first + p->kn->job_b), w, w_end - w};
}

/* back: from the last panels of b to the first. */
static void block(struct worker *wk, const struct product *p, int64_t job, bool back)
{
    const struct own_kernels *kn = p->kn;
    int64_t ic = job % p->a_jobs, jc = job / p->a_jobs;
    int i = start(ic, p->a_panels, p->a_jobs), i_end = start(ic + 1, p->a_panels, p->a_jobs);
    int j = start(jc, p->b_panels, p->b_jobs), j_end = start(jc + 1, p->b_panels, p->b_jobs);
    int n_blocks = parts(p->n_words, p->kc), n_groups = parts(j_end - j, kn->job_b);
    float *own = p->own_a ? own_place(wk, p, i) : NULL;
    struct a_block a = {p->packed_a, NULL, i, i_end, 0, 0, p->n_words};
    if (kn->begin)
        kn->begin();
    for (int pc = 0; pc < n_blocks; pc++) {
        int w = block_start(p, p->n_words, pc, n_blocks);
        int w_end = block_start(p, p->n_words, pc + 1, n_blocks), len = w_end - w;
        int n_tiles = parts(len, kn->kc_tile);
        bool lazy = own && p->kind != GEMM_TN;
        if (own)
            a = (struct a_block){own, own, i, i_end, panel_row(p, i), w, len};
        if (own && !lazy)
            pack_own(p, &a, i, i_end);
        for (int g = 0; g < n_groups * n_tiles; g++) {
            int turn = g / n_tiles, t = g % n_tiles;
            int from = w + block_start(p, len, t, n_tiles);
            int to = w + block_start(p, len, t + 1, n_tiles);
            struct b_block b = b_group(p, j, j_end, back ? n_groups - 1 - turn : turn, from, to);
            struct b_block next = {0};
            if (++turn < n_groups)
                next = b_group(p, j, j_end, back ? n_groups - 1 - turn : turn, from, to);
            a.to = lazy && g == 0 ? own : NULL;
            macro_kernel(p, &a, &b, &next);
        }
    }
    if (kn->end)
        kn->end();
    if (p->once)
        kn->put_end();
}

/* Strips of k: of b, and of a where its vectors lie across memory. */
static void pack_strips(const struct product *p, int s, float *to_b, bool with_a)
{
    const struct own_kernels *kn = p->kn;
    int from = s * PACK_ROWS, len = least(p->k - from, PACK_ROWS);
    for (int ir = 0; with_a && ir < p->a_panels; ir++) {
        int row = panel_row(p, ir), rows = panel_rows(p, ir);
        pack_a(p,
               p->packed_a + a_at(p, row, p->n_words) +
                   times(from / kn->per_word, up(rows, kn->row_unit)),
               row, rows, p->k0 + from, len);
    }
    if (to_b)
        pack_strip(kn, to_b, elem_at(p->b.at, p->b.type, times(p->k0, p->b.ld)), p->b.type,
                   (size_t)p->b.ld, p->n, p->k, from, false);
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
        pack_a(p, p->packed_a + a_at(p, row, p->n_words), row, panel_rows(p, (int)i), p->k0, p->k);
    }
    team_barrier(wk);
}

size_t gemm_own_tiles(enum gemm_dtype t, int m, int n)
{
    const struct own_kernels *kn = kernels(t);
    return times(parts(m, kn->mr), parts(n, kn->nr));
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
                      int k, struct gemm_rows a, struct gemm_rows b, float *c, int ldc, bool add,
                      const struct gemm_epilogue *ep, float *scratch)
{
    const struct own_kernels *kn = kernels(t);
    bool b_packed = kind == GEMM_NT || (kind == GEMM_NN && keeps_both(kn));
    struct product p = {.kn = kn, .kind = kind, .m = m, .n = n, .a = a, .b = b};
    p.c = c;
    p.ldc = ldc;
    p.ep = ep;
    p.packed_a = scratch;
    p.all_k = k;
    p.kc = kind == GEMM_NN ? kn->kc_dgrad : kn->kc;
    p.in_place = kn->in_place && a.type == GEMM_BF16 && kind != GEMM_TN && m % kn->row_unit == 0;
    cut(&p, wk->n);
    p.once = ep && ep->far && !add && words(kn, k) <= kn->kc_put;
    float *to_b = b_packed ? NULL : scratch + round_up(a_floats(kn, m, k));
    bool back = false;
    for (int step = team_k(kn, k); p.k0 < k; p.k0 += step) {
        p.k = least(k - p.k0, step);
        p.n_words = words(kn, p.k);
        p.add = add || p.k0 > 0;
        p.last = p.k0 + p.k == k;
        p.packed_b = b_packed ? (const float *)b.at + times(p.k0 / kn->per_word, kn->nr) : to_b;
        p.b_panel = times(b_packed ? words(kn, k) : p.n_words, kn->nr);
        if (to_b || !(p.own_a || p.in_place))
            pack_block(wk, &p, to_b);
        TEAM_FOR(wk, job, (int64_t)p.a_jobs * p.b_jobs)
        {
            block(wk, &p, job, back);
            back = !back; /* the last panels of b are still in the cache */
        }
        team_barrier(wk);
    }
}
