/*
 * User-given patterns through pcre2, and the search for pieces. The categories of characters are
 * those of unicode.h: what the system's pcre2 knows otherwise (it may be older or newer) is
 * replaced, in a copy of the text, by a character of the same category and length.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>
#include "base/compiler.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/split_int.h"
#include "text/unicode.h"

/* ---- stand-ins */

/* Characters that one of the two knows and the other does not, in ranges of equal category and
 * length; each is shown to pcre2 as `shown`, for which both say the category. */
struct stand_in {
    uint32_t from, to, shown;
};

struct regex_code {
    pcre2_code *code;
    bool jit;
    struct stand_in *v;
    size_t n, cap;
};

/* Long known, by category: of two bytes, three and four; where a category has none of that length,
 * the nearest of its kind. Of scripts that patterns do not ask for, but see add_stand_in(). */
static const uint32_t shown_as[][3] = {
    [UNI_CN] = {0x378, 0xfdd0, 0x1fffe},  [UNI_LU] = {0x531, 0x2c00, 0x10400},
    [UNI_LL] = {0x561, 0x2c30, 0x10428},  [UNI_LT] = {0x1c5, 0x1f88, 0x10400},
    [UNI_LM] = {0x559, 0xa4f8, 0x16b40},  [UNI_LO] = {0x7ca, 0xa840, 0x10a00},
    [UNI_MN] = {0x7eb, 0xa8c4, 0x10a01},  [UNI_MC] = {0x903, 0xa8b4, 0x11000},
    [UNI_ME] = {0x488, 0x20dd, 0x10a01},  [UNI_ND] = {0x7c0, 0xa8d0, 0x104a0},
    [UNI_NL] = {0x16ee, 0x16ee, 0x10140}, [UNI_NO] = {0xb2, 0x2cfd, 0x10107},
    [UNI_PC] = {0x203f, 0x203f, 0x10100}, [UNI_PD] = {0x58a, 0x2010, 0x10ead},
    [UNI_PS] = {0x2045, 0x2045, 0x10100}, [UNI_PE] = {0x2046, 0x2046, 0x10100},
    [UNI_PI] = {0xab, 0x2018, 0x10100},   [UNI_PF] = {0xbb, 0x2019, 0x10100},
    [UNI_PO] = {0x7f7, 0xa874, 0x10a50},  [UNI_SM] = {0xac, 0x2044, 0x1d6c1},
    [UNI_SC] = {0xa3, 0x20ac, 0x1e2ff},   [UNI_SK] = {0xa8, 0x309b, 0x1f3fb},
    [UNI_SO] = {0xa6, 0x2100, 0x1f600},   [UNI_CF] = {0xad, 0x200b, 0x1d173},
};

/* Whether pcre2 may say otherwise than our table: of what is new, and of the one code point that
 * has got another category since Unicode 9.0 in a way that a pattern can tell (Mn before 16.0, now
 * Mc). */
static bool in_doubt(uint32_t cp)
{
    return uni_props(cp) & UNI_NEWER || cp == 0x1171e;
}

static int add_stand_in(struct regex_code *c, uint32_t cp, struct err *e)
{
    unsigned cat = uni_props(cp) & UNI_CATEGORY;
    uint32_t shown = cat < ARRAY_LEN(shown_as) ? shown_as[cat][cp < 0x800     ? 0
                                                               : cp < 0x10000 ? 1
                                                                              : 2]
                                               : 0;
    if (cat == UNI_LO && cp >= 0x20000)
        shown = 0x20000; /* Han */
    if (!shown)
        return 0;
    struct stand_in *last = c->n ? &c->v[c->n - 1] : NULL;
    if (last && last->to + 1 == cp && last->shown == shown) {
        last->to = cp;
        return 0;
    }
    if (mem_grow(&c->v, &c->cap, c->n + 1, sizeof *c->v, e) < 0)
        return -1;
    c->v[c->n++] = (struct stand_in){cp, cp, shown};
    return 0;
}

/* Shows pcre2 every code point of planes 0 to 3 and 14 that was not assigned in Unicode 9.0, and
 * notes those of which it does not say what our table does: assigned or not. */
