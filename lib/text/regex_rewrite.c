/*
 * Oniguruma's syntax of patterns, as tokenizer.json has it, rewritten for pcre2 so that it means
 * the same there; what cannot be is refused.
 */
#include <string.h>
#include "base/compiler.h"
#include "base/utf8.h"
#include "text/split_int.h"

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

/* The category of this name without regard to case, spaces, _ and -; NULL: there is none. */
static const char *category_of(const char *s, size_t n)
{
    static const char names[] =
        "letter\0L\0uppercaseletter\0Lu\0lowercaseletter\0Ll\0titlecaseletter\0Lt\0"
        "modifierletter\0Lm\0otherletter\0Lo\0mark\0M\0nonspacingmark\0Mn\0spacingmark\0Mc\0"
        "enclosingmark\0Me\0number\0N\0decimalnumber\0Nd\0letternumber\0Nl\0othernumber\0No\0"
        "punctuation\0P\0connectorpunctuation\0Pc\0dashpunctuation\0Pd\0openpunctuation\0Ps\0"
        "closepunctuation\0Pe\0initialpunctuation\0Pi\0finalpunctuation\0Pf\0"
        "otherpunctuation\0Po\0symbol\0S\0mathsymbol\0Sm\0currencysymbol\0Sc\0"
        "modifiersymbol\0Sk\0othersymbol\0So\0separator\0Z\0spaceseparator\0Zs\0"
        "lineseparator\0Zl\0paragraphseparator\0Zp\0other\0C\0control\0Cc\0format\0Cf\0"
        "privateuse\0Co\0unassigned\0Cn\0digit\0Nd\0cntrl\0Cc\0";
    char plain[41];
    size_t k = 0;
    for (size_t i = 0; i < n && k < sizeof plain - 1; i++)
        if (s[i] != ' ' && s[i] != '_' && s[i] != '-')
            plain[k++] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 0x20) : s[i];
    plain[k] = '\0';
    for (const char *p = names; *p;) {
        const char *category = p + strlen(p) + 1;
        if (strcmp(p, plain) == 0)
            return category;
        p = category + strlen(category) + 1;
    }
    return NULL;
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
    const char *category = category_of(w->re + from, len);
    w->i = k + 1;
    if (category)
        return buf_printf(&w->out, w->e, "\\%c{%s%s}", w->re[at + 1], negated ? "^" : "", category);
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

/* ---- brackets
 *
 * pcre2 knows no brackets inside of brackets and no &&. What stands for one bracket matches one
 * character: plain members as a bracket, others beside it as alternatives, operands of && as
 * look-ahead, and of a negated one what it does not match. */

/* One operand: members that may stand in one bracket, and alternatives to it, "|X|Y". */
struct operand {
    struct buf members, others;
};

static int put_operand(struct rewriter *w, const struct operand *o, bool ahead)
{
    const bool both = o->members.len && o->others.len;
    if (o->members.len == 0 && o->others.len == 0)
        return put(w, "(?!)");
    if (buf_printf(&w->out, w->e, "%s", ahead ? "(?=" : both || o->others.len ? "(?:" : "") < 0)
        return -1;
    if (o->members.len &&
        (put(w, "[") < 0 || buf_add(&w->out, o->members.s, o->members.len, w->e) < 0 ||
         put(w, "]") < 0))
        return -1;
    const size_t skip = !o->members.len; /* the first bar */
    if (o->others.len && buf_add(&w->out, o->others.s + skip, o->others.len - skip, w->e) < 0)
        return -1;
    return ahead || o->others.len ? put(w, ")") : 0;
}

