/* Windows of training pairs over a corpus. */
#include "train/windows.h"

#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/rng.h"

static uint64_t doc_len(const struct corpus *c, uint64_t doc)
{
    return c->doc_at[doc + 1] - c->doc_at[doc];
}

/* Pairs of a whole document of n tokens. */
static uint64_t doc_pairs(const struct windows *w, uint64_t n)
{
    uint64_t marks = (uint64_t)(w->bos >= 0) + (uint64_t)(w->eos >= 0);

    return n + marks > 0 ? n + marks - 1 : 0;
}

/* The range of a document's pairs that belongs to this part. */
static void doc_range(const struct windows *w, uint64_t doc, uint64_t *from, uint64_t *to)
{
    uint64_t n = doc_pairs(w, doc_len(w->c, doc));
    uint64_t tail = (uint64_t)floor((double)n * w->share + 0.5);

    *from = w->part == PART_VAL_TAILS ? n - tail : 0;
    *to = w->part == PART_TRAIN_HEADS ? n - tail : n;
}

bool windows_held_out(uint64_t seed, uint64_t doc, double share)
{
    struct rng r;

    rng_init(&r, seed, RNG_VALID, doc);
    return rng_f64(&r) < share;
}

enum part windows_split(const struct corpus *c, double share, uint64_t seed)
{
    uint64_t held = 0;

    for (uint64_t i = 0; i < c->n_docs; i++)
        if (windows_held_out(seed, i, share))
            held += doc_len(c, i);
    double want = share * (double)c->n_tok;
    return (double)held >= want / 2 && (double)held <= want * 2 ? PART_TRAIN_DOCS
                                                                : PART_TRAIN_HEADS;
}

static int add_pieces(struct windows *w, uint64_t seed, struct err *e)
{
    bool by_doc = w->part == PART_TRAIN_DOCS || w->part == PART_VAL_DOCS;
    size_t cap_doc = 0, cap_cum = 0;

    for (uint64_t i = 0; i < w->c->n_docs; i++) {
        uint64_t from, to;
        if (by_doc && windows_held_out(seed, i, w->share) != (w->part == PART_VAL_DOCS))
            continue;
        doc_range(w, i, &from, &to);
        if (from == to)
            continue;
        if (mem_grow(&w->doc, &cap_doc, w->n_pieces + 1, sizeof *w->doc, e) < 0 ||
            mem_grow(&w->cum, &cap_cum, w->n_pieces + 2, sizeof *w->cum, e) < 0)
            return -1;
        w->doc[w->n_pieces] = i;
        w->cum[w->n_pieces++] = w->n_pairs;
        w->n_pairs += to - from;
        w->cum[w->n_pieces] = w->n_pairs;
    }
    return 0;
}

int windows_init(struct windows *w, const struct corpus *c, int n_ctx, int64_t bos, int64_t eos,
                 enum part part, double share, uint64_t seed, struct err *e)
{
    *w = (struct windows){.c = c,
                          .n_ctx = n_ctx,
                          .bos = bos >= 0 ? bos : eos,
                          .eos = eos,
                          .part = part,
                          .share = share};
    w->scratch = mem_new((size_t)n_ctx + 2, sizeof *w->scratch, e);
    if (!w->scratch || add_pieces(w, seed, e) < 0) {
        windows_release(w);
        return -1;
    }
    w->n_windows = (w->n_pairs + (uint64_t)n_ctx - 1) / (uint64_t)n_ctx;
    return 0;
}

/* The last piece that begins at or before pair `at`. */
static size_t find_piece(const struct windows *w, uint64_t at)
{
    size_t lo = 0, hi = w->n_pieces;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (w->cum[mid] <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Pairs [from, from + n) of a document as one sequence. */
static void fill_piece(struct windows *w, uint64_t doc, uint64_t from, int n, struct batchbuf *b)
{
    uint64_t len = doc_len(w->c, doc), lead = w->bos >= 0;
    uint32_t *ids, *target;
    float *weight;

    batchbuf_seq(b, n, &ids, &target, &weight);
    /* pair j reads token j - lead and predicts token j + 1 - lead */
    for (int i = 0; i < n; i++)
        weight[i] = 1;
    uint64_t first = from >= lead ? from - lead : 0;
    uint64_t last = from + (uint64_t)n - lead; /* inclusive index of the last target */
    uint64_t end = last < len ? last + 1 : len;
    size_t n_read = end > first ? (size_t)(end - first) : 0;
    corpus_read(w->c, w->c->doc_at[doc] + first, n_read, w->scratch, NULL);
    for (int i = 0; i < n; i++) {
        uint64_t j = from + (uint64_t)i;
        ids[i] = j < lead ? (uint32_t)w->bos : w->scratch[j - lead - first];
        target[i] = j + 1 - lead < len ? w->scratch[j + 1 - lead - first] : (uint32_t)w->eos;
    }
    if (w->c->has_weights) {
        uint64_t t0 = from + 1 - lead;
        uint64_t m = t0 < len ? len - t0 : 0;
        corpus_read(w->c, w->c->doc_at[doc] + t0, m < (uint64_t)n ? (size_t)m : (size_t)n, NULL,
                    weight);
    }
}

int windows_fill(struct windows *w, uint64_t i, struct batchbuf *b, struct err *e)
{
    uint64_t at = i * (uint64_t)w->n_ctx;
    uint64_t end = at + (uint64_t)w->n_ctx < w->n_pairs ? at + (uint64_t)w->n_ctx : w->n_pairs;

    if (i >= w->n_windows)
        return err_set(e, "window %llu of %llu", (unsigned long long)i,
                       (unsigned long long)w->n_windows);
    for (size_t p = find_piece(w, at); at < end; p++) {
        uint64_t from, to, stop = w->cum[p + 1] < end ? w->cum[p + 1] : end;
        doc_range(w, w->doc[p], &from, &to);
        fill_piece(w, w->doc[p], from + (at - w->cum[p]), (int)(stop - at), b);
        at = stop;
    }
    return 0;
}

int windows_max_pieces(const struct windows *w)
{
    size_t most = 0, p = 0;

    for (uint64_t i = 0; i < w->n_windows; i++) {
        uint64_t end = (i + 1) * (uint64_t)w->n_ctx;
        size_t first = p; /* the piece that holds the window's first pair */
        while (p < w->n_pieces && w->cum[p + 1] <= end)
            p++;
        bool cut = p < w->n_pieces && w->cum[p] < end; /* one that goes on in the next window */
        most = p + cut - first > most ? p + cut - first : most;
    }
    return (int)most;
}

void windows_release(struct windows *w)
{
    free(w->doc);
    free(w->cum);
    free(w->scratch);
    *w = (struct windows){0};
}
