/* Chains of splitting rules, the published patterns by which they are recognised, and cutting. */
#include <string.h>
#include "base/bug.h"
#include "base/compiler.h"
#include "base/le.h"
#include "base/mem.h"
#include "text/split_int.h"

struct stage {
    struct split_rule rule;
    split_machine *machine;
    split_windows *windows;  /* NULL: machine serves */
    struct regex_code *code; /* of SPLIT_REGEX */
};

struct split {
    int n_stages;
    struct stage stage[SPLIT_MAX_RULES];
};

struct cutter {
    const struct split *split;
    const unsigned char *s;
    size_t n, at, from;                                  /* at: where the next piece begins */
    struct split_place place;                            /* of windows */
    size_t begin[SPLIT_MAX_RULES], end[SPLIT_MAX_RULES]; /* of each stage's piece that holds at */
    struct regex_scan *scan[SPLIT_MAX_RULES];
};

/* ---- published patterns */

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define GPT2_WORDS   " ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
#define CL100K_WORD  "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define LAST         "\\s+(?!\\S)|\\s+"
#define CL100K_REST  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" LAST
/* tiktoken's own, spelled so that Oniguruma takes them for the same: it reads {1,3}+ as any number.
 */
#define R50K_BASE \
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s"
#define CL100K_BASE(digits)                                         \
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|" digits \
    "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s"
#define O200K_PREFIX "[^\\r\\n\\p{L}\\p{N}]?"
#define O200K_HEAD   "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K_TAIL   "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K_WORDS(c) \
    O200K_PREFIX O200K_HEAD "*" O200K_TAIL "+" c "|" O200K_PREFIX O200K_HEAD "+" O200K_TAIL "*" c
#define O200K_REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|" LAST

/* # stands for \p{N} with what may follow it, which says how long a piece of digits gets, and \1
 * for # itself. */
static const struct published {
    const char *pattern;
    struct split_rule rule;
} published[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d|" GPT2_WORDS LAST, {.kind = SPLIT_GPT2}},
    {"'(?:[sdmt]|ll|ve|re)|" GPT2_WORDS LAST, {.kind = SPLIT_GPT2}},
    {R50K_BASE, {.kind = SPLIT_GPT2}},
    {CONTRACTIONS "|" CL100K_WORD "|#" CL100K_REST, {.kind = SPLIT_CL100K}},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|#| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
     "\\s*[\\r\\n]|" LAST,
     {.kind = SPLIT_CL100K}},
    {CL100K_BASE("#"), {.kind = SPLIT_CL100K, .tail = true}},
    {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|#| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
                  "\\s*[\\r\\n]+|" LAST,
     {.kind = SPLIT_CL100K, .marks = true}},
    {O200K_WORDS(CONTRACTIONS "?") "|#" O200K_REST, {.kind = SPLIT_O200K}},
    {O200K_WORDS("") "|#" O200K_REST, {.kind = SPLIT_O200K, .no_contractions = true}},
    {"#", {.kind = SPLIT_DIGITS}},
    {"[\344\270\200-\351\276\245\343\201\200-\343\202\237\343\202\240-\343\203\277]+",
     {.kind = SPLIT_HAN}},
    {"[!\"\1$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
     "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|" LAST,
     {.kind = SPLIT_DEEPSEEK_TEXT}},
};

static const struct {
    const char *name, *pattern;
    struct split_rule rule;
} named[] = {
    {"gpt2", "'s|'t|'re|'ve|'m|'ll|'d|" GPT2_WORDS LAST, {.kind = SPLIT_GPT2}},
    {"r50k_base", R50K_BASE, {.kind = SPLIT_GPT2}},
    {"cl100k",
     CONTRACTIONS "|" CL100K_WORD "|\\p{N}{1,3}" CL100K_REST,
     {.kind = SPLIT_CL100K, .digits = 3}},
    {"cl100k_base", CL100K_BASE("\\p{N}{1,3}"), {.kind = SPLIT_CL100K, .digits = 3, .tail = true}},
    {"qwen2",
     CONTRACTIONS "|" CL100K_WORD "|\\p{N}" CL100K_REST,
     {.kind = SPLIT_CL100K, .digits = 1}},
    {"o200k",
     O200K_WORDS(CONTRACTIONS "?") "|\\p{N}{1,3}" O200K_REST,
     {.kind = SPLIT_O200K, .digits = 3}},
};

