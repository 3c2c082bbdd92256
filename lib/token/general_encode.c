/*
 * Encoding by the general path. Added tokens are cut out of the text, what is between them is
 * normalised, searched for the added tokens that are sought there, cut into pieces, and each piece
 * goes to the model: as the reference does it, whose order of doing decides ids in the corners.
 */
#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"
#include "token/cache.h"
#include "token/general.h"

enum { BATCH = 128 };

struct general_run {
    const struct general *g;
    struct normalizer_run norm;
    struct pretok_run pre;
    struct text section; /* a tracked one, before normalisation */
    struct word_scratch *scratch;
    struct cache cache;
    struct cache_key key[BATCH];
    struct ids made; /* of one piece */
    struct word_tokens tokens;
    struct text_span *spans; /* literal ones in the normalised section */
    size_t cap_spans;
    uint64_t n_lost;
    /* of the call */
    const char *doc;
    size_t doc_len;
    int flags;
    const struct text_span *literal; /* those that may touch the sections to come */
    size_t n_literal;
    struct ids *out;
    struct offsets *off; /* NULL: not asked for */
    struct edge {        /* of each token's string: how many spaces it begins and ends with */
        uint32_t lead, trail;
    } * edges;
    size_t cap_edges;
    struct err *e;
};

struct general_run *general_run_new(const struct general *g, const struct general_run *beside,
                                    struct err *e)
{
    struct general_run *x = mem_new(1, sizeof *x, e);
    if (!x)
        return NULL;
    x->g = g;
    if (cache_init(&x->cache, beside ? &beside->cache : NULL, e) < 0 ||
        !(x->scratch = word_scratch_new(e))) {
        general_run_free(x);
        return NULL;
    }
    return x;
}

void general_run_free(struct general_run *x)
{
    if (!x)
        return;
    normalizer_run_release(&x->norm);
    pretok_run_release(&x->pre);
    text_release(&x->section);
    word_scratch_free(x->scratch);
    cache_release(&x->cache);
    ids_release(&x->made);
    free(x->tokens.span);
    free(x->spans);
    free(x->edges);
    free(x);
}

uint64_t general_lost(const struct general_run *x)
{
    return x->n_lost;
}

/* ---- tokens and their offsets */

static bool is_space(uint32_t cp)
{
    return cp == 0x120 || uni_bit(cp) & UNI_SPACES; /* U+0120 is ByteLevel's space */
}

static struct edge edges_of(const char *s, size_t n)
{
    struct edge k = {0, 0};
    unsigned len;
    size_t p;
    for (p = 0; p < n && is_space(uni_decode((const unsigned char *)s + p, &len)); p += len)
        k.lead++;
    for (; n > 0; n = p) {
        for (p = n - 1; p > 0 && ((unsigned char)s[p] & 0xc0) == 0x80;)
            p--;
        if (!is_space(uni_decode((const unsigned char *)s + p, &len)))
            break;
        k.trail++;
    }
    return k;
}

/* A token that stands for the document's bytes [from, to); s: its string. */
static int add_token(struct general_run *x, uint32_t id, size_t from, size_t to, const char *s,
                     size_t n)
{
    if (ids_reserve(x->out, 1, x->e) < 0)
        return -1;
    x->out->v[x->out->n++] = id;
    if (!x->off)
        return 0;
    struct offsets *o = x->off;
    if (mem_grow(&o->v, &o->cap, o->n + 1, sizeof *o->v, x->e) < 0)
        return -1;
    if (x->g->n_trims) {
        if (mem_grow(&x->edges, &x->cap_edges, o->n + 1, sizeof *x->edges, x->e) < 0)
            return -1;
        x->edges[o->n] = edges_of(s, n);
    }
    o->v[o->n++] = (struct text_span){from, to};
    return 0;
}

/* Each token's bytes in the piece become those of the document. What lies beyond the piece stays
 * what it is, as in the reference. */
static int add_tracked(struct general_run *x, const struct text *t, struct span32 piece)
{
    for (size_t i = 0; i < x->made.n; i++) {
        const struct span32 k = x->tokens.span[i];
        const struct token *token = vocab_token(&x->g->t->vocab, x->made.v[i]);
        size_t from = k.from, to = k.to;
        if (k.from == k.to) {
            from = to = text_origin(t, piece.from).from + k.from;
        } else if (k.to <= piece.to - piece.from) {
            from = text_origin(t, piece.from + k.from).from;
            to = text_origin(t, piece.from + k.to - 1).to;
        }
        const char *s = token ? token->s : "";
        size_t n = token ? token->len : 0;
        if (x->g->t->score && x->made.v[i] == x->g->t->settings.unk &&
            k.to <= piece.to - piece.from) { /* Unigram's unknown token is what it stands for */
            s = t->s + piece.from + k.from;
            n = k.to - k.from;
        }
        if (add_token(x, x->made.v[i], from, to, s, n) < 0)
            return -1;
    }
    return 0;
}

