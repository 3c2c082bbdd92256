/* The alphabet of byte-level BPE: see bytelevel.h. */
#include "token/bytelevel.h"

static bool is_itself(unsigned c)
{
    return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c != 0xad && c <= 0xff);
}

/* The bytes that are not themselves: 00-20, 7F-A0 and AD. */
uint32_t bytelevel_char(unsigned char c)
{
    if (is_itself(c))
        return c;
    return c <= 0x20 ? 0x100u + c : c == 0xad ? 0x143u : 0x121u + c - 0x7f;
}

int bytelevel_byte(uint32_t cp)
{
    if (cp < 0x100)
        return is_itself(cp) ? (int)cp : -1;
    if (cp <= 0x120)
        return (int)(cp - 0x100);
    if (cp < 0x143)
        return (int)(cp - 0x121 + 0x7f);
    return cp == 0x143 ? 0xad : -1;
}

size_t bytelevel_spell(char *out, const char *s, size_t n)
{
    char *o = out;
    for (size_t i = 0; i < n; i++) {
        uint32_t c = bytelevel_char((unsigned char)s[i]);
        if (c >= 0x80) {
            *o++ = (char)(0xc0 | c >> 6);
            c = 0x80 | (c & 0x3f);
        }
        *o++ = (char)c;
    }
    return (size_t)(o - out);
}

long bytelevel_bytes(char *out, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;
    char *o = out;
    while (p < end) {
        uint32_t c = *p++;
        if (c - 0x21 <= 0x7e - 0x21) { /* nearly all */
            *o++ = (char)c;
            continue;
        }
        if (c >= 0xe0)
            return -1;
        if (c >= 0x80)
            c = (c & 0x1f) << 6 | (*p++ & 0x3fu);
        int b = bytelevel_byte(c);
        if (b < 0)
            return -1;
        *o++ = (char)b;
    }
    return o - out;
}
