/*
 * Attention, forward and backward, against the formula in double; that rows do not depend on what
 * else is in the pass (packed sequences, threads, a cache filled step by step), bit for bit.
 */
#include "base/half.h"
#include "kern/attn.h"
#include "kern_test.h"

/* One pass: q, k, v side by side in rows, as one projection leaves them. */
struct pass {
    struct attn a;
    struct attn_seq seq[8];
    int n_seq, n_tok;
    float *qkv, *o, *lse, *d_o, *dqkv;
    bool backward;
};

static int row_floats(const struct attn *a)
{
    return (a->n_head + 2 * a->n_kv_head) * a->head_dim;
}

struct call {
    const struct attn *a;
    struct attn_io io;
    bool backward;
};

static void in_team(struct worker *w, void *arg)
{
    struct call *c = arg;
    attn_forward(w, c->a, &c->io);
    if (c->backward)
        attn_backward(w, c->a, &c->io);
}

static void run(struct pass *p, int threads)
{
    int ld = row_floats(&p->a), hd = p->a.head_dim;
    int k = p->a.n_head * hd, v = k + p->a.n_kv_head * hd;
    size_t bytes = attn_scratch_bytes(&p->a, p->n_tok, p->n_seq, threads, p->backward);
    void *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);
    memset(scratch, 0xff, bytes); /* NaN: nothing may be read before it is written */
    struct call c = {&p->a,
                     {.seq = p->seq,
                      .n_seq = p->n_seq,
                      .q = p->qkv,
                      .k = p->qkv + k,
                      .v = p->qkv + v,
                      .ldq = ld,
                      .ldk = ld,
                      .ldv = ld,
                      .o = p->o,
                      .ldo = k,
                      .lse = p->lse,
                      .d_o = p->d_o,
                      .ldd_o = k,
                      .dq = p->dqkv,
                      .dk = p->dqkv + k,
                      .dv = p->dqkv + v,
                      .lddq = ld,
                      .lddk = ld,
                      .lddv = ld,
                      .scratch = scratch},
                     p->backward};
    team_run(threads, in_team, &c);
    free(scratch);
}

static void make(struct pass *p, int n_tok, bool backward)
{
    size_t ld = (size_t)row_floats(&p->a), n = (size_t)n_tok;
    size_t lo = (size_t)(p->a.n_head * p->a.head_dim);
    p->n_tok = n_tok;
    p->backward = backward;
    p->qkv = filled(n * ld, 1);
    p->d_o = filled(n * lo, 2);
    p->o = filled(n * lo, 3);
    p->lse = filled(n * (size_t)p->a.n_head, 4);
    p->dqkv = filled(n * ld, 5);
}

static void drop(struct pass *p)
{
    free(p->qkv), free(p->d_o), free(p->o), free(p->lse), free(p->dqkv);
}

/* ---- the formula */

struct reference {
    double *o, *lse, *dqkv;
};

static bool sees(const struct mask *m, int q, int k)
{
    return !(m->causal && k > q) && !(m->window && q - k >= m->window);
}

static double rounded(const struct attn *a, float v)
{
    return (double)(a->dtype == GEMM_BF16 ? bf16_to_f32(bf16_from_f32(v)) : v);
}

static float drop_factor(const struct attn *a, uint64_t seq, int q, int k)
{
    static float one[4096], row[4096];
    static uint64_t have_seq = UINT64_MAX;
    static int have_q = -1;
    if (!a->dropout)
        return 1;
    if (seq != have_seq || q != have_q) {
        for (int i = 0; i < 4096; i++)
            one[i] = 1;
        ops_get()->dropout(a->dropout, row, 4096, one, 4096, 4096, seq, (uint32_t)q, 1);
        have_seq = seq, have_q = q;
    }
    return row[k];
}

