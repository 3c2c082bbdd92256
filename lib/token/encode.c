/*
 * Encoding: added tokens are cut out of the text, what is between them is normalised, searched for
 * the added tokens that are sought there, and cut into pieces; pieces go through the cache to the
 * model, a batch at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "text/normalize.h"
#include "token/cache.h"
#include "token/general.h"
#include "token/token_int.h"

enum { BATCH = 256, SLACK = 64 };

struct encoder {
    const struct tokenizer *t;
    struct general_run *general; /* NULL: not needed, so far */
    struct general *own;         /* for offsets, where t does without */
    struct cutter *cutter;
    struct piece_scratch *scratch;
    struct cache cache;
    struct cache_key key[BATCH];
    uint32_t ends[BATCH];
    struct buf form, prefixed;
    struct text_span *spans; /* of the normalised text */
    size_t cap_spans;
    uint64_t n_lost;
};

/* One call's text or part of it, with the spans in which added tokens are ordinary. */
struct part {
    const char *s;
    size_t n;
    const struct text_span *literal;
    size_t n_literal;
    int flags;
};

struct encoder *encoder_new(const struct tokenizer *t, struct err *e)
{
    struct encoder *x = mem_new(1, sizeof *x, e);
    if (!x)
        return NULL;
    x->t = t;
    x->form = x->prefixed = (struct buf)BUF_INIT;
    if (t->general) {
        if (!(x->general = general_run_new(t->general, e))) {
            encoder_free(x);
            return NULL;
        }
        return x;
    }
    if (cache_init(&x->cache, e) < 0 || !(x->scratch = t->ops->scratch_new(t->model, e)) ||
        !(x->cutter = cutter_new(t->split, e))) {
        encoder_free(x);
        return NULL;
    }
    return x;
}

void encoder_free(struct encoder *x)
{
    if (!x)
        return;
    general_run_free(x->general);
    general_free(x->own);
    cache_release(&x->cache);
    if (x->scratch)
        x->t->ops->scratch_free(x->scratch);
    if (x->cutter)
        cutter_free(x->cutter);
    buf_release(&x->form);
    buf_release(&x->prefixed);
    free(x->spans);
    free(x);
}

uint64_t encoder_lost(const struct encoder *x)
{
    return x->n_lost + (x->general ? general_lost(x->general) : 0);
}

/* ---- pieces */

/* A piece that the cache does not have. */
static NO_INLINE int encode_piece(struct encoder *x, const struct cache_key *k, const char *s,
                                  size_t n, struct ids *out, struct err *e)
{
    size_t before = out->n;
    uint64_t lost = x->n_lost;
    if (x->t->ops->encode(x->t->model, x->scratch, s, n, out, &x->n_lost, e) < 0)
        return -1;
    if (n <= CACHE_LONGEST && lost == x->n_lost && out->n > before)
        cache_put(&x->cache, k, s, n, out->v + before, out->n - before);
    return 0;
}

/* k pieces, the first at s; their ends stand in x->ends. */
static int encode_batch(struct encoder *x, const char *s, size_t k, struct ids *out, struct err *e)
{
    size_t from = 0;
    for (size_t i = 0; i < k; from = x->ends[i++]) {
        size_t n = x->ends[i] - from;
        if (UNLIKELY(n > CACHE_LONGEST))
            continue;
        cache_key(&x->key[i], s + from, n);
        cache_prefetch(&x->cache, &x->key[i]);
    }
    if (ids_reserve(out, CACHE_IDS * k, e) < 0)
        return -1;
    from = 0;
    for (size_t i = 0; i < k; from = x->ends[i++]) {
        const char *p = s + from;
        size_t n = x->ends[i] - from;
        const struct cache_cell *cell = NULL;
        if (LIKELY(n <= CACHE_LONGEST))
            cell = cache_find(&x->cache, &x->key[i], p, n);
        if (LIKELY(cell && cell->k1 && cell->id[0] >> CACHE_COUNT_AT <= CACHE_IDS)) {
            uint32_t *v = out->v + out->n;
            memcpy(v, cell->id, sizeof cell->id); /* all four: quicker than to look how many */
            v[0] &= (UINT32_C(1) << CACHE_COUNT_AT) - 1;
            out->n += cell->id[0] >> CACHE_COUNT_AT;
            continue;
        }
        if (cell && cell->k1) {
            if (ids_reserve(out, cell->id[2], e) < 0)
                return -1;
            memcpy(out->v + out->n, x->cache.pool + cell->id[1], cell->id[2] * sizeof *out->v);
            out->n += cell->id[2];
        } else if (encode_piece(x, &x->key[i], p, n, out, e) < 0) {
            return -1;
        }
        if (ids_reserve(out, CACHE_IDS * (k - i), e) < 0)
            return -1;
    }
    return 0;
}

