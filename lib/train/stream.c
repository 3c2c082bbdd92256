/* A stream of shards as a feed. */
#include "train/stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/bug.h"
#include "base/hash.h"
#include "base/mem.h"

struct stream {
    struct shard_in *const *in;
    int n_in, now; /* inputs; the one being read */
    int n_ctx;
    int64_t bos, eos; /* bos has eos in its place where there is none */
    double val_share;
    uint64_t seed;

    struct shard_doc piece;
    size_t at;      /* in the piece */
    bool in_doc;    /* a document has begun and not ended */
    bool held;      /* it is held out */
    bool have_prev; /* prev is the next pair's input */
    uint32_t prev;
    uint64_t n_docs; /* documents that began */
    bool ended;

    /* the window being put together: pairs and where its sequences end */
    uint32_t *ids, *target;
    float *weight;
    int *seq_end;
    int n, n_seq;
    uint64_t n_windows;
    struct hash_state *hash;

    /* held-out documents */
    struct corpus val;
    uint32_t *val_tok;
    size_t n_val, cap_val;
    uint64_t val_doc_tok;
    struct windows val_windows;
    uint64_t val_docs_windowed;
};

struct stream *stream_new(struct shard_in *const *in, int n_in, int n_ctx, int64_t bos, int64_t eos,
                          double val_share, uint64_t seed, struct err *e)
{
    struct stream *s = mem_new(1, sizeof *s, e);
    size_t n = (size_t)n_ctx;

    if (!s)
        return NULL;
    *s = (struct stream){.in = in,
                         .n_in = n_in,
                         .n_ctx = n_ctx,
                         .bos = bos >= 0 ? bos : eos,
                         .eos = eos,
                         .val_share = val_share,
                         .seed = seed};
    if ((s->ids = mem_new(n, sizeof *s->ids, e)) &&
        (s->target = mem_new(n, sizeof *s->target, e)) &&
        (s->weight = mem_new(n, sizeof *s->weight, e)) &&
        (s->seq_end = mem_new(n, sizeof *s->seq_end, e))) {
        s->hash = hash_new();
        if (s->hash)
            return s;
        err_nomem(e, "hash", 0);
    }
    stream_free(s);
    return NULL;
}

/* The next piece of a document: 1, 0 at the end of all inputs, -1. */
static int next_piece(struct stream *s, struct err *e)
{
    while (s->now < s->n_in) {
        int r = shard_next_piece(s->in[s->now], &s->piece, e);
        if (r != 0) {
            s->at = 0;
            return r;
        }
        s->now++;
    }
    s->ended = true;
    return 0;
}

static void begin_doc(struct stream *s)
{
    s->held = s->val_share > 0 && windows_held_out(s->seed, s->n_docs, s->val_share);
    s->n_docs++;
    s->in_doc = true;
    s->have_prev = s->bos >= 0;
    s->prev = (uint32_t)s->bos;
}

/* A held-out document's piece goes to the validation corpus. */
static int hold(struct stream *s, struct err *e)
{
    if (mem_grow(&s->val_tok, &s->cap_val, s->n_val + s->piece.n, sizeof *s->val_tok, e) < 0)
        return -1;
    if (s->piece.n)
        memcpy(s->val_tok + s->n_val, s->piece.ids, s->piece.n * sizeof *s->val_tok);
    s->n_val += s->piece.n;
    s->val_doc_tok += s->piece.n;
    s->at = s->piece.n;
    if (!s->piece.last)
        return 0;
    uint64_t n = s->val_doc_tok;
    s->val_doc_tok = 0;
    return corpus_add_doc(&s->val, n, e);
}

static void put_pair(struct stream *s, uint32_t target, float weight)
{
    s->ids[s->n] = s->prev;
    s->target[s->n] = target;
    s->weight[s->n++] = weight;
}

static void end_seq(struct stream *s)
{
    if (s->n > (s->n_seq ? s->seq_end[s->n_seq - 1] : 0))
        s->seq_end[s->n_seq++] = s->n;
}

