/*
 * Long JSON strings 64 bytes at a time, compiled by each file of an instruction set, which defines
 * before:
 *
 *     struct bytes, 64 of them, with
 *     static void load(struct bytes *b, const char *s);
 *     static void store(char *to, const struct bytes *b);
 *     static uint64_t is(const struct bytes *b, char c);              bytes equal to c, as bits
 *     static uint64_t below(const struct bytes *b, unsigned char c);  less than c
 */
#include <string.h>

#include "base/compiler.h"
#include "io/jscan_int.h"

/* The bytes behind backslashes, of which the last block's last one may be such: *carry. What a
 * backslash is behind a backslash depends on how many stand in a row: those of odd places are taken
 * out of the runs by one subtraction (Langdale and Lemire, Parsing gigabytes of JSON per second,
 * section 3.1.1, in the form of simdjson 3). */
static ALWAYS_INLINE uint64_t behind_slashes(uint64_t slash, uint64_t *carry)
{
    const uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa);
    const uint64_t may = slash & ~*carry;
    const uint64_t ends = (((may << 1) | odd) - may) ^ odd;
    const uint64_t behind = ends ^ (slash | *carry);
    *carry = (ends & slash) >> 63;
    return behind;
}

/* Bytes that a backslash may stand before alone. */
static ALWAYS_INLINE uint64_t short_escapes(const struct bytes *b)
{
    return is(b, 'n') | is(b, '"') | is(b, '\\') | is(b, 't') | is(b, 'r') | is(b, '/') |
           is(b, 'b') | is(b, 'f');
}

static ALWAYS_INLINE size_t scan_string_by(const char *s, size_t n, bool *escaped)
{
    uint64_t carry = 0, behind = 0, slashes = 0;
    for (size_t i = 0; i < n; i += 64) {
        struct bytes b;
        if (LIKELY(n - i >= 64)) {
            load(&b, s + i);
        } else {
            char last[64] = {0}; /* which stops */
            memcpy(last, s + i, n - i);
            load(&b, last);
        }
        const uint64_t slash = is(&b, '\\');
        behind = behind_slashes(slash, &carry);
        uint64_t stop = (is(&b, '"') & ~behind) | below(&b, ' ');
        if (behind) /* seldom often, so that it is foreseen */
            stop |= behind & ~short_escapes(&b);
        if (UNLIKELY(stop)) {
            const unsigned at = (unsigned)CTZ64(stop);
            slashes |= slash & ((UINT64_C(1) << at) - 1);
            *escaped |= slashes != 0;
            return i + at - (behind >> at & 1);
        }
        slashes |= slash;
    }
    *escaped |= slashes != 0;
    return n - carry;
}

static ALWAYS_INLINE size_t unescape_by(char **out, const char *s, size_t n)
{
    char *to = *out;
    size_t at = 0;
    struct bytes b;
    while (n - at >= 192) {
        load(&b, s + at);
        store(to, &b);
        size_t done = 0; /* bytes of the block that are right where they are now */
        for (uint64_t slash = is(&b, '\\'); slash;) {
            const unsigned i = (unsigned)CTZ64(slash);
            const unsigned char c = (unsigned char)s[at + i + 1];
            to += i - done;
            if (c == 'u') {
                *out = to;
                return at + i;
            }
            *to++ = jscan_short_escape[c];
            done = i + 2;
            struct bytes rest;
            load(&rest, s + at + done);
            store(to, &rest);
            slash = done < 64 ? slash & ~UINT64_C(0) << done : 0;
        }
        if (done < 64) {
            to += 64 - done;
            done = 64;
        }
        at += done;
    }
    *out = to;
    return at;
}
