/* Strings and regular expressions to search for: see pattern.h. */
#include "text/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/split_int.h"
#include "text/unicode.h"

struct pattern {
    struct regex_code *code; /* NULL: a string */
    char *s;
    size_t n;
};

struct pattern_scan {
    const struct pattern *p;
    struct regex_scan *regex;
    const char *s;
    size_t n, at;
};

struct pattern *pattern_new(const char *s, size_t n, bool is_regex, struct err *e)
{
    struct pattern *p = mem_new(1, sizeof *p, e);
    if (!p)
        return NULL;
    p->n = n;
    if (is_regex ? !(p->code = regex_compile(s, n, e)) : !(p->s = mem_dup(s, n, e))) {
        pattern_free(p);
        return NULL;
    }
    return p;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    regex_code_free(p->code);
    free(p->s);
    free(p);
}

bool pattern_is_regex(const struct pattern *p)
{
    return p->code != NULL;
}

struct pattern_scan *pattern_scan_new(const struct pattern *p, struct err *e)
{
    struct pattern_scan *x = mem_new(1, sizeof *x, e);
    if (!x)
        return NULL;
    x->p = p;
    if (p->code && !(x->regex = regex_scan_new(p->code, e))) {
        free(x);
        return NULL;
    }
    return x;
}

void pattern_scan_free(struct pattern_scan *x)
{
    if (!x)
        return;
    regex_scan_free(x->regex);
    free(x);
}

int pattern_begin(struct pattern_scan *x, const char *s, size_t n, struct err *e)
{
    x->s = s;
    x->n = n;
    x->at = 0;
    return x->regex ? regex_begin(x->regex, (const unsigned char *)s, n, e) : 0;
}

/* The empty string is before every character and at the end. */
static int next_empty(struct pattern_scan *x, size_t *from, size_t *to)
{
    unsigned len = 1;
    if (x->at > x->n)
        return 0;
    *from = *to = x->at;
    if (x->at < x->n)
        uni_decode((const unsigned char *)x->s + x->at, &len);
    x->at += len;
    return 1;
}

int pattern_next(struct pattern_scan *x, size_t *from, size_t *to, struct err *e)
{
    const struct pattern *p = x->p;
    if (x->regex)
        return regex_find(x->regex, x->n, from, to, e);
    if (p->n == 0)
        return next_empty(x, from, to);
    while (x->n - x->at >= p->n) {
        const char *q = memchr(x->s + x->at, p->s[0], x->n - x->at - p->n + 1);
        if (!q)
            break;
        x->at = (size_t)(q - x->s);
        if (memcmp(q, p->s, p->n) == 0) {
            *from = x->at;
            *to = x->at += p->n;
            return 1;
        }
        x->at++;
    }
    x->at = x->n;
    return 0;
}
