/*
 * Classes of characters that normalizers and pre-tokenizers of tokenizer.json files go by, beyond
 * the categories of unicode.h: each at the version of Unicode that the `tokenizers` library has it
 * from, which charclass-gen.py names.
 */
#ifndef TEXT_CHARCLASS_H
#define TEXT_CHARCLASS_H

#include <stddef.h>
#include <stdint.h>

enum {
    CC_CONTROL = 1,   /* what BertNormalizer cleans away */
    CC_PUNCT = 2,     /* punctuation, all of ASCII's symbols included */
    CC_BERT_MARK = 4, /* non-spacing marks as BertNormalizer strips them */
    CC_MARK = 8,      /* marks as StripAccents strips them */
    CC_NUMBER = 16,
    CC_LOWERS = 32,  /* lower case is another character */
    CC_EXTENDS = 64, /* belongs to the grapheme cluster before: Extend, ZWJ, SpacingMark */
    CC_PREPEND = 128 /* belongs to the one behind */
};

struct cc_lower_run {
    uint32_t from, to, step;
    int32_t delta;
};
extern const uint16_t cc_index[0x110000 / 64];
extern const uint8_t cc_data[]; /* its first 128 bytes are those of ASCII */
extern const struct cc_lower_run cc_lower_runs[];
extern const unsigned cc_n_lower_runs;

static inline unsigned cc_class(uint32_t cp)
{
    return cc_data[(size_t)cc_index[cp >> 6] << 6 | (cp & 63)];
}

/* The first character of cp's lower case, cp itself where it has none. Only that of U+0130 has a
 * second one, U+0307. */
uint32_t cc_lower(uint32_t cp);
/* Bytes of the extended grapheme cluster (UAX 29) at s[0..n), n > 0. Sequences of emoji, pairs of
 * flags and Indic conjuncts are not joined: what asks for clusters takes those of 6 bytes and more
 * apart. */
size_t cc_cluster(const unsigned char *s, size_t n);

#endif
