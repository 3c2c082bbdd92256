/* UTF-8: validation, decoding, encoding, replacement. */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/le.h"
#include "base/utf8_int.h"

/* What table 3-7 allows after a lead byte: how many bytes in all (0: no lead byte), and the range
 * of the second one. Later ones are always 80..BF. */
struct lead {
    int len;
    unsigned char lo, hi;
};

static struct lead lead_of(unsigned char c)
{
    if (c < 0x80)
        return (struct lead){1, 0, 0};
    if (c < 0xc2 || c > 0xf4)
        return (struct lead){0, 0, 0};
    if (c < 0xe0)
        return (struct lead){2, 0x80, 0xbf};
    if (c < 0xf0)
        return (struct lead){3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    return (struct lead){4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
}

static bool in_range(unsigned char c, unsigned char lo, unsigned char hi)
{
    return (unsigned char)(c - lo) <= hi - lo;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

static size_t skip_ascii(const unsigned char *p, size_t i, size_t n)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    for (; n - i >= 32; i += 32) {
        uint64_t w[4];
        memcpy(w, p + i, 32);
        if ((w[0] | w[1] | w[2] | w[3]) & high)
            break;
    }
    for (; n - i >= 8; i += 8) {
        uint64_t w = le64_get(p + i) & high;
        if (w)
            return i + (size_t)CTZ64(w) / 8;
    }
    while (i < n && p[i] < 0x80)
        i++;
    return i;
}

/* Characters of three bytes, two at a time, but for the leads that restrict the second byte. */
static size_t skip_threes(const unsigned char *p, size_t i, size_t n)
{
    for (; n - i >= 8; i += 6) {
        uint64_t w = le64_get(p + i);
        unsigned char a = p[i], b = p[i + 3];
        if ((w & UINT64_C(0xc0c0f0c0c0f0)) != UINT64_C(0x8080e08080e0) || a == 0xe0 || a == 0xed ||
            b == 0xe0 || b == 0xed)
            break;
    }
    return i;
}

size_t utf8_valid_from(const unsigned char *p, size_t i, size_t n)
{
    while (i < n) {
        unsigned char c = p[i];
        if (c < 0x80) {
            i = skip_ascii(p, i, n);
            continue;
        }
        struct lead l = lead_of(c);
        if (l.len == 0 || n - i < (size_t)l.len || !in_range(p[i + 1], l.lo, l.hi))
            return i;
        if (l.len > 2 && !is_tail(p[i + 2]))
            return i;
        if (l.len > 3 && !is_tail(p[i + 3]))
            return i;
        i += (size_t)l.len;
        if (l.len == 3)
            i = skip_threes(p, i, n);
    }
    return n;
}

size_t utf8_valid(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t i = 0;
#if defined(__x86_64__)
    enum isa isa;
    if (n >= 64 && cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE)
        i = utf8_skip_avx2(p, n);
#endif
    return utf8_valid_from(p, i, n);
}

int32_t utf8_get(const char *s, size_t n, int *len)
{
    const unsigned char *p = (const unsigned char *)s;
    struct lead l = lead_of(p[0]);
    *len = 1;
    if (l.len == 1)
        return p[0];
    if (l.len == 0 || n < 2 || !in_range(p[1], l.lo, l.hi))
        return -1;
    *len = 2;
    if (l.len == 2)
        return (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    if (n < 3 || !is_tail(p[2]))
        return -1;
    *len = 3;
    if (l.len == 3)
        return (p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    if (n < 4 || !is_tail(p[3]))
        return -1;
    *len = 4;
    return (p[0] & 0x07) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

int utf8_put(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

long utf8_replace(struct buf *out, const char *s, size_t n, struct err *e)
{
    long n_bad = 0;
    for (size_t i = 0; i < n;) {
        size_t good = utf8_valid(s + i, n - i);
        if (buf_add(out, s + i, good, e) < 0)
            return -1;
        i += good;
        if (i == n)
            break;
        int len;
        utf8_get(s + i, n - i, &len);
        if (buf_add(out, "\xef\xbf\xbd", 3, e) < 0)
            return -1;
        i += (size_t)len;
        n_bad++;
    }
    return n_bad;
}

int utf8_partial_tail(const char *s, size_t n)
{
    for (int k = 1; k <= 3 && (size_t)k <= n; k++) {
        const char *p = s + n - (size_t)k;
        if (is_tail((unsigned char)*p))
            continue;
        int len;
        if (lead_of((unsigned char)*p).len > k && utf8_get(p, (size_t)k, &len) < 0 && len == k)
            return k;
        return 0;
    }
    return 0;
}
