/*
 * The machines of split_machines.c for 64 bytes at once, compiled by each file of an instruction
 * set, which defines before:
 *
 *     struct block, the 64 bytes at a place, with
 *     static void block_load(struct block *b, const unsigned char *s);
 *     static uint64_t block_is(const struct block *b, unsigned char c);          bytes equal to c
 *     static uint64_t block_in(const struct block *b, unsigned char from, unsigned char to);
 *     static uint64_t block_letters(const struct block *b);                      [A-Za-z]
 *     static uint64_t block_high(const struct block *b);                         from 0x80 on
 *
 * A window of 64 bytes begins where a piece begins. A match of these patterns depends on nothing
 * before it, so no state goes from one window to the next: each byte gets the class of its
 * character as a bit in masks, where pieces begin follows from the masks by a few operations (a run
 * is a mask's bits without a gap; adding a run's first bit to its mask carries to its end), and the
 * next window begins at the last beginning that is certain. Where there is none, or near the
 * text's end, the plain machine gives pieces.
 */
#include "base/compiler.h"
#include "text/split_vec_int.h"
#include "text/unicode.h"

enum { WINDOW = 64 };

struct classes {
    struct block b;
    uint64_t letter, number, space, line, other; /* a byte is in one of them, line in space too */
    uint64_t blank;                              /* U+0020 */
    uint64_t tail;                               /* bytes that continue a character */
    uint64_t wide;                               /* bytes that begin one of three */
    uint64_t upper, lower, both, mark;           /* of letters, as o200k tells them apart */
};

/* What a machine is specialised for. */
struct form {
    enum split_kind kind;
    int digits;
    bool marks, contractions;
};

static ALWAYS_INLINE uint64_t below(unsigned i)
{
    return i < 64 ? (UINT64_C(1) << i) - 1 : ~UINT64_C(0);
}

/* A character's bytes from its first. */
static ALWAYS_INLINE uint64_t whole(uint64_t first, uint64_t tail)
{
    first |= (first << 1) & tail;
    first |= (first << 1) & tail;
    return first | ((first << 1) & tail);
}

/* First bytes of what Chinese text is full of: characters of three bytes that are neither letters
 * nor marks, numbers or space. U+2010 to U+2027 and U+3008 to U+3020 are E2 80 and E3 80 with a
 * last byte of 90 to A7 and 88 to A0, and U+3001, U+3002; U+FF01 to U+FF0F are EF BC with 81 to 8F,
 * and U+FF1A to U+FF20 with 9A to A0. */
static ALWAYS_INLINE uint64_t wide_others(const struct block *b)
{
    const uint64_t e2 = block_is(b, 0xe2), e3 = block_is(b, 0xe3), x80 = block_is(b, 0x80) >> 1;
    const uint64_t full = block_is(b, 0xef) & block_is(b, 0xbc) >> 1;
    return (e2 & x80 & block_in(b, 0x90, 0xa7) >> 2) |
           (e3 & x80 & (block_in(b, 0x88, 0xa0) | block_in(b, 0x81, 0x82)) >> 2) |
           (full & (block_in(b, 0x81, 0x8f) | block_in(b, 0x9a, 0xa0)) >> 2);
}

/* Characters of more than a byte. What begins with E4 to E9 is a letter without case but for
 * U+4DC0 to U+4DFF, which is E4 B7; all others are looked up. */
