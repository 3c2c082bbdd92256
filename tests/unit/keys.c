/* Keys of pieces and cuts at junctions, by vectors against one at a time, on random windows. */
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tap.h"
#include "token/junctions.h"
#include "token/keys.h"

enum { TEXT = 6000, SLACK = 128 };

static struct keys plain, quick;
static struct cut_window window[KEYS_WINDOWS];
static char text[TEXT + SLACK];

/* Windows over the text from *at on, some of which hold no end: the piece goes on in the next. */
static size_t random_windows(struct rng *r, size_t *at)
{
    size_t k = 0;
    for (; k < KEYS_WINDOWS && *at + 64 <= TEXT; k++) {
        struct cut_window w = {.at = *at};
        const unsigned how = (unsigned)rng_below(r, 8);
        const uint64_t a = rng_u64(r), b = rng_u64(r);
        w.ends = (how == 0   ? 0
                  : how == 1 ? ~UINT64_C(0)
                  : how < 5  ? a
                             : a & b & b >> 7) &
                 ~UINT64_C(1);
        *at += w.ends ? 63 - (size_t)CLZ64(w.ends) : 64 * (1 + rng_below(r, 20));
        window[k] = w;
    }
    return k;
}

static size_t differences(void)
{
    size_t n = plain.n != quick.n || plain.s[plain.n] != quick.s[quick.n];
    for (size_t i = 0; i < plain.n && !n; i++)
        n += plain.word[i][0] != quick.word[i][0] || plain.word[i][1] != quick.word[i][1] ||
             plain.home[i] != quick.home[i] || plain.s[i] != quick.s[i];
    return n;
}

/* What the keys are, by their definition. */
static size_t wrong_keys(const struct cache *c)
{
    size_t wrong = 0;
    for (size_t i = 0; i < quick.n; i++) {
        const char *s = quick.s[i];
        const size_t n = (size_t)(quick.s[i + 1] - s);
        unsigned char want[16] = {0};
        if (n > CACHE_INLINE) {
            const bool run = strspn(s, (char[]){s[0], 0}) >= n;
            wrong +=
                run ? quick.word[i][0] != (unsigned char)s[0] || quick.word[i][1] != (CACHE_RUN | n)
                    : quick.word[i][1] != CACHE_LONG;
            continue;
        }
        memcpy(want, s, n);
        want[15] = (unsigned char)n;
        wrong += memcmp(want, quick.word[i], 16) != 0 ||
                 (size_t)(quick.home[i] - c->cells) > c->n_cells - 2 ||
                 (quick.home[i] - c->cells) % 2 != 0;
    }
    return wrong;
}

/* Puts some of the pieces into the cache, with 1 to 6 ids each that tell the piece. */
static void keep_some(struct cache *c, struct rng *r)
{
    for (size_t i = 0; i < plain.n; i++) {
        const struct cache_key key = keys_get(&plain, i);
        const size_t n = (size_t)(plain.s[i + 1] - plain.s[i]);
        const uint32_t first = (uint32_t)(key.k0 * 31 + key.k1) & 0xfffff;
        const uint32_t ids[6] = {first, first + 1, first + 2, first + 3, first + 4, first + 5};
        if (n <= CACHE_LONGEST && rng_below(r, 3) && !cache_find(c, &key, n))
            cache_put(c, &key, n, ids, 1 + first % 6);
    }
}

/* Ids of all pieces; those that are left to the caller count as one that is none. */
static size_t all_ids(const struct keys *k, uint32_t *out)
{
    uint32_t *v = out;
    for (size_t i = 0; i < k->n; i++) {
        i += keys_ids(k, i, &v);
        if (i < k->n)
            *v++ = UINT32_MAX;
    }
    return (size_t)(v - out);
}

static void look(struct cache *c, struct rng *r)
{
    static uint32_t a[KEYS_MOST * CACHE_ROOM + 16], b[KEYS_MOST * CACHE_ROOM + 16];
    size_t differ = 0, wrong = 0, n_held = 0, n_left = 0, bad = 0;
    for (size_t round = 0; round < 40; round++) {
        size_t at = 0, k;
        struct err e;
        if (cache_ready(c, 4 * KEYS_MOST, &e) < 0)
            break;
        /* few letters, so that pieces come again */
        for (size_t i = 0; i < TEXT; i++)
            text[i] = (char)(rng_below(r, 9) ? 'a' + rng_below(r, 3) : rng_below(r, 256));
        keys_begin(&plain, text);
        keys_begin(&quick, text);
        while ((k = random_windows(r, &at)) > 0) {
            keys_take(&plain, c, text, window, k);
            keys_take(&quick, c, text, window, k);
            differ += differences();
            wrong += wrong_keys(c);
            keep_some(c, r);
            const size_t n = all_ids(&plain, a), m = all_ids(&quick, b);
            bad += n != m || memcmp(a, b, n * sizeof *a) != 0;
            for (size_t i = 0; i < n; i++) {
                n_left += a[i] == UINT32_MAX;
                n_held += a[i] != UINT32_MAX;
            }
        }
    }
    is_int(differ, 0, "keys are the same");
    is_int(wrong, 0, "and what they should be");
    is_int(bad, 0, "so are ids");
    ok(n_held > 1000 && n_left > 1000, "%zu ids, %zu pieces without", n_held, n_left);
}

static void cut(struct rng *r)
{
    struct err e;
    struct junctions *j = junctions_new(&e);
    size_t bad = 0, n_cuts = 0, n_places = 0;
    if (!j) {
        fail("%s", e.msg);
        return;
    }
    for (size_t i = 0; i < 60000; i++) { /* characters of few, and tokens that begin within one */
        char token[6];
        for (size_t k = 0; k < 6; k++)
            token[k] = (char)(k % 3 ? 0x80 | rng_below(r, 16) : 0xe4 | rng_below(r, 2));
        const size_t from = i % 4096 ? 0 : 2;
        junctions_add(j, token + from, i % 4096 ? 6 : 2);
    }
    for (size_t round = 0; round < 20000; round++) {
        uint64_t places = 0;
        const size_t skew = rng_below(r, 3);
        for (size_t i = 0; i < 80; i++)
            text[i] = (char)((i + skew) % 3 ? 0x80 | rng_below(r, 16) : 0xe4 | rng_below(r, 2));
        for (size_t i = (3 - skew) % 3; i <= 60; i += 3)
            places |= (uint64_t)(rng_below(r, 4) > 0) << i;
        const unsigned char *s = (const unsigned char *)text;
        const uint64_t want = junctions_between(j, s, places), got = j->between(j, s, places);
        bad += want != got || (got & ~places) != 0;
        n_cuts += (size_t)POPCOUNT64(got);
        n_places += (size_t)POPCOUNT64(places);
    }
    is_int(bad, 0, "cuts at junctions are the same");
    ok(n_cuts > n_places / 10 && n_cuts < n_places - n_places / 10, "%zu of %zu places", n_cuts,
       n_places);
    junctions_free(j);
}

int main(void)
{
    struct rng r;
    struct cache c;
    struct err e;
    if (!cpu_uses_vbmi2())
        skip_all("no AVX512-VBMI2 here, or it is not to be used");
    rng_init(&r, 1, RNG_TEST, 0);
    keys_init(&plain);
    keys_init(&quick);
    plain.ops = &keys_portable;
    if (!ok(cache_init(&c, NULL, &e) == 0, "a cache"))
        return done_testing();
    look(&c, &r);
    cut(&r);
    cache_release(&c);
    return done_testing();
}