static int find_stand_ins(struct regex_code *c, struct err *e)
{
    struct buf text = BUF_INIT;
    pcre2_match_data *md = NULL;
    pcre2_code *known = NULL;
    int rc = -1, code;
    size_t where, at = 0;
    for (uint32_t cp = 0x100; cp < 0xf0000; cp++) {
        char s[4];
        if (cp == 0x40000)
            cp = 0xe0000;
        if (in_doubt(cp) && (cp < 0xd800 || cp > 0xdfff) &&
            buf_add(&text, s, (size_t)utf8_put(s, cp), e) < 0)
            goto end;
    }
    known = pcre2_compile((PCRE2_SPTR) "\\P{Cn}+", PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                          &code, &where, NULL);
    md = known ? pcre2_match_data_create(1, NULL) : NULL;
    if (!md) {
        err_nomem(e, "pcre2", text.len);
        goto end;
    }
    pcre2_jit_compile(known, PCRE2_JIT_COMPLETE);
    while (at < text.len) {
        int r = pcre2_match(known, (PCRE2_SPTR)text.s, text.len, at, PCRE2_NO_UTF_CHECK, md, NULL);
        const PCRE2_SIZE *m = pcre2_get_ovector_pointer(md);
        size_t from = r > 0 ? m[0] : text.len, to = r > 0 ? m[1] : text.len;
        for (unsigned len; at < to; at += len) {
            uint32_t cp = uni_decode((unsigned char *)text.s + at, &len);
            bool theirs = at >= from, ours = (uni_props(cp) & UNI_CATEGORY) != UNI_CN;
            if ((ours != theirs || cp == 0x1171e) && add_stand_in(c, cp, e) < 0)
                goto end;
        }
    }
    rc = 0;
end:
    pcre2_match_data_free(md);
    pcre2_code_free(known);
    buf_release(&text);
    return rc;
}

/* Writes the text s[0..n) to out with stand-ins; returns whether there was any. */
static bool put_stand_ins(const struct regex_code *c, const unsigned char *s, size_t n, char *out)
{
    bool any = false;
    unsigned len;
    for (size_t p = 0; p < n; p += len) {
        if (s[p] < 0xc4) { /* below U+0100 */
            len = s[p] < 0x80 ? 1 : 2;
        } else {
            uint32_t cp = uni_decode(s + p, &len);
            size_t lo = 0, hi = in_doubt(cp) ? c->n : 0;
            while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (c->v[mid].to < cp)
                    lo = mid + 1;
                else
                    hi = mid;
            }
            if (in_doubt(cp) && lo < c->n && c->v[lo].from <= cp) {
                utf8_put(out + p, c->v[lo].shown);
                any = true;
                continue;
            }
        }
        memcpy(out + p, s + p, len);
    }
    return any;
}

/* ---- compiling */

struct regex_code *regex_compile(const char *re, size_t n, struct err *e)
{
    struct buf ours = BUF_INIT;
    struct regex_code *c = mem_new(1, sizeof *c, e);
    pcre2_compile_context *ctx = NULL;
    int code;
    size_t where;
    if (!c)
        return NULL;
    if (utf8_valid(re, n) != n) {
        err_set(e, "regular expression: invalid UTF-8 at byte %zu", utf8_valid(re, n));
        goto fail;
    }
    if (regex_rewrite(re, n, &ours, e) < 0)
        goto fail;
    ctx = pcre2_compile_context_create(NULL);
    if (!ctx) {
        err_nomem(e, "pcre2", n);
        goto fail;
    }
    pcre2_set_newline(ctx, PCRE2_NEWLINE_LF);
    c->code = pcre2_compile((PCRE2_SPTR)ours.s, ours.len,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                            &code, &where, ctx);
    if (!c->code) {
        char msg[256];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)msg, sizeof msg);
        size_t from = where < 24 ? 0 : where - 24;
        err_set(e, "regular expression: %s (pcre2, behind '%.*s')", msg, (int)(where - from),
                ours.s + from);
        goto fail;
    }
    c->jit = pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE) == 0;
    if (find_stand_ins(c, e) < 0)
        goto fail;
    pcre2_compile_context_free(ctx);
    buf_release(&ours);
    return c;
fail:
    pcre2_compile_context_free(ctx);
    buf_release(&ours);
    regex_code_free(c);
    return NULL;
}