static void reference_head(const struct pass *p, const struct attn_seq *s, int h,
                           struct reference *ref)
{
    const struct attn *a = &p->a;
    int hd = a->head_dim, ld = row_floats(a), kh = h / (a->n_head / a->n_kv_head), n = s->n;
    int at_q = h * hd, at_k = (a->n_head + kh) * hd, at_v = at_k + a->n_kv_head * hd;
    double *pr = malloc(sizeof *pr * (size_t)n), *dp = malloc(sizeof *dp * (size_t)n);
    double *slope = malloc(sizeof *slope * (size_t)n);
    for (int i = 0; i < n; i++) {
        const float *q = p->qkv + (s->row + i) * ld + at_q;
        const float *d_o = p->d_o + (s->row + i) * a->n_head * hd + at_q;
        double *o = ref->o + (s->row + i) * a->n_head * hd + at_q, max = -INFINITY, sum = 0;
        double delta = 0;
        for (int j = 0; j < n; j++) {
            const float *k = p->qkv + (s->row + j) * ld + at_k;
            double x = 0;
            for (int d = 0; d < hd; d++)
                x += rounded(a, q[d]) * rounded(a, k[d]);
            x *= (double)a->scale;
            slope[j] = 1;
            if (a->softcap > 0) {
                double t = tanh(x / (double)a->softcap);
                x = (double)a->softcap * t;
                slope[j] = 1 - t * t;
            }
            pr[j] = sees(&a->mask, i, j) ? x : -INFINITY;
            max = fmax(max, pr[j]);
        }
        for (int j = 0; j < n; j++)
            sum += pr[j] = exp(pr[j] - max);
        ref->lse[(s->row + i) * a->n_head + h] = max + log(sum);
        for (int d = 0; d < hd; d++)
            o[d] = 0;
        uint64_t id = s->id * (uint64_t)a->n_head + (uint64_t)h;
        for (int j = 0; j < n; j++) {
            const float *v = p->qkv + (s->row + j) * ld + at_v;
            double f = (double)drop_factor(a, id, i, j);
            pr[j] /= sum;
            dp[j] = 0;
            for (int d = 0; d < hd; d++) {
                o[d] += pr[j] * f * rounded(a, v[d]);
                dp[j] += f * rounded(a, d_o[d]) * rounded(a, v[d]);
            }
            delta += pr[j] * dp[j];
        }
        for (int j = 0; j < n; j++) {
            const float *k = p->qkv + (s->row + j) * ld + at_k;
            double *dq = ref->dqkv + (s->row + i) * ld + at_q;
            double *dk = ref->dqkv + (s->row + j) * ld + at_k;
            double *dv = ref->dqkv + (s->row + j) * ld + at_v;
            double ds = pr[j] * (dp[j] - delta) * slope[j] * (double)a->scale;
            double f = (double)drop_factor(a, id, i, j);
            for (int d = 0; d < hd; d++) {
                dq[d] += ds * rounded(a, k[d]);
                dk[d] += ds * rounded(a, q[d]);
                dv[d] += pr[j] * f * rounded(a, d_o[d]);
            }
        }
    }
    free(pr), free(dp), free(slope);
}

static void compare(struct attn a, const char *what)
{
    static const int lengths[] = {1, 7, 64, 65, 131};
    double most[3] = {0};
    struct pass p = {.a = a};
    int n_tok = 2; /* rows that belong to nobody */
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        p.seq[i] = (struct attn_seq){.row = n_tok, .n = lengths[i], .id = 100 + i};
        n_tok += lengths[i];
    }
    p.n_seq = (int)ARRAY_LEN(lengths);
    make(&p, n_tok, true);
    run(&p, 2);
    size_t lo = (size_t)(a.n_head * a.head_dim), ld = (size_t)row_floats(&a);
    size_t heads = (size_t)a.n_head, n = (size_t)n_tok;
    struct reference ref = {calloc(n * lo, sizeof(double)), calloc(n * heads, sizeof(double)),
                            calloc(n * ld, sizeof(double))};
    for (int s = 0; s < p.n_seq; s++)
        for (int h = 0; h < a.n_head; h++)
            reference_head(&p, &p.seq[s], h, &ref);
    most[0] = worst(p.o + 2 * lo, ref.o + 2 * lo, (n - 2) * lo);
    most[1] = worst(p.lse + 2 * heads, ref.lse + 2 * heads, (n - 2) * heads);
    most[2] = worst(p.dqkv + 2 * ld, ref.dqkv + 2 * ld, (n - 2) * ld);
    double tol = a.dtype == GEMM_BF16 ? 8e-3 : 2e-6;
    ok(most[0] < tol && most[1] < 1e-6 && most[2] < tol,
       "%s: heads %d/%d of %d: output %.2g, log-sum-exp %.2g, gradients %.2g", what, a.n_head,
       a.n_kv_head, a.head_dim, most[0], most[1], most[2]);
    float *untouched = filled(2 * lo, 3);
    is_mem(p.o, untouched, 2 * lo * 4, "rows of no sequence are left alone");
    free(untouched), free(ref.o), free(ref.lse), free(ref.dqkv);
    drop(&p);
}

