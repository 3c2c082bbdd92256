/* Windows and streams of training pairs against a plain list of all pairs. */
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "quern/shard.h"
#include "tap.h"
#include "train/stream.h"
#include "train/windows.h"

enum { BOS = 900, EOS = 901, MAX = 4096 };

struct pair {
    uint32_t in, target;
    uint64_t doc;
    uint64_t at; /* within the document */
};

struct docs {
    uint32_t tok[MAX];
    size_t len[64];
    size_t n, n_tok;
};

static void make_docs(struct docs *d, uint64_t seed, size_t n, uint64_t longest)
{
    struct rng r;

    rng_init(&r, seed, RNG_TEST, 0);
    *d = (struct docs){.n = n};
    for (size_t i = 0; i < n; i++) {
        d->len[i] = (size_t)rng_below(&r, longest + 1);
        for (size_t k = 0; k < d->len[i]; k++)
            d->tok[d->n_tok++] = (uint32_t)rng_below(&r, 800);
    }
}

/* The definition, written out: (BOS,t1) (t1,t2) ... (tn,EOS). */
static size_t list_pairs(const struct docs *d, int64_t bos, int64_t eos, struct pair *out)
{
    size_t n = 0, from = 0;
    int64_t first = bos >= 0 ? bos : eos;

    for (size_t i = 0; i < d->n; from += d->len[i++]) {
        uint32_t row[MAX];
        size_t m = 0;
        if (first >= 0)
            row[m++] = (uint32_t)first;
        for (size_t k = 0; k < d->len[i]; k++)
            row[m++] = d->tok[from + k];
        if (eos >= 0)
            row[m++] = (uint32_t)eos;
        for (size_t k = 0; k + 1 < m; k++)
            out[n++] = (struct pair){.in = row[k], .target = row[k + 1], .doc = i, .at = k};
    }
    return n;
}

static void make_corpus(struct corpus *c, const struct docs *d)
{
    struct token_run a = {.n = d->n_tok / 2, .ids = d->tok, .width = 4};
    struct token_run b = {.n = d->n_tok - d->n_tok / 2, .ids = d->tok + d->n_tok / 2, .width = 4};

    *c = (struct corpus)CORPUS_INIT;
    ok(corpus_add_run(c, a, NULL) == 0 && corpus_add_run(c, b, NULL) == 0, "runs");
    for (size_t i = 0; i < d->n; i++)
        corpus_add_doc(c, d->len[i], NULL);
}

/* Whether window pairs [from, to) of the list are what the batch holds. */
static bool equal_window(const struct batchbuf *b, const struct pair *p, size_t n)
{
    int seq = -1, pos = 0;

    if ((size_t)b->b.n_tok != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool begins = i == 0 || p[i].doc != p[i - 1].doc;
        seq += begins;
        pos = begins ? 0 : pos + 1;
        if (b->ids[i] != p[i].in || b->target[i] != p[i].target || b->seq[i] != seq ||
            b->pos[i] != pos || b->weight[i] != 1 || (begins && b->cu[seq] != (int)i))
            return false;
    }
    return b->b.n_seq == seq + 1 && b->cu[seq + 1] == (int)n;
}

static void check_cut(const struct docs *d, int64_t bos, int64_t eos, int n_ctx)
{
    static struct pair p[2 * MAX];
    struct corpus c;
    struct windows w;
    struct batchbuf b;
    size_t n = list_pairs(d, bos, eos, p), bad = 0;

    make_corpus(&c, d);
    batchbuf_init(&b, n_ctx, NULL);
    is_int(windows_init(&w, &c, n_ctx, bos, eos, PART_ALL, 0, 1, NULL), 0, "windows");
    is_int(w.n_pairs, n, "pairs, context %d bos %d eos %d", n_ctx, (int)bos, (int)eos);
    is_int(w.n_windows, (n + (size_t)n_ctx - 1) / (size_t)n_ctx, "windows of %d", n_ctx);
    for (uint64_t i = 0; i < w.n_windows; i++) {
        size_t from = i * (size_t)n_ctx, m = n - from < (size_t)n_ctx ? n - from : (size_t)n_ctx;
        batchbuf_clear(&b);
        windows_fill(&w, i, &b, NULL);
        bad += !equal_window(&b, p + from, m);
    }
    is_int(bad, 0, "every window is the pairs of its place");
    windows_release(&w);
    batchbuf_release(&b);
    corpus_release(&c);
}

