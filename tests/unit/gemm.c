/* Products of every backend against double precision, for all small and some large sizes. */
#include "base/half.h"
#include "kern/gemm.h"
#include "kern_test.h"

enum what { FORWARD, DGRAD, WGRAD };

struct job {
    enum gemm_backend b;
    enum gemm_dtype t;
    enum what what;
    int m, n, k, pad;
    float *x, *w, *dy; /* [m, k+pad], [n, k], [m, n+pad] */
    bool half;         /* x and dy are given as bf16 */
    uint16_t *half_x, *half_dy;
    float *out; /* [m, n+pad], [m, k+pad] or [n, k+pad] */
    bool accumulate;
    bool far;
    double *squares;
    const struct gemm_epilogue *ep;
    bool failed;
    struct gemm_weight *g;
    void *scratch;
};

/* Rows of bf16 have zeros up to a multiple of 32, and here something else behind. */
static int half_ld(int n)
{
    return (n + 31) / 32 * 32 + 32;
}

/* NULL: there are no rows. */
static uint16_t *halves(const float *x, int m, int n, int ldx)
{
    int ld = half_ld(n);
    uint16_t *h = x ? malloc((size_t)m * (size_t)ld * sizeof *h) : NULL;
    for (int r = 0; h && r < m; r++)
        for (int i = 0; i < ld; i++)
            h[r * ld + i] = i < n ? bf16_from_f32(x[r * ldx + i]) : i < ld - 32 ? 0 : 0x7fc0;
    return h;
}

static void pass_of(struct worker *w, void *arg)
{
    struct job *j = arg;
    int ldx = j->k + j->pad, ldy = j->n + j->pad;
    struct gemm_rows x = gemm_f32(j->x, ldx), dy = gemm_f32(j->dy, ldy);
    if (j->half) {
        x = (struct gemm_rows){j->half_x, half_ld(j->k), GEMM_BF16};
        dy = (struct gemm_rows){j->half_dy, half_ld(j->n), GEMM_BF16};
    }
    if (j->g)
        gemm_weight_pack(w, &j->g, 1);
    switch (j->what) {
    case FORWARD:
        gemm_forward(w, j->g, j->m, x, j->out, ldy, j->ep, j->scratch);
        break;
    case DGRAD:
        gemm_dgrad(w, j->g, j->m, dy, j->out, ldx, j->accumulate, j->scratch);
        break;
    case WGRAD:
        gemm_wgrad(w, j->b, j->t, j->m, j->n, j->k, dy, x, j->out, ldx, j->accumulate, j->far,
                   j->squares, j->scratch);
        break;
    }
}

static float *copied(const float *v, size_t n)
{
    return memcpy(malloc((n + 1) * sizeof *v), v, n * sizeof *v);
}

/* As filled(), for the time to draw large matrices again and again would be most of the test's:
 * stretches of the same numbers, drawn before there is a process for each instruction set. */
enum { DRAWN = 4 << 20, APART = 10007 };
static float *drawn;

static float *some(size_t n, size_t stream)
{
    if (n + stream * APART > DRAWN)
        bail_out("too few numbers are drawn");
    return copied(drawn + stream * APART, n);
}

/* What the product reads. */
static void fill_operands(struct job *j)
{
    size_t m = (size_t)j->m, n = (size_t)j->n, k = (size_t)j->k, pad = (size_t)j->pad;
    j->x = j->what == DGRAD ? NULL : some(m * (k + pad), 1);
    j->w = j->what == WGRAD ? NULL : some(n * k, 2);
    j->dy = j->what == FORWARD ? NULL : some(m * (n + pad), 3);
}

static void free_operands(struct job *j)
{
    free(j->x), free(j->w), free(j->dy);
}