/* Normalised text without added tokens. */
static int encode_text(struct encoder *x, const char *s, size_t n, struct ids *out, struct err *e)
{
    long k;
    if (n == 0)
        return 0;
    if (x->t->prefix_space && s[0] != ' ') {
        buf_clear(&x->prefixed);
        if (buf_putc(&x->prefixed, ' ', e) < 0 || buf_add(&x->prefixed, s, n, e) < 0 ||
            buf_reserve(&x->prefixed, SLACK, e) < 0)
            return -1;
        s = x->prefixed.s;
        n++;
    }
    cut_begin(x->cutter, s, n);
    while ((k = cut_next(x->cutter, x->ends, BATCH, e)) > 0)
        if (cache_ready(&x->cache, (size_t)k, e) < 0 ||
            encode_batch(x, s + cut_from(x->cutter), (size_t)k, out, e) < 0)
            return -1;
    return k < 0 ? -1 : 0;
}

/* ---- added tokens */

/* Cuts p at the matches of f; fn takes what is between them. */
static int cut_added(struct encoder *x, const struct finder *f, const struct part *p,
                     int (*fn)(struct encoder *x, const struct part *p, size_t from, size_t to,
                               struct ids *out, struct err *e),
                     struct ids *out, struct err *e)
{
    size_t done = 0, at = 0, gap = 0;
    struct added_match m;
    if (!(p->flags & ENCODE_LITERAL))
        while (added_next_outside(&x->t->added, f, p->s, p->n, p->literal, p->n_literal, &gap, &at,
                                  done, &m)) {
            if ((done < m.from && fn(x, p, done, m.from, out, e) < 0) || ids_reserve(out, 1, e) < 0)
                return -1;
            out->v[out->n++] = m.token->id;
            done = m.to;
        }
    return done < p->n ? fn(x, p, done, p->n, out, e) : 0;
}

static int between_normalized(struct encoder *x, const struct part *p, size_t from, size_t to,
                              struct ids *out, struct err *e)
{
    return encode_text(x, p->s + from, to - from, out, e);
}

/* The spans of a part of a text, counted from its beginning. */
static int cut_spans(struct encoder *x, const struct part *p, size_t from, size_t to,
                     struct part *out, struct err *e)
{
    out->literal = NULL;
    out->n_literal = 0;
    if (p->n_literal == 0)
        return 0;
    if (mem_grow(&x->spans, &x->cap_spans, p->n_literal, sizeof *x->spans, e) < 0)
        return -1;
    for (size_t i = 0; i < p->n_literal; i++) {
        size_t a = p->literal[i].from > from ? p->literal[i].from : from;
        size_t b = p->literal[i].to < to ? p->literal[i].to : to;
        if (a < b)
            x->spans[out->n_literal++] = (struct text_span){a - from, b - from};
    }
    out->literal = x->spans;
    return 0;
}

/* Normalises q->s into x->form, each span and what is between spans on its own, so that it is
 * known where they stand afterwards. */
static int normalise(struct encoder *x, struct part *q, struct err *e)
{
    size_t done = 0;
    buf_clear(&x->form);
    for (size_t i = 0; i < q->n_literal; i++) {
        struct text_span *span = &x->spans[i];
        size_t to = span->to;
        if (nfc_append(&x->form, q->s + done, span->from - done, e) < 0)
            return -1;
        done = span->from;
        span->from = x->form.len;
        if (nfc_append(&x->form, q->s + done, to - done, e) < 0)
            return -1;
        done = to;
        span->to = x->form.len;
    }
    if (nfc_append(&x->form, q->s + done, q->n - done, e) < 0 ||
        buf_reserve(&x->form, SLACK, e) < 0)
        return -1;
    q->s = x->form.s;
    q->n = x->form.len;
    return 0;
}

static int between_raw(struct encoder *x, const struct part *p, size_t from, size_t to,
                       struct ids *out, struct err *e)
{
    struct part q = {.s = p->s + from, .n = to - from, .flags = p->flags};
    if (cut_spans(x, p, from, to, &q, e) < 0)
        return -1;
    if (x->t->nfc && nfc_check(q.s, q.n) < q.n && normalise(x, &q, e) < 0)
        return -1;
    return cut_added(x, &x->t->added.normalized, &q, between_normalized, out, e);
}

int encoder_run(struct encoder *x, const char *text, size_t n, int flags,
                const struct text_span *literal, size_t n_literal, struct ids *out, struct err *e)
{
    struct part p = {text, n, literal, n_literal, flags};
    if (x->t->general)
        return general_encode(x->general, text, n, flags, literal, n_literal, out, NULL, e);
    return cut_added(x, &x->t->added.raw, &p, between_raw, out, e);
}

int encoder_offsets(struct encoder *x, const char *text, size_t n, int flags,
                    const struct text_span *literal, size_t n_literal, struct ids *out,
                    struct offsets *off, struct err *e)
{
    if (!x->general &&
        (!(x->own = general_new(x->t, e)) || !(x->general = general_run_new(x->own, e))))
        return -1;
    return general_encode(x->general, text, n, flags, literal, n_literal, out, off, e);
}
