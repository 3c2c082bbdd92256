/*
 * Categories of code points, at one pinned version of Unicode whatever the system's libraries have:
 * ids must not depend on them. Unicode 16.0, the version of the regex engine that the `tokenizers`
 * library uses (0.23; equal there for every code point). Normalisation is that of the code points
 * of Unicode 9.0, likewise; UNI_NEWER marks those assigned since, which pass through unchanged.
 * The table is generated: unicode-gen.py says how.
 */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

enum uni_category {
    UNI_CN, /* unassigned, noncharacters, surrogates */
    UNI_LU,
    UNI_LL,
    UNI_LT,
    UNI_LM,
    UNI_LO,
    UNI_MN,
    UNI_MC,
    UNI_ME,
    UNI_ND,
    UNI_NL,
    UNI_NO,
    UNI_PC,
    UNI_PD,
    UNI_PS,
    UNI_PE,
    UNI_PI,
    UNI_PF,
    UNI_PO,
    UNI_SM,
    UNI_SC,
    UNI_SK,
    UNI_SO,
    UNI_ZS,
    UNI_ZL,
    UNI_ZP,
    UNI_CC, /* but for the next two */
    UNI_CF,
    UNI_CO,
    UNI_CC_SPACE,   /* controls that are White_Space: \t \v \f and U+0085 */
    UNI_CC_NEWLINE, /* \r and \n */
};
/* Sets of categories, a bit each: 1u << category. */
#define UNI_BIT(c) (1u << (c))
#define UNI_LETTERS \
    (UNI_BIT(UNI_LU) | UNI_BIT(UNI_LL) | UNI_BIT(UNI_LT) | UNI_BIT(UNI_LM) | UNI_BIT(UNI_LO))
#define UNI_MARKS    (UNI_BIT(UNI_MN) | UNI_BIT(UNI_MC) | UNI_BIT(UNI_ME))
#define UNI_NUMBERS  (UNI_BIT(UNI_ND) | UNI_BIT(UNI_NL) | UNI_BIT(UNI_NO))
#define UNI_NEWLINES UNI_BIT(UNI_CC_NEWLINE)
/* White_Space, 25 code points: \s */
#define UNI_SPACES \
    (UNI_BIT(UNI_ZS) | UNI_BIT(UNI_ZL) | UNI_BIT(UNI_ZP) | UNI_BIT(UNI_CC_SPACE) | UNI_NEWLINES)
enum {
    UNI_CATEGORY = 0x1f,
    UNI_NFC = 0x20,   /* has a combining class, or NFC_Quick_Check is not Yes */
    UNI_NEWER = 0x40, /* not assigned in Unicode 9.0 */
    UNI_WORD = 0x80,  /* \w: letters, marks, Nd, Nl, Pc, Other_Alphabetic, Join_Control */
};

extern const uint16_t uni_index[0x110000 / 64];
extern const uint8_t uni_data[]; /* its first 128 bytes are those of ASCII */

/* cp is at most 0x10ffff */
static inline unsigned uni_props(uint32_t cp)
{
    return uni_data[(size_t)uni_index[cp >> 6] << 6 | (cp & 63)];
}

static inline uint32_t uni_bit(uint32_t cp)
{
    return UNI_BIT(uni_props(cp) & UNI_CATEGORY);
}

/* The code point of well-formed UTF-8 at s and its length: no checks. */
static inline uint32_t uni_decode(const unsigned char *s, unsigned *len)
{
    uint32_t b = s[0];
    if (b < 0x80) {
        *len = 1;
        return b;
    }
    if (b < 0xe0) {
        *len = 2;
        return (b & 0x1f) << 6 | (s[1] & 0x3f);
    }
    if (b < 0xf0) {
        *len = 3;
        return (b & 0x0f) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3f);
    }
    *len = 4;
    return (b & 0x07) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3f);
}

#endif
