/*
 * A slow, plain reading of RFC 8259, independent of lib/io/json.c: recursive descent, byte by byte.
 * json_ref() writes the value in a canonical form ({ K"key" value ... } [ ... ] S"text" N"digits"
 * t f n, texts unescaped and preceded by their length) and returns 0, or -1 where the text is not
 * JSON, holds invalid UTF-8 or is nested deeper than 512. json_walk() does the same through the
 * scanner under test.
 */
#ifndef JSON_REF_H
#define JSON_REF_H

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "io/jscan.h"

struct json_ref {
    const unsigned char *s;
    size_t n, i;
    int depth;
    struct buf *out;
};

static int ref_value(struct json_ref *r);

static inline int ref_char(const struct json_ref *r)
{
    return r->i < r->n ? r->s[r->i] : -1;
}

static inline void ref_space(struct json_ref *r)
{
    while (ref_char(r) == 0x20 || ref_char(r) == 0x09 || ref_char(r) == 0x0a || ref_char(r) == 0x0d)
        r->i++;
}

static inline void ref_put_cp(struct buf *b, unsigned long cp)
{
    if (cp < 0x80) {
        buf_putc(b, (int)cp, NULL);
    } else if (cp < 0x800) {
        buf_putc(b, (int)(0xc0 + cp / 64), NULL);
        buf_putc(b, (int)(0x80 + cp % 64), NULL);
    } else if (cp < 0x10000) {
        buf_putc(b, (int)(0xe0 + cp / 4096), NULL);
        buf_putc(b, (int)(0x80 + cp / 64 % 64), NULL);
        buf_putc(b, (int)(0x80 + cp % 64), NULL);
    } else {
        buf_putc(b, (int)(0xf0 + cp / 262144), NULL);
        buf_putc(b, (int)(0x80 + cp / 4096 % 64), NULL);
        buf_putc(b, (int)(0x80 + cp / 64 % 64), NULL);
        buf_putc(b, (int)(0x80 + cp % 64), NULL);
    }
}

/* One character of UTF-8 by arithmetic: decode, then ask whether it had to be that long. */
static inline int ref_utf8(struct json_ref *r, struct buf *text)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    int c = ref_char(r), len = c >= 0xf8 ? 0 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
    if (len == 0)
        return -1;
    unsigned long cp = (unsigned long)c & (0x7fu >> len);
    r->i++;
    for (int k = 1; k < len; k++, r->i++) {
        c = ref_char(r);
        if (c < 0x80 || c > 0xbf)
            return -1;
        cp = cp * 64 + (unsigned long)(c - 0x80);
    }
    if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return -1;
    ref_put_cp(text, cp);
    return 0;
}

static inline long ref_hex(struct json_ref *r)
{
    char h[5] = "", *end;
    if (r->n - r->i < 4)
        return -1;
    for (int k = 0; k < 4; k++)
        h[k] = (char)r->s[r->i + (size_t)k];
    if (strspn(h, "0123456789abcdefABCDEF") != 4)
        return -1;
    r->i += 4;
    return strtol(h, &end, 16);
}

static inline int ref_escape(struct json_ref *r, struct buf *text)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = ref_char(r);
    r->i++;
    if (c > 0 && strchr(from, c)) {
        buf_putc(text, to[strchr(from, c) - from], NULL);
        return 0;
    }
    if (c != 'u')
        return -1;
    long u = ref_hex(r);
    if (u < 0)
        return -1;
    if (u >= 0xd800 && u <= 0xdbff && r->n - r->i >= 6 && r->s[r->i] == '\\' &&
        r->s[r->i + 1] == 'u') {
        struct json_ref ahead = *r;
        ahead.i += 2;
        long low = ref_hex(&ahead);
        if (low >= 0xdc00 && low <= 0xdfff) {
            r->i = ahead.i;
            ref_put_cp(text, 0x10000 + (unsigned long)(u - 0xd800) * 0x400 +
                                 (unsigned long)(low - 0xdc00));
            return 0;
        }
    }
    ref_put_cp(text, u >= 0xd800 && u <= 0xdfff ? 0xfffd : (unsigned long)u);
    return 0;
}

static inline void ref_emit(struct buf *out, char kind, const char *s, size_t n)
{
    buf_printf(out, NULL, "%c%zu:", kind, n);
    buf_add(out, s, n, NULL);
}