static ALWAYS_INLINE void add_wide(struct classes *c, const struct block *b, uint64_t high,
                                   const unsigned char *s, struct form f)
{
    const unsigned letters = UNI_LETTERS | (f.marks ? (unsigned)UNI_MARKS : 0);
    uint64_t space = 0, number = 0;
    c->tail = block_in(b, 0x80, 0xbf);
    c->wide = block_in(b, 0xe0, 0xef);
    uint64_t han = block_in(b, 0xe4, 0xe9);
    han &= ~(block_is(b, 0xe4) & (block_is(b, 0xb7) >> 1 | UINT64_C(1) << 63));
    uint64_t rest = high & ~c->tail & ~han & ~wide_others(b);
    c->letter |= han;
    c->both = han;
    for (; rest; rest &= rest - 1) {
        unsigned i = (unsigned)CTZ64(rest), len;
        uint64_t at = rest & -rest;
        uint32_t bit = uni_bit(uni_decode(s + i, &len));
        c->letter |= bit & letters ? at : 0;
        number |= bit & UNI_NUMBERS ? at : 0;
        space |= bit & UNI_SPACES ? at : 0;
        if (f.kind == SPLIT_O200K) {
            c->upper |= bit & (UNI_BIT(UNI_LU) | UNI_BIT(UNI_LT)) ? at : 0;
            c->lower |= bit & UNI_BIT(UNI_LL) ? at : 0;
            c->both |= bit & (UNI_BIT(UNI_LM) | UNI_BIT(UNI_LO)) ? at : 0;
            c->mark |= bit & UNI_MARKS ? at : 0;
        }
    }
    c->letter = whole(c->letter, c->tail);
    if (space | number) {
        c->space |= whole(space, c->tail);
        c->number |= whole(number, c->tail);
    }
    if (f.kind == SPLIT_O200K) {
        c->upper = whole(c->upper, c->tail);
        c->lower = whole(c->lower, c->tail);
        c->both = whole(c->both, c->tail);
    }
}

/* Whether there are characters of more than a byte. */
static ALWAYS_INLINE bool classify(struct classes *c, const unsigned char *s, struct form f)
{
    const struct block *b = &c->b;
    block_load(&c->b, s);
    c->letter = block_letters(b);
    c->number = block_in(b, '0', '9');
    c->blank = block_is(b, ' ');
    c->space = block_in(b, '\t', '\r') | c->blank;
    c->line = f.kind == SPLIT_GPT2 ? 0 : block_is(b, '\n') | block_is(b, '\r');
    c->tail = c->wide = c->upper = c->lower = c->both = c->mark = 0;
    if (f.kind == SPLIT_O200K) {
        c->upper = block_in(b, 'A', 'Z');
        c->lower = c->letter & ~c->upper;
    }
    const uint64_t high = block_high(b);
    if (high)
        add_wide(c, b, high, s, f);
    c->other = ~(c->letter | c->number | c->space);
    return high != 0;
}

/* Length of a contraction at s, of which left bytes are text; 0: none. */
static ALWAYS_INLINE unsigned contraction(const unsigned char *s, size_t left, bool ignore_case)
{
    unsigned fold = ignore_case ? 0x20 : 0;
    if (left < 2)
        return 0;
    unsigned a = s[1] | fold;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if (left < 3)
        return 0;
    unsigned b = s[2] | fold;
    if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    return ignore_case && s[1] == 0xc5 && s[2] == 0xbf ? 3 : 0;
}

/* Where contractions end that begin at one of quotes, as far as that is in the window. *which:
 * those that begin one. */
static ALWAYS_INLINE uint64_t contractions(const struct classes *c, const unsigned char *s,
                                           size_t left, uint64_t quotes, bool ignore_case,
                                           uint64_t *which)
{
    const struct block *b = &c->b;
    const uint64_t small = block_in(b, 'a', 'z'), ll = block_is(b, 'l'), re = block_is(b, 'e');
    const uint64_t rv = block_is(b, 'r') | block_is(b, 'v');
    const uint64_t stmd = block_is(b, 's') | block_is(b, 't') | block_is(b, 'm') | block_is(b, 'd');
    const uint64_t two = quotes & stmd >> 1;
    const uint64_t three = quotes & ((rv >> 1 & re >> 2) | (ll >> 1 & ll >> 2));
    uint64_t ends = two << 2 | three << 3;
    *which = two | three;
    uint64_t odd = quotes & ~(small >> 1 & small >> 2) & ~two;
    if (LIKELY(!ignore_case || !odd))
        return ends;
    for (; odd; odd &= odd - 1) {
        const unsigned i = (unsigned)CTZ64(odd), n = contraction(s + i, left - i, true);
        if (n) {
            *which |= odd & -odd;
            ends |= i + n < WINDOW ? UINT64_C(1) << (i + n) : 0;
        }
    }
    return ends;
}

