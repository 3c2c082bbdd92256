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

static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

/* A walk down the trie. */
struct walk {
    size_t at;
    bool ends_here; /* one of the map's strings does */
};

static struct walk walk_begin(const struct charsmap *m)
{
    return (struct walk){offset_of(le32_get(m->units)), false};
}

static bool walk_on(const struct charsmap *m, struct walk *w, unsigned char c)
{
    w->at ^= c;
    if (c == 0 || w->at >= m->n_units)
        return false;
    uint32_t unit = le32_get(m->units + 4 * w->at);
    if ((unit & (1u << 31 | 0xff)) != c)
        return false;
    w->at ^= offset_of(unit);
    w->ends_here = unit >> 8 & 1;
    return true;
}

/* What replaces the string that ends here; NULL: the map is damaged. */
static const char *replacement(const struct charsmap *m, const struct walk *w, size_t *len)
{
    size_t from = w->at < m->n_units ? le32_get(m->units + 4 * w->at) & 0x7fffffff : m->n_text;
    if (from >= m->n_text || ((unsigned char)m->text[from] & 0xc0) == 0x80)
        return NULL;
    const char *end = memchr(m->text + from, 0, m->n_text - from);
    *len = end ? (size_t)(end - (m->text + from)) : m->n_text - from;
    return m->text + from;
}

const char *charsmap_find(const struct charsmap *m, const char *s, size_t n, size_t *len)
{
    struct walk w = walk_begin(m);
    for (size_t i = 0; i < n && walk_on(m, &w, (unsigned char)s[i]); i++)
        if (w.ends_here)
            return replacement(m, &w, len);
    return NULL;
}

size_t charsmap_longest(const struct charsmap *m, const char *s, size_t n, const char **to,
                        size_t *n_to)
{
    struct walk w = walk_begin(m);
    size_t best = 0, n_new;
    for (size_t i = 0; i < n && walk_on(m, &w, (unsigned char)s[i]); i++) {
        const char *new = w.ends_here ? replacement(m, &w, &n_new) : NULL;
        if (!new)
            continue;
        best = i + 1;
        *to = new;
        *n_to = n_new;
    }
    return best;
}

static bool is_plain(const struct charsmap *m, char c)
{
    const char *to;
    size_t n_to;
    for (int d = 0; d < 128; d++)
        if (charsmap_longest(m, (const char[]){c, (char)d}, 2, &to, &n_to))
            return false;
    return true;
}

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
    for (int c = 0; c < 128; c++)
        m->plain[c] = c != '\r' && is_plain(m, (char)c);
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