void regex_code_free(struct regex_code *c)
{
    if (!c)
        return;
    pcre2_code_free(c->code);
    free(c->v);
    free(c);
}

bool regex_has_jit(const struct regex_code *c)
{
    return c->jit;
}

/* ---- searching */

struct regex_scan {
    const struct regex_code *c;
    pcre2_match_data *md;
    pcre2_match_context *ctx;
    pcre2_jit_stack *stack;
    struct buf copy;
    const unsigned char *shown; /* what pcre2 sees of the text from `from` on */
    size_t search;              /* where the next search begins; relative to `from`, as are: */
    size_t last_end;            /* of the last match; SIZE_MAX: none yet */
    size_t m_from, m_to;        /* the match found last, not given out yet */
    bool found, ended;
};

struct regex_scan *regex_scan_new(const struct regex_code *c, struct err *e)
{
    struct regex_scan *x = mem_new(1, sizeof *x, e);
    if (!x)
        return NULL;
    x->c = c;
    x->copy = (struct buf)BUF_INIT;
    x->md = pcre2_match_data_create(1, NULL);
    x->ctx = pcre2_match_context_create(NULL);
    x->stack = c->jit ? pcre2_jit_stack_create(32 << 10, 16 << 20, NULL) : NULL;
    if (!x->md || !x->ctx || (c->jit && !x->stack)) {
        regex_scan_free(x);
        err_nomem(e, "pcre2", 32 << 10);
        return NULL;
    }
    pcre2_jit_stack_assign(x->ctx, NULL, x->stack);
    return x;
}

void regex_scan_free(struct regex_scan *x)
{
    if (!x)
        return;
    pcre2_match_data_free(x->md);
    pcre2_match_context_free(x->ctx);
    pcre2_jit_stack_free(x->stack);
    buf_release(&x->copy);
    free(x);
}

/* The next match; an empty one right behind the last match is none. */
static int search(struct regex_scan *x, size_t n, struct err *e)
{
    while (x->search <= n) {
        int r = pcre2_match(x->c->code, x->shown, n, x->search, PCRE2_NO_UTF_CHECK, x->md, x->ctx);
        if (r == PCRE2_ERROR_NOMATCH)
            break;
        if (r < 0) {
            char msg[256];
            pcre2_get_error_message(r, (PCRE2_UCHAR *)msg, sizeof msg);
            return err_set(e, "the tokenizer's regular expression at byte %zu: %s (pcre2)",
                           x->search, msg);
        }
        const PCRE2_SIZE *m = pcre2_get_ovector_pointer(x->md);
        if (m[0] == m[1] && m[1] == x->last_end) {
            unsigned len = 1;
            if (x->search < n)
                uni_decode(x->shown + x->search, &len);
            x->search += len;
            continue;
        }
        x->m_from = m[0];
        x->m_to = x->last_end = x->search = m[1];
        x->found = true;
        return 0;
    }
    x->ended = true;
    return 0;
}

int regex_begin(struct regex_scan *x, const unsigned char *s, size_t n, struct err *e)
{
    x->search = 0;
    x->last_end = SIZE_MAX;
    x->found = x->ended = false;
    x->shown = s;
    if (x->c->n == 0)
        return 0;
    buf_clear(&x->copy);
    if (buf_reserve(&x->copy, n, e) < 0)
        return -1;
    if (put_stand_ins(x->c, s, n, x->copy.s))
        x->shown = (const unsigned char *)x->copy.s;
    return 0;
}

int regex_find(struct regex_scan *x, size_t n, size_t *from, size_t *to, struct err *e)
{
    if (!x->ended && search(x, n, e) < 0)
        return -1;
    if (!x->found)
        return 0;
    x->found = false;
    *from = x->m_from;
    *to = x->m_to;
    return 1;
}

size_t regex_next(struct regex_scan *x, const unsigned char *s, size_t from, size_t p, size_t n,
                  struct err *e)
{
    if (p == from && regex_begin(x, s + from, n - from, e) < 0)
        return 0;
    p -= from;
    n -= from;
    for (;;) {
        if (!x->found && !x->ended && search(x, n, e) < 0)
            return 0;
        if (!x->found)
            return from + n;
        if (p < x->m_from)
            return from + x->m_from;
        x->found = false;
        if (x->m_to > p)
            return from + x->m_to;
    }
}