/* A run's bytes from those of first on, which are in it. */
static ALWAYS_INLINE uint64_t rest_of(uint64_t run, uint64_t first)
{
    for (int step = 1; step < 64; step *= 2) {
        first |= (first << step) & run;
        run &= run << step;
    }
    return first;
}

static ALWAYS_INLINE uint64_t first_of(uint64_t run)
{
    return run & ~(run << 1);
}

/* Where pieces of numbers begin. */
static ALWAYS_INLINE uint64_t number_begins(const struct classes *c, int digits)
{
    uint64_t chars = c->number & ~c->tail, begins = first_of(c->number);
    if (digits == 1)
        return chars;
    if (digits == 0 || chars == 0)
        return begins;
    uint64_t pairs = c->number & c->number << 1; /* bytes: at least as long as runs of characters */
    if (LIKELY(!(pairs & pairs << (digits > 2 ? 2 : 1))))
        return begins;
    for (uint64_t first = begins, left = chars; first; first &= first - 1) {
        uint64_t run = left & (c->number ^ (c->number + (first & -first)));
        for (int k = 0; run; run &= run - 1, k++)
            if (k % digits == 0)
                begins |= run & -run;
    }
    return begins;
}

/* The last characters of runs of space. */
static ALWAYS_INLINE uint64_t last_spaces(const struct classes *c)
{
    uint64_t last = c->space & ~(c->space >> 1);
    for (int i = 0; UNLIKELY(last & c->tail) && i < 2; i++)
        last = (last & ~c->tail) | (last & c->tail) >> 1;
    return last;
}

/* Where pieces begin in the window at s, of whose text left bytes are left. */
static ALWAYS_INLINE uint64_t gpt2_begins(const struct classes *c, const unsigned char *s,
                                          size_t left)
{
    uint64_t others = first_of(c->other) & ~(c->blank << 1);
    uint64_t begins = ((first_of(c->letter) | first_of(c->number)) & ~(c->blank << 1)) | others;
    uint64_t quotes = others & c->letter >> 1 & block_is(&c->b, '\''), which;
    begins |= first_of(c->space) | last_spaces(c);
    if (quotes) {
        uint64_t ends = contractions(c, s, left, quotes, false, &which);
        begins = (begins & ~(which << 1)) | ends;
    }
    return begins;
}

/* cl100k and o200k but for what is inside of letters and what contractions change. *alone: single
 * others that may be the first character of a word. */
static ALWAYS_INLINE uint64_t line_begins(const struct classes *c, struct form f, uint64_t *alone)
{
    uint64_t other = c->other, space = c->space;
    const uint64_t ends = c->line & other << 1; /* lines that belong to the others before */
    uint64_t taken = c->line & ~(c->line + ends);
    if (f.kind == SPLIT_O200K && taken << 1 & other) {
        const uint64_t slashes = block_is(&c->b, '/');
        if (taken << 1 & slashes)
            taken = rest_of(c->line | slashes, ends);
    }
    space &= ~taken;
    other &= ~taken;
    uint64_t others = first_of(other) & ~(c->blank << 1);
    uint64_t inner = c->space & ~c->line; /* space within a line */
    uint64_t indents = inner & c->line << 1;
    uint64_t blank_lines = (inner + indents) & ~inner & c->line;
    for (; UNLIKELY(blank_lines != 0); blank_lines &= blank_lines - 1) {
        uint64_t before = indents & ((blank_lines & -blank_lines) - 1);
        indents &= ~(UINT64_C(1) << (63 - CLZ64(before)));
    }
    *alone = whole(others, c->tail);
    uint64_t words = first_of(c->letter) & ~((inner | *alone) << 1);
    return number_begins(c, f.digits) | first_of(space) | indents | (last_spaces(c) & inner) |
           others | words;
}

