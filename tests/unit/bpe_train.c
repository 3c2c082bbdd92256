/*
 * The trainer against a slow one that recounts every pair after each merge, on small random texts;
 * against merges worked out by hand; and against the `tokenizers` library's on real text.
 */
#include "tap.h"

#include "base/buf.h"
#include "io/docs.h"
#include "io/in.h"
#include "io/jscan.h"
#include "io/out.h"
#include "text/split.h"
#include "token/bpe_train.h"

static uint64_t state = 7;

static unsigned next_random(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

/* ---- the slow trainer: words are lists of ids; a merge's count is taken anew each time */

enum { MAX_WORDS = 64, MAX_LEN = 200, MAX_IDS = 700 };

struct slow {
    uint32_t word[MAX_WORDS][MAX_LEN];
    size_t len[MAX_WORDS];
    uint64_t count[MAX_WORDS];
    size_t n_words;
    char text[MAX_IDS][4 * MAX_LEN]; /* of each id, visible characters */
    uint32_t n_ids, merge[MAX_IDS][3];
    size_t n_merges;
};

static uint32_t slow_id(struct slow *s, const char *text)
{
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (!strcmp(s->text[i], text))
            return i;
    }
    if (s->n_ids == MAX_IDS || strlen(text) >= sizeof s->text[0])
        bail_out("too many ids, or too long ones");
    memcpy(s->text[s->n_ids], text, strlen(text) + 1);
    return s->n_ids++;
}

/* All pairs' counts, from nothing. */
static uint64_t pair_count[MAX_IDS][MAX_IDS];

static void slow_count(const struct slow *s)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t w = 0; w < s->n_words; w++) {
            for (size_t i = 1; i < s->len[w]; i++) {
                uint64_t *n = &pair_count[s->word[w][i - 1]][s->word[w][i]];
                *n = pass == 0 ? 0 : *n + s->count[w];
            }
        }
    }
}

static void slow_merge(struct slow *s, uint32_t a, uint32_t b, uint32_t id)
{
    for (size_t w = 0; w < s->n_words; w++) {
        size_t to = 0, n = s->len[w];
        uint32_t *v = s->word[w];
        for (size_t i = 0; i < n;) {
            bool here = i + 1 < n && v[i] == a && v[i + 1] == b;
            v[to++] = here ? id : v[i];
            i += here ? 2 : 1;
        }
        s->len[w] = to;
    }
}

static void slow_train(struct slow *s, uint32_t vocab_size, uint64_t min_frequency)
{
    while (s->n_ids < vocab_size) {
        uint64_t best = 0;
        uint32_t a = 0, b = 0;
        slow_count(s);
        for (size_t w = 0; w < s->n_words; w++) {
            for (size_t i = 1; i < s->len[w]; i++) {
                uint32_t x = s->word[w][i - 1], y = s->word[w][i];
                uint64_t n = pair_count[x][y];
                if (n > best || (n == best && (x < a || (x == a && y < b)))) {
                    best = n;
                    a = x;
                    b = y;
                }
            }
        }
        if (best < 1 || best < min_frequency)
            break;
        char text[8 * MAX_LEN];
        snprintf(text, sizeof text, "%s%s", s->text[a], s->text[b]);
        uint32_t id = slow_id(s, text);
        memcpy(s->merge[s->n_merges++], (uint32_t[]){a, b, id}, sizeof s->merge[0]);
        slow_merge(s, a, b, id);
    }
}

/* ---- both on the same words */

struct setting {
    uint32_t vocab_size;
    uint64_t min_frequency;
    const char *special[4];
    size_t n_special;
    int n_threads;
};

