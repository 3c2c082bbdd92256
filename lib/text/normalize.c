/* Normalisation form C: see normalize.h. */
#include "text/normalize.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/cpu.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/normalize_int.h"
#include "text/unicode.h"

size_t nfc_skip_portable(const unsigned char *s, size_t p, size_t n)
{
    while (p < n) {
        if (n - p >= 8 && !(le64_get(s + p) & UINT64_C(0x8080808080808080))) {
            p += 8;
            continue;
        }
        if (s[p] < 0xc0) { /* ASCII, or the rest of a character */
            p++;
            continue;
        }
        unsigned len;
        if (s[p] < 0xcc) /* nothing below U+0300 */
            len = 2;
        else if (s[p] >= 0xe4 && s[p] <= 0xe9) /* U+4000 to U+9FFF */
            len = 3;
        else if (uni_props(uni_decode(s + p, &len)) & UNI_NFC)
            return p;
        p += len;
    }
    return n;
}

typedef size_t skip_fn(const unsigned char *s, size_t p, size_t n);
static skip_fn skip_first;
static skip_fn *_Atomic skip = skip_first;

/* Chooses for this processor, once. */
static size_t skip_first(const unsigned char *s, size_t p, size_t n)
{
    skip_fn *chosen = nfc_skip_portable;
#if defined(__x86_64__)
    enum isa isa;
    if (cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE)
        chosen = isa == ISA_AVX2 ? nfc_skip_avx2 : nfc_skip_avx512;
#endif
    atomic_store(&skip, chosen);
    return chosen(s, p, n);
}

/* From p, where a character begins, to the first one with UNI_NFC. *base: where the character
 * before that begins, if there is one behind p and it can take part in a composition; else the same
 * place. */
static size_t next_stretch(const unsigned char *s, size_t p, size_t n, size_t *base)
{
    size_t marked = atomic_load_explicit(&skip, memory_order_relaxed)(s, p, n), last = marked;
    unsigned len;
    *base = marked;
    if (marked == n || marked == p)
        return marked;
    do
        last--;
    while ((s[last] & 0xc0) == 0x80);
    if (!(uni_props(uni_decode(s + last, &len)) & UNI_NEWER))
        *base = last;
    return marked;
}

size_t nfc_check(const char *s, size_t n)
{
    size_t base;
    next_stretch((const unsigned char *)s, 0, n, &base);
    return base;
}

struct points {
    int32_t *v, *spare;
    size_t n, cap, cap_spare;
};

static int class_of(int32_t cp)
{
    return utf8proc_get_property(cp)->combining_class;
}

/* Canonical ordering of v[0..n), all of non-zero class: stable, and linear for long runs. */
static int order_run(struct points *x, int32_t *v, size_t n, struct err *e)
{
    enum { FEW = 16 };
    if (n <= FEW) {
        for (size_t i = 1; i < n; i++) {
            int32_t cp = v[i];
            size_t k = i;
            for (; k > 0 && class_of(v[k - 1]) > class_of(cp); k--)
                v[k] = v[k - 1];
            v[k] = cp;
        }
        return 0;
    }
    size_t first[257] = {0};
    if (mem_grow(&x->spare, &x->cap_spare, n, sizeof *x->spare, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        first[class_of(v[i]) + 1]++;
    for (int c = 0; c < 256; c++)
        first[c + 1] += first[c];
    for (size_t i = 0; i < n; i++)
        x->spare[first[class_of(v[i])]++] = v[i];
    memcpy(v, x->spare, n * sizeof *v);
    return 0;
}

static int order(struct points *x, struct err *e)
{
    for (size_t i = 0, k; i < x->n; i = k) {
        for (k = i; k < x->n && class_of(x->v[k]); k++)
            ;
        if (k > i + 1 && order_run(x, x->v + i, k - i, e) < 0)
            return -1;
        k += k == i;
    }
    return 0;
}

/* s[0..n) is one stretch. */
static int compose(struct points *x, struct buf *out, const unsigned char *s, size_t n,
                   struct err *e)
{
    enum { MOST = 8 }; /* no character decomposes into more, canonically */
    unsigned len;
    x->n = 0;
    for (size_t p = 0; p < n; p += len) {
        int last = 0;
        if (x->cap - x->n < MOST && mem_grow(&x->v, &x->cap, x->n + MOST, sizeof *x->v, e) < 0)
            return -1;
        utf8proc_ssize_t k =
            utf8proc_decompose_char((int32_t)uni_decode(s + p, &len), x->v + x->n, MOST,
                                    UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &last);
        if (k < 0 || k > MOST)
            return err_set(e, "utf8proc: %s", utf8proc_errmsg(k));
        x->n += (size_t)k;
    }
    if (order(x, e) < 0)
        return -1;
    utf8proc_ssize_t k =
        utf8proc_normalize_utf32(x->v, (utf8proc_ssize_t)x->n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (k < 0)
        return err_set(e, "utf8proc: %s", utf8proc_errmsg(k));
    if (buf_reserve(out, 4 * (size_t)k, e) < 0)
        return -1;
    for (utf8proc_ssize_t i = 0; i < k; i++)
        out->len += (size_t)utf8_put(out->s + out->len, (uint32_t)x->v[i]);
    out->s[out->len] = 0;
    return 0;
}

/* Behind the stretch whose first marked character is at p. */
static size_t stretch_end(const unsigned char *s, size_t p, size_t n)
{
    unsigned len;
    while (p < n && uni_props(uni_decode(s + p, &len)) & UNI_NFC)
        p += len;
    return p;
}

int nfc_append(struct buf *out, const char *text, size_t n, struct err *e)
{
    const unsigned char *s = (const unsigned char *)text;
    struct points x = {0};
    size_t p = 0;
    int rc = 0;
    while (p < n && rc == 0) {
        size_t base, marked = next_stretch(s, p, n, &base);
        rc = buf_add(out, s + p, base - p, e);
        p = marked == n ? n : stretch_end(s, marked, n);
        if (rc == 0 && marked < n)
            rc = compose(&x, out, s + base, p - base, e);
    }
    free(x.v);
    free(x.spare);
    return rc;
}
