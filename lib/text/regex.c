/*
 * User-given patterns: Oniguruma's syntax (as tokenizer.json has it) rewritten for pcre2, and the
 * search for pieces. The categories of characters are those of unicode.h: what the system's pcre2
 * knows otherwise (it may be older or newer) is replaced, in a copy of the text, by a character of
 * the same category and length.
 *
 * CONTENTS: rewriting; stand-ins; compiling; searching.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>
#include "base/compiler.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/split_int.h"
#include "text/unicode.h"

/* ================================ rewriting ================================ */

/* Sets as the inside of a bracket class. \s is White_Space (pcre2's own adds U+180E); \w takes the
 * superscripts and fractions of Latin-1 too, but for Oniguruma not inside of brackets. */
#define SET_SPACE                                                                      \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}" \
    "\\x{202f}\\x{205f}\\x{3000}"
#define SET_NOT_SPACE                                                              \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}"   \
    "\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}" \
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define SET_WORD_IN                     \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}" \
    "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define SET_WORD SET_WORD_IN "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
#define SET_HEX  "0-9a-fA-F"

struct rewriter {
    const char *re;
    size_t n, i;
    struct buf out;
    size_t atom;                 /* where the last atom begins in out; SIZE_MAX: none */
    size_t group[128], n_groups; /* where open groups begin in out */
    struct err *e;
};

static int refuse(struct rewriter *w, size_t at, const char *what)
{
    return err_set(w->e, "regular expression, at byte %zu: %s is not supported", at, what);
}

static int malformed(struct rewriter *w, size_t at, const char *what)
{
    return err_set(w->e, "regular expression, at byte %zu: %s", at, what);
}

static int put(struct rewriter *w, const char *s)
{
    return buf_puts(&w->out, s, w->e);
}

/* \p{Name}: a category stays; anything longer is a script, which pcre2 (since 10.40) would read as
 * script extensions. */
static int rewrite_property(struct rewriter *w)
{
    size_t at = w->i, from = at + 2, k = from;
    if (from >= w->n || w->re[from] != '{')
        return malformed(w, at, "\\p without a name in braces");
    while (k < w->n && w->re[k] != '}')
        k++;
    if (k == w->n)
        return malformed(w, at, "\\p{ without its closing brace");
    from++;
    bool negated = from < k && w->re[from] == '^';
    from += negated;
    size_t len = k - from;
    bool script = len > 2 && !(len == 3 && memcmp(w->re + from, "Any", 3) == 0);
    if (len == 0 || len > 40)
        return refuse(w, at, "this property");
    w->i = k + 1;
    return buf_printf(&w->out, w->e, "\\%c{%s%s%.*s}", w->re[at + 1], negated ? "^" : "",
                      script ? "sc:" : "", (int)len, w->re + from);
}

/* \uHHHH and \xHH, \x{H...}. */
static int rewrite_hex(struct rewriter *w)
{
    size_t at = w->i, k = at + 2, max = w->re[at + 1] == 'u' ? 4 : 2;
    unsigned v = 0, digits = 0;
    bool braces = max == 2 && k < w->n && w->re[k] == '{';
    if (braces) {
        k++;
        max = 6;
    }
    for (; k < w->n && digits < max; k++, digits++) {
        const char *hex = "0123456789abcdef", *d = NULL;
        int c = w->re[k] >= 'A' && w->re[k] <= 'F' ? w->re[k] | 0x20 : w->re[k];
        if (c == 0 || !(d = strchr(hex, c)))
            break;
        v = v << 4 | (unsigned)(d - hex);
    }
    if (digits == 0 || (braces && (k == w->n || w->re[k++] != '}')))
        return refuse(w, at, "this escape");
    if (!braces && max == 2 && v > 0x7f)
        return refuse(w, at, "\\x of a byte above 7f");
    w->i = k;
    return buf_printf(&w->out, w->e, "\\x{%x}", v);
}

