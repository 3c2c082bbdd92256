/* Streaming JSON scanner: see jscan.h. */
#include "io/jscan.h"

#include <float.h>
#include <stdatomic.h>
#include <string.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/le.h"
#include "base/num.h"
#include "base/utf8.h"
#include "io/jscan_int.h"

/* What may come next. */
enum state { AT_VALUE, AT_FIRST_VALUE, AT_KEY, AT_FIRST_KEY, AFTER_VALUE, FAILED };

enum { MAX_DEPTH = 512, BLOCK = 64 };

void jscan_init(struct jscan *j, const char *p, size_t n)
{
    j->p = j->str = p; /* not all of it is cleared: for short records that would take longest */
    j->n = n;
    j->pos = j->len = j->start = 0;
    j->escaped = j->utf8_ok = false;
    j->depth = j->state = 0;
    j->error = NULL;
    if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        j->pos = 3;
}

static enum jscan_type fail_at(struct jscan *j, size_t pos, const char *why)
{
    j->pos = pos;
    j->error = why;
    j->state = FAILED;
    return JSCAN_ERROR;
}

/* Whether a block holds a quote, a backslash or a control character: written so that compilers
 * turn it into comparisons of whole vectors. */
static ALWAYS_INLINE unsigned block_stops(const unsigned char *s)
{
    unsigned char stop = 0;
    for (int i = 0; i < BLOCK; i++)
        stop |= (unsigned char)((s[i] == '"') | (s[i] == '\\') | (s[i] < 0x20));
    return stop;
}

/* Of 8 bytes: the high bit of the first quote, backslash or control character; 0: there is none.
 * Mycroft's test for a zero byte; what it reports wrongly is above a true hit only. */
static ALWAYS_INLINE uint64_t stops8(const unsigned char *s)
{
    const uint64_t ones = 0x0101010101010101u, high = ones * 0x80, x = le64_get(s);
    uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';
    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((x - ones * 0x20) & ~x)) &
           high;
}

/* Bytes before the first quote, backslash or control character. */
static size_t run_of(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t i = 0;
    while (n - i >= BLOCK && !block_stops(p + i))
        i += BLOCK;
    for (; n - i >= 8; i += 8) {
        uint64_t stop = stops8(p + i);
        if (stop)
            return i + (size_t)CTZ64(stop) / 8;
    }
    while (i < n && p[i] != '"' && p[i] != '\\' && p[i] >= 0x20)
        i++;
    return i;
}

const char jscan_short_escape[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};
/* The upper half has a bit each: 2 1, 5 2, 6 4, 7 8. */
const uint8_t jscan_escape_high[16] = {[2] = 1, [5] = 2, [6] = 4, [7] = 8};
const uint8_t jscan_escape_low[16] = {
    [0x2] = 1 | 4 | 8, [0x4] = 8, [0x6] = 4, [0xc] = 2, [0xe] = 4, [0xf] = 1};

/* What the escape of two characters at s stands for; 0: there is none. */
static ALWAYS_INLINE char short_escape_at(const char *s, size_t n)
{
    return n >= 2 && *s == '\\' ? jscan_short_escape[(unsigned char)s[1]] : 0;
}

size_t jscan_scan_portable(const char *s, size_t n, bool *escaped)
{
    size_t i = run_of(s, n);
    for (; short_escape_at(s + i, n - i); i += run_of(s + i, n - i)) {
        *escaped = true;
        i += 2;
    }
    return i;
}

size_t jscan_take_portable(const char *s, size_t n, char **to, bool *escaped)
{
    char *out = *to;
    size_t i = 0;
    for (;;) {
        const size_t run = run_of(s + i, n - i);
        if (!*escaped && (run == n || s[run] != '\\'))
            return run;
        *escaped = true;
        memcpy(out, s + i, run);
        out += run;
        i += run;
        const char c = short_escape_at(s + i, n - i);
        if (!c)
            break;
        *out++ = c;
        i += 2;
    }
    *to = out;
    return i;
}

/* The loops over strings for one kind of processor. */
struct loops {
    size_t (*scan)(const char *s, size_t n, bool *escaped);
    size_t (*take)(const char *s, size_t n, char **to, bool *escaped);
};

/* Chooses for this processor, once. */
static const struct loops *choose(void)
{
    static const struct loops portable = {jscan_scan_portable, jscan_take_portable};
    static const struct loops *_Atomic chosen;
    const struct loops *l = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (LIKELY(l != NULL))
        return l;
    l = &portable;
#if defined(__x86_64__)
    static const struct loops avx2 = {jscan_scan_avx2, jscan_take_avx2},
                              avx512 = {jscan_scan_avx512, jscan_take_avx512},
                              vbmi = {jscan_scan_avx512vbmi, jscan_take_avx512vbmi};
    enum isa isa;
    if (cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE)
        l = isa == ISA_AVX2 ? &avx2 : cpu_uses_vbmi2() ? &vbmi : &avx512;
#endif
    atomic_store(&chosen, l);
    return l;
}

