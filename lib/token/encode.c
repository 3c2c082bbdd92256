/*
 * Encoding: added tokens are cut out of the text, what is between them is normalised, searched for
 * the added tokens that are sought there, and encoded piece by piece (encode_pieces.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/normalize.h"
#include "token/encode_pieces.h"
#include "token/general.h"
#include "token/token_int.h"

enum { SLACK = 64 };

struct encoder {
    const struct tokenizer *t;
    struct general_run *general; /* NULL: not needed, so far */
    struct general *own;         /* for offsets, where t does without */
    struct piece_run *pieces;
    struct buf form, prefixed;
    struct text_span *spans; /* of the normalised text */
    size_t cap_spans;
};

/* One call's text or part of it, with the spans in which added tokens are ordinary. */
struct part {
    const char *s;
    size_t n;
    const struct text_span *literal;
    size_t n_literal;
    int flags;
};

static struct encoder *new_encoder(const struct tokenizer *t, const struct encoder *beside,
                                   struct err *e)
{
    struct encoder *x = mem_new(1, sizeof *x, e);
    if (!x)
        return NULL;
    x->t = t;
    x->form = x->prefixed = (struct buf)BUF_INIT;
    if (t->general)
        x->general = general_run_new(t->general, beside ? beside->general : NULL, e);
    else
        x->pieces = piece_run_new(t, beside ? beside->pieces : NULL, e);
    if (!x->general && !x->pieces) {
        encoder_free(x);
        return NULL;
    }
    return x;
}

struct encoder *encoder_new(const struct tokenizer *t, struct err *e)
{
    return new_encoder(t, NULL, e);
}

struct encoder *encoder_new_beside(const struct encoder *first, struct err *e)
{
    return new_encoder(first->t, first, e);
}

void encoder_free(struct encoder *x)
{
    if (!x)
        return;
    general_run_free(x->general);
    general_free(x->own);
    piece_run_free(x->pieces);
    buf_release(&x->form);
    buf_release(&x->prefixed);
    free(x->spans);
    free(x);
}

uint64_t encoder_lost(const struct encoder *x)
{
    return (x->pieces ? piece_run_lost(x->pieces) : 0) +
           (x->general ? general_lost(x->general) : 0);
}

/* Normalised text without added tokens. */
static int encode_text(struct encoder *x, const char *s, size_t n, struct ids *out, struct err *e)
{
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
    return piece_run_text(x->pieces, s, n, out, e);
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
    size_t lo = 0, hi = p->n_literal; /* they ascend: the first that ends behind `from` */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->literal[mid].to <= from)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (size_t i = lo; i < p->n_literal && p->literal[i].from < to; i++) {
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

static bool inside_char(const struct part *p, size_t at)
{
    return at < p->n && ((unsigned char)p->s[at] & 0xc0) == 0x80;
}

/* The state machines that split go by lead bytes, so ill-formed text would lead them astray. */
static int check_text(const struct part *p, struct err *e)
{
    size_t good = utf8_valid(p->s, p->n), done = 0;
    if (good < p->n)
        return err_set(e, "invalid UTF-8 at byte %zu", good);
    for (size_t i = 0; i < p->n_literal; i++) {
        const size_t from = p->literal[i].from, to = p->literal[i].to;
        if (from < done || to < from || to > p->n || inside_char(p, from) || inside_char(p, to))
            return err_set(e, "the span of bytes %zu to %zu is none of whole characters", from, to);
        done = to;
    }
    return 0;
}

int encoder_run(struct encoder *x, const char *text, size_t n, int flags,
                const struct text_span *literal, size_t n_literal, struct ids *out, struct err *e)
{
    struct part p = {text, n, literal, n_literal, flags};
    if (!(flags & ENCODE_VALID) && check_text(&p, e) < 0)
        return -1;
    if (x->t->general)
        return general_encode(x->general, text, n, flags, literal, n_literal, out, NULL, e);
    return cut_added(x, &x->t->added.raw, &p, between_raw, out, e);
}

int encoder_offsets(struct encoder *x, const char *text, size_t n, int flags,
                    const struct text_span *literal, size_t n_literal, struct ids *out,
                    struct offsets *off, struct err *e)
{
    const struct part p = {text, n, literal, n_literal, flags};
    if (!(flags & ENCODE_VALID) && check_text(&p, e) < 0)
        return -1;
    if (!x->general && ((!x->own && !(x->own = general_new(x->t, e))) ||
                        !(x->general = general_run_new(x->own, NULL, e))))
        return -1;
    return general_encode(x->general, text, n, flags, literal, n_literal, out, off, e);
}