/* What follows \p{N}: nothing, + or {1,K}. Oniguruma reads {1,K}+ as any number, not as
 * possessive. Returns how much of re it takes, -1 for anything else. */
static long digits_suffix(const char *re, size_t n, int *digits)
{
    *digits = 1;
    if (n && re[0] == '+') {
        *digits = 0;
        return n > 1 && re[1] == '+' ? 2 : 1;
    }
    if (n < 5 || memcmp(re, "{1,", 3) != 0)
        return 0;
    if (re[3] < '1' || re[3] > '9' || re[4] != '}')
        return -1;
    *digits = re[3] - '0';
    if (n > 5 && re[5] == '+') {
        *digits = 0;
        return 6;
    }
    return 5;
}

/* Equal, where a line break may stand for its escape in re and # for a count of digits. */
static bool pattern_is(const char *pattern, const char *re, size_t n, int *digits)
{
    size_t i = 0;
    for (const char *p = pattern; *p; p++) {
        if (*p == '#') {
            if (n - i < 5 || memcmp(re + i, "\\p{N}", 5) != 0)
                return false;
            long k = digits_suffix(re + i + 5, n - i - 5, digits);
            if (k < 0)
                return false;
            i += 5 + (size_t)k;
        } else if (i < n && re[i] == (*p == '\1' ? '#' : *p)) {
            i++;
        } else if (i < n && *p == '\\' &&
                   ((p[1] == 'r' && re[i] == '\r') || (p[1] == 'n' && re[i] == '\n'))) {
            i++;
            p++;
        } else {
            return false;
        }
    }
    return i == n;
}

bool split_recognise(const char *re, size_t n, struct split_rule *r)
{
    for (size_t i = 0; i < ARRAY_LEN(published); i++) {
        *r = published[i].rule;
        if (pattern_is(published[i].pattern, re, n, &r->digits))
            return true;
    }
    return false;
}

const char *split_pattern(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (strcmp(named[i].name, name) == 0)
            return named[i].pattern;
    return NULL;
}

/* ---- chains */

struct split *split_new(struct err *e)
{
    return mem_new(1, sizeof(struct split), e);
}

void split_free(struct split *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_stages; i++)
        regex_code_free(s->stage[i].code);
    free(s);
}

static struct stage *next_stage(struct split *s, struct err *e)
{
    if (s->n_stages == SPLIT_MAX_RULES) {
        err_set(e, "more than %d splitting rules", SPLIT_MAX_RULES);
        return NULL;
    }
    return &s->stage[s->n_stages];
}

/* DeepSeek's three rules in their order run as one. */
static bool completes_deepseek(const struct split *s, const struct split_rule *r)
{
    return r->kind == SPLIT_DEEPSEEK_TEXT && s->n_stages == 2 &&
           s->stage[0].rule.kind == SPLIT_DIGITS && s->stage[0].rule.digits == 3 &&
           s->stage[1].rule.kind == SPLIT_HAN;
}

int split_add_rule(struct split *s, const struct split_rule *r, struct err *e)
{
    static const struct split_rule deepseek = {.kind = SPLIT_DEEPSEEK, .digits = 3};
    if (completes_deepseek(s, r)) {
        s->n_stages = 0;
        r = &deepseek;
    }
    struct stage *t = next_stage(s, e);
    if (!t)
        return -1;
    *t = (struct stage){.rule = *r, .machine = split_plain_of(r), .windows = split_windows_of(r)};
    if (!t->machine)
        BUG("a rule of kind %d is no state machine", (int)r->kind);
    s->n_stages++;
    return 0;
}

int split_add_name(struct split *s, const char *name, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (strcmp(named[i].name, name) == 0)
            return split_add_rule(s, &named[i].rule, e);
    return err_set(
        e, "no split is called '%s' (gpt2, r50k_base, cl100k, cl100k_base, qwen2, o200k)", name);
}