static void run(struct job *j, int threads)
{
    struct err e = {0};
    size_t bytes = gemm_scratch(j->b, j->t, j->m, j->n, j->k);
    size_t copies = gemm_weight_bytes(j->n, j->k, j->b, j->t, true);
    void *place = copies ? aligned_alloc(64, (copies + 63) / 64 * 64) : NULL;
    j->g = j->w ? gemm_weight_new(j->w, j->n, j->k, j->b, j->t, true, place, &e) : NULL;
    j->scratch = bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
    j->half_x = j->half ? halves(j->x, j->m, j->k, j->k + j->pad) : NULL;
    j->half_dy = j->half ? halves(j->dy, j->m, j->n, j->n + j->pad) : NULL;
    team_run(threads, pass_of, j);
    gemm_weight_free(j->g);
    free(j->half_x), free(j->half_dy);
    free(place);
    free(j->scratch);
}

static double value(const struct job *j, float v)
{
    return (double)(j->t == GEMM_BF16 ? bf16_to_f32(bf16_from_f32(v)) : v);
}

static size_t out_size(const struct job *j, int *rows, int *cols, int *ld)
{
    *rows = j->what == WGRAD ? j->n : j->m;
    *cols = j->what == FORWARD ? j->n : j->k;
    *ld = *cols + j->pad;
    return (size_t)*rows * (size_t)*ld;
}

/* The product alone, [rows, cols], and of each element the sum of absolute values. */
struct sums {
    double *sum, *size;
};

static struct sums reference(const struct job *j)
{
    int rows, cols, ld, ldx = j->k + j->pad, ldy = j->n + j->pad;
    int len = j->what == FORWARD ? j->k : j->what == DGRAD ? j->n : j->m;
    size_t n = out_size(j, &rows, &cols, &ld);
    struct sums s = {calloc(n, sizeof *s.sum), calloc(n, sizeof *s.size)};
    double *b = malloc((size_t)len * (size_t)cols * sizeof *b);
    for (int i = 0; i < len; i++)
        for (int c = 0; c < cols; c++)
            b[i * cols + c] = value(j, j->what == FORWARD ? j->w[c * j->k + i]
                                       : j->what == DGRAD ? j->w[i * j->k + c]
                                                          : j->x[i * ldx + c]);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < len; i++) {
            double a = value(j, j->what == FORWARD ? j->x[r * ldx + i]
                                : j->what == DGRAD ? j->dy[r * ldy + i]
                                                   : j->dy[i * ldy + r]);
            for (int c = 0; c < cols; c++) {
                double p = a * b[i * cols + c];
                s.sum[r * cols + c] += p;
                s.size[r * cols + c] += fabs(p);
            }
        }
    free(b);
    return s;
}

static void sums_free(struct sums s)
{
    free(s.sum), free(s.size);
}

/* The largest error, in units of the sums of absolute values. */
static double check(struct job *j)
{
    int rows, cols, ld;
    double most = 0;
    size_t n = out_size(j, &rows, &cols, &ld);
    float *before = some(n, 9);
    struct sums want = reference(j);
    j->out = copied(before, n);
    run(j, 1);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < ld; c++) {
            double old = (double)before[r * ld + c], got = (double)j->out[r * ld + c];
            if (c >= cols) {
                most = got == old ? most : 1;
                continue;
            }
            double x = want.sum[r * cols + c] + (j->accumulate ? old : 0);
            double err = fabs(got - x) / (want.size[r * cols + c] + 1);
            most = err > most || isnan(err) ? err : most;
        }
    sums_free(want);
    free(before), free(j->out);
    return most;
}

static void sizes(enum gemm_backend b, enum gemm_dtype t, bool half)
{
    static const int edge[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  13, 14, 15,
                               16, 17, 27, 28, 29, 31, 32, 33, 64, 65, 130};
    double most = 0;
    struct job at = {0};
    for (size_t im = 0; im < ARRAY_LEN(edge); im++)
        for (size_t in = 0; in < ARRAY_LEN(edge); in++)
            for (size_t ik = 0; ik < ARRAY_LEN(edge); ik++) {
                if (edge[im] + edge[in] + edge[ik] > 140 || (im + in + ik) % 9)
                    continue;
                struct job j = {.b = b, .t = t, .m = edge[im], .n = edge[in], .k = edge[ik]};
                j.pad = (int)(im % 3);
                j.accumulate = ik & 1;
                j.half = half;
                for (int what = FORWARD; what <= WGRAD; what++) {
                    struct gemm_epilogue ep = {.accumulate = j.accumulate};
                    j.what = (enum what)what;
                    j.far = in & 1;
                    j.ep = &ep;
                    fill_operands(&j);
                    double err = check(&j);
                    if (!(err <= most))
                        most = err, at = j;
                    free_operands(&j);
                }
            }
    ok(most < 3e-7, "%s %s: edge sizes%s (%.2g at product %d, m=%d n=%d k=%d)",
       gemm_backend_words[b], gemm_dtype_words[t], half ? ", rows of bf16" : "", most, (int)at.what,
       at.m, at.n, at.k);
}

