/* The encoder against a slow reading of the same, on random merges and random texts. */
#include "base/buf.h"
#include "base/rng.h"
#include "bpe_ref.h"
#include "quern/tokenizer.h"
#include "tap.h"

enum { MOST = 400, WORDS = 5000 };

static struct err e;

static bool same_ids(struct bpe_ref *r, struct encoder *x, const char *s, size_t n)
{
    static uint32_t want[WORDS];
    static struct ids got;
    size_t n_want;
    bpe_ref_encode(r, s, n, want, &n_want);
    got.n = 0;
    if (encoder_run(x, s, n, ENCODE_LITERAL, NULL, 0, &got, &e) < 0) {
        diag("%s", e.msg);
        return false;
    }
    if (got.n == n_want && memcmp(got.v, want, n_want * sizeof *want) == 0)
        return true;
    diag("%zu ids, the slow reading has %zu, of: '%.*s'", got.n, n_want, (int)n, s);
    return false;
}

/* A tokenizer of the symbols with n_merges random pairs of what there is so far: the same token may
 * arise in several ways, and ids go up and down. */
static void random_tokenizer(struct buf *json, const char *const symbol[], uint64_t seed,
                             int n_merges, bool ignore_merges)
{
    char token[64][40] = {""}, merges[4096] = "";
    int n = 0, len = 0;
    struct rng g;
    for (; symbol[n]; n++)
        snprintf(token[n], sizeof token[n], "%s", symbol[n]);
    rng_init(&g, seed, RNG_TEST, 0);
    for (int i = 0; i < n_merges; i++) {
        const char *l = token[rng_below(&g, (uint64_t)n)], *r = token[rng_below(&g, (uint64_t)n)];
        char joined[80];
        int k = 0;
        snprintf(joined, sizeof joined, "%s%s", l, r);
        if (strlen(joined) >= sizeof token[0])
            continue;
        len += snprintf(merges + len, sizeof merges - (size_t)len, "%s\"%s %s\"", len ? "," : "", l,
                        r);
        while (k < n && strcmp(token[k], joined) != 0)
            k++;
        if (k == n)
            memcpy(token[n++], joined, strlen(joined) + 1);
    }
    buf_clear(json);
    buf_printf(json, &e,
               "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{"
               "\"type\":\"BPE\",\"ignore_merges\":%s,\"merges\":[%s],\"vocab\":{",
               ignore_merges ? "true" : "false", merges);
    for (int i = 0; i < n; i++)
        buf_printf(json, &e, "%s\"%s\":%d", i ? "," : "", token[i], i * 5 % 64);
    buf_puts(json, ",\"\\u0120\":64}}}", &e); /* the space */
}

static const char *const abc[] = {"a", "b", "c", NULL};
/* Bytes as byte-level BPE spells them, of which characters of three are made: E4 E5, B8 B9. */
static const char *const wide[] = {"\303\244", "\303\245", "\302\270", "\302\271", NULL};

static size_t random_wide(struct rng *g, char *s, size_t n_chars)
{
    size_t n = 0;
    for (size_t k = 0; k < n_chars; k++) {
        uint64_t bits = rng_below(g, 8), space = rng_below(g, 24);
        s[n++] = (char)(0xe4 | (bits & 1));
        s[n++] = (char)(0xb8 | (bits >> 1 & 1));
        s[n++] = (char)(0xb8 | bits >> 2);
        if (space == 0)
            s[n++] = ' ';
    }
    return n;
}

/* A random tokenizer by both. */
struct trial {
    struct bpe_ref r;
    struct tokenizer *t;
    struct encoder *x;
};

static void trial_begin(struct trial *t, const char *const symbol[], uint64_t seed, int n_merges,
                        bool ignore_merges)
{
    struct buf json = BUF_INIT;
    random_tokenizer(&json, symbol, seed, n_merges, ignore_merges);
    t->t = tokenizer_parse(json.s, json.len, "random", &e);
    t->x = t->t ? encoder_new(t->t, &e) : NULL;
    if (!t->x)
        bail_out(e.msg);
    bpe_ref_init(&t->r, json.s, json.len);
    buf_release(&json);
}

static void trial_end(struct trial *t)
{
    bpe_ref_release(&t->r);
    encoder_free(t->x);
    tokenizer_close(t->t);
}

/* Also where all pieces are known. */
static bool same_twice(struct trial *t, const char *s, size_t n)
{
    return same_ids(&t->r, t->x, s, n) && same_ids(&t->r, t->x, s, n);
}

/* Tokens that hold characters, parts of them, and parts of several: where text may be cut. */
static void random_wide_merges(void)
{
    bool same = true;
    for (uint64_t seed = 0; seed < 120 && same; seed++) {
        struct trial t;
        struct rng g;
        trial_begin(&t, wide, seed, 4 + (int)(seed % 27), seed % 4 == 3);
        rng_init(&g, seed, RNG_TEST, 2);
        for (int i = 0; i < 40 && same; i++) {
            char s[MOST + 64] = {0};
            size_t n = random_wide(&g, s, rng_below(&g, i < 30 ? 20 : MOST / 4));
            same = same_twice(&t, s, n);
        }
        trial_end(&t);
    }
    ok(same, "random merges of characters of three bytes");
}

