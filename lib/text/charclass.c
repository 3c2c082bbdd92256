/* Lower case and grapheme clusters: see charclass.h. */
#include "text/charclass.h"

#include <stdbool.h>

#include "text/unicode.h"

uint32_t cc_lower(uint32_t cp)
{
    if (cp < 0x80)
        return cp - 'A' < 26 ? cp + 32 : cp;
    if (!(cc_class(cp) & CC_LOWERS))
        return cp;
    unsigned lo = 0, hi = cc_n_lower_runs;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (cc_lower_runs[mid].to < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < cc_n_lower_runs && cc_lower_runs[lo].from <= cp; lo++)
        if ((cp - cc_lower_runs[lo].from) % cc_lower_runs[lo].step == 0)
            return cp + (uint32_t)cc_lower_runs[lo].delta;
    return cp;
}

/* Grapheme_Cluster_Break=Control, and CR and LF. */
static bool is_control(uint32_t cp, unsigned class)
{
    const uint32_t controls = UNI_BIT(UNI_CC) | UNI_BIT(UNI_CC_SPACE) | UNI_BIT(UNI_CC_NEWLINE) |
                              UNI_BIT(UNI_CF) | UNI_BIT(UNI_ZL) | UNI_BIT(UNI_ZP);
    if (class & (CC_EXTENDS | CC_PREPEND))
        return false;
    return uni_bit(cp) & controls || cp == 0x2065 || (cp >= 0xfff0 && cp <= 0xfff8);
}

enum hangul { NO_HANGUL, HANGUL_L, HANGUL_V, HANGUL_T, HANGUL_LV, HANGUL_LVT };

static enum hangul hangul_of(uint32_t c)
{
    if ((c >= 0x1100 && c <= 0x115f) || (c >= 0xa960 && c <= 0xa97c))
        return HANGUL_L;
    if ((c >= 0x1160 && c <= 0x11a7) || (c >= 0xd7b0 && c <= 0xd7c6))
        return HANGUL_V;
    if ((c >= 0x11a8 && c <= 0x11ff) || (c >= 0xd7cb && c <= 0xd7fb))
        return HANGUL_T;
    if (c >= 0xac00 && c <= 0xd7a3)
        return (c - 0xac00) % 28 ? HANGUL_LVT : HANGUL_LV;
    return NO_HANGUL;
}

/* Rules GB6 to GB8 of UAX 29. */
static bool hangul_joins(enum hangul a, enum hangul b)
{
    if (a == HANGUL_L)
        return b == HANGUL_L || b == HANGUL_V || b == HANGUL_LV || b == HANGUL_LVT;
    if (a == HANGUL_V || a == HANGUL_LV)
        return b == HANGUL_V || b == HANGUL_T;
    return (a == HANGUL_T || a == HANGUL_LVT) && b == HANGUL_T;
}

size_t cc_cluster(const unsigned char *s, size_t n)
{
    unsigned len;
    uint32_t cp = uni_decode(s, &len), next;
    size_t p = len;
    if (cp == '\r')
        return p < n && s[1] == '\n' ? 2 : 1;
    if ((cp < 0x80 && p < n && s[p] < 0x80) || is_control(cp, cc_class(cp)))
        return p;
    for (; p < n; p += len, cp = next) {
        next = uni_decode(s + p, &len);
        unsigned class = cc_class(next);
        if (!(class & CC_EXTENDS) && !hangul_joins(hangul_of(cp), hangul_of(next)) &&
            !(cc_class(cp) & CC_PREPEND && !is_control(next, class)))
            break;
    }
    return p;
}
