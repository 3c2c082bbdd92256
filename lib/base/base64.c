/* Base64: see base64.h. */
#include "base/base64.h"

#include <stdint.h>

static int value_of(int c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

long base64_decode(void *out, const char *s, size_t n)
{
    unsigned char *to = out;
    long k = 0;
    if (n % 4)
        return -1;
    size_t n_pad = n ? (s[n - 1] == '=') + (s[n - 1] == '=' && s[n - 2] == '=') : 0;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t x = 0;
        for (size_t j = i; j < i + 4; j++) {
            int v = j >= n - n_pad ? 0 : value_of((unsigned char)s[j]);
            if (v < 0)
                return -1;
            x = x << 6 | (uint32_t)v;
        }
        size_t n_bytes = i + 4 == n ? 3 - n_pad : 3;
        for (size_t j = 0; j < n_bytes; j++)
            to[k++] = (unsigned char)(x >> (16 - 8 * j));
    }
    return k;
}

int base64_encode(struct buf *out, const void *p, size_t n, struct err *e)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = p;
    if (buf_reserve(out, (n + 2) / 3 * 4 + 1, e) < 0)
        return -1;
    char *to = out->s + out->len;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t x = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) |
                     (i + 2 < n ? s[i + 2] : 0);
        for (int j = 0; j < 4; j++)
            *to++ = i + (size_t)j > n ? '=' : digits[x >> (18 - 6 * j) & 63];
    }
    *to = '\0';
    out->len = (size_t)(to - out->s);
    return 0;
}