static struct attn plain(int n_head, int n_kv_head, int head_dim)
{
    return (struct attn){.n_head = n_head,
                         .n_kv_head = n_kv_head,
                         .head_dim = head_dim,
                         .mask = {.causal = true},
                         .scale = 1 / sqrtf((float)head_dim)};
}

static void formulas(void)
{
    static const int dims[] = {1, 3, 8, 15, 16, 20, 33, 64, 80, 128, 256};
    for (size_t i = 0; i < ARRAY_LEN(dims); i++)
        compare(plain(2, i % 2 + 1, dims[i]), "causal");
    struct attn a = plain(4, 2, 24);
    a.mask.window = 10;
    compare(a, "window of 10");
    a.mask.window = 70;
    compare(a, "window of 70");
    a.mask = (struct mask){.causal = false};
    compare(a, "all keys");
    a.scale = 2;
    a.softcap = 3;
    compare(a, "soft cap");
    struct dropout d;
    dropout_init(&d, 0.3, 1, 2, 3, 4);
    a = plain(3, 1, 16);
    a.dropout = &d;
    compare(a, "dropout");
    a.dtype = GEMM_BF16;
    compare(a, "dropout in bf16");
    static const int bf16_dims[] = {1, 15, 32, 33, 48, 64, 80, 96, 128, 256};
    for (size_t i = 0; i < ARRAY_LEN(bf16_dims); i++) {
        a = plain(2, i % 2 + 1, bf16_dims[i]);
        a.dtype = GEMM_BF16;
        compare(a, "bf16");
    }
    a.mask.window = 70;
    compare(a, "window of 70 in bf16");
    a.mask = (struct mask){.causal = false};
    compare(a, "all keys in bf16");
    a.scale = 1;
    a.softcap = 3;
    compare(a, "soft cap in bf16");
}

/* ---- the same bits */

/* Rows of p from `row` on against all rows of alone. */
static bool same_rows(const struct pass *p, int row, const struct pass *alone)
{
    size_t lo = (size_t)(p->a.n_head * p->a.head_dim), ld = (size_t)row_floats(&p->a);
    size_t n = (size_t)alone->n_tok, at = (size_t)row;
    bool same = memcmp(p->o + at * lo, alone->o, n * lo * 4) == 0;
    if (p->backward)
        same &= memcmp(p->dqkv + at * ld, alone->dqkv, n * ld * 4) == 0;
    return same;
}

static void packed_and_alone(struct attn a, const char *what)
{
    static const int lengths[] = {3, 100, 64, 1, 190};
    struct dropout d;
    dropout_init(&d, 0.1, 5, 6, 7, 8);
    a.dropout = &d;
    struct pass p = {.a = a, .n_seq = ARRAY_LEN(lengths)};
    int n_tok = 0;
    bool same = true;
    size_t lo = (size_t)(a.n_head * a.head_dim), ld = (size_t)row_floats(&a);
    for (int i = 0; i < p.n_seq; i++) {
        p.seq[i] = (struct attn_seq){.row = n_tok, .n = lengths[i], .id = 50 + (uint64_t)i};
        n_tok += lengths[i];
    }
    make(&p, n_tok, true);
    run(&p, 2);
    for (int i = 0; i < p.n_seq; i++) {
        struct pass one = {.a = a, .n_seq = 1, .seq = {p.seq[i]}};
        size_t row = (size_t)p.seq[i].row, n = (size_t)lengths[i];
        one.seq[0].row = 0;
        make(&one, lengths[i], true);
        memcpy(one.qkv, p.qkv + row * ld, n * ld * 4);
        memcpy(one.d_o, p.d_o + row * lo, n * lo * 4);
        run(&one, 1);
        same &= same_rows(&p, (int)row, &one);
        drop(&one);
    }
    ok(same, "%s: packed sequences have the bits of each alone", what);
    same = true;
    for (int threads = 1; threads <= 5; threads += threads > 2 ? 2 : 1) {
        struct pass other = p;
        make(&other, n_tok, true);
        run(&other, threads);
        same &= same_rows(&p, 0, &other);
        drop(&other);
    }
    ok(same, "%s: 1, 2, 3 and 5 threads give the same bits", what);
    drop(&p);
}