/* Pairs of the piece at hand until it or the window is used up. */
static void take_pairs(struct stream *s)
{
    while (s->at < s->piece.n && s->n < s->n_ctx) {
        uint32_t t = s->piece.ids[s->at];
        float w = s->piece.weights ? (float)s->piece.weights[s->at] / 255.0f : 1.0f;
        s->at++;
        if (s->have_prev)
            put_pair(s, t, w);
        s->prev = t;
        s->have_prev = true;
    }
    if (s->at < s->piece.n || !s->piece.last)
        return;
    if (s->eos >= 0 && s->have_prev) {
        if (s->n == s->n_ctx)
            return; /* the closing pair goes into the next window */
        put_pair(s, (uint32_t)s->eos, 1);
    }
    end_seq(s);
    s->in_doc = false;
}

/* Fills the window as far as the input goes. */
static int read_window(struct stream *s, struct err *e)
{
    s->n = s->n_seq = 0;
    while (s->n < s->n_ctx) {
        bool more = s->in_doc && (s->at < s->piece.n || s->piece.last);
        int r = more ? 1 : next_piece(s, e);
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        if (!s->in_doc)
            begin_doc(s);
        if (s->held) {
            if (hold(s, e) < 0)
                return -1;
            s->in_doc = !s->piece.last;
        } else {
            take_pairs(s);
        }
    }
    end_seq(s);
    hash_add(s->hash, s->ids, (size_t)s->n * sizeof *s->ids);
    hash_add(s->hash, s->target, (size_t)s->n * sizeof *s->target);
    s->n_windows++;
    return s->n > 0;
}

static int stream_fill(void *self, uint64_t i, struct batchbuf *b, struct err *e)
{
    struct stream *s = self;
    int from = 0;

    if (i != s->n_windows)
        BUG("window %" PRIu64 " of a stream that stands at %" PRIu64, i, s->n_windows);
    int r = read_window(s, e);
    if (r <= 0)
        return r;
    for (int k = 0; k < s->n_seq; k++) {
        uint32_t *ids, *target;
        float *weight;
        int n = s->seq_end[k] - from;
        batchbuf_seq(b, n, &ids, &target, &weight);
        memcpy(ids, s->ids + from, (size_t)n * sizeof *ids);
        memcpy(target, s->target + from, (size_t)n * sizeof *target);
        memcpy(weight, s->weight + from, (size_t)n * sizeof *weight);
        from = s->seq_end[k];
    }
    return 1;
}

static uint64_t stream_mark(void *self)
{
    const struct stream *s = self;

    return hash_get64(s->hash);
}

static int stream_forward(void *self, uint64_t n_windows, uint64_t mark, struct err *e)
{
    struct stream *s = self;

    while (s->n_windows < n_windows) {
        int r = read_window(s, e);
        if (r < 0)
            return -1;
        if (r == 0)
            return err_set(e, "the stream ends within what the run has already trained on: give "
                              "--resume the same input again");
    }
    if (stream_mark(s) != mark)
        return err_set(e, "the stream differs from what the run has already trained on: give "
                          "--resume the same input again");
    return 0;
}

struct feed stream_feed(struct stream *s)
{
    return (struct feed){.self = s,
                         .n_windows = UINT64_MAX,
                         .window_tok = s->n_ctx,
                         .fill = stream_fill,
                         .mark = stream_mark,
                         .forward = stream_forward};
}

/* Windows over the documents held out so far, made anew when there are more. */
static int stream_val_fill(void *self, uint64_t i, struct batchbuf *b, struct err *e)
{
    struct stream *s = self;

    if (i == 0 && s->val.n_docs != s->val_docs_windowed) {
        windows_release(&s->val_windows);
        s->val.n_runs = 0;
        struct token_run r = {.n = s->val.n_tok, .ids = s->val_tok, .width = 4};
        if (corpus_add_run(&s->val, r, e) < 0 ||
            windows_init(&s->val_windows, &s->val, s->n_ctx, s->bos, s->eos, PART_ALL, 0, 0, e) < 0)
            return -1;
        s->val_docs_windowed = s->val.n_docs;
    }
    if (i >= s->val_windows.n_windows)
        return 0;
    return windows_fill(&s->val_windows, i, b, e) < 0 ? -1 : 1;
}

struct feed stream_val_feed(struct stream *s)
{
    return (struct feed){
        .self = s, .n_windows = UINT64_MAX, .window_tok = s->n_ctx, .fill = stream_val_fill};
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    windows_release(&s->val_windows);
    corpus_release(&s->val);
    free(s->val_tok);
    free(s->ids);
    free(s->target);
    free(s->weight);
    free(s->seq_end);
    hash_free(s->hash);
    free(s);
}