/* An escape; inside of brackets sets go without brackets of their own. */
static int rewrite_escape(struct rewriter *w, bool in_class)
{
    size_t at = w->i;
    if (at + 1 >= w->n)
        return malformed(w, at, "a backslash at the end");
    char c = w->re[at + 1];
    const char *set = c == 's' || c == 'S'   ? SET_SPACE
                      : c == 'w' || c == 'W' ? (in_class ? SET_WORD_IN : SET_WORD)
                      : c == 'h' || c == 'H' ? SET_HEX
                                             : NULL;
    if (set) {
        bool negated = c < 'a';
        w->i += 2;
        if (!in_class)
            return buf_printf(&w->out, w->e, "[%s%s]", negated ? "^" : "", set);
        if (negated && c != 'S')
            return refuse(w, at, c == 'W' ? "\\W inside of brackets" : "\\H inside of brackets");
        return put(w, negated ? SET_NOT_SPACE : set);
    }
    if (c == 'p' || c == 'P')
        return rewrite_property(w);
    if (c == 'u' || c == 'x')
        return rewrite_hex(w);
    if (!in_class && c == 'b') {
        w->i += 2;
        return put(w, "(?:(?<=[" SET_WORD "])(?![" SET_WORD "])|(?<![" SET_WORD "])(?=[" SET_WORD
                      "]))");
    }
    if (!in_class && c == 'B') {
        w->i += 2;
        return put(w, "(?:(?<=[" SET_WORD "])(?=[" SET_WORD "])|(?<![" SET_WORD "])(?![" SET_WORD
                      "]))");
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        /* the letters that mean the same in both */
        if (!strchr(in_class ? "dDtnrfvae0" : "dDtnrfaeAzZG0123456789R", c) &&
            !(c == 'v' && !in_class))
            return refuse(w, at, "this escape");
        if (c == 'v') { /* one character there, a set in pcre2 */
            w->i += 2;
            return put(w, "\\x{b}");
        }
    }
    w->i += 2;
    if ((unsigned char)c >= 0x80) /* an escaped character of several bytes is itself */
        return buf_putc(&w->out, c, w->e);
    return buf_add(&w->out, w->re + at, 2, w->e);
}

static int rewrite_class(struct rewriter *w)
{
    size_t at = w->i++;
    if (put(w, "[") < 0)
        return -1;
    if (w->i < w->n && w->re[w->i] == '^') {
        w->i++;
        if (put(w, "^") < 0)
            return -1;
    }
    for (bool first = true;; first = false) {
        if (w->i >= w->n)
            return malformed(w, at, "a bracket without its closing one");
        char c = w->re[w->i];
        if (c == ']' && !first) {
            w->i++;
            return put(w, "]");
        }
        if (c == ']')
            return malformed(w, w->i, "an empty pair of brackets");
        if (c == '[')
            return refuse(w, w->i, "a bracket inside of brackets");
        if (c == '&' && w->i + 1 < w->n && w->re[w->i + 1] == '&')
            return refuse(w, w->i, "&& inside of brackets");
        if (c == '\\') {
            if (rewrite_escape(w, true) < 0)
                return -1;
            continue;
        }
        w->i++;
        if (buf_putc(&w->out, c, w->e) < 0)
            return -1;
    }
}

/* "(?" and what says its kind. */
static int rewrite_group(struct rewriter *w)
{
    size_t at = w->i, k = at + 1;
    if (w->n_groups == ARRAY_LEN(w->group))
        return refuse(w, at, "nesting this deep");
    w->group[w->n_groups++] = w->out.len;
    if (put(w, "(") < 0)
        return -1;
    if (k < w->n && w->re[k] == '*')
        return refuse(w, at, "(*");
    if (k >= w->n || w->re[k] != '?') {
        w->i = k;
        return 0;
    }
    k++;
    char c = k < w->n ? w->re[k] : 0, d = k + 1 < w->n ? w->re[k + 1] : 0;
    if (c == ':' || c == '=' || c == '!' || c == '>' || (c == '<' && (d == '=' || d == '!'))) {
        size_t len = c == '<' ? 2 : 1;
        w->i = k + len;
        return buf_printf(&w->out, w->e, "?%.*s", (int)len, w->re + k);
    }
    if (c == '<') { /* a name: numbers of groups do not matter here */
        while (k < w->n && w->re[k] != '>')
            k++;
        if (k == w->n)
            return malformed(w, at, "a group without its name's end");
        w->i = k + 1;
        return put(w, "?:");
    }
    /* options: i is the same, m is pcre2's s */
    if (put(w, "?") < 0)
        return -1;
    for (; k < w->n && w->re[k] != ':' && w->re[k] != ')'; k++) {
        c = w->re[k];
        if (!strchr("im-", c) || c == 0)
            return refuse(w, at, "this kind of group");
        if (buf_putc(&w->out, c == 'm' ? 's' : c, w->e) < 0)
            return -1;
    }
    if (k == w->n)
        return malformed(w, at, "a group without its closing parenthesis");
    if (w->re[k] == ')') { /* (?i) holds to the end of the group: only where that is all of it */
        if (w->n_groups > 1 || at != 0)
            return refuse(w, at, "an option that begins inside of the pattern");
        w->n_groups--;
    }
    w->i = k + 1;
    return buf_putc(&w->out, w->re[k], w->e);
}

/* {n}, {n,}, {,m}, {n,m} and what may follow: a ? makes it reluctant ({n}? is optional, though),
 * a + repeats all of it, where pcre2 would take that as possessive. */
