/*
 * Encoding: added tokens are cut out of the text, what is between them is normalised, searched for
 * the added tokens that are sought there, and cut into pieces; pieces, or parts of them where a
 * model has places that it never joins, go through the cache to the model, a batch at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "text/normalize.h"
#include "token/cache.h"
#include "token/general.h"
#include "token/junctions.h"
#include "token/token_int.h"

enum { BATCH = 256, PARTS = 512, MANY = 4096, SLACK = 64 };

struct encoder {
    const struct tokenizer *t;
    struct general_run *general; /* NULL: not needed, so far */
    struct general *own;         /* for offsets, where t does without */
    struct cutter *cutter;
    struct piece_scratch *scratch;
    struct cache cache;
    uint32_t cuts[BATCH], ends[PARTS];
    bool part[PARTS]; /* of a piece that was cut further */
    struct cache_key key[PARTS];
    /* Parts whose ids are not yet in the output, in its order; the text of those that had none. */
    struct cache_cell *cell[MANY], no_cell;
    struct text_of {
        size_t at; /* in cell */
        const char *s;
        size_t n;
        bool part;
    } texts[MANY];
    struct piece_job jobs[MANY];
    size_t n_cells, n_texts, n_jobs, cap_room;
    uint32_t *room; /* for the ids of jobs */
    struct ids one;
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
    x->no_cell.id[0] = (uint32_t)CACHE_NONE << CACHE_COUNT_AT;
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
    free(x->room);
    ids_release(&x->one);
    free(x);
}

uint64_t encoder_lost(const struct encoder *x)
{
    return x->n_lost + (x->general ? general_lost(x->general) : 0);
}

/* ---- pieces */

/* Asks the model for one piece, or a part of one. */
static int ask(struct encoder *x, const char *s, size_t n, bool part, struct ids *out,
               struct err *e)
{
    return x->t->ops->encode(x->t->model, x->scratch, s, n, part, out, &x->n_lost, e);
}

/* Fills the cells of new parts, but for those that lose bytes, which are to be counted each time,
 * and those that are not the same as a piece and as a part of one. */
static NO_INLINE int run_jobs(struct encoder *x, struct err *e)
{
    size_t n_room = 0;
    for (size_t i = 0; i < x->n_jobs; i++)
        n_room += x->jobs[i].n;
    if (mem_grow(&x->room, &x->cap_room, n_room, sizeof *x->room, e) < 0)
        return -1;
    for (size_t i = 0, at = 0; i < x->n_jobs; at += x->jobs[i++].n)
        x->jobs[i].ids = x->room + at;
    if (x->t->ops->encode_jobs &&
        x->t->ops->encode_jobs(x->t->model, x->scratch, x->jobs, x->n_jobs, e) < 0)
        return -1;
    for (size_t i = 0; i < x->n_jobs; i++) {
        struct piece_job *job = &x->jobs[i];
        uint64_t lost = x->n_lost;
        if (job->n_ids) {
            cache_fill(&x->cache, job->owner, job->ids, job->n_ids);
            continue;
        }
        x->one.n = 0;
        if (ask(x, job->s, job->n, false, &x->one, e) < 0)
            return -1;
        size_t n_whole = x->one.n;
        if (x->t->settings.ignore_merges && ask(x, job->s, job->n, true, &x->one, e) < 0)
            return -1;
        bool same = x->one.n == n_whole ||
                    (x->one.n == 2 * n_whole &&
                     memcmp(x->one.v, x->one.v + n_whole, n_whole * sizeof *x->one.v) == 0);
        if (x->n_lost == lost && n_whole && same)
            cache_fill(&x->cache, job->owner, x->one.v, n_whole);
        x->n_lost = lost;
    }
    return 0;
}

/* A cell's ids at v, where there is room for CACHE_IDS: how many, or CACHE_POOLED or CACHE_NONE and
 * none that count. */
static ALWAYS_INLINE uint32_t put_cell(uint32_t *v, const struct cache_cell *cell)
{
    const uint32_t n = cell->id[0] >> CACHE_COUNT_AT;
    memcpy(v, cell->id, sizeof cell->id); /* all four: quicker than to look how many */
    v[0] &= (UINT32_C(1) << CACHE_COUNT_AT) - 1;
    return n;
}

