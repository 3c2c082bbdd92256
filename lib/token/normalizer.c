/* Normalizers: see normalizer.h. Each step copies what it leaves alone in runs. */
#include "token/normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/utf8.h"
#include "text/charclass.h"
#include "text/unicode.h"
#include "token/bytelevel.h"
#include "token/charsmap.h"

/* One step at work: what lies between `done` and the next change is copied as it is. */
struct work {
    const struct normalizer_step *step;
    struct normalizer_run *run;
    struct pattern_scan **scan; /* of the step */
    const struct text *in;
    struct text *out;
    size_t done;
    struct err *e;
};

/* Copies up to p, and leaves out the bytes from there to `to`. */
static int cut(struct work *w, size_t p, size_t to)
{
    if (text_copy(w->out, w->in, w->done, p, w->e) < 0)
        return -1;
    w->done = to;
    return 0;
}

/* The character at p, of len bytes, gives way to s. */
static int swap(struct work *w, size_t p, unsigned len, const char *s, size_t n)
{
    if (cut(w, p, p + len) < 0)
        return -1;
    return text_put(w->out, s, n, text_origin(w->in, p), w->e);
}

static int swap_char(struct work *w, size_t p, unsigned len, uint32_t cp)
{
    char s[4];
    return swap(w, p, len, s, (size_t)utf8_put(s, cp));
}

/* ---- a character at a time */

static int lowercase(struct work *w)
{
    const unsigned char *s = (const unsigned char *)w->in->s;
    struct text *out = w->out;
    unsigned len;
    for (size_t p = 0; p < w->in->n; p += len) {
        if (s[p] < 0x80) { /* copied with the run, and lowered there */
            len = 1;
            continue;
        }
        uint32_t cp = uni_decode(s + p, &len), lower = cc_lower(cp);
        if (lower != cp && swap_char(w, p, len, lower) < 0)
            return -1;
        if (cp == 0x130 && text_put(out, "\xcc\x87", 2, text_origin(w->in, p), w->e) < 0)
            return -1;
    }
    if (cut(w, w->in->n, w->in->n) < 0)
        return -1;
    for (size_t i = 0; i < out->n; i++) {
        unsigned char c = (unsigned char)out->s[i];
        out->s[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return 0;
}

/* Drops the characters of the classes. */
static int drop(struct work *w, unsigned classes)
{
    const unsigned char *s = (const unsigned char *)w->in->s;
    unsigned len;
    for (size_t p = 0; p < w->in->n; p += len) {
        if (s[p] < 0x80) {
            len = 1;
            continue;
        }
        if (cc_class(uni_decode(s + p, &len)) & classes && cut(w, p, p + len) < 0)
            return -1;
    }
    return cut(w, w->in->n, w->in->n);
}

static int bert_clean(struct work *w)
{
    const unsigned char *s = (const unsigned char *)w->in->s;
    unsigned len;
    for (size_t p = 0; p < w->in->n; p += len) {
        if (s[p] >= 0x20 && s[p] < 0x7f) {
            len = 1;
            continue;
        }
        if (s[p] >= 0xe4 && s[p] <= 0xe9) { /* letters, U+4000 to U+9FFF */
            len = 3;
            continue;
        }
        uint32_t cp = uni_decode(s + p, &len);
        if (cc_class(cp) & CC_CONTROL) {
            if (cut(w, p, p + len) < 0)
                return -1;
        } else if (uni_bit(cp) & UNI_SPACES && swap(w, p, len, " ", 1) < 0) {
            return -1;
        }
    }
    return cut(w, w->in->n, w->in->n);
}

static bool is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0x2f800 && c <= 0x2fa1f);
}

/* A space on both sides of each. */
static int bert_chinese(struct work *w)
{
    const unsigned char *s = (const unsigned char *)w->in->s;
    unsigned len;
    for (size_t p = 0; p < w->in->n; p += len) {
        if (s[p] < 0xe3) { /* none below U+3000 */
            len = s[p] < 0x80 ? 1 : s[p] < 0xe0 ? 2 : 3;
            continue;
        }
        if (!is_chinese(uni_decode(s + p, &len)))
            continue;
        if (cut(w, p, p) < 0 || text_put(w->out, " ", 1, text_origin(w->in, p), w->e) < 0 ||
            cut(w, p + len, p + len) < 0 ||
            text_put(w->out, " ", 1, text_origin(w->in, p), w->e) < 0)
            return -1;
    }
    return cut(w, w->in->n, w->in->n);
}