/* Training and validation part together are all pairs, each once. */
static void check_split(const struct docs *d, enum part train, enum part val, double share)
{
    static struct pair p[2 * MAX];
    struct corpus c;
    struct windows a, b;
    size_t n = list_pairs(d, BOS, EOS, p);
    uint64_t sum = 0, want = 0;
    struct batchbuf buf;

    make_corpus(&c, d);
    batchbuf_init(&buf, 16, NULL);
    windows_init(&a, &c, 16, BOS, EOS, train, share, 7, NULL);
    windows_init(&b, &c, 16, BOS, EOS, val, share, 7, NULL);
    is_int(a.n_pairs + b.n_pairs, n, "the parts add up");
    ok(b.n_pairs > 0 && a.n_pairs > b.n_pairs, "validation is the smaller part");
    for (size_t i = 0; i < n; i++)
        want += p[i].in * 31 + p[i].target;
    for (uint64_t i = 0; i < a.n_windows + b.n_windows; i++) {
        batchbuf_clear(&buf);
        if (i < a.n_windows)
            windows_fill(&a, i, &buf, NULL);
        else
            windows_fill(&b, i - a.n_windows, &buf, NULL);
        for (int k = 0; k < buf.b.n_tok; k++)
            sum += buf.ids[k] * 31 + buf.target[k];
    }
    is_int(sum, want, "each pair stands in one of them");
    windows_release(&a);
    windows_release(&b);
    batchbuf_release(&buf);
    corpus_release(&c);
}

static void put_weighted(struct shard_out *o, const uint32_t *ids, size_t n)
{
    uint8_t weights[4096];

    for (size_t i = 0; i < n && i < sizeof weights; i++)
        weights[i] = (uint8_t)(ids[i] * 37 + i);
    shard_put(o, ids, weights, n, NULL);
}

/* A stream that goes on where another stood gives the windows that it would have given. */
static void check_forward(const char *path, const struct stream_plan *plan, uint64_t n,
                          uint64_t mark)
{
    struct err e = {0};
    struct shard_in *in = shard_open(path, NULL);
    struct stream *s = stream_new(&in, 1, plan, NULL);
    struct feed f = stream_feed(s);

    is_int(f.forward(f.self, n, mark, &e), 0, "goes on behind %d windows", (int)n);
    ok(f.mark(f.self) == mark, "with the same mark");
    stream_free(s);
    shard_close(in);
    in = shard_open(path, NULL);
    s = stream_new(&in, 1, plan, NULL);
    f = stream_feed(s);
    is_int(f.forward(f.self, n, mark + 1, &e), -1, "another stream is refused");
    is_like(e.msg, "differs from what the run has already trained on", "and says so");
    stream_free(s);
    shard_close(in);
    in = shard_open(path, NULL);
    s = stream_new(&in, 1, plan, NULL);
    f = stream_feed(s);
    is_int(f.forward(f.self, 1 << 20, mark, &e), -1, "a shorter stream is refused");
    is_like(e.msg, "ends within what the run has already trained on", "and says so");
    stream_free(s);
    shard_close(in);
}

