/* The splitting machines of instruction sets against the plain ones, on long random texts. */
#include "base/compiler.h"
#include "base/cpu.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "io/docs.h"
#include "split_alphabet.h"
#include "tap.h"
#include "text/split_vec_int.h"

static const struct {
    const char *name;
    struct split_rule r;
} rules[] = {
    {"gpt2", {.kind = SPLIT_GPT2}},
    {"cl100k", {.kind = SPLIT_CL100K, .digits = 3}},
    {"qwen2", {.kind = SPLIT_CL100K, .digits = 1}},
    {"cl100k by 2", {.kind = SPLIT_CL100K, .digits = 2}},
    {"cl100k by 4", {.kind = SPLIT_CL100K, .digits = 4}},
    {"cl100k, any digits", {.kind = SPLIT_CL100K}},
    {"cl100k, tail", {.kind = SPLIT_CL100K, .digits = 3, .tail = true}},
    {"qwen3.5", {.kind = SPLIT_CL100K, .digits = 1, .marks = true}},
    {"o200k", {.kind = SPLIT_O200K, .digits = 3}},
    {"tekken", {.kind = SPLIT_O200K, .digits = 1, .no_contractions = true}},
    {"o200k by 1", {.kind = SPLIT_O200K, .digits = 1}},
};

enum { MOST = 6000 };
static uint32_t want[MOST], got[MOST];

/* Cuts s[0..n) one by one; returns how many, as offsets in ends. */
static size_t cut_plain(const struct split_rule *r, const char *s, size_t n, uint32_t *ends)
{
    split_machine *m = split_plain_of(r);
    size_t k = 0, at = 0;
    for (; at < n && k < MOST && m((const unsigned char *)s, at, n, r, ends + k, 1); at = ends[k++])
        ends[k] += (uint32_t)at;
    return k;
}

/* Pairs of characters of three bytes side by side within a piece: each is seen once. */
static bool same_pairs(const struct cut_window *w, size_t n_windows, const char *s, size_t n,
                       const uint32_t *ends, size_t k)
{
    static uint8_t seen[MOST + 64];
    size_t i = 0, wrong = 0;
    memset(seen, 0, n + 64);
    for (size_t x = 0; x < n_windows; x++)
        for (uint64_t v = w[x].wide & w[x].wide << 3; v; v &= v - 1)
            seen[w[x].at + (size_t)CTZ64(v)]++;
    for (size_t p = 3; p + 3 <= n; p++) {
        while (i < k && ends[i] < p)
            i++;
        const bool pair = (s[p] & 0xf0) == 0xe0 && (s[p - 3] & 0xf0) == 0xe0;
        const bool between = i < k && ends[i] == p; /* of two pieces: seen or not */
        wrong += between && pair ? seen[p] > 1 : seen[p] != pair;
    }
    return wrong == 0;
}

/* Calls for at most max windows. */
static size_t cut_windowed(split_windows *m, const struct split_rule *r, const char *s, size_t n,
                           size_t max, uint32_t *ends, bool *pairs)
{
    static struct cut_window w[MOST + 64];
    struct split_place at = {0, 0};
    size_t k = 0, n_windows = 0, got_now;
    while (n_windows + max < ARRAY_LEN(w) &&
           (got_now = m((const unsigned char *)s, &at, n, r, w + n_windows, max)) > 0)
        n_windows += got_now;
    for (size_t i = 0; i < n_windows; i++)
        for (uint64_t v = w[i].ends; v && k < MOST; v &= v - 1)
            ends[k++] = (uint32_t)(w[i].at + (size_t)CTZ64(v));
    *pairs = same_pairs(w, n_windows, s, n, ends, k);
    return k;
}

static bool same_cuts(split_windows *m, size_t rule, const char *s, size_t n, size_t max)
{
    const struct split_rule *r = &rules[rule].r;
    bool pairs;
    size_t k = cut_plain(r, s, n, want);
    size_t j = cut_windowed(m, r, s, n, max, got, &pairs), i = 0;
    while (i < k && i < j && got[i] == want[i])
        i++;
    if (i == k && i == j && pairs)
        return true;
    uint32_t from = i ? want[i - 1] : 0;
    diag("%s: behind %u the plain machine cuts at %u, this at %u of %zu: '%.60s'%s",
         rules[rule].name, from, i < k ? want[i] : 0, i < j ? got[i] : 0, n, s + from,
         pairs ? "" : "; pairs of wide characters are wrong");
    return false;
}

/* Parts of the alphabet, some of them often, in stretches of a few, so that all of them meet. */
static size_t random_text(struct rng *r, char *s, size_t room)
{
    size_t n = 0, few[4];
    uint64_t stretch = 0, mostly = rng_below(r, 4);
    while (n + 8 < room) {
        if (stretch-- == 0) {
            stretch = rng_below(r, 40) + 1;
            for (int i = 0; i < 4; i++)
                few[i] = rng_below(r, ARRAY_LEN(alphabet));
        }
        size_t i = mostly ? few[rng_below(r, mostly + 1)] : rng_below(r, ARRAY_LEN(alphabet));
        memcpy(s + n, alphabet[i], strlen(alphabet[i]));
        n += strlen(alphabet[i]);
    }
    return n;
}