/* Large enough for many tiles; any number of threads gives the same bits. */
static void threads(enum gemm_backend b, enum gemm_dtype t)
{
    struct job j = {.b = b, .t = t, .m = 70, .n = 810, .k = 150};
    for (int what = FORWARD; what <= WGRAD; what++) {
        static const int n_threads[] = {1, 2, 3, 5};
        float *out[4];
        int rows, cols, ld;
        bool same = true;
        j.what = (enum what)what;
        fill_operands(&j);
        size_t n = out_size(&j, &rows, &cols, &ld);
        for (int i = 0; i < 4; i++) {
            j.out = out[i] = some(n, 9);
            run(&j, n_threads[i]);
            same &= memcmp(out[0], out[i], n * sizeof *out[i]) == 0;
        }
        ok(same, "%s %s: product %d is the same on 1, 2, 3 and 5 threads", gemm_backend_words[b],
           gemm_dtype_words[t], what);
        for (int i = 0; i < 4; i++)
            free(out[i]);
        free_operands(&j);
    }
}

/* Many rows, several blocks of k, and more columns than a job takes: threads cut these otherwise
 * than one thread, with the same bits. */
static void many_rows(enum gemm_backend b, enum gemm_dtype t)
{
    static const int few[][3] = {{200, 33, 2100}, {200, 2100, 33}, {2100, 200, 33},
                                 {200, 3300, 40}, {200, 40, 3300}, {40, 200, 3300}};
    static const int many[][3] = {{1600, 33, 2100}, {1600, 2100, 33}, {2100, 1600, 33},
                                  {700, 3300, 40},  {700, 40, 3300},  {40, 700, 3300}};
    static const int n_threads[] = {1, 2, 3};
    double most = 0;
    bool same = true;
    for (size_t what = 0; what < ARRAY_LEN(many); what++) {
        struct job j = {.b = b, .t = t, .pad = 1, .accumulate = true};
        float *out[ARRAY_LEN(n_threads)];
        int rows, cols, ld;
        j.what = (enum what)(FORWARD + what % 3);
        j.m = few[what][0], j.n = few[what][1], j.k = few[what][2];
        struct gemm_epilogue ep = {.accumulate = true};
        j.ep = &ep;
        fill_operands(&j);
        most = fmax(most, check(&j));
        free_operands(&j);
        j.m = many[what][0], j.n = many[what][1], j.k = many[what][2];
        fill_operands(&j);
        size_t n = out_size(&j, &rows, &cols, &ld);
        float *before = some(n, 9);
        for (size_t i = 0; i < ARRAY_LEN(n_threads); i++) {
            j.out = out[i] = copied(before, n);
            run(&j, n_threads[i]);
            same &= memcmp(out[0], out[i], n * sizeof *out[i]) == 0;
        }
        for (size_t i = 0; i < ARRAY_LEN(n_threads); i++)
            free(out[i]);
        free(before);
        free_operands(&j);
    }
    ok(most < 4e-7, "%s %s: many rows, several blocks (%.2g)", gemm_backend_words[b],
       gemm_dtype_words[t], most);
    ok(same, "%s %s: they are the same on 1, 2 and 3 threads", gemm_backend_words[b],
       gemm_dtype_words[t]);
}