static int nmt(struct work *w)
{
    const unsigned char *s = (const unsigned char *)w->in->s;
    unsigned len;
    for (size_t p = 0; p < w->in->n; p += len) {
        uint32_t c = uni_decode(s + p, &len);
        if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f ||
            c == 0x9f) {
            if (cut(w, p, p + len) < 0)
                return -1;
        } else if ((c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
                    (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                    c == 0xfeff || c == 0xfffd) &&
                   swap(w, p, len, " ", 1) < 0) {
            return -1;
        }
    }
    return cut(w, w->in->n, w->in->n);
}

static int byte_level(struct work *w)
{
    unsigned len;
    char spelled[8];
    for (size_t p = 0; p < w->in->n; p += len) {
        uni_decode((const unsigned char *)w->in->s + p, &len);
        if (swap(w, p, len, spelled, bytelevel_spell(spelled, w->in->s + p, len)) < 0)
            return -1;
    }
    return 0;
}

/* ---- larger parts */

static int form(struct work *w, enum norm_form f)
{
    struct norm_scratch *x = &w->run->form;
    struct edit d = {.in = w->in, .out = w->out};
    size_t from, to;
    for (size_t p = 0; norm_find(f, w->in->s, p, w->in->n, &from, &to); p = to) {
        if (cut(w, from, to) < 0 || norm_stretch(x, f, w->in->s + from, to - from, w->e) < 0)
            return -1;
        d.at = from;
        for (size_t i = 0; i < x->n; i++) {
            char s[4];
            size_t n = (size_t)utf8_put(s, (uint32_t)x->v[i].cp);
            if (edit_put(&d, s, n, x->v[i].change, w->e) < 0)
                return -1;
        }
    }
    return cut(w, w->in->n, w->in->n);
}

static int strip(struct work *w)
{
    const unsigned char *s = (const unsigned char *)w->in->s;
    size_t from = 0, to = w->in->n, p;
    unsigned len;
    while (w->step->left && from < to && uni_bit(uni_decode(s + from, &len)) & UNI_SPACES)
        from += len;
    for (; w->step->right && to > from; to = p) {
        for (p = to - 1; p > from && (s[p] & 0xc0) == 0x80;)
            p--;
        if (!(uni_bit(uni_decode(s + p, &len)) & UNI_SPACES))
            break;
    }
    w->done = from;
    return cut(w, to, to);
}

static int prepend(struct work *w)
{
    if (w->in->n && text_put(w->out, w->step->s, w->step->n, text_origin(w->in, 0), w->e) < 0)
        return -1;
    return cut(w, w->in->n, w->in->n);
}

/* What is put stands for the last character of the match, or, where that is empty, for the one
 * before it. */
static int replace(struct work *w)
{
    size_t from, to;
    int r;
    if (pattern_begin(*w->scan, w->in->s, w->in->n, w->e) < 0)
        return -1;
    while ((r = pattern_next(*w->scan, &from, &to, w->e)) > 0) {
        if (cut(w, from, to) < 0)
            return -1;
        struct span32 origin =
            to > from ? text_origin(w->in, to - 1) : text_origin_before(w->out, w->out->n);
        if (text_put(w->out, w->step->s, w->step->n, origin, w->e) < 0)
            return -1;
    }
    return r < 0 ? -1 : cut(w, w->in->n, w->in->n);
}

/* ---- precompiled charsmaps */

/* The old characters at d->at, `old` of them, give way to s: characters beyond their number are
 * new; where there are fewer, the last one takes the rest away. */
struct mapped {
    struct edit d;
    char last[4]; /* put when it is known how many go with it */
    size_t n_last;
    int change;
    bool any;
};