static int encode_tracked(struct general_run *x, const struct text *t)
{
    const struct word_model *m = x->g->model;
    x->tokens.ids = &x->made;
    x->tokens.with_spans = true;
    for (size_t i = 0; i < x->pre.now.n; i++) {
        const struct span32 piece = x->pre.now.v[i];
        x->made.n = 0;
        if (m->encode(m, x->scratch, t->s + piece.from, piece.to - piece.from, &x->tokens,
                      &x->n_lost, x->e) < 0 ||
            add_tracked(x, t, piece) < 0)
            return -1;
    }
    return 0;
}

static int encode_uncached(struct general_run *x, const char *s, size_t n)
{
    const struct word_model *m = x->g->model;
    x->tokens.ids = x->out;
    x->tokens.with_spans = false;
    return m->encode(m, x->scratch, s, n, &x->tokens, &x->n_lost, x->e);
}

/* A piece that the cache does not have. */
static NO_INLINE int encode_piece(struct general_run *x, const struct cache_key *key, const char *s,
                                  size_t n)
{
    const size_t before = x->out->n;
    const uint64_t lost = x->n_lost;
    if (encode_uncached(x, s, n) < 0)
        return -1;
    if (n <= CACHE_LONGEST && lost == x->n_lost && x->out->n > before)
        cache_put(&x->cache, key, n, x->out->v + before, x->out->n - before);
    return 0;
}

static int encode_batch(struct general_run *x, const char *s, const struct span32 *v, size_t k)
{
    struct ids *out = x->out;
    if (x->g->model->single) { /* no piece has tokens of its own */
        for (size_t i = 0; i < k; i++)
            if (encode_uncached(x, s + v[i].from, v[i].to - v[i].from) < 0)
                return -1;
        return 0;
    }
    if (cache_ready(&x->cache, k, x->e) < 0)
        return -1;
    for (size_t i = 0; i < k; i++)
        if (v[i].to - v[i].from <= CACHE_LONGEST) {
            x->key[i] = cache_key(&x->cache, s + v[i].from, v[i].to - v[i].from);
            PREFETCH(x->key[i].home);
        }
    for (size_t i = 0; i < k; i++) {
        const char *p = s + v[i].from;
        const size_t n = v[i].to - v[i].from;
        const struct cache_cell *cell =
            n <= CACHE_LONGEST ? cache_find(&x->cache, &x->key[i], n) : NULL;
        if (!cell) {
            if (encode_piece(x, &x->key[i], p, n) < 0)
                return -1;
            continue;
        }
        if (ids_reserve(out, cache_n_ids(cell) + CACHE_ROOM, x->e) < 0)
            return -1;
        out->n += cache_all_ids(&x->cache, out->v + out->n, cell);
    }
    return 0;
}

/* Normalised text without added tokens: t's bytes [from, to). */
static int encode_text(struct general_run *x, const struct text *t, size_t from, size_t to)
{
    struct text part = {.s = t->s + from,
                        .n = to - from,
                        .origin = t->tracked ? t->origin + from : NULL,
                        .tracked = t->tracked,
                        .base = text_origin(t, from).from};
    if (pretok_apply(&x->g->pretok, &x->pre, &part, x->e) < 0)
        return -1;
    if (x->off)
        return encode_tracked(x, x->pre.text);
    const struct pieces *v = &x->pre.now;
    if (x->g->seams) {
        x->pre.next.n = 0;
        if (seams_cut(x->g->seams, x->pre.text->s, v->v, v->n, &x->pre.next, x->e) < 0)
            return -1;
        v = &x->pre.next;
    }
    for (size_t i = 0; i < v->n; i += BATCH) {
        const size_t left = v->n - i;
        if (encode_batch(x, x->pre.text->s, v->v + i, left < BATCH ? left : BATCH) < 0)
            return -1;
    }
    return 0;
}

/* ---- added tokens */

/* How many of the literal spans touch the document's bytes [from, to); those before are done with,
 * since sections come in order. */
static size_t literal_in(struct general_run *x, size_t from, size_t to)
{
    size_t n = 0;
    while (x->n_literal && x->literal->to <= from) {
        x->literal++;
        x->n_literal--;
    }
    while (n < x->n_literal && x->literal[n].from < to)
        n++;
    return n;
}