static inline int ref_string(struct json_ref *r, char kind)
{
    struct buf text = BUF_INIT;
    int rc = -1;
    if (ref_char(r) != '"')
        return -1;
    r->i++;
    for (;;) {
        int c = ref_char(r);
        if (c < 0x20)
            break;
        if (c == '"') {
            r->i++;
            ref_emit(r->out, kind, text.s, text.len);
            rc = 0;
            break;
        }
        if (c == '\\') {
            r->i++;
            if (ref_escape(r, &text) < 0)
                break;
        } else if (c >= 0x80) {
            if (ref_utf8(r, &text) < 0)
                break;
        } else {
            buf_putc(&text, c, NULL);
            r->i++;
        }
    }
    buf_release(&text);
    return rc;
}

static inline int ref_digits(struct json_ref *r)
{
    size_t from = r->i;
    while (ref_char(r) >= '0' && ref_char(r) <= '9')
        r->i++;
    return r->i > from ? 0 : -1;
}

static inline int ref_number(struct json_ref *r)
{
    size_t from = r->i;
    if (ref_char(r) == '-')
        r->i++;
    if (ref_char(r) == '0')
        r->i++;
    else if (ref_digits(r) < 0)
        return -1;
    if (ref_char(r) == '.') {
        r->i++;
        if (ref_digits(r) < 0)
            return -1;
    }
    if (ref_char(r) == 'e' || ref_char(r) == 'E') {
        r->i++;
        if (ref_char(r) == '+' || ref_char(r) == '-')
            r->i++;
        if (ref_digits(r) < 0)
            return -1;
    }
    ref_emit(r->out, 'N', (const char *)r->s + from, r->i - from);
    return 0;
}

static inline int ref_members(struct json_ref *r, char close, bool keys)
{
    r->i++;
    if (++r->depth > 512)
        return -1;
    buf_putc(r->out, keys ? '{' : '[', NULL);
    ref_space(r);
    if (ref_char(r) == close)
        goto closed;
    for (;;) {
        ref_space(r);
        if (keys) {
            if (ref_string(r, 'K') < 0)
                return -1;
            ref_space(r);
            if (ref_char(r) != ':')
                return -1;
            r->i++;
            ref_space(r);
        }
        if (ref_value(r) < 0)
            return -1;
        ref_space(r);
        if (ref_char(r) == close)
            break;
        if (ref_char(r) != ',')
            return -1;
        r->i++;
    }
closed:
    r->i++;
    r->depth--;
    buf_putc(r->out, close, NULL);
    return 0;
}

static inline int ref_word(struct json_ref *r, const char *word)
{
    for (const char *w = word; *w; w++, r->i++) {
        if (ref_char(r) != *w)
            return -1;
    }
    buf_putc(r->out, *word, NULL);
    return 0;
}

static int ref_value(struct json_ref *r)
{
    switch (ref_char(r)) {
    case '{':
        return ref_members(r, '}', true);
    case '[':
        return ref_members(r, ']', false);
    case '"':
        return ref_string(r, 'S');
    case 't':
        return ref_word(r, "true");
    case 'f':
        return ref_word(r, "false");
    case 'n':
        return ref_word(r, "null");
    default:
        return ref_number(r);
    }
}

static inline int json_ref(const char *s, size_t n, struct buf *out)
{
    struct json_ref r = {.s = (const unsigned char *)s, .n = n, .out = out};
    buf_clear(out);
    if (n >= 3 && r.s[0] == 0xef && r.s[1] == 0xbb && r.s[2] == 0xbf)
        r.i = 3;
    ref_space(&r);
    if (ref_value(&r) < 0)
        return -1;
    ref_space(&r);
    return r.i == r.n ? 0 : -1;
}

static inline int json_walk(const char *s, size_t n, struct buf *out)
{
    struct jscan j;
    struct buf text = BUF_INIT;
    bool object[513];
    enum jscan_type t;
    int rc = 0;
    buf_clear(out);
    jscan_init(&j, s, n);
    while (rc == 0 && (t = jscan_next(&j)) != JSCAN_EOF) {
        switch (t) {
        case JSCAN_ERROR:
            rc = -1;
            break;
        case JSCAN_OBJECT:
        case JSCAN_ARRAY:
            object[j.depth] = t == JSCAN_OBJECT;
            buf_putc(out, t == JSCAN_OBJECT ? '{' : '[', NULL);
            break;
        case JSCAN_END:
            buf_putc(out, object[j.depth + 1] ? '}' : ']', NULL);
            break;
        case JSCAN_KEY:
        case JSCAN_STRING:
            buf_clear(&text);
            rc = jscan_string(&j, false, &text, NULL);
            ref_emit(out, t == JSCAN_KEY ? 'K' : 'S', text.s, text.len);
            break;
        case JSCAN_NUMBER:
            ref_emit(out, 'N', j.str, j.len);
            break;
        default:
            buf_putc(out, t == JSCAN_TRUE ? 't' : t == JSCAN_FALSE ? 'f' : 'n', NULL);
        }
    }
    buf_release(&text);
    return rc;
}

#endif
