/* Pre-tokenizers: see pretok.h. */
#include "token/pretok.h"

#include <stdlib.h>
#include <string.h>

#include "text/charclass.h"
#include "text/unicode.h"
#include "token/bytelevel.h"

/* ---- matches to pieces */

/* One piece being cut: [from, to) of it are given in order, and whether they match. */
struct fold {
    struct pieces *out;
    enum pretok_behavior behavior;
    bool invert, last_matched;
    bool pending; /* MERGED_WITH_NEXT: the last of out is a match that the next may join */
    size_t first; /* of this piece's in out */
    struct err *e;
};

static int push(struct pieces *p, size_t from, size_t to, struct err *e)
{
    if (mem_grow(&p->v, &p->cap, p->n + 1, sizeof *p->v, e) < 0)
        return -1;
    p->v[p->n++] = (struct span32){(uint32_t)from, (uint32_t)to};
    return 0;
}

static int fold_add(struct fold *f, size_t from, size_t to, bool match)
{
    match = match != f->invert;
    bool last = f->last_matched, joins = false;
    f->last_matched = match;
    switch (f->behavior) {
    case SPLIT_REMOVED:
        return match ? 0 : push(f->out, from, to, f->e);
    case SPLIT_ISOLATED:
        break;
    case SPLIT_CONTIGUOUS:
        joins = match == last;
        break;
    case SPLIT_MERGED_WITH_PREVIOUS:
        joins = match && !last;
        break;
    case SPLIT_MERGED_WITH_NEXT:
        joins = f->pending && !match;
        f->pending = match;
        break;
    }
    if (joins && f->out->n > f->first) {
        f->out->v[f->out->n - 1].to = (uint32_t)to;
        return 0;
    }
    return push(f->out, from, to, f->e);
}

/* Empty pieces are dropped. */
static void fold_end(struct fold *f)
{
    size_t k = f->first;
    for (size_t i = f->first; i < f->out->n; i++)
        if (f->out->v[i].from < f->out->v[i].to)
            f->out->v[k++] = f->out->v[i];
    f->out->n = k;
}

/* ---- cutting one piece s[from..to) */

struct cut_work {
    const struct pretok_step *step;
    struct pretok_tool *tool;
    struct pieces *out;
    struct err *e;
};

static int cut_chain(struct cut_work *w, const char *s, size_t from, size_t to)
{
    enum { BATCH = 256 };
    uint32_t ends[BATCH];
    long k;
    cut_begin(w->tool->cutter, s + from, to - from);
    while ((k = cut_next(w->tool->cutter, ends, BATCH, w->e)) > 0) {
        size_t base = from + cut_from(w->tool->cutter), begin = 0;
        for (long i = 0; i < k; begin = ends[i++])
            if (push(w->out, base + begin, base + ends[i], w->e) < 0)
                return -1;
    }
    return k < 0 ? -1 : 0;
}

static int cut_pattern(struct cut_work *w, struct fold *f, const char *s, size_t from, size_t to)
{
    size_t done = 0, a, b;
    int r;
    if (pattern_begin(w->tool->scan, s + from, to - from, w->e) < 0)
        return -1;
    while ((r = pattern_next(w->tool->scan, &a, &b, w->e)) > 0) {
        if ((done != a && fold_add(f, from + done, from + a, false) < 0) ||
            fold_add(f, from + a, from + b, true) < 0)
            return -1;
        done = b;
    }
    if (r < 0)
        return -1;
    return done != to - from ? fold_add(f, from + done, to, false) : 0;
}

static bool matches(const struct pretok_step *step, const char *s, uint32_t cp, unsigned len)
{
    switch (step->kind) {
    case PRE_SPACE:
        return uni_bit(cp) & UNI_SPACES;
    case PRE_PUNCT:
        return cc_class(cp) & CC_PUNCT;
    case PRE_NUMBER:
        return cc_class(cp) & CC_NUMBER;
    default:
        return len == step->n_mark && memcmp(s, step->mark, len) == 0;
    }
}

static int cut_class(const struct pretok_step *step, struct fold *f, const char *s, size_t from,
                     size_t to)
{
    size_t done = from;
    unsigned len;
    for (size_t p = from; p < to; p += len) {
        uint32_t cp = uni_decode((const unsigned char *)s + p, &len);
        if (!matches(step, s + p, cp, len))
            continue;
        if ((done < p && fold_add(f, done, p, false) < 0) || fold_add(f, p, p + len, true) < 0)
            return -1;
        done = p + len;
    }
    return done < to ? fold_add(f, done, to, false) : 0;
}

