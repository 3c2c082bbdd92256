/* Keys of pieces: see keys.h. */
#include "token/keys.h"

#include "base/cpu.h"

static void take(struct keys *k, const struct cache *c, const char *text,
                 const struct cut_window *w, size_t n)
{
    const struct cache cache = *c; /* copies need not be read again after each store */
    const uint64_t(*const keep)[4] = cache_keep;
    const char *from = k->s[k->n];
    size_t j = 0;
    for (size_t i = 0; i < n; i++) {
        const char *at = text + w[i].at;
        for (uint64_t ends = w[i].ends; ends; ends &= ends - 1, j++) {
            const char *to = at + (unsigned)CTZ64(ends);
            const size_t len = (size_t)(to - from);
            const struct cache_key key =
                LIKELY(len <= CACHE_INLINE)    ? cache_short_key(&cache, keep, from, len)
                : LIKELY(len <= CACHE_LONGEST) ? cache_long_key(&cache, from, len)
                                               : cache_no_key(&cache, from);
            keys_put(k, j, key);
            from = to;
        }
    }
    k->s[j] = from;
    k->n = j;
}

static size_t ids(const struct keys *k, size_t i, uint32_t **v)
{
    const size_t first = i;
    uint32_t *out = *v;
    for (; i < k->n; i++) {
        const struct cache_key key = keys_get(k, i);
        const struct cache_cell *cell = key.home;
        if (UNLIKELY(!cache_is(cell, &key)) && !cache_is(++cell, &key))
            break;
        const uint32_t count = cache_ids(out, cell);
        if (UNLIKELY(count > CACHE_IDS))
            break;
        out += count;
    }
    *v = out;
    return i - first;
}

const struct keys_ops keys_portable = {take, ids};

void keys_init(struct keys *k)
{
    k->ops = &keys_portable;
#if defined(__x86_64__)
    if (cpu_uses_vbmi2())
        k->ops = &keys_avx512vbmi;
#endif
}