/* Ids that stand in the pool; there is room for n_more parts afterwards. */
static NO_INLINE int put_pooled(struct encoder *x, const struct cache_cell *cell, size_t n_more,
                                struct ids *out, struct err *e)
{
    if (ids_reserve(out, cell->id[2] + CACHE_IDS * n_more, e) < 0)
        return -1;
    memcpy(out->v + out->n, x->cache.pool + cell->id[1], cell->id[2] * sizeof *out->v);
    out->n += cell->id[2];
    return 0;
}

/* The ids of all parts that wait, in their order. */
static int put_parts(struct encoder *x, struct ids *out, struct err *e)
{
    const struct text_of *text = x->texts;
    if ((x->n_jobs && run_jobs(x, e) < 0) || ids_reserve(out, CACHE_IDS * x->n_cells, e) < 0)
        return -1;
    for (size_t i = 0; i < x->n_cells; i++) {
        const struct cache_cell *cell = x->cell[i];
        const uint32_t n = put_cell(out->v + out->n, cell);
        if (LIKELY(n <= CACHE_IDS)) {
            out->n += n;
            continue;
        }
        if (n == CACHE_POOLED) {
            if (put_pooled(x, cell, x->n_cells - i, out, e) < 0)
                return -1;
            continue;
        }
        while (text->at != i)
            text++;
        if (ask(x, text->s, text->n, text->part, out, e) < 0 ||
            ids_reserve(out, CACHE_IDS * (x->n_cells - i), e) < 0)
            return -1;
    }
    x->n_cells = x->n_jobs = x->n_texts = 0;
    return 0;
}

/* The cell of a part that is neither found nor ready yet; its text is kept. */
static NO_INLINE struct cache_cell *new_part(struct encoder *x, size_t at, struct cache_cell *cell,
                                             const struct cache_key *k, const char *s, size_t n,
                                             bool part)
{
    x->texts[x->n_texts++] = (struct text_of){at, s, n, part};
    if (!cell)
        return &x->no_cell;
    if (cell->k1) /* it waits since a part before, or is one that loses bytes */
        return cell;
    if (!cache_take(&x->cache, cell, k, s, n))
        return &x->no_cell;
    x->jobs[x->n_jobs++] = (struct piece_job){.s = s, .n = n, .owner = cell};
    return cell;
}

/* The ids of parts *i to k while the cache has them: it comes to where one is not there. */
static ALWAYS_INLINE int put_known(struct encoder *x, const struct cache *cache, const char *s,
                                   size_t *from, size_t *i, size_t k, struct ids *out,
                                   struct err *e)
{
    if (ids_reserve(out, CACHE_IDS * k, e) < 0)
        return -1;
    const struct cache_key *key = x->key;
    const uint32_t *ends = x->ends;
    uint32_t *v = out->v + out->n;
    size_t at = *i, begin = *from;
    for (size_t to; at < k; begin = to, at++) {
        to = ends[at];
        if (UNLIKELY(to - begin > CACHE_LONGEST))
            break;
        const struct cache_cell *cell = cache_find(cache, &key[at], s + begin, to - begin);
        if (UNLIKELY(!cell->k1))
            break;
        const uint32_t n = put_cell(v, cell);
        if (LIKELY(n <= CACHE_IDS)) {
            v += n;
            continue;
        }
        if (n == CACHE_NONE)
            break;
        out->n = (size_t)(v - out->v);
        if (put_pooled(x, cell, k - at, out, e) < 0)
            return -1;
        v = out->v + out->n;
    }
    out->n = (size_t)(v - out->v);
    *i = at;
    *from = begin;
    return 0;
}

/* k parts of text, the first from s[from] on; their ends stand in x->ends. They wait, for many that
 * are not in the cache are quicker together than a few. */