/* Large products of rows of bf16 have the bits of those that are rounded, on any threads. */
static void rows_of_bf16(void)
{
    static const int m_n_k[][3] = {
        {64, 330, 200}, {1600, 33, 2100}, {48, 2600, 330}, {2600, 200, 33}, {300, 3300, 40}};
    bool same = true;
    for (size_t i = 0; i < ARRAY_LEN(m_n_k); i++) {
        struct job j = {.b = GEMM_OWN, .t = GEMM_BF16};
        j.m = m_n_k[i][0], j.n = m_n_k[i][1], j.k = m_n_k[i][2];
        for (int what = FORWARD; what <= WGRAD; what++) {
            int rows, cols, ld;
            j.what = (enum what)what;
            fill_operands(&j);
            size_t n = out_size(&j, &rows, &cols, &ld);
            float *want = j.out = some(n, 9);
            j.half = false;
            run(&j, 1);
            for (int threads = 1; threads <= 3; threads++) {
                j.half = true;
                j.out = some(n, 9);
                run(&j, threads);
                same &= !memcmp(want, j.out, n * sizeof *want);
                free(j.out);
            }
            free(want);
            free_operands(&j);
        }
    }
    ok(same, "own bf16: rows of bf16 give the bits that rounding gives");
}

static void epilogues(enum gemm_backend b, enum gemm_dtype t)
{
    struct job j = {.b = b, .t = t, .what = FORWARD, .m = 9, .n = 500, .k = 40, .pad = 3};
    int ld = j.n + j.pad;
    size_t n = (size_t)(j.m * ld);
    fill_operands(&j);
    float *bias = some((size_t)j.n, 4), *residual = some(n, 5), *pre = some(n, 6);
    struct gemm_epilogue ep = {
        .bias = bias, .pre = pre, .ldpre = ld, .act = ACT_SILU, .residual = residual, .ldr = ld};
    j.ep = &ep;
    j.out = some(n, 7);
    run(&j, 2);
    struct sums want = reference(&j);
    double most = 0, most_pre = 0;
    for (int r = 0; r < j.m; r++)
        for (int c = 0; c < j.n; c++) {
            double v = want.sum[r * j.n + c] + (double)bias[c];
            most_pre = fmax(most_pre, fabs((double)pre[r * ld + c] - v));
            v = v / (1 + exp(-v)) + (double)residual[r * ld + c];
            most = fmax(most, fabs((double)j.out[r * ld + c] - v));
        }
    ok(most_pre < 4e-6, "%s: bias, value before the activation (%.2g)", gemm_backend_words[b],
       most_pre);
    ok(most < 4e-6, "%s: activation, residual (%.2g)", gemm_backend_words[b], most);
    ep = (struct gemm_epilogue){.bias = bias, .residual = j.out, .ldr = ld};
    float *old = some(n, 7);
    memcpy(j.out, old, n * sizeof *old);
    run(&j, 2);
    most = 0;
    for (int r = 0; r < j.m; r++)
        for (int c = 0; c < j.n; c++)
            most = fmax(most, fabs((double)j.out[r * ld + c] - want.sum[r * j.n + c] -
                                   (double)bias[c] - (double)old[r * ld + c]));
    ok(most < 4e-6, "%s: the residual may be the output (%.2g)", gemm_backend_words[b], most);
    sums_free(want);
    free_operands(&j);
    free(bias), free(residual), free(pre), free(j.out), free(old);
}

/* Each row alone has the bits that it has among others; so has fmaf in ascending k. */
static void definition(void)
{
    struct job j = {.b = GEMM_REF, .m = 37, .n = 70, .k = 300};
    fill_operands(&j);
    float *y = j.out = some((size_t)(j.m * j.n), 4), *x = j.x;
    run(&j, 2);
    bool chain = true, alone = true;
    for (int r = 0; r < j.m; r++)
        for (int c = 0; c < j.n; c++) {
            float s = 0;
            for (int i = 0; i < j.k; i++)
                s = fmaf(x[r * j.k + i], j.w[c * j.k + i], s);
            chain &= memcmp(&s, y + r * j.n + c, sizeof s) == 0;
        }
    ok(chain, "ref is a chain of fused multiply-adds in ascending k");
    struct job one = j;
    one.m = 1;
    one.out = some((size_t)j.n, 4);
    for (int r = 0; r < j.m; r++) {
        one.x = x + r * j.k;
        run(&one, 1);
        alone &= memcmp(one.out, y + r * j.n, (size_t)j.n * sizeof *y) == 0;
    }
    ok(alone, "ref gives a row alone the bits it has among others");
    free_operands(&j);
    free(y), free(one.out);
}