/* The literal spans of the section, where they stand in a tracked text. */
static int map_spans(struct general_run *x, const struct text *t, size_t n, size_t *n_out)
{
    const struct text_span *v = x->literal;
    size_t p = 0;
    *n_out = 0;
    if (mem_grow(&x->spans, &x->cap_spans, n, sizeof *x->spans, x->e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        while (p < t->n && t->origin[p].from < v[i].from)
            p++;
        const size_t from = p;
        while (p < t->n && t->origin[p].from < v[i].to)
            p++;
        if (p > from)
            x->spans[(*n_out)++] = (struct text_span){from, p};
    }
    return 0;
}

/* What lies between raw added tokens: the document's bytes [from, to). */
static int encode_section(struct general_run *x, size_t from, size_t to)
{
    const struct added *added = &x->g->t->added;
    const size_t n_literal = literal_in(x, from, to);
    struct added_match m;
    size_t done = 0, at = 0, gap = 0, n_spans = 0;
    struct text view = {.s = (char *)x->doc + from, .n = to - from};
    const struct text *t = &view;
    if (x->off || n_literal || x->g->pretok.needs_origin) {
        if (to > UINT32_MAX)
            return err_set(x->e, "a document of 4 GiB and more");
        if (text_set(&x->section, x->doc + from, to - from, (uint32_t)from, true, x->e) < 0)
            return -1;
        t = &x->section;
    } else if (to - from > UINT32_MAX) {
        return err_set(x->e, "a text of 4 GiB and more between added tokens");
    }
    t = normalizer_apply(&x->g->normalizer, &x->norm, t, x->e);
    if (!t || (n_literal && map_spans(x, t, n_literal, &n_spans) < 0))
        return -1;
    while (!(x->flags & ENCODE_LITERAL) &&
           added_next_outside(added, &added->normalized, t->s, t->n, x->spans, n_spans, &gap, &at,
                              done, &m)) {
        if ((done < m.from && encode_text(x, t, done, m.from) < 0) ||
            add_token(x, m.token->id, text_origin(t, m.from).from, text_origin(t, m.to - 1).to,
                      t->s + m.from, m.to - m.from) < 0)
            return -1;
        done = m.to;
    }
    return done < t->n ? encode_text(x, t, done, t->n) : 0;
}

/* ---- offsets in characters */

/* The number of characters before each 64th byte. */
struct char_counts {
    const char *s;
    size_t n;
    size_t *before;
};

static size_t count_to(const struct char_counts *c, size_t p)
{
    size_t k = c->before[p / 64];
    for (size_t i = p & ~(size_t)63; i < p; i++)
        k += ((unsigned char)c->s[i] & 0xc0) != 0x80;
    return k;
}

/* The number of the character that the byte at p < n belongs to. */
static size_t char_at(const struct char_counts *c, size_t p)
{
    return count_to(c, p + 1) - 1;
}

/* As the reference counts, also where a range begins or ends outside of the text. */
static struct text_span in_chars(const struct char_counts *c, struct text_span k)
{
    if (k.from >= c->n)
        return k;
    const size_t from = char_at(c, k.from);
    if (k.to < c->n)
        return (struct text_span){from, char_at(c, k.to)};
    return (struct text_span){from, k.to == c->n ? char_at(c, c->n - 1) + 1 : from + 2};
}

static void trim(struct text_span *k, struct edge edge, bool first, bool prefix)
{
    if (edge.lead && !(first && prefix && edge.lead == 1)) {
        k->from += edge.lead;
        if (k->from > k->to)
            k->from = k->to;
    }
    if (edge.trail && k->to >= edge.trail) {
        k->to -= edge.trail;
        if (k->to < k->from)
            k->to = k->from;
    }
}

static int finish_offsets(struct general_run *x)
{
    struct char_counts c = {x->doc, x->doc_len, mem_new(x->doc_len / 64 + 1, sizeof(size_t), x->e)};
    size_t k = 0;
    if (!c.before)
        return -1;
    for (size_t i = 0; i < c.n; i++) {
        if (i % 64 == 0)
            c.before[i / 64] = k;
        k += ((unsigned char)c.s[i] & 0xc0) != 0x80;
    }
    if (c.n % 64 == 0)
        c.before[c.n / 64] = k;
    for (size_t i = 0; i < x->off->n; i++) {
        struct text_span *v = &x->off->v[i];
        *v = in_chars(&c, *v);
        for (size_t j = 0; j < x->g->n_trims; j++)
            trim(v, x->edges[i], i == 0 || v->from == 0, x->g->trim[j]);
    }
    free(c.before);
    return 0;
}

int general_encode(struct general_run *x, const char *text, size_t n, int flags,
                   const struct text_span *literal, size_t n_literal, struct ids *out,
                   struct offsets *off, struct err *e)
{
    const struct added *added = &x->g->t->added;
    struct added_match m;
    size_t done = 0, at = 0, gap = 0;
    x->doc = text;
    x->doc_len = n;
    x->flags = flags;
    x->literal = literal;
    x->n_literal = n_literal;
    x->out = out;
    x->off = off;
    x->e = e;
    x->scratch->so_far = 0;
    if (off)
        off->n = 0;
    while (!(flags & ENCODE_LITERAL) && added_next_outside(added, &added->raw, text, n, literal,
                                                           n_literal, &gap, &at, done, &m)) {
        if ((done < m.from && encode_section(x, done, m.from) < 0) ||
            add_token(x, m.token->id, m.from, m.to, text + m.from, m.to - m.from) < 0)
            return -1;
        done = m.to;
    }
    if (done < n && encode_section(x, done, n) < 0)
        return -1;
    return off ? finish_offsets(x) : 0;
}