static int put_mapped(struct mapped *m, const char *s, size_t n, int change, struct err *e)
{
    if (m->any && edit_put(&m->d, m->last, m->n_last, m->change, e) < 0)
        return -1;
    memcpy(m->last, s, n);
    m->n_last = n;
    m->change = change;
    m->any = true;
    return 0;
}

static int count_chars(const char *s, size_t n)
{
    int k = 0;
    for (size_t i = 0; i < n; i++)
        k += ((unsigned char)s[i] & 0xc0) != 0x80;
    return k;
}

static int map_to(struct mapped *m, int n_old, const char *s, size_t n, struct err *e)
{
    int n_new = count_chars(s, n), i = 0;
    unsigned len;
    for (size_t p = 0; p < n; p += len, i++) {
        uni_decode((const unsigned char *)s + p, &len);
        if (put_mapped(m, s + p, len, i >= n_old, e) < 0)
            return -1;
    }
    if (n_new < n_old && m->any)
        m->change += n_new - n_old;
    return 0;
}

/* How many characters at s are ASCII that the map leaves alone, clusters of their own. */
static size_t plain_run(const struct charsmap *map, const char *s, size_t n)
{
    size_t i = 0;
    while (i + 1 < n && (unsigned char)s[i] < 0x80 && charsmap_plain(map, (unsigned char)s[i]))
        i++;
    if (i && (unsigned char)s[i] >= 0x80)
        i--; /* it may begin a cluster with what follows */
    return i;
}

/* n ASCII characters at p of the old text; the last may still take others away. */
static int put_run(struct mapped *m, size_t p, size_t n, struct err *e)
{
    const char *s = m->d.in->s;
    if (n > 1) {
        if (m->any && edit_put(&m->d, m->last, m->n_last, m->change, e) < 0)
            return -1;
        m->any = false;
        size_t i = p;
        if (m->d.at == p) {
            i = m->d.at = p + n - 1;
            if (text_copy(m->d.out, m->d.in, p, i, e) < 0)
                return -1;
        }
        for (; i < p + n - 1; i++)
            if (edit_put(&m->d, s + i, 1, 0, e) < 0)
                return -1;
    }
    return put_mapped(m, s + p + n - 1, 1, 0, e);
}

/* Clusters of 6 bytes and more, and those that the map does not have, go by their characters. */
static int precompiled(struct work *w)
{
    const struct charsmap *map = w->step->map;
    const char *s = w->in->s, *to;
    struct mapped m = {.d = {.in = w->in, .out = w->out}};
    size_t n, n_to;
    unsigned len;
    for (size_t p = 0; p < w->in->n; p += n) {
        n = plain_run(map, s + p, w->in->n - p);
        if (n) {
            if (put_run(&m, p, n, w->e) < 0)
                return -1;
            continue;
        }
        n = cc_cluster((const unsigned char *)s + p, w->in->n - p);
        if (n < 6 && (to = charsmap_find(map, s + p, n, &n_to))) {
            if (map_to(&m, count_chars(s + p, n), to, n_to, w->e) < 0)
                return -1;
            continue;
        }
        for (size_t q = p; q < p + n; q += len) {
            uni_decode((const unsigned char *)s + q, &len);
            to = charsmap_find(map, s + q, len, &n_to);
            if ((to ? map_to(&m, 1, to, n_to, w->e) : put_mapped(&m, s + q, len, 0, w->e)) < 0)
                return -1;
        }
    }
    return m.any ? edit_put(&m.d, m.last, m.n_last, m.change, w->e) : 0;
}

/* From left to right, the longest of the map's strings each time. */
static int precompiled_longest(struct work *w)
{
    const struct charsmap *map = w->step->map;
    const char *s = w->in->s, *to = NULL;
    struct mapped m = {.d = {.in = w->in, .out = w->out}};
    size_t n, n_to = 0;
    unsigned len;
    for (size_t p = 0; p < w->in->n; p += n) {
        int rc;
        if ((n = plain_run(map, s + p, w->in->n - p)) > 0) {
            rc = put_run(&m, p, n, w->e);
        } else if ((n = charsmap_longest(map, s + p, w->in->n - p, &to, &n_to)) > 0) {
            rc = map_to(&m, count_chars(s + p, n), to, n_to, w->e);
        } else {
            uni_decode((const unsigned char *)s + p, &len);
            n = len;
            rc = put_mapped(&m, s + p, n, 0, w->e);
        }
        if (rc < 0)
            return -1;
    }
    return m.any ? edit_put(&m.d, m.last, m.n_last, m.change, w->e) : 0;
}