/* [:name:] at w->i: its members. Those that depend on more than categories are refused. */
static int rewrite_posix(struct rewriter *w)
{
    static const struct {
        const char *name, *set;
    } sets[] = {
        {"[:digit:]", "\\p{Nd}"},       {"[:space:]", SET_SPACE},        {"[:cntrl:]", "\\p{Cc}"},
        {"[:punct:]", "\\p{P}\\p{S}"},  {"[:word:]", SET_WORD_IN},       {"[:xdigit:]", SET_HEX},
        {"[:blank:]", "\\p{Zs}\\x{9}"}, {"[:ascii:]", "\\x{0}-\\x{7f}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        size_t len = strlen(sets[i].name);
        if (w->n - w->i >= len && memcmp(w->re + w->i, sets[i].name, len) == 0) {
            w->i += len;
            return put(w, sets[i].set);
        }
    }
    return refuse(w, w->i, "this kind of characters");
}

static int rewrite_class(struct rewriter *w, int depth);

/* The members up to && or the closing bracket. w->out is theirs. */
static int rewrite_operand(struct rewriter *w, size_t at, int depth, struct buf *others)
{
    const size_t from = w->i;
    for (bool closed = false;;) { /* closed: an inner bracket has just been */
        if (w->i >= w->n)
            return malformed(w, at, "a bracket without its closing one");
        const char *s = w->re + w->i;
        const size_t left = w->n - w->i;
        if ((*s == ']' && (w->i > from || w->re[from - 1] == '&')) ||
            (*s == '&' && left > 1 && s[1] == '&'))
            return 0;
        if (*s == ']')
            return malformed(w, w->i, "an empty pair of brackets");
        if (*s == '[') {
            if (w->i > from && s[-1] == '-' && s[-2] != '\\')
                return refuse(w, w->i, "a range up to inner brackets");
            if (left > 1 && s[1] == ':') {
                if (rewrite_posix(w) < 0)
                    return -1;
            } else {
                struct buf members = w->out;
                w->out = (struct buf)BUF_INIT;
                int rc = rewrite_class(w, depth + 1);
                if (rc == 0)
                    rc = buf_putc(others, '|', w->e) < 0 ||
                                 buf_add(others, w->out.s, w->out.len, w->e) < 0
                             ? -1
                             : 0;
                buf_release(&w->out);
                w->out = members;
                if (rc < 0)
                    return -1;
            }
            closed = true;
            continue;
        }
        if (*s == '-' &&
            (closed || w->i == from ||
             (left > 1 && (s[1] == ']' || (left > 2 && s[1] == '&' && s[2] == '&'))))) {
            if (closed && left > 1 && s[1] != ']')
                return refuse(w, w->i, "a range behind inner brackets");
            w->i++;
            if (put(w, "\\-") < 0)
                return -1;
            continue;
        }
        closed = false;
        if (*s == '\\') {
            if (rewrite_escape(w, true) < 0)
                return -1;
            continue;
        }
        w->i++;
        if (buf_putc(&w->out, *s, w->e) < 0)
            return -1;
    }
}

static int rewrite_class(struct rewriter *w, int depth)
{
    enum { MOST = 8, DEEPEST = 16 };
    struct operand o[MOST];
    struct buf outer = w->out;
    const size_t at = w->i++;
    size_t n = 0;
    int rc = 0;
    bool negated = false, more = true;
    if (depth > DEEPEST)
        return refuse(w, at, "nesting this deep");
    if (w->i < w->n && w->re[w->i] == '^') {
        negated = true;
        w->i++;
    }
    while (rc == 0 && more) {
        if (n == MOST) {
            w->out = outer;
            rc = refuse(w, w->i, "more of && in one bracket");
            break;
        }
        struct operand *k = &o[n++];
        *k = (struct operand){BUF_INIT, BUF_INIT};
        w->out = (struct buf)BUF_INIT;
        rc = rewrite_operand(w, at, depth, &k->others);
        k->members = w->out;
        w->out = outer;
        more = rc == 0 && w->re[w->i] == '&';
        w->i += more ? 2 : 1;
    }
    if (rc == 0 && n == 1 && o[0].others.len == 0) {
        rc = put(w, negated ? "[^" : "[") < 0 ||
                     buf_add(&w->out, o[0].members.s, o[0].members.len, w->e) < 0 || put(w, "]") < 0
                 ? -1
                 : 0;
    } else if (rc == 0) {
        rc = put(w, negated ? "(?:(?!" : n > 1 ? "(?:" : "");
        for (size_t i = 0; i < n && rc == 0; i++)
            rc = put_operand(w, &o[i], i + 1 < n);
        if (rc == 0)
            rc = put(w, negated ? ")[\\x{0}-\\x{10ffff}])" : n > 1 ? ")" : "");
    }
    for (size_t i = 0; i < n; i++) {
        buf_release(&o[i].members);
        buf_release(&o[i].others);
    }
    return rc;
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
        return rewrite_class(w, 0);
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

int regex_rewrite(const char *re, size_t n, struct buf *out, struct err *e)
{
    struct rewriter w = {.re = re, .n = n, .out = BUF_INIT, .atom = SIZE_MAX, .e = e};
    int rc = 0;
    while (w.i < n && rc == 0)
        rc = rewrite_one(&w);
    if (rc == 0 && w.n_groups)
        rc = malformed(&w, n, "a group without its closing parenthesis");
    if (rc == 0)
        rc = buf_add(out, w.out.s, w.out.len, e);
    buf_release(&w.out);
    return rc;
}