static ALWAYS_INLINE uint64_t cl100k_begins(const struct classes *c, const unsigned char *s,
                                            size_t left, struct form f)
{
    uint64_t alone, begins = line_begins(c, f, &alone);
    uint64_t quotes = alone & c->letter >> 1 & block_is(&c->b, '\''), which;
    if (quotes)
        begins |= contractions(c, s, left, quotes, true, &which);
    return begins;
}

/* Between letters a word begins at upper case behind lower case. Where upper case follows a letter
 * without case, and where marks are, the plain machine is asked: bits from *sure on. */
static ALWAYS_INLINE uint64_t o200k_begins(const struct classes *c, const unsigned char *s,
                                           size_t left, struct form f, unsigned *sure)
{
    uint64_t alone, begins = line_begins(c, f, &alone), end = 0;
    uint64_t unsure = (c->upper & c->both << 1) | c->mark;
    begins |= c->upper & c->lower << 1;
    if (f.contractions)
        /* also of the last byte, for what follows decides whether a piece begins there */
        for (uint64_t next = c->letter >> 1 | UINT64_C(1) << 63,
                      v = alone & next & c->letter << 1 & block_is(&c->b, '\'');
             v; v &= v - 1) {
            unsigned i = (unsigned)CTZ64(v), n;
            if ((n = contraction(s + i, left - i, true)) == 0)
                continue;
            begins &= ~(UINT64_C(5) << i); /* 'vE */
            if (v & -v & end)
                unsure |= v & -v;
            if (i + n < WINDOW) {
                end |= UINT64_C(1) << (i + n);
                begins |= UINT64_C(1) << (i + n);
            }
        }
    if (UNLIKELY(unsure != 0) && (unsigned)CTZ64(unsure) < *sure)
        *sure = (unsigned)CTZ64(unsure);
    return begins;
}

static ALWAYS_INLINE uint64_t begins_of(const struct classes *c, const unsigned char *s,
                                        size_t left, struct form f, unsigned *sure)
{
    switch (f.kind) {
    case SPLIT_GPT2:
        return gpt2_begins(c, s, left);
    case SPLIT_CL100K:
        return cl100k_begins(c, s, left, f);
    default:
        return o200k_begins(c, s, left, f, sure);
    }
}

/* Windows of a piece that is longer than one: those in which cuts may be of interest, and the last.
 */
static NO_INLINE size_t long_piece(const unsigned char *s, struct split_place *at,
                                   struct cut_window *w, size_t max)
{
    size_t p = at->p, k = 0;
    struct block b;
    for (; k < max && at->end - p >= WINDOW; p += WINDOW - CUT_OVERLAP) {
        block_load(&b, s + p);
        w[k] = (struct cut_window){.at = p, .wide = block_in(&b, 0xe0, 0xef)};
        k += w[k].wide != 0;
    }
    if (k < max) {
        const unsigned left = (unsigned)(at->end - p);
        block_load(&b, s + p);
        w[k++] =
            (struct cut_window){p, UINT64_C(1) << left, block_in(&b, 0xe0, 0xef) & below(left)};
        p = at->end;
    }
    at->p = p;
    return k;
}

/* A piece that the window does not hold, or all pieces near the text's end. 0: one that no 32 bits
 * hold. */
static NO_INLINE size_t plain_pieces(const unsigned char *s, struct split_place *at, size_t n,
                                     const struct split_rule *r, struct cut_window *w, size_t max)
{
    uint32_t ends[WINDOW];
    const size_t left = n - at->p;
    size_t k = split_plain_of(r)(s, at->p, n, r, ends, left < WINDOW ? WINDOW : 1);
    if (k == 0)
        return 0;
    if (ends[k - 1] >= WINDOW) {
        at->end = at->p + ends[k - 1];
        return long_piece(s, at, w, max);
    }
    struct block b;
    block_load(&b, s + at->p);
    *w = (struct cut_window){.at = at->p, .wide = block_in(&b, 0xe0, 0xef) & below(ends[k - 1])};
    at->p += ends[k - 1];
    while (k > 0)
        w->ends |= UINT64_C(1) << ends[--k];
    return 1;
}

