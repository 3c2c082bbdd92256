/*
 * Long JSON strings 64 bytes at a time, compiled by each file of an instruction set, which defines
 * before:
 *
 *     struct bytes, 64 of them, with
 *     static void load(struct bytes *b, const char *s);
 *     static uint64_t is(const struct bytes *b, char c);              bytes equal to c, as bits
 *     static uint64_t below(const struct bytes *b, unsigned char c);  less than c
 *     static uint64_t short_escapes(const struct bytes *b);           one of "\\/bfnrt
 *     static char *put(char *to, const char *s, const struct bytes *b, uint64_t begin,
 *                      uint64_t behind, unsigned at);
 *
 * put writes the first `at` bytes of the block b, which was loaded from s, to `to`: without the
 * backslashes that begin escapes, and with what the bytes behind those stand for; it returns where
 * that ends, and may have written up to 64 bytes more.
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

/* The first quote, control character, or backslash (one place behind it) of no short escape. */
static ALWAYS_INLINE uint64_t stops(const struct bytes *b, uint64_t behind)
{
    return (is(b, '"') & ~behind) | below(b, ' ') | (behind & ~short_escapes(b));
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
        const uint64_t stop = stops(&b, behind);
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

static ALWAYS_INLINE size_t take_string_by(const char *s, size_t n, char **to, bool *escaped)
{
    uint64_t carry = 0;
    size_t i = 0;
    struct bytes b;
    if (!*escaped) {
        for (;; i += 64) {
            if (i >= n)
                return n;
            load(&b, s + i);
            const uint64_t stop = is(&b, '"') | is(&b, '\\') | below(&b, ' ');
            if (LIKELY(!stop))
                continue;
            const size_t at = i + (size_t)CTZ64(stop);
            if (at >= n || s[at] != '\\')
                return at < n ? at : n;
            break;
        }
        *escaped = true;
        memcpy(*to, s, i);
        *to += i;
    }
    for (; i < n; i += 64) {
        load(&b, s + i);
        const uint64_t slash = is(&b, '\\');
        const uint64_t behind = behind_slashes(slash, &carry);
        uint64_t stop = stops(&b, behind);
        if (UNLIKELY(n - i < 64))
            stop |= UINT64_C(1) << (n - i);
        if (UNLIKELY(stop)) {
            const unsigned at = (unsigned)CTZ64(stop);
            *to = put(*to, s + i, &b, slash & ~behind, behind, at);
            return i + at - (behind >> at & 1);
        }
        *to = put(*to, s + i, &b, slash & ~behind, behind, 64);
    }
    return n - carry;
}
