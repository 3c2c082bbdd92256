/* A stream of shards as a feed. */
#include "train/stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/bug.h"
#include "base/hash.h"
#include "base/le.h"
#include "base/mem.h"

struct stream {
    struct shard_in *const *in;
    int n_in, now;        /* inputs; the one being read */
    struct stream_plan p; /* bos has eos in its place where there is none */

    struct shard_doc piece;
    size_t at;      /* in the piece */
    bool in_doc;    /* a document has begun and not ended */
    bool held;      /* it is held out */
    bool have_prev; /* prev is the next pair's input */
    uint32_t prev;
    uint64_t n_docs; /* documents that began */

    /* the window being put together: pairs and where its sequences end */
    uint32_t *ids, *target;
    float *weight;
    int *seq_end;
    int n, n_seq;
    bool ready;         /* it is complete and has not been given out */
    uint64_t n_windows; /* given out */
    struct hash_state *hash;

    /* held-out documents */
    struct corpus val;
    unsigned char *val_tok; /* little-endian, as a corpus has them */
    uint8_t *val_weight;
    size_t n_val, cap_val, cap_weight;
    bool has_weights;
    uint64_t val_doc_tok;
    struct windows val_windows;
    uint64_t val_docs_windowed;
};

struct stream *stream_new(struct shard_in *const *in, int n_in, const struct stream_plan *p,
                          struct err *e)
{
    struct stream *s = mem_new(1, sizeof *s, e);
    size_t n = (size_t)p->n_ctx;

    if (!s)
        return NULL;
    *s = (struct stream){.in = in, .n_in = n_in, .p = *p};
    if (p->bos < 0)
        s->p.bos = p->eos;
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

static int check_ids(const struct stream *s, struct err *e)
{
    uint32_t most = 0;

    for (size_t i = 0; i < s->piece.n; i++)
        most = s->piece.ids[i] > most ? s->piece.ids[i] : most;
    if (most < s->p.vocab_size)
        return 0;
    return err_set(
        e, "%s: holds id %" PRIu32 ", which is not below the model's vocabulary of %" PRIu64,
        shard_name(s->in[s->now]), most, s->p.vocab_size);
}

/* The next piece of a document: 1, 0 at the end of all inputs, -1. */
static int next_piece(struct stream *s, struct err *e)
{
    while (s->now < s->n_in) {
        int r = shard_next_piece(s->in[s->now], &s->piece, e);
        if (r < 0)
            return -1;
        if (r > 0) {
            s->at = 0;
            return check_ids(s, e) < 0 ? -1 : 1;
        }
        s->now++;
    }
    return 0;
}

static void begin_doc(struct stream *s)
{
    s->held = s->p.val_share > 0 && windows_held_out(s->p.seed, s->n_docs, s->p.val_share);
    s->n_docs++;
    s->in_doc = true;
    s->have_prev = s->p.bos >= 0;
    s->prev = (uint32_t)s->p.bos;
}

/* A held-out document's piece goes to the validation corpus. */
static int hold(struct stream *s, struct err *e)
{
    size_t n = s->n_val + s->piece.n;
    if (mem_grow(&s->val_tok, &s->cap_val, n, 4, e) < 0 ||
        mem_grow(&s->val_weight, &s->cap_weight, n, 1, e) < 0)
        return -1;
    s->has_weights |= s->piece.weights != NULL;
    for (size_t i = 0; i < s->piece.n; i++) {
        le32_put(s->val_tok + 4 * (s->n_val + i), s->piece.ids[i]);
        s->val_weight[s->n_val + i] = s->piece.weights ? s->piece.weights[i] : 255;
    }
    s->n_val += s->piece.n;
    s->val_doc_tok += s->piece.n;
    s->at = s->piece.n;
    if (!s->piece.last)
        return 0;
    uint64_t doc_tok = s->val_doc_tok;
    s->val_doc_tok = 0;
    return corpus_add_doc(&s->val, doc_tok, e);
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
    while (s->at < s->piece.n && s->n < s->p.n_ctx) {
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
    if (s->p.eos >= 0 && s->have_prev) {
        if (s->n == s->p.n_ctx)
            return; /* the closing pair goes into the next window */
        put_pair(s, (uint32_t)s->p.eos, 1);
    }
    end_seq(s);
    s->in_doc = false;
}

/* Fills the window as far as the input goes; 0: not a pair is left. */
static int read_window(struct stream *s, struct err *e)
{
    s->n = s->n_seq = 0;
    while (s->n < s->p.n_ctx) {
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
    return s->n > 0;
}

static int stream_more(void *self, struct err *e)
{
    struct stream *s = self;
    int r = s->ready ? 1 : read_window(s, e);

    s->ready = r > 0;
    return r;
}

/* The window counts as given out. */
static void take_window(struct stream *s)
{
    hash_add(s->hash, s->ids, (size_t)s->n * sizeof *s->ids);
    hash_add(s->hash, s->target, (size_t)s->n * sizeof *s->target);
    hash_add(s->hash, s->weight, (size_t)s->n * sizeof *s->weight);
    s->n_windows++;
    s->ready = false;
}

static int stream_fill(void *self, uint64_t i, struct batchbuf *b, struct err *e)
{
    struct stream *s = self;
    int from = 0;

    if (i != s->n_windows)
        BUG("window %" PRIu64 " of a stream that stands at %" PRIu64, i, s->n_windows);
    int r = stream_more(s, e);
    if (r <= 0)
        return r;
    take_window(s);
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
        int r = stream_more(s, e);
        if (r < 0)
            return -1;
        if (r == 0)
            return err_set(e, "the stream ends within what the run has already trained on: give "
                              "--resume the same input again");
        take_window(s);
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
                         .window_tok = s->p.n_ctx,
                         .fill = stream_fill,
                         .more = stream_more,
                         .mark = stream_mark,
                         .forward = stream_forward};
}

/* The corpus of what is held out so far: its arrays move as they grow. */
static int renew_val(struct stream *s, struct err *e)
{
    struct token_run r = {.n = s->val.n_tok,
                          .ids = s->val_tok,
                          .weights = s->has_weights ? s->val_weight : NULL,
                          .width = 4};

    s->val.n_runs = 0;
    if (corpus_add_run(&s->val, r, e) < 0)
        return -1;
    if (s->val.n_docs == s->val_docs_windowed)
        return 0;
    s->val_docs_windowed = s->val.n_docs;
    windows_release(&s->val_windows);
    return windows_init(&s->val_windows, &s->val, s->p.n_ctx, s->p.bos, s->p.eos, PART_ALL, 0, 0,
                        e);
}

static int stream_val_fill(void *self, uint64_t i, struct batchbuf *b, struct err *e)
{
    struct stream *s = self;

    if (i == 0 && renew_val(s, e) < 0)
        return -1;
    if (i >= s->val_windows.n_windows)
        return 0;
    return windows_fill(&s->val_windows, i, b, e) < 0 ? -1 : 1;
}

struct feed stream_val_feed(struct stream *s)
{
    return (struct feed){
        .self = s, .n_windows = UINT64_MAX, .window_tok = s->p.n_ctx, .fill = stream_val_fill};
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    windows_release(&s->val_windows);
    corpus_release(&s->val);
    free(s->val_tok);
    free(s->val_weight);
    free(s->ids);
    free(s->target);
    free(s->weight);
    free(s->seq_end);
    hash_free(s->hash);
    free(s);
}
