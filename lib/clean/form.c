/* Normal forms of a text, for telling duplicates. */
#include "clean/form.h"

#include <stdbool.h>
#include <utf8proc.h>

#include "base/utf8.h"

const char *const form_words[] = {"none", "space", "text", NULL};

enum {
    STEP = 4096,    /* bytes of input between two checks of room */
    MAX_GROWTH = 3, /* a full case folding takes at most 3 times the bytes (U+0390) */
    SLACK = 64,     /* a character that begins inside the step and its folding */
};

static bool is_space(int32_t cp)
{
    if (cp < 0x80)
        return cp == ' ' || (cp >= '\t' && cp <= '\r');
    return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
           cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

static int add_space_form(struct buf *out, const char *s, size_t n, struct err *e)
{
    size_t begin = out->len, i = 0;
    bool gap = false;

    while (i < n) {
        size_t stop = n - i < STEP ? n : i + STEP;
        if (buf_reserve(out, 2 * STEP + SLACK, e) < 0)
            return -1;
        char *o = out->s + out->len;
        while (i < stop) {
            int len;
            int32_t cp = utf8_get(s + i, n - i, &len);
            if (is_space(cp)) {
                gap = true;
            } else {
                if (gap && o > out->s + begin)
                    *o++ = ' ';
                gap = false;
                for (int k = 0; k < len; k++)
                    *o++ = s[i + (size_t)k];
            }
            i += (size_t)len;
        }
        out->len = (size_t)(o - out->s);
    }
    out->s[out->len] = '\0';
    return 0;
}

/* Of ASCII: the folded byte, 0 for one that is left out. Letters, digits and the symbols
 * $ + < = > ^ ` | ~ stay. */
static char fold_ascii(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("$+<=>^`|~", c)))
        return (char)c;
    return 0;
}

static bool left_out(utf8proc_propval_t category)
{
    return (category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO) ||
           (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_CF);
}

/* Writes the folding of cp (its bytes are s[0..len)) to o; returns the end. */
static char *fold_char(char *o, int32_t cp, const char *s, int len)
{
    const utf8proc_property_t *p = utf8proc_get_property(cp);
    if (left_out(p->category))
        return o;
    if (p->casefold_seqindex == UINT16_MAX) {
        for (int k = 0; k < len; k++)
            *o++ = s[k];
        return o;
    }
    utf8proc_int32_t folded[8];
    int boundary = 0;
    utf8proc_ssize_t m = utf8proc_decompose_char(cp, folded, 8, UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t k = 0; k < m && k < 8; k++)
        o += utf8_put(o, (uint32_t)folded[k]);
    return o;
}

static int add_text_form(struct buf *out, const char *s, size_t n, struct err *e)
{
    char ascii[128];
    for (int c = 0; c < 128; c++)
        ascii[c] = fold_ascii((unsigned char)c);

    size_t begin = out->len, i = 0;
    while (i < n) {
        size_t stop = n - i < STEP ? n : i + STEP;
        if (buf_reserve(out, MAX_GROWTH * STEP + SLACK, e) < 0)
            return -1;
        char *o = out->s + out->len;
        while (i < stop) {
            unsigned char c = (unsigned char)s[i];
            if (c < 0x80) {
                *o = ascii[c];
                o += ascii[c] != 0;
                i++;
                continue;
            }
            int len;
            int32_t cp = utf8_get(s + i, n - i, &len);
            o = fold_char(o, cp, s + i, len);
            i += (size_t)len;
        }
        out->len = (size_t)(o - out->s);
    }
    out->s[out->len] = '\0';
    return out->len == begin ? add_space_form(out, s, n, e) : 0;
}

int form_add(struct buf *out, const char *s, size_t n, enum text_form form, struct err *e)
{
    switch (form) {
    case FORM_SPACE:
        return add_space_form(out, s, n, e);
    case FORM_TEXT:
        return add_text_form(out, s, n, e);
    case FORM_NONE:
        break;
    }
    return buf_add(out, s, n, e);
}

int form_hash(const char *s, size_t n, enum text_form form, struct buf *scratch,
              struct hash128 *out, struct err *e)
{
    if (form != FORM_NONE) {
        buf_clear(scratch);
        if (form_add(scratch, s, n, form, e) < 0)
            return -1;
        s = scratch->s;
        n = scratch->len;
    }
    *out = hash128(s, n);
    return 0;
}