static int cut_fixed(struct cut_work *w, const char *s, size_t from, size_t to)
{
    size_t n = 0;
    unsigned len;
    for (size_t p = from; p < to; p += len) {
        uni_decode((const unsigned char *)s + p, &len);
        if (++n == w->step->length) {
            if (push(w->out, from, p + len, w->e) < 0)
                return -1;
            from = p + len;
            n = 0;
        }
    }
    return from < to ? push(w->out, from, to, w->e) : 0;
}

/* What a character is to Bert's and Whitespace's cutting. */
enum sort { IN_WORD, SPACE, ALONE };

static enum sort bert_sort(uint32_t cp)
{
    if (uni_bit(cp) & UNI_SPACES)
        return SPACE;
    return cc_class(cp) & CC_PUNCT ? ALONE : IN_WORD;
}

static int cut_bert(struct cut_work *w, const char *text, size_t from, size_t to)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned len;
    size_t begin = from;
    for (size_t p = from; p < to; p += len) {
        enum sort sort;
        if (s[p] >= 0xe4 && s[p] <= 0xe9) { /* letters, U+4000 to U+9FFF */
            len = 3;
            continue;
        }
        if (s[p] < 0x80) {
            len = 1;
            if ((unsigned)((s[p] | 0x20) - 'a') < 26)
                continue;
            sort = bert_sort(s[p]);
        } else {
            sort = bert_sort(uni_decode(s + p, &len));
        }
        if (sort == IN_WORD)
            continue;
        if ((begin < p && push(w->out, begin, p, w->e) < 0) ||
            (sort == ALONE && push(w->out, p, p + len, w->e) < 0))
            return -1;
        begin = p + len;
    }
    return begin < to ? push(w->out, begin, to, w->e) : 0;
}

static int cut_words(struct cut_work *w, const char *s, size_t from, size_t to)
{
    enum sort last = SPACE;
    unsigned len;
    size_t begin = from;
    for (size_t p = from; p < to; p += len) {
        uint32_t cp = uni_decode((const unsigned char *)s + p, &len);
        enum sort sort = uni_bit(cp) & UNI_SPACES   ? SPACE
                         : uni_props(cp) & UNI_WORD ? IN_WORD
                                                    : ALONE;
        if (sort == last)
            continue;
        if (last != SPACE && push(w->out, begin, p, w->e) < 0)
            return -1;
        begin = p;
        last = sort;
    }
    return last != SPACE ? push(w->out, begin, to, w->e) : 0;
}

static int cut_spaces(struct cut_work *w, const char *text, size_t from, size_t to)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned len;
    size_t begin = from;
    for (size_t p = from; p < to; p += len) {
        if (s[p] > 0x20 && s[p] < 0x80) {
            len = 1;
            continue;
        }
        if (!(uni_bit(uni_decode(s + p, &len)) & UNI_SPACES))
            continue;
        if (begin < p && push(w->out, begin, p, w->e) < 0)
            return -1;
        begin = p + len;
    }
    return begin < to ? push(w->out, begin, to, w->e) : 0;
}

static int cut_piece(struct cut_work *w, const char *s, size_t from, size_t to)
{
    const struct pretok_step *step = w->step;
    struct fold f = {.out = w->out,
                     .behavior = step->behavior,
                     .invert = step->invert,
                     .first = w->out->n,
                     .e = w->e};
    int rc = -1;
    switch (step->kind) {
    case PRE_CUT:
        return cut_chain(w, s, from, to);
    case PRE_BERT:
        return cut_bert(w, s, from, to);
    case PRE_WORDS:
        return cut_words(w, s, from, to);
    case PRE_FIXED:
        return cut_fixed(w, s, from, to);
    case PRE_PATTERN:
        rc = cut_pattern(w, &f, s, from, to);
        break;
    case PRE_SPACE:
        if (step->behavior == SPLIT_REMOVED)
            return cut_spaces(w, s, from, to);
        /* fall through */
    default:
        rc = cut_class(step, &f, s, from, to);
    }
    fold_end(&f);
    return rc;
}

/* ---- rewriting all pieces into a new text */