int split_add_regex(struct split *s, const char *re, size_t n, struct err *e)
{
    struct split_rule r;
    if (split_recognise(re, n, &r))
        return split_add_rule(s, &r, e);
    struct stage *t = next_stage(s, e);
    if (!t)
        return -1;
    *t = (struct stage){.rule = {.kind = SPLIT_REGEX}};
    t->code = regex_compile(re, n, e);
    if (!t->code)
        return -1;
    s->n_stages++;
    return 0;
}

static int describe_stage(const struct stage *t, struct buf *out, struct err *e)
{
    static const char *const kinds[] = {
        "gpt2",          "cl100k",   "o200k",       "digits", "ideographs and kana",
        "deepseek text", "deepseek", "no splitting"};
    static const unsigned have_digits = 1u << SPLIT_CL100K | 1u << SPLIT_O200K | 1u << SPLIT_DIGITS;
    const struct split_rule *r = &t->rule;
    if (r->kind == SPLIT_REGEX)
        return buf_printf(out, e, "a pattern of its own (pcre2%s)",
                          regex_has_jit(t->code) ? "" : ", interpreted");
    if (buf_puts(out, kinds[r->kind], e) < 0)
        return -1;
    if (r->kind == SPLIT_WHOLE)
        return 0;
    if (1u << r->kind & have_digits && (r->digits ? buf_printf(out, e, ", digits by %d", r->digits)
                                                  : buf_puts(out, ", digits of any number", e)) < 0)
        return -1;
    return buf_printf(out, e, "%s%s%s (state machine)", r->marks ? ", marks as letters" : "",
                      r->no_contractions ? ", no contractions" : "",
                      r->tail ? ", trailing space in one" : "");
}

int split_describe(const struct split *s, struct buf *out, struct err *e)
{
    for (int i = 0; i < s->n_stages; i++)
        if ((i && buf_puts(out, " + ", e) < 0) || describe_stage(&s->stage[i], out, e) < 0)
            return -1;
    return 0;
}

/* ---- cutting */

struct cutter *cutter_new(const struct split *s, struct err *e)
{
    if (s->n_stages == 0)
        BUG("a split without rules");
    struct cutter *c = mem_new(1, sizeof *c, e);
    if (!c)
        return NULL;
    c->split = s;
    for (int i = 0; i < s->n_stages; i++)
        if (s->stage[i].code && !(c->scan[i] = regex_scan_new(s->stage[i].code, e))) {
            cutter_free(c);
            return NULL;
        }
    return c;
}

void cutter_free(struct cutter *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->split->n_stages; i++)
        regex_scan_free(c->scan[i]);
    free(c);
}

void cut_begin(struct cutter *c, const char *text, size_t n)
{
    c->s = (const unsigned char *)text;
    c->n = n;
    c->at = c->from = 0;
    c->place = (struct split_place){0, 0};
    memset(c->end, 0, sizeof c->end); /* what ends at or before `at` is no piece yet */
}

size_t cut_from(const struct cutter *c)
{
    return c->from;
}

static int too_long(struct err *e)
{
    return err_set(e, "a piece of text of 4 GiB and more without a place to split it");
}

/* The end of the piece at c->at that the whole chain gives: each stage cuts the present piece of
 * the one before it. 0: an error. */
static size_t chain_next(struct cutter *c, struct err *e)
{
    size_t from = 0, n = c->n;
    for (int i = 0; i < c->split->n_stages; i++) {
        const struct stage *t = &c->split->stage[i];
        if (c->end[i] <= c->at) {
            c->begin[i] = c->at;
            if (t->code) {
                c->end[i] = regex_next(c->scan[i], c->s, from, c->at, n, e);
                if (!c->end[i])
                    return 0;
            } else {
                uint32_t len;
                if (!t->machine(c->s, c->at, n, &t->rule, &len, 1)) {
                    too_long(e);
                    return 0;
                }
                c->end[i] = c->at + len;
            }
        }
        n = c->end[i];
        from = c->begin[i];
    }
    return n;
}

/* ---- pieces as ends */

