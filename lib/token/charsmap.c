/* Charsmaps: see charsmap.h. */
#include "token/charsmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/utf8.h"

struct charsmap {
    unsigned char *bytes; /* the whole, decoded */
    const unsigned char *units;
    size_t n_units;
    const char *text; /* the replacements */
    size_t n_text;
    bool plain[128];
};

struct charsmap *charsmap_new(const char *base64, size_t n, struct err *e)
{
    struct charsmap *m = mem_new(1, sizeof *m, e);
    if (!m || !(m->bytes = mem_new(n / 4 * 3 + 16, 1, e)))
        goto fail;
    long len = base64_decode(m->bytes, base64, n);
    size_t trie = len < 4 ? 0 : le32_get(m->bytes);
    if (len < 4 || trie < 4 || trie % 4 || trie > (size_t)len - 4) {
        err_set(e, "precompiled_charsmap: %s", len < 0 ? "not base64" : "damaged");
        goto fail;
    }
    m->units = m->bytes + 4;
    m->n_units = trie / 4;
    m->text = (const char *)m->units + trie;
    m->n_text = (size_t)len - 4 - trie;
    if (utf8_valid(m->text, m->n_text) != m->n_text) {
        err_set(e, "precompiled_charsmap: its replacements are not UTF-8");
        goto fail;
    }
    for (int c = 0; c < 128; c++) {
        const char s = (char)c;
        size_t n_to;
        m->plain[c] = c != '\r' && !charsmap_find(m, &s, 1, &n_to);
    }
    return m;
fail:
    charsmap_free(m);
    return NULL;
}

bool charsmap_plain(const struct charsmap *m, unsigned char c)
{
    return m->plain[c];
}

void charsmap_free(struct charsmap *m)
{
    if (!m)
        return;
    free(m->bytes);
    free(m);
}

static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

const char *charsmap_find(const struct charsmap *m, const char *s, size_t n, size_t *len)
{
    size_t at = offset_of(le32_get(m->units));
    for (size_t i = 0; i < n && s[i]; i++) {
        unsigned char c = (unsigned char)s[i];
        at ^= c;
        if (at >= m->n_units)
            return NULL;
        uint32_t unit = le32_get(m->units + 4 * at);
        if ((unit & (1u << 31 | 0xff)) != c)
            return NULL;
        at ^= offset_of(unit);
        if (unit >> 8 & 1) {
            size_t from = at < m->n_units ? le32_get(m->units + 4 * at) & 0x7fffffff : m->n_text;
            if (from >= m->n_text || ((unsigned char)m->text[from] & 0xc0) == 0x80)
                return NULL; /* damaged */
            const char *end = memchr(m->text + from, 0, m->n_text - from);
            *len = end ? (size_t)(end - (m->text + from)) : m->n_text - from;
            return m->text + from;
        }
    }
    return NULL;
}
