/* Texts with the origin of their bytes: see textform.h. */
#include "token/textform.h"

#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"

void text_release(struct text *t)
{
    free(t->s);
    free(t->origin);
    *t = (struct text){0};
}

void text_begin(struct text *t, const struct text *from)
{
    t->n = 0;
    t->tracked = from->tracked;
    t->base = from->base;
}

int text_reserve(struct text *t, size_t n_more, struct err *e)
{
    if (t->n + n_more > UINT32_MAX)
        return err_set(e, "a text of 4 GiB and more between added tokens");
    if (mem_grow(&t->s, &t->cap, t->n + n_more + TEXT_SLACK, 1, e) < 0)
        return -1;
    if (t->tracked)
        return mem_grow(&t->origin, &t->cap_origin, t->n + n_more, sizeof *t->origin, e);
    return 0;
}

int text_set(struct text *t, const char *s, size_t n, uint32_t base, bool tracked, struct err *e)
{
    t->n = 0;
    t->tracked = tracked;
    t->base = base;
    if (text_reserve(t, n, e) < 0)
        return -1;
    memcpy(t->s, s, n);
    t->n = n;
    unsigned len;
    for (size_t p = 0; tracked && p < n; p += len) {
        uni_decode((const unsigned char *)s + p, &len);
        for (unsigned i = 0; i < len; i++)
            t->origin[p + i] = (struct span32){base + (uint32_t)p, base + (uint32_t)p + len};
    }
    return text_finish(t, e);
}

int text_copy(struct text *t, const struct text *from, size_t a, size_t b, struct err *e)
{
    if (text_reserve(t, b - a, e) < 0)
        return -1;
    memcpy(t->s + t->n, from->s + a, b - a);
    if (t->tracked && b > a)
        memcpy(t->origin + t->n, from->origin + a, (b - a) * sizeof *t->origin);
    t->n += b - a;
    return 0;
}

int text_put(struct text *t, const char *s, size_t n, struct span32 origin, struct err *e)
{
    if (text_reserve(t, n, e) < 0)
        return -1;
    memcpy(t->s + t->n, s, n);
    for (size_t i = 0; t->tracked && i < n; i++)
        t->origin[t->n + i] = origin;
    t->n += n;
    return 0;
}

int text_finish(struct text *t, struct err *e)
{
    if (text_reserve(t, 0, e) < 0)
        return -1;
    memset(t->s + t->n, 0, TEXT_SLACK);
    return 0;
}

static void pass(struct edit *d)
{
    unsigned len;
    if (d->at < d->in->n) {
        uni_decode((const unsigned char *)d->in->s + d->at, &len);
        d->at += len;
    }
}

int edit_put(struct edit *d, const char *s, size_t n, int change, struct err *e)
{
    struct span32 origin = change <= 0 && d->at < d->in->n ? text_origin(d->in, d->at)
                                                           : text_origin_before(d->in, d->at);
    if (change <= 0)
        pass(d);
    for (; change < 0; change++)
        pass(d);
    return text_put(d->out, s, n, origin, e);
}