/* ---- the whole */

static int do_step(struct work *w)
{
    switch (w->step->kind) {
    case NORM_FORM:
        return form(w, (enum norm_form)w->step->form);
    case NORM_LOWERCASE:
        return lowercase(w);
    case NORM_STRIP_ACCENTS:
        return drop(w, CC_MARK);
    case NORM_BERT_CLEAN:
        return bert_clean(w);
    case NORM_BERT_CHINESE:
        return bert_chinese(w);
    case NORM_BERT_MARKS:
        return drop(w, CC_BERT_MARK);
    case NORM_REPLACE:
        return replace(w);
    case NORM_PREPEND:
        return prepend(w);
    case NORM_STRIP:
        return strip(w);
    case NORM_PRECOMPILED:
        return w->step->longest ? precompiled_longest(w) : precompiled(w);
    case NORM_NMT:
        return nmt(w);
    case NORM_BYTE_LEVEL:
        return byte_level(w);
    }
    return 0;
}

static bool is_ascii(const struct text *t)
{
    uint64_t high = 0;
    size_t i = 0;
    for (; i + 8 <= t->n; i += 8)
        high |= le64_get((const unsigned char *)t->s + i);
    for (; i < t->n; i++)
        high |= (unsigned char)t->s[i];
    return !(high & UINT64_C(0x8080808080808080));
}

/* Steps that leave ASCII alone. */
static bool skips_ascii(enum normalizer_kind k)
{
    return k == NORM_FORM || k == NORM_STRIP_ACCENTS || k == NORM_BERT_CHINESE ||
           k == NORM_BERT_MARKS;
}

static void drop_scans(struct normalizer_run *r)
{
    for (size_t i = 0; i < r->n_scans; i++)
        pattern_scan_free(r->scan[i]);
    free(r->scan);
    r->scan = NULL;
    r->n_scans = 0;
}

/* All of them, or none: the run may be used again after a failure. */
static int make_scans(const struct normalizer *z, struct normalizer_run *r, struct err *e)
{
    if (r->scan)
        return 0;
    r->scan = mem_new(z->n, sizeof(struct pattern_scan *), e);
    if (!r->scan)
        return -1;
    r->n_scans = z->n;
    for (size_t i = 0; i < z->n; i++)
        if (z->v[i].pattern && !(r->scan[i] = pattern_scan_new(z->v[i].pattern, e))) {
            drop_scans(r);
            return -1;
        }
    return 0;
}

const struct text *normalizer_apply(const struct normalizer *z, struct normalizer_run *r,
                                    const struct text *in, struct err *e)
{
    int ascii = -1;
    if (make_scans(z, r, e) < 0)
        return NULL;
    for (size_t i = 0; i < z->n && in->n; i++) {
        const struct normalizer_step *step = &z->v[i];
        if (skips_ascii(step->kind)) {
            if (ascii < 0)
                ascii = is_ascii(in);
            if (ascii)
                continue;
        }
        struct text *out = in == &r->a ? &r->b : &r->a;
        struct work w = {.step = step, .run = r, .scan = &r->scan[i], .in = in, .out = out, .e = e};
        text_begin(out, in);
        if (do_step(&w) < 0 || text_finish(out, e) < 0)
            return NULL;
        in = out;
        if (step->kind != NORM_LOWERCASE && step->kind != NORM_BERT_CLEAN)
            ascii = -1;
    }
    return in;
}

void normalizer_run_release(struct normalizer_run *r)
{
    drop_scans(r);
    text_release(&r->a);
    text_release(&r->b);
    norm_scratch_release(&r->form);
    *r = (struct normalizer_run){0};
}
