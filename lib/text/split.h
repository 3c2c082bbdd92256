/*
 * Splitting text into the pieces that BPE works on, as the pre-tokenizers of tokenizer.json files
 * do. A split is a chain of one or more rules; each cuts the pieces of the one before, and nothing
 * is dropped: the pieces, one after another, are the text. The published patterns run as exact
 * state machines over the classes of unicode.h; any other pattern runs through pcre2.
 *
 *     struct split *s = split_new(e);
 *     split_add_name(s, "cl100k", e)            or split_add_regex, split_add_digits; at least one
 *     struct cutter *c = cutter_new(s, e);      one a thread; s is not changed any more
 *     cut_begin(c, text, n);
 *     while ((k = cut_next(c, ends, max, e)) > 0) {
 *         const char *base = text + cut_from(c);
 *         for (size_t from = 0, i = 0; i < (size_t)k; from = ends[i++])
 *             ... a piece: base[from .. ends[i])
 *     }                                         0 = end of text, -1 = error
 *     cutter_free(c); split_free(s);
 *
 * The text is valid UTF-8 with 64 readable bytes behind it (their values do not matter), and stays
 * until the last cut_next. Text is looked at as a whole: what stands outside of it has no
 * influence. Pieces are never empty. Time is linear in the text for the state machines.
 *
 * The machines, as regular expressions of tokenizer.json (without the line breaks), and their
 * variants in struct split_rule:
 *     gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *     cl100k  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
 *             | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *     o200k   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*
 *                 [\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *             |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+
 *                 [\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *             |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * and the three of DeepSeek V3, in split_deepseek.c.
 */
#ifndef TEXT_SPLIT_H
#define TEXT_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/err.h"

enum split_kind {
    SPLIT_GPT2,
    SPLIT_CL100K,
    SPLIT_O200K,
    SPLIT_DIGITS, /* runs of \p{N}, and what is between them */
    SPLIT_HAN,    /* runs of U+4E00 to U+9FA5 and U+3040 to U+30FF, and what is between them */
    SPLIT_DEEPSEEK_TEXT, /* the third of DeepSeek V3's patterns: see split_deepseek.c */
    SPLIT_DEEPSEEK,      /* digits by 3, SPLIT_HAN and it at once */
    SPLIT_WHOLE,         /* no splitting: the text is one piece */
    SPLIT_REGEX,         /* through pcre2; only by split_add_regex */
};
struct split_rule {
    enum split_kind kind;
    int digits;           /* longest piece of \p{N}; 0: no limit */
    bool marks;           /* cl100k: \p{M} counts as a letter, as in Qwen 3.5 */
    bool no_contractions; /* o200k: without the English ones, as in Mistral's tekken */
    bool tail;            /* cl100k: \s++$ first, as in tiktoken itself since 2024 */
};

struct split;
struct split *split_new(struct err *e);
void split_free(struct split *s);
enum { SPLIT_MAX_RULES = 8 };

/* "gpt2", "cl100k", "qwen2" (as that, but for each digit alone), "o200k"; "r50k_base" and
 * "cl100k_base" as tiktoken spells them, the latter with a rule of its own for white space at the
 * end; -1 for any other. */
int split_add_name(struct split *s, const char *name, struct err *e);
int split_add_rule(struct split *s, const struct split_rule *r, struct err *e);
/* A pattern as it stands in tokenizer.json files, in Oniguruma's syntax: matches are pieces, and so
 * is what lies between them. A published one becomes a state machine. What pcre2 cannot express
 * with the same meaning is refused; one thing is not told apart: (?i) there takes "ss" for U+00DF
 * and the like, here one character folds to one. */
int split_add_regex(struct split *s, const char *re, size_t n, struct err *e);
/* The rule of a published pattern: true and *r, or false. */
bool split_recognise(const char *re, size_t n, struct split_rule *r);
/* The pattern of such a name, for a tokenizer.json; NULL for any other. */
const char *split_pattern(const char *name);
/* "cl100k, digits by 1 (state machine)", for -v; rules joined by " + ". */
int split_describe(const struct split *s, struct buf *out, struct err *e);

struct cutter;
struct cutter *cutter_new(const struct split *s, struct err *e);
void cutter_free(struct cutter *c);
void cut_begin(struct cutter *c, const char *text, size_t n);
/* The next pieces, at most max (> 0): their ends, as offsets from cut_from(). Returns how many. A
 * piece of 4 GiB and more is an error, as is a pattern on which pcre2 gives up. */
long cut_next(struct cutter *c, uint32_t *ends, size_t max, struct err *e);
size_t cut_from(const struct cutter *c); /* where the first piece of the last cut_next begins */

/* The same pieces as bits, for who wants speed: a text is cut by one of the two. The first piece
 * begins at 0, each other one where the one before ends; a window without ends belongs to a piece
 * that ends in a later one. Windows that hold ends and come next to each other overlap by none,
 * those without by CUT_OVERLAP bytes, so that two characters of three bytes each that stand side by
 * side in a piece are found in one window, and in one alone; what is in no window is in the middle
 * of a piece and holds no such characters. Returns how many, 0 = end of text, -1 = error. */
struct cut_window {
    size_t at;     /* in the text */
    uint64_t ends; /* bit i: a piece ends before the byte at + i */
    uint64_t wide; /* bit i: a character of three bytes begins with the byte at + i, in a piece that
                      does not end behind ends */
};
enum { CUT_OVERLAP = 3 };
long cut_windows(struct cutter *c, struct cut_window *w, size_t max, struct err *e);

#endif
