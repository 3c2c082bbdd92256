/* Cutting between characters: see seams.h. */
#include "token/seams.h"

#include <stdlib.h>

#include "text/unicode.h"

enum { BITS = 20 };

struct seams {
    uint64_t known[65536 / 64];      /* characters that are tokens; of the first plane alone */
    uint64_t pair[(1 << BITS) / 64]; /* by a hash: another pair of the same hash is not cut */
};

static uint32_t pair_hash(uint32_t a, uint32_t b)
{
    return ((a * UINT32_C(0x9e3779b1)) ^ (b * UINT32_C(0x85ebca77))) >> (32 - BITS);
}

static bool is_known(const struct seams *j, uint32_t cp)
{
    return cp < 65536 && (j->known[cp >> 6] >> (cp & 63) & 1);
}

struct seams *seams_new(const struct vocab *v, struct err *e)
{
    struct seams *j = mem_new(1, sizeof *j, e);
    for (size_t i = 0; j && i < v->n; i++) {
        const unsigned char *s = (const unsigned char *)v->v[i].s;
        const size_t n = v->v[i].len;
        unsigned len;
        if (n == 0)
            continue;
        uint32_t last = uni_decode(s, &len);
        if (len == n && last < 65536)
            j->known[last >> 6] |= UINT64_C(1) << (last & 63);
        for (size_t p = len; p < n; p += len) {
            const uint32_t cp = uni_decode(s + p, &len), h = pair_hash(last, cp);
            j->pair[h >> 6] |= UINT64_C(1) << (h & 63);
            last = cp;
        }
    }
    return j;
}

void seams_free(struct seams *j)
{
    free(j);
}

static int push(struct pieces *out, size_t from, size_t to, struct err *e)
{
    if (mem_grow(&out->v, &out->cap, out->n + 1, sizeof *out->v, e) < 0)
        return -1;
    out->v[out->n++] = (struct span32){(uint32_t)from, (uint32_t)to};
    return 0;
}

int seams_cut(const struct seams *j, const char *text, const struct span32 *v, size_t n,
              struct pieces *out, struct err *e)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned len;
    for (size_t i = 0; i < n; i++) {
        size_t from = v[i].from;
        uint32_t last = uni_decode(s + from, &len);
        bool known = is_known(j, last);
        for (size_t p = from + len; p < v[i].to; p += len) {
            const uint32_t cp = uni_decode(s + p, &len), h = pair_hash(last, cp);
            const bool now = is_known(j, cp);
            if (known && now && !(j->pair[h >> 6] >> (h & 63) & 1)) {
                if (push(out, from, p, e) < 0)
                    return -1;
                from = p;
            }
            last = cp;
            known = now;
        }
        if (push(out, from, v[i].to, e) < 0)
            return -1;
    }
    return 0;
}