static void random_texts(const char *isa, split_windows *(*of)(const struct split_rule *r))
{
    static char s[2048 + 64];
    for (size_t rule = 0; rule < ARRAY_LEN(rules); rule++) {
        split_windows *m = of(&rules[rule].r);
        struct rng r;
        bool same = m != NULL;
        rng_init(&r, 11, RNG_TEST, rule);
        for (int round = 0; round < 3000 && same; round++) {
            size_t n = random_text(&r, s, 100 + rng_below(&r, 1900));
            memset(s + n, 'x', 64);
            same = same_cuts(m, rule, s, n, round % 3 ? 64 : 1 + rng_below(&r, 5));
        }
        ok(same, "%s, %s: random texts", isa, rules[rule].name);
    }
}

/* Each of the alphabet's texts at every place of a window, behind letters, spaces and marks. */
static void places(const char *isa, split_windows *(*of)(const struct split_rule *r))
{
    static const char *const fill[] = {"a", " ", ".", "1", "\n", "A", "\344\270\255", "a ", "..a"};
    static char s[1024];
    for (size_t rule = 0; rule < ARRAY_LEN(rules); rule++) {
        bool same = true;
        for (size_t f = 0; f < ARRAY_LEN(fill); f++)
            for (size_t a = 0; a < ARRAY_LEN(alphabet); a++)
                for (size_t at = 0; at < 70 && same; at++) {
                    size_t n = 0;
                    while (n < at)
                        n += (size_t)snprintf(s + n, 8, "%s", fill[f]);
                    n += (size_t)snprintf(s + n, 16, "%s'%s", alphabet[a], alphabet[a]);
                    while (n < 200)
                        n += (size_t)snprintf(s + n, 8, "%s", fill[(f + a) % ARRAY_LEN(fill)]);
                    same = same_cuts(of(&rules[rule].r), rule, s, n, 64);
                }
        ok(same, "%s, %s: every place", isa, rules[rule].name);
    }
}

/* All characters of two and three bytes. */
static void characters(const char *isa, split_windows *(*of)(const struct split_rule *r))
{
    static char s[8192];
    for (size_t rule = 0; rule < ARRAY_LEN(rules); rule++) {
        bool same = true;
        size_t n = 0;
        for (uint32_t cp = 0x80; cp < 0x10000 && same; cp++) {
            if (cp - 0xd800 < 0x800)
                continue;
            s[n++] = cp % 3 ? 'a' : ' ';
            n += (size_t)utf8_put(s + n, cp);
            if (n + 80 > MOST || cp == 0xffff) {
                same = same_cuts(of(&rules[rule].r), rule, s, n, 64);
                n = 0;
            }
        }
        ok(same, "%s, %s: every character", isa, rules[rule].name);
    }
}

static void corpus(const char *isa, split_windows *(*of)(const struct split_rule *r),
                   const char *file)
{
    const char *path = shared_path(file);
    struct docs_opt o = DOCS_OPT_INIT;
    struct err e = {0};
    struct doc doc;
    if (!path) {
        skip(1, "no corpus");
        return;
    }
    struct docs *d = docs_open((char *const *)&path, 1, &o, &e);
    bool same = d != NULL;
    for (size_t bytes = 0; bytes < 2 << 20 && same && docs_next(d, &doc, &e) > 0; bytes += doc.len)
        for (size_t at = 0; at < doc.len && same;) { /* cut where characters begin */
            size_t n = doc.len - at < 5000 ? doc.len - at : 5000;
            while (at + n < doc.len && (doc.text[at + n] & 0xc0) == 0x80)
                n--;
            for (size_t rule = 0; rule < ARRAY_LEN(rules) && same; rule++)
                same = same_cuts(of(&rules[rule].r), rule, doc.text + at, n, 64);
            at += n;
        }
    ok(same, "%s: %s", isa, file);
    docs_abort(d);
}

static void all(enum isa isa, split_windows *(*of)(const struct split_rule *r))
{
    static const char *const files[] = {
        "data/corpus/zh-d2l.jsonl.gz", "data/corpus/code-c-mix.jsonl.gz",
        "data/corpus/en-wiki-c4-demo.jsonl.gz", "data/corpus/zh-tldr.jsonl.gz"};
    if (!cpu_has(isa)) {
        note("this machine lacks %s", cpu_isa_name(isa));
        return;
    }
    random_texts(cpu_isa_name(isa), of);
    places(cpu_isa_name(isa), of);
    characters(cpu_isa_name(isa), of);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        corpus(cpu_isa_name(isa), of, files[i]);
    ok(!of(&(struct split_rule){.kind = SPLIT_DIGITS, .digits = 1}), "none for other rules");
}

int main(void)
{
    ok(split_plain_of(&rules[0].r) != NULL, "there are plain machines");
#if defined(__x86_64__)
    all(ISA_AVX2, split_avx2_of);
    all(ISA_AVX512, split_avx512_of);
#endif
    return done_testing();
}