static int rewrite_interval(struct rewriter *w)
{
    size_t k = w->i + 1, digits = 0;
    bool comma = false, low = false;
    for (; k < w->n && ((w->re[k] >= '0' && w->re[k] <= '9') || w->re[k] == ','); k++) {
        if (w->re[k] == ',') {
            if (comma)
                return refuse(w, w->i, "this brace");
            comma = true;
            low = digits > 0;
        } else {
            digits++;
        }
    }
    if (k >= w->n || w->re[k] != '}' || digits == 0 || w->atom == SIZE_MAX)
        return malformed(w, w->i, "a brace that is no count");
    if (buf_printf(&w->out, w->e, "{%s%.*s}", comma && !low ? "0" : "", (int)(k - w->i - 1),
                   w->re + w->i + 1) < 0)
        return -1;
    w->i = k + 1;
    char next = w->i < w->n ? w->re[w->i] : 0;
    if (next == '?' && comma) {
        w->i++;
        return put(w, "?");
    }
    if (next == '+' || next == '?' || next == '*') { /* of the whole: (?:X{n,m})+ */
        if (put(w, ")   ") < 0)
            return -1;
        char *s = w->out.s;
        memmove(s + w->atom + 3, s + w->atom, w->out.len - 3 - w->atom);
        memcpy(s + w->atom, "(?:", 3);
    }
    return 0;
}

/* An atom or an operator. */
static int rewrite_one(struct rewriter *w)
{
    char c = w->re[w->i];
    size_t before = w->out.len;
    switch (c) {
    case '\\':
        w->atom = before;
        return rewrite_escape(w, false);
    case '[':
        w->atom = before;
        return rewrite_class(w);
    case '(':
        w->atom = SIZE_MAX;
        return rewrite_group(w);
    case ')':
        if (w->n_groups == 0)
            return malformed(w, w->i, "a closing parenthesis alone");
        w->atom = w->group[--w->n_groups];
        break;
    case '|':
        w->atom = SIZE_MAX;
        break;
    case '{':
        return rewrite_interval(w);
    case '*':
    case '+':
    case '?':
        break; /* also as a second sign: reluctant or possessive in both */
    default: { /* a character with all its bytes */
        int len;
        utf8_get(w->re + w->i, w->n - w->i, &len);
        w->atom = before;
        if (buf_add(&w->out, w->re + w->i, (size_t)len, w->e) < 0)
            return -1;
        w->i += (size_t)len;
        return 0;
    }
    }
    w->i++;
    return buf_putc(&w->out, c, w->e);
}

static int rewrite(struct rewriter *w)
{
    w->atom = SIZE_MAX;
    while (w->i < w->n)
        if (rewrite_one(w) < 0)
            return -1;
    return w->n_groups ? malformed(w, w->n, "a group without its closing parenthesis") : 0;
}

/* ================================ stand-ins ================================ */

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
        if (uni_props(cp) & UNI_NEWER && (cp < 0xd800 || cp > 0xdfff) &&
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
            if (ours != theirs && add_stand_in(c, cp, e) < 0)
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
            size_t lo = 0, hi = uni_props(cp) & UNI_NEWER ? c->n : 0;
            while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (c->v[mid].to < cp)
                    lo = mid + 1;
                else
                    hi = mid;
            }
            if (uni_props(cp) & UNI_NEWER && lo < c->n && c->v[lo].from <= cp) {
                utf8_put(out + p, c->v[lo].shown);
                any = true;
                continue;
            }
        }
        memcpy(out + p, s + p, len);
    }
    return any;
}

/* ================================ compiling ================================ */

struct regex_code *regex_compile(const char *re, size_t n, struct err *e)
{
    struct rewriter w = {.re = re, .n = n, .out = BUF_INIT, .e = e};
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
    if (rewrite(&w) < 0)
        goto fail;
    ctx = pcre2_compile_context_create(NULL);
    if (!ctx) {
        err_nomem(e, "pcre2", n);
        goto fail;
    }
    pcre2_set_newline(ctx, PCRE2_NEWLINE_LF);
    c->code = pcre2_compile((PCRE2_SPTR)w.out.s, w.out.len,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                            &code, &where, ctx);
    if (!c->code) {
        char msg[256];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)msg, sizeof msg);
        err_set(e, "regular expression: %s (pcre2, near '%.*s')", msg,
                (int)(w.out.len - where < 20 ? w.out.len - where : 20), w.out.s + where);
        goto fail;
    }
    c->jit = pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE) == 0;
    if (find_stand_ins(c, e) < 0)
        goto fail;
    pcre2_compile_context_free(ctx);
    buf_release(&w.out);
    return c;
fail:
    pcre2_compile_context_free(ctx);
    buf_release(&w.out);
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

/* ================================ searching ================================ */

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

static int begin(struct regex_scan *x, const unsigned char *s, size_t n, struct err *e)
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

size_t regex_next(struct regex_scan *x, const unsigned char *s, size_t from, size_t p, size_t n,
                  struct err *e)
{
    if (p == from && begin(x, s + from, n - from, e) < 0)
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
