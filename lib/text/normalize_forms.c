/*
 * The four normalisation forms with an account of what each new character replaces: see
 * normalize.h. Decomposition, canonical order and composition are those of Unicode (UAX 15); the
 * counting is that of the crate that the `tokenizers` library uses.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "text/normalize.h"
#include "text/unicode.h"

enum { HANGUL_FIRST = 0xac00, HANGUL_LAST = 0xd7a3, MOST = 32 };

static bool composes(enum norm_form f)
{
    return f == NORM_NFC || f == NORM_NFKC;
}

static bool is_compat(enum norm_form f)
{
    return f == NORM_NFKC || f == NORM_NFKD;
}

/* Whether the form may change the character, or its place or its neighbour. */
static bool is_marked(enum norm_form f, uint32_t cp)
{
    unsigned props = uni_props(cp);
    if (props & UNI_NEWER)
        return false;
    if (props & UNI_NFC)
        return true;
    if (f == NORM_NFC)
        return false;
    if (cp >= HANGUL_FIRST && cp <= HANGUL_LAST)
        return f != NORM_NFKC;
    const utf8proc_property_t *p = utf8proc_get_property((int32_t)cp);
    return p->decomp_seqindex != UINT16_MAX && (is_compat(f) || !p->decomp_type);
}

bool norm_find(enum norm_form f, const char *text, size_t p, size_t n, size_t *from, size_t *to)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t before = p; /* the character before p, where it can be composed with what follows */
    unsigned len;
    for (;; p += len) {
        while (p < n && s[p] < 0x80) /* nothing in ASCII changes */
            before = p++;
        if (p >= n)
            return false;
        if (s[p] >= 0xe4 && s[p] <= 0xe9) { /* nor from U+4000 to U+9FFF */
            len = 3;
            before = p;
            continue;
        }
        uint32_t cp = uni_decode(s + p, &len);
        if (is_marked(f, cp))
            break;
        before = uni_props(cp) & UNI_NEWER ? p + len : p;
    }
    *from = composes(f) ? before : p;
    while (p < n && is_marked(f, uni_decode(s + p, &len)))
        p += len;
    *to = p;
    return true;
}

static int decompose(struct norm_scratch *x, enum norm_form f, const unsigned char *s, size_t n,
                     struct err *e)
{
    int32_t v[MOST];
    unsigned len;
    const int options =
        UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (is_compat(f) ? (int)UTF8PROC_COMPAT : 0);
    x->n = 0;
    for (size_t p = 0; p < n; p += len) {
        int last = 0;
        uint32_t cp = uni_decode(s + p, &len);
        utf8proc_ssize_t k = 1;
        v[0] = (int32_t)cp;
        if (!(uni_props(cp) & UNI_NEWER))
            k = utf8proc_decompose_char((int32_t)cp, v, MOST, options, &last);
        if (k < 0 || k > MOST)
            return err_set(e, "utf8proc: %s", utf8proc_errmsg(k));
        if (mem_grow(&x->v, &x->cap, x->n + (size_t)k, sizeof *x->v, e) < 0)
            return -1;
        for (int i = 0; i < k; i++)
            x->v[x->n++] =
                (struct norm_char){v[i], i > 0, utf8proc_get_property(v[i])->combining_class};
    }
    return 0;
}

/* Canonical ordering of v[0..n), all of non-zero class: stable, and linear for long runs. */
static int order_run(struct norm_scratch *x, struct norm_char *v, size_t n, struct err *e)
{
    size_t first[257] = {0};
    if (mem_grow(&x->spare, &x->cap_spare, n, sizeof *x->spare, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        first[v[i].class + 1]++;
    for (int c = 0; c < 256; c++)
        first[c + 1] += first[c];
    for (size_t i = 0; i < n; i++)
        x->spare[first[v[i].class]++] = v[i];
    memcpy(v, x->spare, n * sizeof *v);
    return 0;
}

static int order(struct norm_scratch *x, struct err *e)
{
    for (size_t i = 0, k; i < x->n; i = k) {
        bool sorted = true;
        for (k = i; k < x->n && x->v[k].class; k++)
            sorted = sorted && (k == i || x->v[k - 1].class <= x->v[k].class);
        if (!sorted && order_run(x, x->v + i, k - i, e) < 0)
            return -1;
        k += k == i;
    }
    return 0;
}

/* The primary composite of two characters; 0: they have none. */
static int32_t composite(int32_t a, int32_t b)
{
    int32_t v[4] = {a, b};
    if (b < 0x300 || uni_props((uint32_t)a) & UNI_NEWER || uni_props((uint32_t)b) & UNI_NEWER)
        return 0;
    return utf8proc_normalize_utf32(v, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE) == 1 ? v[0] : 0;
}

/* What stands between a starter and a character blocks it if its class is as high or higher. */
static void compose(struct norm_scratch *x)
{
    size_t out = 0, starter = SIZE_MAX;
    int last_class = -1; /* of the last one kept behind the starter; -1: none */
    for (size_t i = 0; i < x->n; i++) {
        struct norm_char c = x->v[i];
        if (starter != SIZE_MAX && last_class < c.class) {
            int32_t made = composite(x->v[starter].cp, c.cp);
            if (made) {
                x->v[starter].cp = made;
                x->v[starter].change += c.change - 1;
                continue;
            }
        }
        if (c.class == 0) {
            starter = out;
            last_class = -1;
        } else {
            last_class = c.class;
        }
        x->v[out++] = c;
    }
    x->n = out;
}

int norm_stretch(struct norm_scratch *x, enum norm_form f, const char *s, size_t n, struct err *e)
{
    if (decompose(x, f, (const unsigned char *)s, n, e) < 0 || order(x, e) < 0)
        return -1;
    if (composes(f))
        compose(x);
    return 0;
}

void norm_scratch_release(struct norm_scratch *x)
{
    free(x->v);
    free(x->spare);
    *x = (struct norm_scratch){0};
}
