/*
 * The keys of the pieces in windows, and their ids where the first cell that is looked at has them:
 * the two loops in which encoding spends most of its time. Between them stands a batch of pieces,
 * so that the cells of the later ones are on their way while the first are looked at.
 *
 *     keys_init(k) once, keys_begin(k, text) for each text
 *     for each few windows of cut_windows(): keys_take(k, cache, text, w, n)
 *         i = 0; while ((i += keys_ids(k, i, &v)) < k->n) piece i is none of these; i++
 *
 * The pieces of the windows are looked up before cache_ready() is called again.
 */
#ifndef TOKEN_KEYS_H
#define TOKEN_KEYS_H

#include "base/compiler.h"
#include "text/split.h"
#include "token/cache.h"

enum {
    KEYS_WINDOWS = 16,
    KEYS_MOST = 64 * KEYS_WINDOWS, /* pieces in as many windows */
    KEYS_OVER = 8,                 /* what is written behind the last */
};

struct keys {
    ALIGNED(64) uint64_t word[KEYS_MOST + KEYS_OVER][2]; /* k0 and k1 of cache.h */
    struct cache_cell *home[KEYS_MOST + KEYS_OVER];
    const char *s[KEYS_MOST + KEYS_OVER]; /* s[n]: where the next piece begins */
    size_t n;
    const struct keys_ops *ops;
};

/* As keys_take() and keys_ids() say, for an instruction set. */
struct keys_ops {
    void (*take)(struct keys *k, const struct cache *c, const char *text,
                 const struct cut_window *w, size_t n);
    size_t (*ids)(const struct keys *k, size_t i, uint32_t **v);
};

static inline struct cache_key keys_get(const struct keys *k, size_t i)
{
    return (struct cache_key){k->word[i][0], k->word[i][1], k->home[i], k->s[i]};
}

/* Key j; its home is fetched. */
static ALWAYS_INLINE void keys_put(struct keys *k, size_t j, struct cache_key key)
{
    PREFETCH(key.home);
    k->word[j][0] = key.k0;
    k->word[j][1] = key.k1;
    k->home[j] = key.home;
    k->s[j] = key.s;
}

void keys_init(struct keys *k);
static inline void keys_begin(struct keys *k, const char *text)
{
    k->s[0] = text;
    k->n = 0;
}

/* Of the pieces that end in the n <= KEYS_WINDOWS windows; 64 bytes behind the text can be read. */
static inline void keys_take(struct keys *k, const struct cache *c, const char *text,
                             const struct cut_window *w, size_t n)
{
    k->ops->take(k, c, text, w, n);
}

/* The ids of pieces from i on go to *v, which moves, where there is room for CACHE_ROOM a piece, up
 * to the first whose ids the cells looked at do not hold: of how many pieces. */
static inline size_t keys_ids(const struct keys *k, size_t i, uint32_t **v)
{
    return k->ops->ids(k, i, v);
}

extern const struct keys_ops keys_portable, keys_avx512vbmi;

#endif