static int metaspace(struct cut_work *w, const struct text *in, struct text *out, size_t from,
                     size_t to)
{
    const struct pretok_step *step = w->step;
    const char *s = in->s, *mark = step->mark;
    const size_t n = step->n_mark;
    size_t begin = out->n, done = from;
    bool starts = s[from] == ' ' || (to - from >= n && memcmp(s + from, mark, n) == 0);
    if (!starts &&
        (step->prepend == PREPEND_ALWAYS ||
         (step->prepend == PREPEND_FIRST && text_origin(in, from).from == 0)) &&
        text_put(out, mark, n, text_origin(in, from), w->e) < 0)
        return -1;
    for (size_t p = from; p < to; p++) {
        bool space = s[p] == ' ';
        if (!space && (s[p] != mark[0] || to - p < n || memcmp(s + p, mark, n) != 0))
            continue;
        if (text_copy(out, in, done, p, w->e) < 0 ||
            (step->cuts && out->n > begin && push(w->out, begin, out->n, w->e) < 0))
            return -1;
        if (step->cuts)
            begin = out->n;
        done = p;
        if (space) {
            if (text_put(out, mark, n, text_origin(in, p), w->e) < 0)
                return -1;
            done = p + 1;
        }
    }
    if (text_copy(out, in, done, to, w->e) < 0)
        return -1;
    return out->n > begin ? push(w->out, begin, out->n, w->e) : 0;
}

static int prefix_space(struct cut_work *w, const struct text *in, struct text *out, size_t from,
                        size_t to)
{
    size_t begin = out->n;
    if (in->s[from] != ' ' && text_put(out, " ", 1, text_origin(in, from), w->e) < 0)
        return -1;
    if (text_copy(out, in, from, to, w->e) < 0)
        return -1;
    return push(w->out, begin, out->n, w->e);
}

static int spell(struct cut_work *w, const struct text *in, struct text *out, size_t from,
                 size_t to)
{
    size_t begin = out->n;
    if (text_reserve(out, 2 * (to - from), w->e) < 0)
        return -1;
    for (size_t p = from; p < to; p++) {
        size_t n = bytelevel_spell(out->s + out->n, in->s + p, 1);
        for (size_t i = 0; out->tracked && i < n; i++)
            out->origin[out->n + i] = in->origin[p];
        out->n += n;
    }
    return push(w->out, begin, out->n, w->e);
}

static int rewrite(struct cut_work *w, struct pretok_run *r)
{
    struct text *out = r->text == &r->a ? &r->b : &r->a;
    int (*fn)(struct cut_work *, const struct text *, struct text *, size_t, size_t) =
        w->step->kind == PRE_METASPACE      ? metaspace
        : w->step->kind == PRE_PREFIX_SPACE ? prefix_space
                                            : spell;
    text_begin(out, r->text);
    for (size_t i = 0; i < r->now.n; i++)
        if (fn(w, r->text, out, r->now.v[i].from, r->now.v[i].to) < 0)
            return -1;
    r->text = out;
    return text_finish(out, w->e);
}

/* ---- the whole */

static void drop_tools(struct pretok_run *r)
{
    for (size_t i = 0; i < r->n_tools; i++) {
        cutter_free(r->tool[i].cutter);
        pattern_scan_free(r->tool[i].scan);
    }
    free(r->tool);
    r->tool = NULL;
    r->n_tools = 0;
}

/* All of them, or none: the run may be used again after a failure. */
static int make_tools(const struct pretok *p, struct pretok_run *r, struct err *e)
{
    if (r->tool)
        return 0;
    r->tool = mem_new(p->n, sizeof *r->tool, e);
    if (!r->tool)
        return -1;
    r->n_tools = p->n;
    for (size_t i = 0; i < p->n; i++)
        if ((p->v[i].split && !(r->tool[i].cutter = cutter_new(p->v[i].split, e))) ||
            (p->v[i].pattern && !(r->tool[i].scan = pattern_scan_new(p->v[i].pattern, e)))) {
            drop_tools(r);
            return -1;
        }
    return 0;
}

int pretok_apply(const struct pretok *p, struct pretok_run *r, const struct text *in, struct err *e)
{
    r->text = in;
    r->now.n = 0;
    if (make_tools(p, r, e) < 0 || (in->n && push(&r->now, 0, in->n, e) < 0))
        return -1;
    for (size_t i = 0; i < p->n; i++) {
        struct cut_work w = {.step = &p->v[i], .tool = &r->tool[i], .out = &r->next, .e = e};
        r->next.n = 0;
        if (p->v[i].kind >= PRE_METASPACE) {
            if (rewrite(&w, r) < 0)
                return -1;
        } else {
            for (size_t k = 0; k < r->now.n; k++)
                if (cut_piece(&w, r->text->s, r->now.v[k].from, r->now.v[k].to) < 0)
                    return -1;
        }
        struct pieces done = r->now;
        r->now = r->next;
        r->next = done;
    }
    return 0;
}

void pretok_run_release(struct pretok_run *r)
{
    drop_tools(r);
    free(r->now.v);
    free(r->next.v);
    text_release(&r->a);
    text_release(&r->b);
    *r = (struct pretok_run){0};
}