/* Forward and input gradient of m = 1 to 40 rows, of short and of long sums: the bits that the rows
 * have among 41. */
static void row_invariance(enum gemm_backend b, enum gemm_dtype t)
{
    static const int n_k[][2] = {{45, 70}, {33, 7001}, {7001, 33}};
    enum { ROWS = 41 };
    bool same[2] = {true, true};
    for (size_t i = 0; i < ARRAY_LEN(n_k); i++) {
        struct job j = {.b = b, .t = t, .n = n_k[i][0], .k = n_k[i][1]};
        size_t n = (size_t)j.n, k = (size_t)j.k, most = n > k ? n : k;
        float *want = some(ROWS * most, 4), *got = some(ROWS * most, 4);
        for (int what = FORWARD; what <= DGRAD; what++) {
            j.m = ROWS;
            j.what = (enum what)what;
            fill_operands(&j);
            for (int m = ROWS; m > 0; m -= i ? 13 : 1) {
                j.m = m;
                j.out = m == ROWS ? want : got;
                run(&j, 1);
                same[what] &= !memcmp(want, j.out, (size_t)m * (what ? k : n) * sizeof *want);
            }
            free_operands(&j);
        }
        free(want), free(got);
    }
    ok(same[FORWARD] && same[DGRAD], "%s %s: a row's bits do not depend on how many there are",
       gemm_backend_words[b], gemm_dtype_words[t]);
}

/* Sums longer than a block, against double precision. */
static void long_sums(enum gemm_backend b, enum gemm_dtype t)
{
    static const int m_n_k[][3] = {{3, 20, 9001}, {3, 9001, 20}, {9001, 3, 20}};
    double most = 0;
    for (int what = FORWARD; what <= WGRAD; what++) {
        struct job j = {.b = b, .t = t, .what = (enum what)what, .pad = 1};
        j.m = m_n_k[what][0], j.n = m_n_k[what][1], j.k = m_n_k[what][2];
        j.accumulate = what == DGRAD;
        fill_operands(&j);
        most = fmax(most, check(&j));
        free_operands(&j);
    }
    ok(most < 3e-7, "%s %s: sums of 9001 products (%.2g)", gemm_backend_words[b],
       gemm_dtype_words[t], most);
}

/* What a weight gradient leaves of its squares, of one and of several blocks of the sum. */
static void squares(enum gemm_backend b, enum gemm_dtype t)
{
    static const int m_n_k[][3] = {{1, 1, 1}, {40, 33, 70}, {130, 150, 31}, {7000, 40, 33}};
    static const int n_threads[] = {1, 2, 3, 5};
    double most = 0;
    bool same = true;
    for (size_t i = 0; i < ARRAY_LEN(m_n_k); i++) {
        struct job j = {.b = b, .t = t, .what = WGRAD, .pad = 1, .accumulate = i & 1, .far = i & 2};
        j.m = m_n_k[i][0], j.n = m_n_k[i][1], j.k = m_n_k[i][2];
        size_t n_sums = gemm_wgrad_squares(b, t, j.n, j.k), n = (size_t)(j.n * (j.k + 1));
        double *first = calloc(n_sums, sizeof *first), want = 0, got = 0;
        fill_operands(&j);
        for (size_t q = 0; q < ARRAY_LEN(n_threads); q++) {
            j.squares = q ? calloc(n_sums, sizeof *first) : first;
            j.out = some(n, 9);
            run(&j, n_threads[q]);
            same &= !memcmp(first, j.squares, n_sums * sizeof *first);
            for (int r = 0; r < j.n * j.k && !q; r++)
                want += pow((double)j.out[r / j.k * (j.k + 1) + r % j.k], 2);
            free(j.out);
            free(q ? j.squares : NULL);
        }
        for (size_t s = 0; s < n_sums; s++)
            got += first[s];
        most = fmax(most, fabs(got - want) / want);
        free(first);
        free_operands(&j);
    }
    ok(most < 1e-6, "%s %s: squares of a gradient (%.2g)", gemm_backend_words[b],
       gemm_dtype_words[t], most);
    ok(same, "%s %s: they are the same on 1, 2, 3 and 5 threads", gemm_backend_words[b],
       gemm_dtype_words[t]);
}