size_t jscan_scan_string(const char *s, size_t n, bool *escaped)
{
    return choose()->scan(s, n, escaped);
}

/* The value of a hexadecimal digit, or -1. */
static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at s, or -1. */
static int32_t hex4(const char *s)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit((unsigned char)s[i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* From the opening quote at j->pos behind the closing one; sets str, len and escaped. */
static int scan_string(struct jscan *j)
{
    const char *p = j->p;
    size_t n = j->n, i = j->pos + 1;
    uint64_t near = n - i >= 8 ? stops8((const unsigned char *)p + i) : 0;
    j->escaped = false;
    for (;; near = 0) { /* near: a key or a short value, for which no call is made */
        i += near ? (size_t)CTZ64(near) / 8 : jscan_scan_string(p + i, n - i, &j->escaped);
        if (i >= n)
            return (int)fail_at(j, n, "the text ends within a string");
        if (p[i] == '"')
            break;
        if (p[i] != '\\')
            return (int)fail_at(j, i, "control character in a string");
        j->escaped = true;
        while (i < n && p[i] == '\\') { /* escapes often follow each other */
            if (n - i >= 2 && jscan_short_escape[(unsigned char)p[i + 1]])
                i += 2;
            else if (n - i >= 6 && p[i + 1] == 'u' && hex4(p + i + 2) >= 0)
                i += 6;
            else
                return (int)fail_at(j, i, "bad escape in a string");
        }
    }
    j->str = p + j->pos + 1;
    j->len = i - j->pos - 1;
    j->pos = i + 1;
    return 0;
}

static ALWAYS_INLINE size_t spaces(const char *p, size_t i, size_t n)
{
    while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r'))
        i++;
    return i;
}

/* One escape of a string that scan_string has accepted: its bytes to out (1 to 4), its end. */
static const char *unescape_one(const char *s, const char *end, char *out, int *n_out)
{
    *n_out = 1;
    if (s[1] != 'u') {
        *out = jscan_short_escape[(unsigned char)s[1]];
        return s + 2;
    }
    uint32_t cp = (uint32_t)hex4(s + 2);
    s += 6;
    if (cp - 0xd800 < 0x400 && end - s >= 6 && s[0] == '\\' && s[1] == 'u') {
        uint32_t low = (uint32_t)hex4(s + 2);
        if (low - 0xdc00 < 0x400) {
            cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
            s += 6;
        }
    }
    *n_out = utf8_put(out, cp - 0xd800 < 0x800 ? 0xfffd : cp);
    return s;
}

/* The closing quote of a string, whose first byte is p[i], with short escapes alone; n: it is no
 * such. */
static ALWAYS_INLINE size_t plain_end(const char *p, size_t i, size_t n, bool *escaped)
{
    *escaped = false;
    uint64_t near = stops8((const unsigned char *)p + i);
    if (near)
        i += (size_t)CTZ64(near) / 8;
    else if (n - i > 8)
        i += 8 + jscan_scan_string(p + i + 8, n - i - 8, escaped);
    else
        return n;
    return i < n && p[i] == '"' ? i : n;
}

/* The same of a string that is wanted, with any good escapes: where these are, it goes to `to`. */
static ALWAYS_INLINE size_t plain_text(const char *p, size_t i, size_t n, char *to,
                                       struct jscan_text *text)
{
    bool escaped = false;
    const size_t from = i;
    char *end = to;
    for (;;) {
        i += choose()->take(p + i, n - i, &end, &escaped);
        if (LIKELY(i < n && p[i] == '"'))
            break;
        const size_t slash = i;
        while (n - i >= 6 && p[i] == '\\' && p[i + 1] == 'u' && hex4(p + i + 2) >= 0) {
            int len;
            i = (size_t)(unescape_one(p + i, p + n, end, &len) - p);
            end += len;
        }
        if (i == slash)
            return n;
    }
    text->s = escaped ? to : p + from;
    text->len = escaped ? (size_t)(end - to) : i - from;
    return i;
}

bool jscan_plain_field(const char *p, size_t n, const char *key, char *to, struct jscan_text *text)
{
    size_t key_len = strlen(key), i = 0;
    bool found = false, escaped;
    if (n == 0 || p[0] != '{')
        return false;
    do {
        i = spaces(p, i + 1, n);
        if (i >= n || p[i] != '"')
            return false;
        size_t end = plain_end(p, i + 1, n, &escaped);
        if (escaped)
            return false;
        bool wanted = end - i - 1 == key_len && !memcmp(p + i + 1, key, key_len);
        i = spaces(p, end + 1, n);
        if (i >= n || p[i] != ':')
            return false;
        i = spaces(p, i + 1, n);
        size_t from = i;
        if (i < n && p[i] == '"') {
            found |= wanted;
            end = wanted ? plain_text(p, i + 1, n, to, text) : plain_end(p, i + 1, n, &escaped);
            i = end + 1;
        } else {
            while (i < n && p[i] >= '0' && p[i] <= '9')
                i++;
            if (wanted || i == from || (p[from] == '0' && i > from + 1))
                return false;
        }
        i = spaces(p, i, n);
    } while (i < n && p[i] == ',');
    return found && i < n && p[i] == '}' && spaces(p, i + 1, n) == n;
}

static size_t skip_digits(const struct jscan *j, size_t i)
{
    while (i < j->n && j->p[i] >= '0' && j->p[i] <= '9')
        i++;
    return i;
}

static enum jscan_type scan_number(struct jscan *j)
{
    const char *p = j->p;
    size_t n = j->n, i = j->pos, from;
    if (p[i] == '-')
        i++;
    from = i;
    i = i < n && p[i] == '0' ? i + 1 : skip_digits(j, i);
    if (i == from)
        return fail_at(j, i, "a digit is missing");
    if (i < n && p[i] == '.') {
        from = i + 1;
        i = skip_digits(j, from);
        if (i == from)
            return fail_at(j, i, "a digit is missing after the point");
    }
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        from = i + 1;
        if (from < n && (p[from] == '+' || p[from] == '-'))
            from++;
        i = skip_digits(j, from);
        if (i == from)
            return fail_at(j, i, "a digit is missing in the exponent");
    }
    j->str = p + j->pos;
    j->len = i - j->pos;
    j->pos = i;
    j->state = AFTER_VALUE;
    return JSCAN_NUMBER;
}

static enum jscan_type scan_word(struct jscan *j, const char *word, size_t n, enum jscan_type t)
{
    if (j->n - j->pos < n || memcmp(j->p + j->pos, word, n) != 0)
        return fail_at(j, j->pos, "not a JSON value");
    j->pos += n;
    j->state = AFTER_VALUE;
    return t;
}

static bool in_object(const struct jscan *j)
{
    int d = j->depth - 1;
    return j->stack[d >> 3] >> (d & 7) & 1;
}

static enum jscan_type open_level(struct jscan *j, bool object)
{
    int d = j->depth;
    if (d >= MAX_DEPTH)
        return fail_at(j, j->pos, "nested deeper than 512 levels");
    unsigned bit = 1u << (d & 7);
    j->stack[d >> 3] = (uint8_t)(object ? j->stack[d >> 3] | bit : j->stack[d >> 3] & ~bit);
    j->depth++;
    j->pos++;
    j->state = object ? AT_FIRST_KEY : AT_FIRST_VALUE;
    return object ? JSCAN_OBJECT : JSCAN_ARRAY;
}

static enum jscan_type close_level(struct jscan *j)
{
    j->start = j->pos++;
    j->depth--;
    j->state = AFTER_VALUE;
    return JSCAN_END;
}

static void skip_space(struct jscan *j)
{
    while (j->pos < j->n) {
        char c = j->p[j->pos];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            break;
        j->pos++;
    }
}

static enum jscan_type scan_key(struct jscan *j)
{
    if (j->p[j->pos] != '"')
        return fail_at(j, j->pos, "a key in quotes is missing");
    j->start = j->pos;
    if (scan_string(j) < 0)
        return JSCAN_ERROR;
    skip_space(j);
    if (j->pos == j->n || j->p[j->pos] != ':')
        return fail_at(j, j->pos, "':' is missing after a key");
    j->pos++;
    j->state = AT_VALUE;
    return JSCAN_KEY;
}

static enum jscan_type scan_value(struct jscan *j)
{
    j->start = j->pos;
    switch (j->p[j->pos]) {
    case '{':
        return open_level(j, true);
    case '[':
        return open_level(j, false);
    case '"':
        if (scan_string(j) < 0)
            return JSCAN_ERROR;
        j->state = AFTER_VALUE;
        return JSCAN_STRING;
    case 't':
        return scan_word(j, "true", 4, JSCAN_TRUE);
    case 'f':
        return scan_word(j, "false", 5, JSCAN_FALSE);
    case 'n':
        return scan_word(j, "null", 4, JSCAN_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(j);
    default:
        return fail_at(j, j->pos, "not a JSON value");
    }
}

/* Behind a value: the end, a comma (then what must follow it), or a closing bracket. */
static enum jscan_type after_value(struct jscan *j)
{
    char c = j->pos < j->n ? j->p[j->pos] : 0;
    if (j->depth == 0)
        return j->pos == j->n ? JSCAN_EOF : fail_at(j, j->pos, "text follows the value");
    bool object = in_object(j);
    if (j->pos < j->n && c == (object ? '}' : ']'))
        return close_level(j);
    if (j->pos == j->n || c != ',')
        return fail_at(j, j->pos,
                       j->pos == j->n ? "the text ends within an object or array"
                       : object       ? "',' or '}' is missing"
                                      : "',' or ']' is missing");
    j->pos++;
    skip_space(j);
    if (j->pos == j->n)
        return fail_at(j, j->pos, "the text ends within an object or array");
    return object ? scan_key(j) : scan_value(j);
}

enum jscan_type jscan_next(struct jscan *j)
{
    if (UNLIKELY(j->state == FAILED))
        return JSCAN_ERROR;
    skip_space(j);
    if (j->state == AFTER_VALUE)
        return after_value(j);
    if (j->pos == j->n)
        return fail_at(j, j->pos,
                       j->depth ? "the text ends within an object or array" : "there is no value");
    char c = j->p[j->pos];
    switch (j->state) {
    case AT_FIRST_KEY:
        return c == '}' ? close_level(j) : scan_key(j);
    case AT_FIRST_VALUE:
        return c == ']' ? close_level(j) : scan_value(j);
    default:
        return scan_value(j);
    }
}

int jscan_skip(struct jscan *j)
{
    if (j->state == AFTER_VALUE)
        return 0;
    int depth = j->state == AT_VALUE ? j->depth : j->depth - 1;
    do {
        if (jscan_next(j) <= 0)
            return -1;
    } while (j->depth > depth || j->state != AFTER_VALUE);
    return 0;
}

/* An escape is never shorter than what it stands for, so len bytes are room enough, but for what
 * jscan_take_*() may write too. Of s, whose escapes are good, 64 bytes stand behind what these
 * read.
 */
static int unescape(struct buf *out, const char *s, size_t len, struct err *e)
{
    enum { BEHIND = 64 };
    const struct loops *l = choose();
    const char *end = s + len;
    bool escaped = true;
    if (buf_reserve(out, len + BEHIND, e) < 0)
        return -1;
    char *to = out->s + out->len;
    while (s < end) {
        size_t left = (size_t)(end - s);
        int n;
        if (left > BEHIND)
            s += l->take(s, left - BEHIND, &to, &escaped);
        else
            s += jscan_take_portable(s, left, &to, &escaped);
        for (; s < end && *s == '\\'; to += n) /* those of \u often follow each other */
            s = unescape_one(s, end, to, &n);
    }
    *to = 0;
    out->len = (size_t)(to - out->s);
    return 0;
}

int jscan_string(const struct jscan *j, bool replace, struct buf *out, struct err *e)
{
    size_t good = j->utf8_ok ? j->len : utf8_valid(j->str, j->len);
    if (LIKELY(good == j->len))
        return j->escaped ? unescape(out, j->str, j->len, e) : buf_add(out, j->str, j->len, e);
    if (!replace)
        return err_set(e, "at byte %zu: invalid UTF-8", (size_t)(j->str - j->p) + good);
    struct buf fixed = BUF_INIT;
    int rc =
        utf8_replace(&fixed, j->str, j->len, e) < 0 ? -1 : unescape(out, fixed.s, fixed.len, e);
    buf_release(&fixed);
    return rc;
}

bool jscan_key_is(const struct jscan *j, const char *name)
{
    size_t n = strlen(name);
    const char *s = j->str, *end = j->str + j->len, *name_end = name + n;
    if (!j->escaped)
        return n == j->len && !memcmp(s, name, n);
    while (s < end) {
        char c[4];
        int len = 1;
        if (*s == '\\')
            s = unescape_one(s, end, c, &len);
        else
            c[0] = *s++;
        if (name_end - name < len || memcmp(name, c, (size_t)len) != 0)
            return false;
        name += len;
    }
    return name == name_end;
}

int jscan_int(const struct jscan *j, int64_t *out)
{
    const char *s = j->str, *end = s + j->len;
    bool minus = *s == '-';
    uint64_t limit = (uint64_t)INT64_MAX + minus, v = 0;
    for (s += minus; s < end; s++) {
        unsigned d = (unsigned)(*s - '0');
        if (d > 9 || v > (limit - d) / 10)
            return -1;
        v = v * 10 + d;
    }
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

int jscan_real(const struct jscan *j, double *out)
{
    struct buf text = BUF_INIT;
    int rc = buf_add(&text, j->str, j->len, NULL);
    if (rc == 0)
        rc = num_real(text.s, -DBL_MAX, DBL_MAX, out, NULL);
    buf_release(&text);
    return rc;
}

int jscan_err(const struct jscan *j, struct err *e)
{
    return err_set(e, "at byte %zu: %s", j->pos, j->error ? j->error : "not valid JSON");
}
