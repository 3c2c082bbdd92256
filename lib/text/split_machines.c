/*
 * The state machines of the published splits. Each function `*_end` gives the end of the piece that
 * begins at p, following the alternatives of its pattern (split.h) in order; patterns are greedy
 * and nothing follows an alternative, so that backtracking reduces to the few cases noted here.
 */
#include "base/compiler.h"
#include "base/cpu.h"
#include "text/split_vec_int.h"
#include "text/unicode.h"

enum {
    LETTERS = UNI_LETTERS,
    NUMBERS = UNI_NUMBERS,
    MARKS = UNI_MARKS,
    NEWLINES = UNI_NEWLINES,
    SPACES = UNI_SPACES,
    OTHERS = 0x7fffffff & ~(LETTERS | NUMBERS | SPACES), /* [^\s\p{L}\p{N}] */
    HEADS = (LETTERS | MARKS) & ~UNI_BIT(UNI_LL), /* o200k: [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] */
    TAILS =
        (LETTERS | MARKS) & ~(UNI_BIT(UNI_LU) | UNI_BIT(UNI_LT)), /* [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
};

/* The category of the character at p as a bit, and its length; 0 at the end. */
static ALWAYS_INLINE unsigned bit_at(const unsigned char *s, size_t p, size_t n, unsigned *len)
{
    if (UNLIKELY(p >= n)) {
        *len = 0;
        return 0;
    }
    if (LIKELY(s[p] < 0x80)) {
        *len = 1;
        return UNI_BIT(uni_data[s[p]] & UNI_CATEGORY);
    }
    uint32_t cp = uni_decode(s + p, len);
    return uni_bit(cp);
}

static ALWAYS_INLINE size_t run_end(const unsigned char *s, size_t p, size_t n, unsigned bits)
{
    unsigned len;
    while (bit_at(s, p, n, &len) & bits)
        p += len;
    return p;
}

/* max characters at most; 0: any number */
static ALWAYS_INLINE size_t digits_end(const unsigned char *s, size_t p, size_t n, int max)
{
    unsigned len;
    for (int i = 0; (max == 0 || i < max) && bit_at(s, p, n, &len) & NUMBERS; i++)
        p += len;
    return p;
}

/* Length of 's 't 're 've 'm 'll 'd at p, where s[p] is the apostrophe; 0: none. Ignoring case
 * takes U+017F for s. */
static size_t contraction(const unsigned char *s, size_t p, size_t n, bool ignore_case)
{
    size_t left = n - p;
    if (left < 2)
        return 0;
    unsigned fold = ignore_case ? 0x20 : 0, a = s[p + 1] | fold;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if (left < 3)
        return 0;
    unsigned b = s[p + 2] | fold;
    if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    return ignore_case && s[p + 1] == 0xc5 && s[p + 2] == 0xbf ? 3 : 0;
}

/* The whitespace that begins at p. by_line: \s*[\r\n]+ comes first and ends after the last line
 * break of the run; tail: \s++$ before that. Then \s+(?!\S) leaves the last character to what
 * follows, if that leaves anything. */
static ALWAYS_INLINE size_t space_end(const unsigned char *s, size_t p, size_t n, bool by_line,
                                      bool tail)
{
    size_t end = p, last = p, line = 0;
    unsigned len, bit;
    while ((bit = bit_at(s, end, n, &len)) & SPACES) {
        last = end;
        end += len;
        if (bit & NEWLINES)
            line = end;
    }
    if (tail && end == n)
        return end;
    if (by_line && line)
        return line;
    return end == n || last == p ? end : last;
}

static ALWAYS_INLINE size_t gpt2_end(const unsigned char *s, size_t p, size_t n)
{
    if (s[p] == '\'') {
        size_t k = contraction(s, p, n, false);
        if (k)
            return p + k;
    }
    size_t q = p + (s[p] == ' ');
    unsigned len, bit = bit_at(s, q, n, &len);
    if (bit & LETTERS)
        return run_end(s, q + len, n, LETTERS);
    if (bit & OTHERS)
        return run_end(s, q + len, n, OTHERS);
    if (bit & NUMBERS)
        return run_end(s, q + len, n, NUMBERS);
    return space_end(s, p, n, false, false);
}

static ALWAYS_INLINE size_t cl100k_end(const unsigned char *s, size_t p, size_t n, int digits,
                                       bool marks, bool tail)
{
    const unsigned letters = marks ? LETTERS | MARKS : LETTERS;
    const unsigned others = marks ? OTHERS & ~MARKS : OTHERS;
    unsigned len, len2, bit = bit_at(s, p, n, &len);
    size_t q = p + len;
    if (bit & letters)
        return run_end(s, q, n, letters);
    if (bit & NUMBERS)
        return digits_end(s, p, n, digits);
    if (bit & NEWLINES)
        return space_end(s, p, n, true, tail);
    if (s[p] == '\'') {
        size_t k = contraction(s, p, n, true);
        if (k)
            return p + k;
    }
    unsigned bit2 = bit_at(s, q, n, &len2);
    if (bit2 & letters) /* any one character but a digit or a line break before letters */
        return run_end(s, q + len2, n, letters);
    if (bit & SPACES && !(s[p] == ' ' && bit2 & others))
        return space_end(s, p, n, true, tail);
    return run_end(s, run_end(s, q, n, others), n, NEWLINES);
}

/* A word at p: HEADS* TAILS+, and where that fails HEADS+ TAILS*. HEADS* gives back characters
 * until TAILS+ has one: none where a lower-case letter follows, else up to the last character that
 * is in both. *bare: only the second form matched, all upper case. Returns 0 for no match. */
static ALWAYS_INLINE size_t o200k_word(const unsigned char *s, size_t p, size_t n, bool *bare)
{
    size_t end = p, both = 0;
    unsigned len, bit;
    *bare = false;
    while ((bit = bit_at(s, end, n, &len)) & HEADS) {
        end += len;
        if (bit & TAILS)
            both = end;
    }
    if (bit & TAILS)
        return run_end(s, end + len, n, TAILS);
    if (both)
        return both;
    *bare = true;
    return end > p ? end : 0;
}

static ALWAYS_INLINE size_t o200k_end(const unsigned char *s, size_t p, size_t n, int digits,
                                      bool contractions)
{
    unsigned len, len2, bit = bit_at(s, p, n, &len);
    size_t q = p + len, end;
    bool bare;
    if (bit & NUMBERS)
        return digits_end(s, p, n, digits);
    if (bit & NEWLINES)
        return space_end(s, p, n, true, false);
    if (bit & LETTERS) {
        end = o200k_word(s, p, n, &bare);
    } else {
        /* A mark may be the character before the word or its first one: the first form is tried
         * both ways before the second form, and begins at the mark with that mark alone. */
        end = o200k_word(s, q, n, &bare);
        if (bit & MARKS && bare)
            end = q;
    }
    if (end) {
        if (contractions && end < n && s[end] == '\'')
            end += contraction(s, end, n, true);
        return end;
    }
    if (bit & SPACES && !(s[p] == ' ' && bit_at(s, q, n, &len2) & OTHERS))
        return space_end(s, p, n, true, false);
    end = run_end(s, q, n, OTHERS);
    while (end < n && (s[end] == '\r' || s[end] == '\n' || s[end] == '/'))
        end++;
    return end;
}

static ALWAYS_INLINE size_t digit_rule_end(const unsigned char *s, size_t p, size_t n, int digits)
{
    unsigned len;
    if (bit_at(s, p, n, &len) & NUMBERS)
        return digits_end(s, p, n, digits);
    return run_end(s, p + len, n, ~(unsigned)NUMBERS);
}

SPLIT_MACHINE(gpt2, gpt2_end(s, p, n))
SPLIT_MACHINE(cl100k, cl100k_end(s, p, n, 3, false, false))
SPLIT_MACHINE(cl100k_single, cl100k_end(s, p, n, 1, false, false))
SPLIT_MACHINE(cl100k_any, cl100k_end(s, p, n, r->digits, r->marks, r->tail))
SPLIT_MACHINE(o200k, o200k_end(s, p, n, 3, true))
SPLIT_MACHINE(o200k_any, o200k_end(s, p, n, r->digits, !r->no_contractions))
SPLIT_MACHINE(digits, digit_rule_end(s, p, n, r->digits))
SPLIT_MACHINE(whole, n)

split_machine *split_plain_of(const struct split_rule *r)
{
    switch (r->kind) {
    case SPLIT_GPT2:
        return gpt2;
    case SPLIT_CL100K:
        if (r->marks || r->tail)
            return cl100k_any;
        return r->digits == 3 ? cl100k : r->digits == 1 ? cl100k_single : cl100k_any;
    case SPLIT_O200K:
        return r->digits == 3 && !r->no_contractions ? o200k : o200k_any;
    case SPLIT_DIGITS:
        return digits;
    case SPLIT_HAN:
    case SPLIT_DEEPSEEK_TEXT:
    case SPLIT_DEEPSEEK:
        return split_deepseek_of(r);
    case SPLIT_WHOLE:
        return whole;
    case SPLIT_REGEX:
        break;
    }
    return NULL;
}

split_windows *split_windows_of(const struct split_rule *r)
{
#if defined(__x86_64__)
    enum isa isa;
    if (cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE)
        return isa == ISA_AVX2 ? split_avx2_of(r) : split_avx512_of(r);
#endif
    (void)r;
    return NULL;
}