/* The same as the machine gives, by way of windows. */
static long ends_of_windows(struct cutter *c, uint32_t *ends, size_t max, struct err *e)
{
    struct cut_window w[16];
    const size_t room = max / 64 < ARRAY_LEN(w) ? max / 64 : ARRAY_LEN(w);
    size_t k = 0, n;
    while (k == 0) {
        n = c->split->stage[0].windows(c->s, &c->place, c->n, &c->split->stage[0].rule, w, room);
        if (n == 0)
            return too_long(e);
        for (size_t i = 0; i < n; i++)
            for (uint64_t v = w[i].ends; v; v &= v - 1) {
                size_t end = w[i].at + (size_t)CTZ64(v);
                if (UNLIKELY(end - c->from > UINT32_MAX)) {
                    c->place = (struct split_place){c->at, c->at}; /* again, from there on */
                    return k ? (long)k : too_long(e);
                }
                ends[k++] = (uint32_t)(end - c->from);
                c->at = end;
            }
    }
    return (long)k;
}

/* The end of the piece at c->at; 0: an error. */
static size_t piece_end(struct cutter *c, struct err *e)
{
    const struct stage *t = &c->split->stage[0];
    uint32_t len;
    if (c->split->n_stages > 1 || !t->machine)
        return chain_next(c, e);
    if (t->machine(c->s, c->at, c->n, &t->rule, &len, 1))
        return c->at + len;
    too_long(e);
    return 0;
}

long cut_next(struct cutter *c, uint32_t *ends, size_t max, struct err *e)
{
    c->from = c->at;
    if (c->at == c->n)
        return 0;
    const struct stage *t = &c->split->stage[0];
    if (c->split->n_stages == 1 && t->windows && max >= 64)
        return ends_of_windows(c, ends, max, e);
    size_t k = 0;
    if (c->split->n_stages == 1 && t->machine) {
        k = t->machine(c->s, c->at, c->n, &t->rule, ends, max);
        if (!k)
            return too_long(e);
        c->at += ends[k - 1];
        c->place = (struct split_place){c->at, c->at};
        return (long)k;
    }
    while (k < max && c->at < c->n) {
        size_t end = chain_next(c, e);
        if (!end)
            return -1;
        if (end - c->from > UINT32_MAX) {
            if (k)
                break;
            return too_long(e);
        }
        ends[k++] = (uint32_t)(end - c->from);
        c->at = end;
    }
    return (long)k;
}

/* ---- pieces as windows */

/* Of 8 bytes, those that begin a character of three, as bits. */
static uint64_t wide8(const unsigned char *s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), low = ones * 0x7f;
    uint64_t x = (le64_get(s) & ones * 0xf0) ^ ones * 0xe0;     /* zero: such a byte */
    uint64_t is = (~(((x & low) + low) | x | low) & ~low) >> 7; /* a bit in each such byte */
    return is * UINT64_C(0x0102040810204080) >> 56;
}

/* Characters of three bytes that begin in s[0..n), at most 64 bytes. */
static uint64_t wide_of(const unsigned char *s, size_t n)
{
    uint64_t wide = 0;
    for (size_t i = 0; i < n; i += 8)
        wide |= wide8(s + i) << i;
    return n < 64 ? wide & ((UINT64_C(1) << n) - 1) : wide;
}

/* A window for each piece, more for one that is longer. */
static long plain_windows(struct cutter *c, struct cut_window *w, size_t max, struct err *e)
{
    struct split_place *at = &c->place;
    size_t k = 0;
    while (k < max && at->p < c->n) {
        if (at->end <= at->p) {
            if (!(at->end = piece_end(c, e)))
                return -1;
            c->at = at->end;
        }
        const size_t left = at->end - at->p;
        if (left >= 64) {
            w[k] = (struct cut_window){at->p, 0, wide_of(c->s + at->p, 64)};
            k += w[k].wide != 0;
            at->p += 64 - CUT_OVERLAP;
        } else {
            w[k++] = (struct cut_window){at->p, UINT64_C(1) << left, wide_of(c->s + at->p, left)};
            at->p = at->end;
        }
    }
    return (long)k;
}

long cut_windows(struct cutter *c, struct cut_window *w, size_t max, struct err *e)
{
    const struct stage *t = &c->split->stage[0];
    if (c->split->n_stages > 1 || !t->windows)
        return plain_windows(c, w, max, e);
    if (c->place.p == c->n)
        return 0;
    size_t k = t->windows(c->s, &c->place, c->n, &t->rule, w, max);
    return k ? (long)k : too_long(e);
}