static void random_merges(void)
{
    bool same = true;
    for (uint64_t seed = 0; seed < 60 && same; seed++) {
        struct trial t;
        struct rng g;
        trial_begin(&t, abc, seed, 30, seed % 4 == 3);
        rng_init(&g, seed, RNG_TEST, 1);
        for (int i = 0; i < 60 && same; i++) {
            char s[MOST + 64] = {0};
            size_t n = i < 50 ? rng_below(&g, 70) : rng_below(&g, MOST); /* few symbols, and many */
            uint64_t letters = 1 + rng_below(&g, 3);
            for (size_t k = 0; k < n; k++)
                s[k] = (char)('a' + rng_below(&g, letters));
            same = same_twice(&t, s, n);
        }
        trial_end(&t);
    }
    ok(same, "random merges, random texts");
}

/* Many words of all lengths in one text: new pieces that are merged together, some of them again
 * and again before they are. */
static void random_words(void)
{
    bool same = true;
    for (uint64_t seed = 0; seed < 12 && same; seed++) {
        static char s[WORDS + 64];
        struct trial t;
        struct rng g;
        size_t n = 0;
        trial_begin(&t, abc, seed, 50, seed % 4 == 3);
        rng_init(&g, seed, RNG_TEST, 3);
        while (n < WORDS - 80) {
            const uint64_t most = rng_below(&g, 4) ? 18 : 70, len = 1 + rng_below(&g, most);
            for (size_t k = 0; k < len; k++)
                s[n++] = (char)('a' + rng_below(&g, 3));
            s[n++] = ' ';
        }
        same = same_twice(&t, s, n);
        trial_end(&t);
    }
    ok(same, "random merges, many words");
}

static void samples(void)
{
    static const char *const names[] = {"gpt2", "o200k",      "ranks",
                                        "runs", "runs-whole", "few-bytes"};
    static const char *const parts[] = {
        "the", " the", "in", "mill",         "a", "aa",       "aaaa",     " ",    "\n",
        "'s",  "12",   ".",  "\344\270\255", "q", "\303\251", "\314\201", "thing"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        struct bpe_ref r;
        struct rng g;
        size_t n;
        bool same = true;
        snprintf(path, sizeof path, "tests/files/good-tokenizer-%s.json", names[i]);
        struct tokenizer *t = tokenizer_open(top_path(path), &e);
        struct encoder *x = t ? encoder_new(t, &e) : NULL;
        if (!x)
            bail_out(e.msg);
        const char *json = tokenizer_json(t, &n);
        bpe_ref_init(&r, json, n);
        rng_init(&g, 3, RNG_TEST, i);
        for (int round = 0; round < 300 && same; round++) {
            char s[MOST + 64] = {0};
            size_t len = 0, n_parts = rng_below(&g, round % 10 ? 12 : 80);
            for (size_t k = 0; k < n_parts; k++) {
                const char *p = parts[rng_below(&g, sizeof parts / sizeof *parts)];
                if (len + strlen(p) > MOST)
                    break;
                memcpy(s + len, p, strlen(p));
                len += strlen(p);
            }
            same = same_ids(&r, x, s, len);
        }
        ok(same, "%s: random texts", names[i]);
        bpe_ref_release(&r);
        encoder_free(x);
        tokenizer_close(t);
    }
}

/* 100000 words of a, b and c: the block's numbers in base 3, shuffled. */
static void words(struct buf *text, unsigned block)
{
    enum { LENGTH = 13, COUNT = 1594323, BLOCK = 100000 }; /* 3^13 */
    buf_clear(text);
    for (unsigned i = 0; i < BLOCK; i++) {
        char word[LENGTH + 1];
        unsigned v = (unsigned)((block * BLOCK + i) * UINT64_C(1000003) % COUNT);
        for (int k = 0; k < LENGTH; k++, v /= 3)
            word[k] = (char)('a' + v % 3);
        word[LENGTH] = ' ';
        buf_add(text, word, sizeof word, &e);
    }
    buf_reserve(text, 64, &e);
}

/* More distinct pieces than the cache holds: it forgets, and nothing else changes. */
static void full_cache(void)
{
    struct buf json = BUF_INIT, text = BUF_INIT;
    struct ids ids = {0}, again = {0};
    bool done = true;
    random_tokenizer(&json, abc, 5, 30, false);
    struct tokenizer *t = tokenizer_parse(json.s, json.len, "random", &e);
    struct encoder *x = t ? encoder_new(t, &e) : NULL, *fresh = t ? encoder_new(t, &e) : NULL;
    if (!fresh)
        bail_out(e.msg);
    for (unsigned i = 0; i <= 6 && done; i++) { /* the last block is the first one again */
        words(&text, i % 6);
        ids.n = 0;
        done = encoder_run(x, text.s, text.len, 0, NULL, 0, &ids, &e) == 0;
    }
    ok(done, "more pieces than the cache has room for");
    ok(encoder_run(fresh, text.s, text.len, 0, NULL, 0, &again, &e) == 0 && again.n == ids.n &&
           memcmp(again.v, ids.v, ids.n * sizeof *ids.v) == 0,
       "what was encoded before makes no difference");
    ids_release(&ids);
    ids_release(&again);
    buf_release(&text);
    buf_release(&json);
    encoder_free(x);
    encoder_free(fresh);
    tokenizer_close(t);
}

int main(void)
{
    random_merges();
    random_words();
    random_wide_merges();
    samples();
    full_cache();
    return done_testing();
}