/* How a run of space is cut depends on what follows, so its first character alone is sure. */
static ALWAYS_INLINE unsigned surely(const struct classes *c, unsigned sure)
{
    const uint64_t edge = ~c->space;
    if (c->space >> 63 == 0)
        return sure;
    const unsigned first = edge ? 65 - (unsigned)CLZ64(edge) : 0;
    return first < sure ? first : sure;
}

static ALWAYS_INLINE size_t run_form(const unsigned char *s, struct split_place *at, size_t n,
                                     const struct split_rule *r, struct cut_window *w, size_t max,
                                     struct form f)
{
    size_t k = at->end > at->p ? long_piece(s, at, w, max) : 0;
    while (k < max && at->p < n) {
        size_t p = at->p, more = 1;
        while (LIKELY(n - p >= WINDOW && k < max)) {
            struct classes c;
            uint64_t begins;
            unsigned sure = WINDOW;
            if (classify(&c, s + p, f)) {
                begins = begins_of(&c, s + p, n - p, f, &sure);
            } else {
                c.tail = c.wide = c.mark = 0; /* so that what depends on them falls away */
                begins = begins_of(&c, s + p, n - p, f, &sure);
            }
            /* A piece begins where letters end, whatever stands around it: so the next window need
             * not wait for the algebra of this one. In o200k a contraction may follow them. */
            uint64_t turns = c.letter << 1 & ~c.letter;
            if (f.kind == SPLIT_O200K)
                turns &= sure == WINDOW ? c.blank : 0;
            if (UNLIKELY(turns == 0)) {
                turns = begins & below(surely(&c, sure)) & ~UINT64_C(1);
                if (turns == 0)
                    break;
            }
            const unsigned last = 63 - (unsigned)CLZ64(turns);
            begins &= ((UINT64_C(2) << last) - 1) & ~UINT64_C(1);
            w[k++] = (struct cut_window){p, begins, c.wide & below(last)};
            p += last;
        }
        at->p = p;
        if (k < max && p < n)
            k += more = plain_pieces(s, at, n, r, w + k, max - k);
        if (more == 0)
            break;
    }
    return k;
}

#define VEC_MACHINE(name, ...)                                                       \
    static size_t name(const unsigned char *s, struct split_place *at, size_t n,     \
                       const struct split_rule *r, struct cut_window *w, size_t max) \
    {                                                                                \
        return run_form(s, at, n, r, w, max, (struct form){__VA_ARGS__});            \
    }

VEC_MACHINE(vec_gpt2, .kind = SPLIT_GPT2)
VEC_MACHINE(vec_cl100k, .kind = SPLIT_CL100K, .digits = 3)
VEC_MACHINE(vec_cl100k_single, .kind = SPLIT_CL100K, .digits = 1)
VEC_MACHINE(vec_cl100k_any, .kind = SPLIT_CL100K, .digits = r->digits, .marks = r->marks)
VEC_MACHINE(vec_o200k, .kind = SPLIT_O200K, .digits = 3, .contractions = true)
VEC_MACHINE(vec_o200k_any, .kind = SPLIT_O200K, .digits = r->digits,
            .contractions = !r->no_contractions)

static split_windows *vec_machine_of(const struct split_rule *r)
{
    switch (r->kind) {
    case SPLIT_GPT2:
        return vec_gpt2;
    case SPLIT_CL100K:
        if (r->marks)
            return vec_cl100k_any;
        return r->digits == 3 ? vec_cl100k : r->digits == 1 ? vec_cl100k_single : vec_cl100k_any;
    case SPLIT_O200K:
        return r->digits == 3 && !r->no_contractions ? vec_o200k : vec_o200k_any;
    default:
        return NULL;
    }
}