/* The full pass against steps of 1 to 70 tokens that fill a store. */
static void cached(struct attn a, int ring, const char *what)
{
    enum { N = 230 };
    static const int steps[] = {5, 1, 1, 57, 1, 70, 1, 1, 30, 1, 62};
    struct pass p = {.a = a, .n_seq = 1, .seq = {{.n = N}}};
    size_t lo = (size_t)(a.n_head * a.head_dim), ld = (size_t)row_floats(&a);
    make(&p, N, false);
    run(&p, 2);
    size_t n_store = attn_store_floats(&a, ring ? ring : N);
    float *store = malloc(n_store * sizeof *store);
    int past = 0;
    bool same = true;
    memset(store, 0xff, n_store * sizeof *store); /* NaN */
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int n = steps[i];
        struct pass s = {.a = a, .n_seq = 1};
        s.seq[0] = (struct attn_seq){.n = n, .past = past, .store = store, .store_tok = ring};
        make(&s, n, false);
        memcpy(s.qkv, p.qkv + (size_t)past * ld, (size_t)n * ld * 4);
        run(&s, 1 + (int)i % 3);
        same &= memcmp(s.o, p.o + (size_t)past * lo, (size_t)n * lo * 4) == 0;
        same &= memcmp(s.lse, p.lse + past * a.n_head, (size_t)(n * a.n_head) * 4) == 0;
        past += n;
        drop(&s);
    }
    ok(same && past == N, "%s: a store filled step by step gives the bits of the full pass", what);
    drop(&p), free(store);
}

static void bits(void)
{
    struct attn a = plain(4, 2, 20);
    packed_and_alone(a, "f32");
    cached(a, 0, "f32");
    a.mask.window = 50;
    packed_and_alone(a, "window");
    cached(a, 0, "window");
    cached(a, 192, "window in a ring");
    a = plain(3, 3, 64);
    a.dtype = GEMM_BF16;
    packed_and_alone(a, "bf16");
    cached(a, 0, "bf16");
    a.softcap = 2;
    cached(a, 0, "soft cap");
    a = plain(4, 1, 33);
    a.dtype = GEMM_BF16;
    a.mask.window = 50;
    packed_and_alone(a, "window in bf16");
    cached(a, 192, "window in a ring in bf16");
}

static void masks(void)
{
    bool good = true;
    for (int causal = 0; causal < 2; causal++)
        for (int window = 0; window < 150; window += window < 4 ? 1 : 37) {
            struct mask m = {.causal = causal, .window = window};
            for (int q = 0; q < 260; q += 3)
                for (int k0 = 0; k0 < 320; k0 += 64) {
                    int any = 0, every = 1;
                    for (int i = q; i < q + 5; i++) {
                        uint64_t b = mask_bits(&m, i, k0);
                        for (int j = 0; j < 64; j++) {
                            bool see = sees(&m, i, k0 + j);
                            good &= (b >> j & 1) == see;
                            any |= see;
                            every &= see;
                        }
                    }
                    enum mask_block got = mask_block(&m, q, q + 5, k0, k0 + 64);
                    good &= got == (every ? MASK_ALL : any ? MASK_SOME : MASK_SKIP);
                }
        }
    ok(good, "block test and bits agree with the definition");
}

static void all(void)
{
    formulas();
    bits();
}

int main(void)
{
    masks();
    each_isa(all);
    return done_testing();
}