static void slow_start(struct slow *s, const struct setting *o)
{
    uint8_t order[256];
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < o->n_special; i++)
        slow_id(s, o->special[i]);
    /* the alphabet by its definition, not by bytelevel.h */
    char text[256][8];
    unsigned next = 0x100;
    for (unsigned c = 0; c < 256; c++) {
        bool own = (c > 0x20 && c < 0x7f) || (c > 0xa0 && c != 0xad);
        unsigned cp = own ? c : next++;
        snprintf(text[c], sizeof text[c], cp < 0x80 ? "%c" : "%c%c",
                 cp < 0x80 ? (int)cp : (int)(0xc0 | cp >> 6), (int)(0x80 | (cp & 0x3f)));
        order[c] = (uint8_t)c;
    }
    for (int i = 0; i < 256; i++) { /* two-byte characters sort as their bytes do */
        for (int k = i + 1; k < 256; k++) {
            if (strcmp(text[order[k]], text[order[i]]) < 0) {
                uint8_t t = order[i];
                order[i] = order[k];
                order[k] = t;
            }
        }
    }
    for (int i = 0; i < 256; i++)
        slow_id(s, text[order[i]]);
}

static struct bpe_vocab *train(struct bpe_counts *c, const struct setting *o, struct err *e)
{
    struct bpe_train_opt opt = {
        .vocab_size = o->vocab_size,
        .min_frequency = o->min_frequency,
        .special = o->special,
        .n_special = o->n_special,
        .n_threads = o->n_threads,
    };
    return bpe_train(c, &opt, e);
}

/* words: each NUL-terminated, with its count. Returns the number of differences. */
static int differences(const char (*words)[MAX_LEN], const uint64_t *counts, size_t n_words,
                       const struct setting *o)
{
    static struct slow s;
    struct err e = {0};
    struct bpe_counts *c = bpe_counts_new(o->n_threads, &e);
    int bad = 0;

    slow_start(&s, o);
    for (size_t w = 0; w < n_words; w++) {
        char padded[MAX_LEN + 64] = {0};
        size_t len = strlen(words[w]);
        memcpy(padded, words[w], len);
        if (len == 0)
            continue;
        for (size_t i = 0; i < len; i++) {
            /* by the visible character, which slow_start has as this very text */
            unsigned ch = (unsigned char)words[w][i];
            char vis[8];
            snprintf(vis, sizeof vis, "%c", ch == ' ' ? 0 : (int)ch);
            s.word[s.n_words][i] = slow_id(&s, ch == ' ' ? "\u0120" : vis);
        }
        s.len[s.n_words] = len;
        s.count[s.n_words++] = counts[w];
        if (bpe_count_piece(c, (int)(w % (size_t)o->n_threads), padded, len, counts[w], &e) < 0)
            bail_out(e.msg);
    }
    slow_train(&s, o->vocab_size, o->min_frequency);
    struct bpe_vocab *v = train(c, o, &e);
    if (!v)
        bail_out(e.msg);
    bad += v->n_ids != s.n_ids;
    bad += v->n_merges != s.n_merges;
    for (size_t i = 0; i < s.n_merges && i < v->n_merges; i++) {
        const struct bpe_merge *m = &v->merge[i];
        bad += m->left != s.merge[i][0] || m->right != s.merge[i][1] || m->id != s.merge[i][2];
    }
    for (uint32_t i = 0; i < s.n_ids && i < v->n_ids; i++) {
        struct buf text = BUF_INIT;
        bpe_token_visible(v, i, &text, &e);
        bad += strcmp(text.s, s.text[i]) != 0;
        buf_release(&text);
    }
    if (bad)
        diag("%d differences; %zu and %zu merges", bad, v->n_merges, s.n_merges);
    bpe_vocab_free(v);
    bpe_counts_free(c);
    return bad;
}

static void random_words(int rounds, unsigned alphabet, unsigned max_len, unsigned max_count,
                         const struct setting *o, const char *name)
{
    static char words[MAX_WORDS][MAX_LEN];
    uint64_t counts[MAX_WORDS];
    int bad = 0;
    for (int r = 0; r < rounds; r++) {
        size_t n = next_random(MAX_WORDS - 1) + 1;
        for (size_t w = 0; w < n; w++) {
            size_t len = next_random(max_len + 1);
            for (size_t i = 0; i < len; i++) {
                unsigned run = next_random(4) ? 0 : next_random(9);
                char c = next_random(12) ? (char)('a' + next_random(alphabet)) : ' ';
                do
                    words[w][i] = c;
                while (run-- && i + 1 < len && ++i);
            }
            words[w][len] = 0;
            counts[w] = 1 + next_random(max_count);
        }
        bad += differences((const char(*)[MAX_LEN])words, counts, n, o);
    }
    is_int(bad, 0, "%s: %d random texts as the slow trainer has it", name, rounds);
}

