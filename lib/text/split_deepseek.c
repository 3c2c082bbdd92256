/*
 * The splits of DeepSeek V3 and R1 as state machines: three patterns in a chain, `\p{N}{1,3}` (the
 * digits of split_machines.c), `[一-龥぀-ゟ゠-ヿ]+`, and on all pieces of these
 *     [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
 *     | ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * whose matches do not cover all of a text: what lies between two of them is a piece as well. All
 * three at once are one machine, for which a character tells by itself whose piece it stands in.
 */
#include "base/compiler.h"
#include "text/split_int.h"
#include "text/unicode.h"

enum {
    WORD = UNI_LETTERS | UNI_MARKS,
    SIGNS = UNI_BIT(UNI_PC) | UNI_BIT(UNI_PD) | UNI_BIT(UNI_PS) | UNI_BIT(UNI_PE) |
            UNI_BIT(UNI_PI) | UNI_BIT(UNI_PF) | UNI_BIT(UNI_PO) | UNI_BIT(UNI_SM) |
            UNI_BIT(UNI_SC) | UNI_BIT(UNI_SK) | UNI_BIT(UNI_SO), /* \p{P}, \p{S} */
};

/* Ideographs and kana, as the second pattern has them: also those that are no letters. */
static ALWAYS_INLINE bool is_han(uint32_t cp)
{
    return cp - 0x4e00 <= 0x9fa5 - 0x4e00 || cp - 0x3040 <= 0x30ff - 0x3040;
}

static ALWAYS_INLINE bool han_at(const unsigned char *s, size_t p, size_t n, unsigned *len)
{
    return p < n && s[p] >= 0xe3 && s[p] <= 0xe9 && is_han(uni_decode(s + p, len));
}

/* Where the last pattern is at work: on a text by itself, or on what the other two have left it,
 * which is a piece of the second's or one between. No piece reaches from one to the other. */
enum where { ALONE, IN_HAN, BETWEEN };

/* The category of the character at p as a bit, and its length; 0 at the end. */
static ALWAYS_INLINE unsigned bit_at(const unsigned char *s, size_t p, size_t n, enum where where,
                                     unsigned *len)
{
    unsigned bit;
    *len = 0;
    if (UNLIKELY(p >= n))
        return 0;
    if (LIKELY(s[p] < 0x80)) {
        *len = 1;
        if (where == IN_HAN)
            return 0;
        bit = UNI_BIT(uni_data[s[p]] & UNI_CATEGORY);
    } else {
        uint32_t cp = uni_decode(s + p, len);
        if (where != ALONE && is_han(cp) != (where == IN_HAN))
            return 0;
        bit = uni_bit(cp);
    }
    return where == BETWEEN && bit & UNI_NUMBERS ? 0 : bit;
}

static ALWAYS_INLINE size_t run_end(const unsigned char *s, size_t p, size_t n, enum where where,
                                    unsigned bits)
{
    unsigned len;
    while (bit_at(s, p, n, where, &len) & bits)
        p += len;
    return p;
}

static bool is_ascii_letter(unsigned c)
{
    return (c | 0x20) - 'a' < 26;
}

static ALWAYS_INLINE size_t signs_end(const unsigned char *s, size_t p, size_t n, enum where where)
{
    return run_end(s, run_end(s, p, n, where, SIGNS), n, where, UNI_NEWLINES);
}

/* \s*[\r\n]+ up to the last line break of the run, else \s+(?!\S), which leaves its last character
 * to what follows if that leaves anything. */
static ALWAYS_INLINE size_t space_end(const unsigned char *s, size_t p, size_t n, enum where where)
{
    size_t end = p, last = p, line = 0;
    unsigned len, bit;
    while ((bit = bit_at(s, end, n, where, &len)) & UNI_SPACES) {
        last = end;
        end += len;
        if (bit & UNI_NEWLINES)
            line = end;
    }
    if (line)
        return line;
    return bit == 0 || last == p ? end : last;
}

/* The end of the last pattern's match that begins at p, or 0. */
static ALWAYS_INLINE size_t match_end(const unsigned char *s, size_t p, size_t n, enum where where)
{
    unsigned len, len2 = 0;
    const unsigned bit = bit_at(s, p, n, where, &len);
    const size_t q = p + len;
    if (bit & WORD) /* a mark may be the character before the word: the end is the same */
        return run_end(s, q, n, where, WORD);
    if (bit & SIGNS) {
        if (len > 1 || q >= n || !is_ascii_letter(s[q])) /* all signs of ASCII are in the list */
            return signs_end(s, q, n, where);
        size_t end = q + 1;
        while (end < n && is_ascii_letter(s[end]))
            end++;
        return end;
    }
    if (!(bit & UNI_NEWLINES)) {
        const unsigned bit2 = bit_at(s, q, n, where, &len2);
        if (bit2 & WORD)
            return run_end(s, q + len2, n, where, WORD);
        if (s[p] == ' ' && bit2 & SIGNS)
            return signs_end(s, q + len2, n, where);
    }
    return bit & UNI_SPACES ? space_end(s, p, n, where) : 0;
}

/* A match, or what lies before the next one. */
static ALWAYS_INLINE size_t text_end(const unsigned char *s, size_t p, size_t n, enum where where)
{
    unsigned len, len2;
    size_t end = match_end(s, p, n, where);
    if (end)
        return end;
    bit_at(s, p, n, where, &len);
    for (p += len;; p += len) {
        unsigned bit = bit_at(s, p, n, where, &len);
        if (bit == 0 || bit & (WORD | SIGNS | UNI_SPACES) ||
            bit_at(s, p + len, n, where, &len2) & WORD)
            return p;
    }
}

static size_t han_end(const unsigned char *s, size_t p, size_t n)
{
    unsigned len = 1;
    const bool han = han_at(s, p, n, &len);
    do {
        if (!han)
            uni_decode(s + p, &len);
        p += len;
    } while (p < n && han_at(s, p, n, &len) == han);
    return p;
}

static ALWAYS_INLINE size_t all_end(const unsigned char *s, size_t p, size_t n)
{
    unsigned len;
    if (bit_at(s, p, n, BETWEEN, &len))
        return text_end(s, p, n, BETWEEN);
    if (han_at(s, p, n, &len))
        return text_end(s, p, n, IN_HAN);
    for (int i = 0; i < 3 && bit_at(s, p, n, ALONE, &len) & UNI_NUMBERS; i++)
        p += len;
    return p;
}

SPLIT_MACHINE(han, han_end(s, p, n))
SPLIT_MACHINE(text, text_end(s, p, n, ALONE))
SPLIT_MACHINE(all, all_end(s, p, n))

split_machine *split_deepseek_of(const struct split_rule *r)
{
    return r->kind == SPLIT_HAN ? han : r->kind == SPLIT_DEEPSEEK_TEXT ? text : all;
}
