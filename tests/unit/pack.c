/* Packing of conversations against a brute-force best fit. */
#include "train/pack.h"
#include <stdlib.h>
#include "base/rng.h"
#include "tap.h"

enum { MAX = 400, MAX_TOK = 1 << 16 };

struct given {
    uint32_t tok[MAX_TOK];
    uint8_t weight[MAX_TOK];
    size_t len[MAX], n, n_tok;
};
static struct given g;

static void make(uint64_t seed, size_t n, int n_ctx)
{
    struct rng r;

    rng_init(&r, seed, RNG_TEST, 0);
    g = (struct given){.n = n};
    for (size_t i = 0; i < n; i++) {
        g.len[i] = (size_t)rng_below(&r, (uint64_t)(i % 4 ? n_ctx / 3 + 2 : n_ctx + 2));
        for (size_t k = 0; k < g.len[i]; k++, g.n_tok++) {
            g.tok[g.n_tok] = (uint32_t)(g.n_tok + 7); /* all different */
            g.weight[g.n_tok] = (uint8_t)(rng_below(&r, 2) * 255);
        }
    }
}

/* Windows by the definition: longest first (equal ones in order), each to the fullest window that
 * has room. Of equally full ones any may be taken: what is compared is how full the windows are. */
static size_t brute_force(int n_ctx, int *filled)
{
    bool done[MAX] = {false};
    size_t n_windows = 0;

    for (;;) {
        size_t next = MAX, best = MAX;
        for (size_t i = 0; i < g.n; i++)
            if (!done[i] && g.len[i] >= 2 && (next == MAX || g.len[i] > g.len[next]))
                next = i;
        if (next == MAX)
            return n_windows;
        done[next] = true;
        int need = (int)g.len[next] - 1;
        for (size_t w = 0; w < n_windows; w++)
            if (filled[w] + need <= n_ctx && (best == MAX || filled[w] > filled[best]))
                best = w;
        if (best == MAX)
            filled[best = n_windows++] = 0;
        filled[best] += need;
    }
}

static int rising(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Every pair of the batch is one of its conversation, whole and in order. */
static bool check_window(const struct batchbuf *b, bool *seen, size_t *n_docs)
{
    for (int s = 0; s < b->b.n_seq; s++) {
        int from = b->cu[s], to = b->cu[s + 1];
        size_t at = b->ids[from] - 7, doc = 0, start = 0;
        while (start + g.len[doc] <= at)
            start += g.len[doc++];
        if (at != start || (size_t)(to - from) != g.len[doc] - 1 || seen[doc])
            return false;
        seen[doc] = true;
        (*n_docs)++;
        for (int i = from; i < to; i++, at++)
            if (b->ids[i] != g.tok[at] || b->target[i] != g.tok[at + 1] ||
                b->weight[i] != (float)(g.weight[at + 1] / 255) || b->pos[i] != i - from ||
                b->seq[i] != s)
                return false;
    }
    return true;
}

static size_t check(const struct corpus *c, int n_ctx, double share, bool val, int *filled,
                    bool *seen, size_t *n_docs)
{
    struct err e = {0};
    struct batchbuf b;
    struct pack p;
    bool good = true;
    uint64_t pairs = 0;

    if (pack_init(&p, c, n_ctx, share, val, 5, &e) < 0 || batchbuf_init(&b, n_ctx, &e) < 0)
        bail_out(e.msg);
    struct feed f = pack_feed(&p);
    for (uint64_t w = 0; w < f.n_windows; w++) {
        batchbuf_clear(&b);
        good = good && f.fill(f.self, w, &b, &e) == 1 && b.b.n_tok <= n_ctx &&
               check_window(&b, seen, n_docs);
        pairs += (uint64_t)(filled[w] = b.b.n_tok);
    }
    ok(good, "context %d, %zu documents: windows hold whole conversations", n_ctx, c->n_docs);
    is_int(pairs, f.n_pairs, "and as many pairs as they say");
    is_int(f.fill(f.self, f.n_windows, &b, &e), 0, "and there are no more of them");
    size_t n = f.n_windows;
    pack_release(&p);
    batchbuf_release(&b);
    return n;
}

static void test(uint64_t seed, size_t n, int n_ctx)
{
    static int got[MAX], want[MAX];
    bool seen[MAX] = {false}, held[MAX] = {false};
    struct corpus c = CORPUS_INIT;
    size_t n_docs = 0, n_want = 0, n_usable = 0;

    make(seed, n, n_ctx);
    struct token_run run = {.n = g.n_tok, .ids = g.tok, .weights = g.weight, .width = 4};
    corpus_add_run(&c, run, NULL);
    c.has_weights = true;
    for (size_t i = 0; i < n; i++) {
        corpus_add_doc(&c, g.len[i], NULL);
        n_usable += g.len[i] >= 2;
    }
    size_t n_got = check(&c, n_ctx, 0, false, got, seen, &n_docs);
    is_int(n_docs, n_usable, "each conversation once");
    n_want = brute_force(n_ctx, want);
    is_int(n_got, n_want, "as many windows as the definition");
    qsort(got, n_got, sizeof *got, rising);
    qsort(want, n_want, sizeof *want, rising);
    is_mem(got, want, n_got * sizeof *got, "and as full");

    n_docs = 0;
    check(&c, n_ctx, .3, false, got, held, &n_docs);
    size_t n_train = n_docs;
    check(&c, n_ctx, .3, true, got, held, &n_docs);
    is_int(n_docs, n_usable, "training and held-out ones are all (%zu and %zu)", n_train,
           n_docs - n_train);
    corpus_release(&c);
}

int main(void)
{
    static const int contexts[] = {1, 2, 7, 16, 100, 127, 128};

    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
        for (size_t n = 1; n <= MAX; n = n * 7 + 1)
            test(i * 10 + n, n, contexts[i]);
    test(99, MAX, 64);
    return done_testing();
}