static void one_text(const char *word, uint64_t count, const struct setting *o, const char *name)
{
    static char words[1][MAX_LEN];
    snprintf(words[0], sizeof words[0], "%s", word);
    is_int(differences((const char(*)[MAX_LEN])words, &count, 1, o), 0, "%s", name);
}

static void against_slow(void)
{
    struct setting plain = {.vocab_size = 400, .min_frequency = 2, .n_threads = 1};
    struct setting all = {.vocab_size = 600, .min_frequency = 1, .n_threads = 3};
    struct setting rare = {.vocab_size = 600, .min_frequency = 9, .n_threads = 2};
    struct setting wide = {.vocab_size = 70000, .min_frequency = 30, .n_threads = 2};
    struct setting some = {
        .vocab_size = 400,
        .min_frequency = 2,
        .special = {"<s>", "ab", "a", "\u0120a"},
        .n_special = 4,
        .n_threads = 1,
    };
    random_words(150, 3, 12, 5, &plain, "three letters");
    random_words(150, 1, 60, 3, &plain, "runs of one letter");
    random_words(100, 2, 150, 1, &all, "all pairs, two letters");
    random_words(100, 26, 30, 100, &all, "all pairs, 26 letters");
    random_words(100, 4, 20, 4, &rare, "frequent pairs only");
    random_words(60, 4, 20, 4, &wide, "cells of 32 bits");
    random_words(100, 3, 20, 4, &some, "special tokens that read like merges and bytes");
    one_text("", 1, &plain, "no text");
    one_text("a", 1000, &plain, "one byte");
    one_text("ab", 1, &plain, "one pair, too rare");
    one_text("ab", 2, &plain, "one pair");
    one_text("aaaa", 1, &plain, "aaaa");
    one_text("aaaaaaa", 1, &all, "aaaaaaa");
    one_text("abababab", 1, &all, "abababab");
    one_text("aabaabaab aab", 1, &all, "aabaab...");
    one_text("ab", (uint64_t)1 << 40, &plain, "counts over 32 bits");
}

/* ---- limits */

static void limits(void)
{
    struct err e = {0};
    struct bpe_counts *c = bpe_counts_new(1, &e);
    struct setting o = {
        .vocab_size = 258, .special = {"x!", "y!", "x!"}, .n_special = 3, .n_threads = 1};
    struct bpe_vocab *v = train(c, &o, &e);
    ok(v && v->n_ids == 258 && v->n_special == 2 && v->n_merges == 0,
       "bytes and special tokens alone; one given twice counts once");
    bpe_vocab_free(v);
    o.vocab_size = 257;
    ok(!train(c, &o, &e), "one less is an error");
    is_like(e.msg, "258 is the least", "which says how many are needed");

    /* a megabyte of one letter: no time that grows with its square, and tokens of half its size */
    size_t n = 1 << 20;
    char *run = malloc(n + 64);
    memset(run, 'a', n + 64);
    o = (struct setting){.vocab_size = 300, .min_frequency = 1, .n_threads = 2};
    bpe_count_piece(c, 0, run, n, 1, &e);
    bpe_count_piece(c, 0, run, n - 1, 1, &e);
    v = train(c, &o, &e);
    ok(v && v->n_ids > 270 && v->n_ids < 300, "a megabyte of one letter");
    bpe_vocab_free(v);
    free(run);
    bpe_counts_free(c);
}

/* ---- against the library */

