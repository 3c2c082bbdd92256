/* The growing byte string. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char buf_empty[1]; /* never written: an empty buffer without memory points here */

int buf_reserve(struct buf *b, size_t n_more, struct err *e)
{
    if (b->cap && n_more < b->cap - b->len)
        return 0;
    size_t need, cap;
    if (CKD_ADD(&need, b->len, n_more) || CKD_ADD(&need, need, 1) || need > PTRDIFF_MAX)
        return err_nomem(e, "a string", (unsigned long long)n_more);
    cap = b->cap + b->cap / 2;
    if (cap < need)
        cap = need;
    if (cap < 64)
        cap = 64;
    char *was = b->cap ? b->s : NULL, *s = mem_resize(was, b->cap ? b->len : 0, &cap);
    if (!s && cap > need) { /* no room to grow by half: try exactly what is needed */
        cap = need;
        s = mem_resize(was, b->cap ? b->len : 0, &cap);
    }
    if (!s)
        return err_nomem(e, "a string", cap);
    s[b->len] = '\0';
    b->s = s;
    b->cap = cap;
    return 0;
}

int buf_add(struct buf *b, const void *p, size_t n, struct err *e)
{
    if (n == 0)
        return 0;
    if (buf_reserve(b, n, e) < 0)
        return -1;
    memcpy(b->s + b->len, p, n);
    b->len += n;
    b->s[b->len] = '\0';
    return 0;
}

int buf_puts(struct buf *b, const char *s, struct err *e)
{
    return buf_add(b, s, strlen(s), e);
}

int buf_putc(struct buf *b, int c, struct err *e)
{
    if (buf_reserve(b, 1, e) < 0)
        return -1;
    b->s[b->len++] = (char)c;
    b->s[b->len] = '\0';
    return 0;
}

int buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
    va_list ap;
    if (buf_reserve(b, 64, e) < 0)
        return -1;
    for (int pass = 0;; pass++) {
        size_t room = b->cap - b->len;
        va_start(ap, fmt);
        int n = vsnprintf(b->s + b->len, room, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < room) {
            b->len += (size_t)n;
            return 0;
        }
        b->s[b->len] = '\0';
        if (n < 0 || pass > 0)
            return err_set(e, "text that cannot be formatted: %s", fmt);
        if (buf_reserve(b, (size_t)n, e) < 0)
            return -1;
    }
}

/* The letter after the backslash; 'u' means \u00XX; 0 means as it is. */
static char json_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 ? 'u' : 0;
    }
}

int buf_json_string(struct buf *b, const char *s, size_t n, struct err *e)
{
    static const char hex[] = "0123456789abcdef";
    size_t from = 0, start = b->len;
    if (buf_reserve(b, n < SIZE_MAX - 2 ? n + 2 : n, e) < 0 || buf_putc(b, '"', e) < 0)
        goto fail;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (LIKELY(c >= 0x20 && c != '"' && c != '\\'))
            continue;
        char esc[6] = {'\\', json_escape(c), '0', '0', hex[c >> 4], hex[c & 15]};
        if (buf_add(b, s + from, i - from, e) < 0 ||
            buf_add(b, esc, esc[1] == 'u' ? sizeof esc : 2, e) < 0)
            goto fail;
        from = i + 1;
    }
    if (buf_add(b, s + from, n - from, e) < 0 || buf_putc(b, '"', e) < 0)
        goto fail;
    return 0;
fail:
    b->len = start;
    if (b->cap)
        b->s[start] = '\0';
    return -1;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->cap)
        b->s[0] = '\0';
}

char *buf_take(struct buf *b, struct err *e)
{
    if (!b->cap && buf_reserve(b, 0, e) < 0)
        return NULL;
    char *s = b->s;
    *b = (struct buf)BUF_INIT;
    return s;
}

void buf_release(struct buf *b)
{
    if (b->cap)
        free(b->s);
    *b = (struct buf)BUF_INIT;
}
