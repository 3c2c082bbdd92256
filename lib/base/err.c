/* Error messages: formatting, showing of unprintable bytes, fitting into struct err; BUG(). */
#include "quern/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/num.h"
#include "base/utf8.h"

enum {
    RAW_MAX = 5120, /* a longest path (4096) and what is said of it */
    CLEAN_MAX = 4 * RAW_MAX,
};

/* Controls, and what would reorder or break the line on a terminal. */
static bool unprintable(int32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x2028 && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

/* out has 4 * n + 1 bytes; returns the length. */
static size_t clean(char *out, const char *s, size_t n)
{
    size_t o = 0;
    for (size_t i = 0; i < n;) {
        int len;
        int32_t cp = utf8_get(s + i, n - i, &len);
        if (unprintable(cp)) {
            for (int k = 0; k < len; k++)
                o += (size_t)snprintf(out + o, 5, "\\x%02x",
                                      (unsigned)(unsigned char)s[i + (size_t)k]);
        } else {
            memcpy(out + o, s + i, (size_t)len);
            o += (size_t)len;
        }
        i += (size_t)len;
    }
    out[o] = '\0';
    return o;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* What is too long loses its middle: the head names the file, the tail says what happened. */
static void fit(char *msg, size_t cap, const char *s, size_t n)
{
    if (n < cap) {
        memcpy(msg, s, n + 1);
        return;
    }
    size_t room = cap - 4, head = room / 2, tail = n - (room - head);
    while (head > 0 && is_continuation(s[head]))
        head--;
    while (tail < n && is_continuation(s[tail]))
        tail++;
    memcpy(msg, s, head);
    memcpy(msg + head, "...", 3);
    memcpy(msg + head + 3, s + tail, n - tail + 1);
}

static size_t format_clean(char *out, const char *fmt, va_list ap)
{
    char raw[RAW_MAX];
    int n = vsnprintf(raw, sizeof raw, fmt, ap);
    if (n < 0)
        n = snprintf(raw, sizeof raw, "(message that cannot be formatted)");
    return clean(out, raw, n < RAW_MAX ? (size_t)n : RAW_MAX - 1);
}

int err_vset(struct err *e, const char *fmt, va_list ap)
{
    if (!e)
        return -1;
    char text[CLEAN_MAX + 1];
    size_t n = format_clean(text, fmt, ap);
    fit(e->msg, sizeof e->msg, text, n);
    e->kind = ERR_FAIL;
    e->sys_errno = 0;
    return -1;
}

int err_set(struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(e, fmt, ap);
    va_end(ap);
    return -1;
}

int err_usage(struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(e, fmt, ap);
    va_end(ap);
    if (e)
        e->kind = ERR_USAGE;
    return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
    int no = errno;
    if (!e)
        return -1;
    char text[CLEAN_MAX + 256], why[160];
    va_list ap;
    va_start(ap, fmt);
    size_t n = format_clean(text, fmt, ap);
    va_end(ap);
    if (strerror_r(no, why, sizeof why) != 0)
        snprintf(why, sizeof why, "system error %d", no);
    n += (size_t)snprintf(text + n, sizeof text - n, ": %s", why);
    fit(e->msg, sizeof e->msg, text, n);
    e->kind = no == EPIPE ? ERR_PIPE : ERR_SYS;
    e->sys_errno = no;
    return -1;
}

int err_nomem(struct err *e, const char *what, unsigned long long n_bytes)
{
    char size[32];
    errno = ENOMEM;
    err_set(e, "not enough memory for %s (%s)", what, num_human_bytes(size, (double)n_bytes));
    if (e) {
        e->kind = ERR_SYS;
        e->sys_errno = ENOMEM;
    }
    return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e)
        return -1;
    char text[CLEAN_MAX + sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    size_t n = format_clean(text, fmt, ap), m = strlen(e->msg);
    va_end(ap);
    memcpy(text + n, e->msg, m + 1);
    fit(e->msg, sizeof e->msg, text, n + m);
    return -1;
}

void err_clear(struct err *e)
{
    if (!e)
        return;
    e->kind = ERR_NONE;
    e->sys_errno = 0;
    e->msg[0] = '\0';
}

void bug_die(const char *file, int line, const char *fmt, ...)
{
    char what[RAW_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    fprintf(stderr, "bug at %s:%d: %s\n", file, line, what);
    abort();
}