struct packing {
    struct gemm_weight **g;
    int n;
};

static void pack_weights(struct worker *w, void *arg)
{
    const struct packing *p = arg;
    gemm_weight_pack(w, p->g, p->n);
}

/* So many weights that they are packed past the caches: the same copies as of one alone. */
static void many_weights(enum gemm_dtype t)
{
    enum { N = 1031, K = 515, MANY = 17 };
    struct err e = {0};
    struct gemm_weight *g[1 + MANY];
    size_t n_bytes = gemm_weight_bytes(N, K, GEMM_OWN, t, true);
    float *w = some((size_t)N * K, 1);
    char *place = aligned_alloc(64, (n_bytes + 63) / 64 * 64 * (1 + MANY));
    bool same = true;
    size_t step = (n_bytes + 63) / 64 * 64;

    memset(place, 0, step * (1 + MANY));
    for (int i = 0; i <= MANY; i++)
        g[i] = gemm_weight_new(w, N, K, GEMM_OWN, t, true, place + step * (size_t)i, &e);
    struct packing one = {g, 1}, many = {g + 1, MANY};
    team_run(2, pack_weights, &one);
    team_run(2, pack_weights, &many);
    for (int i = 1; i <= MANY; i++)
        same &= !memcmp(place, place + step * (size_t)i, n_bytes);
    ok(same, "%s: %d weights are packed as one is", gemm_dtype_words[t], MANY);
    memset(place + step, 0, step);
    int rows = gemm_weight_job_rows(g[1]);
    for (int at = 0; at < N; at += rows)
        gemm_weight_pack_job(g[1], at / rows, at % 2);
    ok(!memcmp(place, place + step, n_bytes), "%s: and so it is %d rows at a time",
       gemm_dtype_words[t], rows);
    is_int((int64_t)gemm_weight_copies(g[1]), (int64_t)n_bytes, "its bytes");
    for (int i = 0; i <= MANY; i++)
        gemm_weight_free(g[i]);
    free(w);
    free(place);
}

static void all(void)
{
    struct err e = {0};
    many_weights(GEMM_F32);
    many_weights(GEMM_BF16);
    for (int b = GEMM_REF; b <= GEMM_OWN; b++) {
        if (gemm_backend_check((enum gemm_backend)b, GEMM_F32, &e) < 0) {
            skip(1, e.msg);
            continue;
        }
        for (int t = GEMM_F32; t <= GEMM_BF16; t++) {
            sizes((enum gemm_backend)b, (enum gemm_dtype)t, false);
            threads((enum gemm_backend)b, (enum gemm_dtype)t);
            epilogues((enum gemm_backend)b, (enum gemm_dtype)t);
            long_sums((enum gemm_backend)b, (enum gemm_dtype)t);
            if (gemm_reads_bf16((enum gemm_backend)b, (enum gemm_dtype)t)) {
                sizes((enum gemm_backend)b, (enum gemm_dtype)t, true);
                rows_of_bf16();
            }
            if (b == GEMM_OWN) {
                many_rows((enum gemm_backend)b, (enum gemm_dtype)t);
                squares((enum gemm_backend)b, (enum gemm_dtype)t);
            }
            if (b != GEMM_OPENBLAS)
                row_invariance((enum gemm_backend)b, (enum gemm_dtype)t);
        }
    }
    definition();
}

int main(void)
{
    struct err e = {0};
    is_int(gemm_backend_check(GEMM_REF, GEMM_BF16, &e), 0, "the reference is always there");
    is_int(gemm_backend_check(GEMM_OWN, GEMM_BF16, &e), 0, "the suite's own too");
    drawn = filled(DRAWN, 1);
    each_isa(all);
    free(drawn);
    return done_testing();
}