/* Differences between the arrays of a tokenizer.json and v. */
static int compare_golden(const struct bpe_vocab *v, const char *json, size_t n)
{
    struct jscan j;
    struct buf text = BUF_INIT, ours = BUF_INIT;
    enum jscan_type t;
    int bad = 0;
    uint32_t n_vocab = 0;
    size_t n_merges = 0;

    jscan_init(&j, json, n);
    while ((t = jscan_next(&j)) > 0 && !(t == JSCAN_KEY && jscan_key_is(&j, "vocab")))
        ;
    jscan_next(&j);
    while (jscan_next(&j) == JSCAN_KEY) {
        int64_t id;
        buf_clear(&text);
        buf_clear(&ours);
        jscan_string(&j, false, &text, NULL);
        jscan_next(&j);
        if (jscan_int(&j, &id) < 0 || id < 0 || id >= v->n_ids) {
            bad++;
            continue;
        }
        bpe_token_visible(v, (uint32_t)id, &ours, NULL);
        bad += strcmp(ours.s, text.s) != 0;
        n_vocab++;
    }
    while ((t = jscan_next(&j)) > 0 && !(t == JSCAN_KEY && jscan_key_is(&j, "merges")))
        ;
    jscan_next(&j);
    while (jscan_next(&j) == JSCAN_ARRAY) {
        for (int side = 0; jscan_next(&j) == JSCAN_STRING; side++) {
            buf_clear(&text);
            buf_clear(&ours);
            jscan_string(&j, false, &text, NULL);
            if (n_merges < v->n_merges) {
                const struct bpe_merge *m = &v->merge[n_merges];
                bpe_token_visible(v, side ? m->right : m->left, &ours, NULL);
            }
            bad += strcmp(ours.s, text.s) != 0;
        }
        n_merges++;
    }
    bad += n_vocab != v->n_ids;
    bad += n_merges != v->n_merges;
    buf_release(&text);
    buf_release(&ours);
    return bad;
}

static void golden(const char *name, const char *split_name, uint32_t vocab_size,
                   const char *file_a, const char *file_b)
{
    struct err e = {0};
    char path[256];
    snprintf(path, sizeof path, "golden/bpe/%s.tokenizer.json.gz", name);
    const char *golden_path = shared_path(path);
    snprintf(path, sizeof path, "data/corpus/%s.jsonl.gz", file_a);
    const char *a = shared_path(path);
    if (!golden_path || !a) {
        skip(1, "no ../shared");
        return;
    }
    char *file[2] = {(char *)a, NULL};
    if (file_b) {
        snprintf(path, sizeof path, "data/corpus/%s.jsonl.gz", file_b);
        file[1] = (char *)shared_path(path);
    }
    struct docs_opt opt = DOCS_OPT_INIT;
    struct docs *d = docs_open(file, file_b ? 2 : 1, &opt, &e);
    struct split *s = split_new(&e);
    split_add_name(s, split_name, &e);
    struct cutter *cut = cutter_new(s, &e);
    struct bpe_counts *c = bpe_counts_new(2, &e);
    struct doc doc;
    int r = -1, thread = 0;
    while (d && cut && c && (r = docs_next(d, &doc, &e)) > 0) {
        if (bpe_count_text(c, thread++ % 2, cut, doc.text, doc.len, &e) < 0)
            break;
    }
    struct setting o = {.vocab_size = vocab_size, .min_frequency = 2, .n_threads = 2};
    struct bpe_vocab *v = r == 0 ? train(c, &o, &e) : NULL;
    struct in *in = in_open(golden_path, 0, &e);
    size_t n;
    char *json = in ? in_all(in, (size_t)1 << 30, &n, &e) : NULL;
    if (!v || !json)
        bail_out(e.msg);
    is_int(compare_golden(v, json, n), 0, "%s: vocabulary and merges of the tokenizers library",
           name);
    free(json);
    in_close(in);
    bpe_vocab_free(v);
    bpe_counts_free(c);
    cutter_free(cut);
    split_free(s);
    docs_abort(d);
}

int main(void)
{
    against_slow();
    limits();
    golden("shakespeare-gpt2-4096", "gpt2", 4096, "en-tinyshakespeare", NULL);
    golden("zh-tldr-cl100k-4096", "cl100k", 4096, "zh-tldr", NULL);
    golden("flask-curl-cl100k-8192", "cl100k", 8192, "code-python-flask", "en-curl-docs");
    golden("oi-wiki-gpt2-16000", "gpt2", 16000, "zh-oi-wiki", NULL);
    return done_testing();
}