/* A shard read as a stream gives the windows that the mapped file gives, less what is held out. */
static void check_stream(const struct docs *d, int n_ctx)
{
    struct shard_head h = {.vocab_size = 1000,
                           .bos = BOS,
                           .eos = EOS,
                           .pad = -1,
                           .provenance = "",
                           .has_weights = true};
    const struct stream_plan plan = {
        .n_ctx = n_ctx, .vocab_size = 1000, .bos = BOS, .eos = EOS, .val_share = 0.3, .seed = 7};
    const char *path = scratch_path("stream.tok");
    struct shard_out *o = shard_create(path, &h, 0, NULL);
    size_t from = 0, bad = 0;

    for (size_t i = 0; i < d->n; from += d->len[i++])
        put_weighted(o, d->tok + from, d->len[i]);
    is_int(shard_commit(o, NULL, NULL), 0, "shard written");

    struct corpus c = CORPUS_INIT;
    struct windows w;
    struct batchbuf a, b;
    ok(corpus_can_map(path), "it can be mapped");
    is_int(corpus_add_shard(&c, path, NULL, NULL, NULL), 0, "and is");
    is_int(c.n_docs, d->n, "documents");
    is_int(c.n_tok, d->n_tok, "tokens");
    struct shard_in *in = shard_open(path, NULL);
    struct stream *s = stream_new(&in, 1, &plan, NULL);
    struct feed f = stream_feed(s), v = stream_val_feed(s);
    windows_init(&w, &c, n_ctx, BOS, EOS, PART_TRAIN_DOCS, 0.3, 7, NULL);
    batchbuf_init(&a, n_ctx, NULL);
    batchbuf_init(&b, n_ctx, NULL);
    uint64_t i, mark = f.mark(f.self), half_mark = mark;
    int most_seq = 0;
    for (i = 0;; i++) {
        batchbuf_clear(&a);
        batchbuf_clear(&b);
        if (i == w.n_windows / 2)
            half_mark = mark;
        int more = i % 3 ? f.more(f.self, NULL) : -2;
        bad += f.mark(f.self) != mark; /* what was only looked at does not count */
        int r = f.fill(f.self, i, &a, NULL);
        mark = f.mark(f.self);
        bad += more != -2 && more != r;
        if (r <= 0 || i >= w.n_windows)
            break;
        windows_fill(&w, i, &b, NULL);
        most_seq = b.b.n_seq > most_seq ? b.b.n_seq : most_seq;
        bad += a.b.n_tok != b.b.n_tok || a.b.n_seq != b.b.n_seq ||
               memcmp(a.ids, b.ids, sizeof *a.ids * (size_t)a.b.n_tok) != 0 ||
               memcmp(a.target, b.target, sizeof *a.ids * (size_t)a.b.n_tok) != 0 ||
               memcmp(a.weight, b.weight, sizeof *a.weight * (size_t)a.b.n_tok) != 0 ||
               memcmp(a.cu, b.cu, sizeof *a.cu * (size_t)(a.b.n_seq + 1)) != 0;
    }
    is_int(i, w.n_windows, "as many windows");
    is_int(windows_max_pieces(&w), most_seq, "most pieces in one");
    is_int(bad, 0, "equal windows");
    windows_release(&w);
    windows_init(&w, &c, n_ctx, BOS, EOS, PART_VAL_DOCS, 0.3, 7, NULL);
    for (i = 0, bad = 0;; i++) {
        batchbuf_clear(&a);
        batchbuf_clear(&b);
        if (v.fill(v.self, i, &a, NULL) <= 0)
            break;
        windows_fill(&w, i, &b, NULL);
        bad += a.b.n_tok != b.b.n_tok ||
               memcmp(a.ids, b.ids, sizeof *a.ids * (size_t)a.b.n_tok) != 0 ||
               memcmp(a.weight, b.weight, sizeof *a.weight * (size_t)a.b.n_tok) != 0;
    }
    is_int(i, w.n_windows, "as many held-out windows");
    is_int(bad, 0, "equal held-out windows");
    windows_release(&w);
    windows_init(&w, &c, n_ctx, BOS, EOS, PART_TRAIN_DOCS, 0.3, 7, NULL);
    check_forward(path, &plan, w.n_windows / 2, half_mark);
    windows_release(&w);
    batchbuf_release(&a);
    batchbuf_release(&b);
    stream_free(s);
    shard_close(in);
    corpus_release(&c);
}

int main(void)
{
    static struct docs d;
    static const int64_t ends[][2] = {{BOS, EOS}, {-1, EOS}, {BOS, -1}, {-1, -1}};
    static const int ctx[] = {1, 2, 7, 64, 5000};

    make_docs(&d, 1, 40, 50);
    for (size_t k = 0; k < 4; k++)
        for (size_t i = 0; i < 5; i++)
            check_cut(&d, ends[k][0], ends[k][1], ctx[i]);
    check_split(&d, PART_TRAIN_HEADS, PART_VAL_TAILS, 0.2);
    check_split(&d, PART_TRAIN_DOCS, PART_VAL_DOCS, 0.2);
    for (size_t i = 0; i < 4; i++)
        check_stream(&d, ctx[i]);
    make_docs(&d, 2, 1, 0);
    check_cut(&d, BOS, EOS, 8);
    check_cut(&d, -1, -1, 8);
    return done_testing();
}