static int add_parts(struct encoder *x, const char *s, size_t from, size_t k, struct ids *out,
                     struct err *e)
{
    if (x->n_cells + k > MANY && put_parts(x, out, e) < 0)
        return -1;
    if (x->n_cells == 0 && cache_ready(&x->cache, MANY, e) < 0)
        return -1;
    const struct cache cache =
        x->cache; /* its cells do not move, and copies need not be read again */
    struct cache_key *RESTRICT key = x->key;
    const uint32_t *ends = x->ends;
    size_t first = from, i = 0;
    for (size_t to; i < k; from = to, i++) {
        to = ends[i];
        if (UNLIKELY(to - from > CACHE_LONGEST))
            continue;
        cache_key(&key[i], s + from, to - from);
        cache_prefetch(&cache, &key[i]);
    }
    i = 0;
    from = first;
    if (x->n_cells == 0) { /* nothing waits: ids go out at once until something has to */
        if (put_known(x, &cache, s, &from, &i, k, out, e) < 0)
            return -1;
    }
    for (size_t to; i < k; from = to, i++) {
        struct cache_cell *cell = NULL;
        to = ends[i];
        if (LIKELY(to - from <= CACHE_LONGEST))
            cell = cache_find(&cache, &key[i], s + from, to - from);
        if (UNLIKELY(!cell || !cell->k1 || cell->id[0] >> CACHE_COUNT_AT == CACHE_NONE))
            cell = new_part(x, x->n_cells, cell, &key[i], s + from, to - from, x->part[i]);
        x->cell[x->n_cells++] = cell;
    }
    return 0;
}

/* Whether a byte of s[0..n) is that of a character of several; 16 bytes behind are readable. */
static ALWAYS_INLINE bool has_wide(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    uint64_t any = 0;
    for (; UNLIKELY(n > CACHE_INLINE); p += CACHE_INLINE, n -= CACHE_INLINE)
        any |= le64_get(p) | le64_get(p + 8);
    any |= (le64_get(p) & cache_keep[n][0]) | (le64_get(p + 8) & cache_keep[n][1]);
    return any & UINT64_C(0x8080808080808080);
}

/* k pieces, the first at s, whose ends stand in x->cuts: cut further where no token goes across. */
static int encode_pieces(struct encoder *x, const char *s, size_t k, struct ids *out, struct err *e)
{
    size_t from = 0, n_parts = 0, begin = 0; /* begin: of the first part that waits */
    if (!x->t->junctions || !has_wide(s, x->cuts[k - 1])) {
        memcpy(x->ends, x->cuts, k * sizeof *x->ends);
        memset(x->part, 0, k * sizeof *x->part);
        return add_parts(x, s, 0, k, out, e);
    }
    for (size_t i = 0; i < k; from = x->cuts[i++]) {
        size_t n = x->cuts[i], at = from, first = n_parts;
        bool cut = false;
        if (has_wide(s + from, n - from)) {
            while ((at = junctions_cut(x->t->junctions, s, at, n, x->ends, &n_parts, PARTS - 1)) <
                   n) {
                memset(x->part + first, 1, (n_parts - first) * sizeof *x->part);
                if (add_parts(x, s, begin, n_parts, out, e) < 0)
                    return -1;
                begin = x->ends[n_parts - 1];
                n_parts = first = 0;
                cut = true;
            }
            cut |= n_parts > first;
        }
        x->ends[n_parts++] = (uint32_t)n;
        memset(x->part + first, cut, (n_parts - first) * sizeof *x->part);
        if (n_parts == PARTS) {
            if (add_parts(x, s, begin, n_parts, out, e) < 0)
                return -1;
            begin = n;
            n_parts = 0;
        }
    }
    return n_parts ? add_parts(x, s, begin, n_parts, out, e) : 0;
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
    x->n_cells = x->n_jobs = x->n_texts = 0; /* an error may have left some */
    cut_begin(x->cutter, s, n);
    while ((k = cut_next(x->cutter, x->cuts, BATCH, e)) > 0)
        if (encode_pieces(x, s + cut_from(x->cutter), (size_t)k, out, e) < 0)
            return -1;
    return k < 0 ? -1 : put_parts(x, out, e);
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
    if (!x->general && ((!x->own && !(x->own = general_new(x->t, e))) ||
                        !(x->general = general_run_new(x->own, e))))
        return -1;
    return general_encode(x->general, text, n, flags, literal, n_literal, out, off, e);
}
