/* Tokenizers that are large or damaged where it hurts: what takes time, what a message says, and
 * what is left after a failure. */
#include <dirent.h>
#include <time.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "base/buf.h"
#include "base/le.h"
#include "quern/tokenizer.h"
#include "text/pattern.h"
#include "token/import.h"
#include "token/normalizer.h"
#include "token/pretok.h"
#include "tap.h"

enum { MANY = 200000 };
static struct err e;

/* In place of the library's: no scan of a regular expression can be made. */
pcre2_match_context *pcre2_match_context_create(pcre2_general_context *g)
{
    (void)g;
    return NULL;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct tokenizer *words(const char *added)
{
    struct buf json = BUF_INIT;
    buf_printf(&json, &e,
               "{\"added_tokens\":[%s],\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":"
               "{\"type\":\"Whitespace\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"[UNK]\":0,"
               "\"a\":1,\"<m>\":2},\"unk_token\":\"[UNK]\"}}",
               added);
    struct tokenizer *t = tokenizer_parse(json.s, json.len, "words", &e);
    if (!t)
        bail_out(e.msg);
    buf_release(&json);
    return t;
}

static void many_added(void)
{
    struct tokenizer *t = words("{\"id\":2,\"content\":\"<m>\",\"special\":true}");
    struct encoder *x = encoder_new(t, &e);
    struct buf text = BUF_INIT;
    struct text_span *literal = calloc(MANY / 2, sizeof *literal);
    struct ids ids = {0};
    struct offsets off = {0};
    for (size_t i = 0; i < MANY; i++) {
        if (i % 2)
            literal[i / 2] = (struct text_span){text.len, text.len + 3};
        buf_puts(&text, "<m>a ", &e);
    }
    buf_reserve(&text, 64, &e);
    double start = now_s();
    ok(encoder_offsets(x, text.s, text.len, 0, literal, MANY / 2, &ids, &off, &e) == 0,
       "every second added token is literal");
    size_t n_added = 0;
    bool right = true;
    for (size_t i = 0; i < ids.n; i++)
        if (ids.v[i] == 2) {
            right = right && off.v[i].from == n_added * 10;
            n_added++;
        }
    ok(n_added == MANY / 2 && right, "%zu are found, in their places", n_added);
    ok(now_s() - start < 10, "in %.2f s", now_s() - start);
    free(literal);
    buf_release(&text);
    ids_release(&ids);
    offsets_release(&off);
    encoder_free(x);
    tokenizer_close(t);
}

static void many_spaces(void)
{
    struct tokenizer *t = words("{\"id\":3,\"content\":\" \",\"rstrip\":true,\"special\":true}");
    struct encoder *x = encoder_new(t, &e);
    char *text = calloc(MANY + 64, 1);
    struct ids ids = {0};
    memset(text, ' ', MANY);
    double start = now_s();
    ok(encoder_run(x, text, MANY, 0, NULL, 0, &ids, &e) == 0, "a space that takes those behind it");
    is_int(ids.n, MANY, "each is found, as in the reference");
    ok(now_s() - start < 10, "in %.2f s", now_s() - start);
    free(text);
    ids_release(&ids);
    encoder_free(x);
    tokenizer_close(t);
}

/* ---- formats of others */

static struct tokenizer *imported(enum import_kind k, const struct buf *b, const char *split)
{
    struct buf json = BUF_INIT;
    struct tokenizer *t = NULL;
    struct import_opt opt = {.split = split, .lowercase = -1};
    err_clear(&e);
    if (import_document(k, b->s, b->len, &opt, &json, &e) == 0)
        t = tokenizer_parse(json.s, json.len, "imported", &e);
    buf_release(&json);
    return t;
}

static void many_specials(void)
{
    struct buf b = BUF_INIT;
    buf_puts(&b, "[UNK]\n[CLS]\n[SEP]\na\n", &e);
    for (size_t i = 4; i < 500000; i++)
        buf_puts(&b, i < 250000 ? "[PAD]\n" : "a\n", &e);
    buf_reserve(&b, 64, &e);
    double start = now_s();
    struct tokenizer *t = imported(IMPORT_BERT, &b, NULL);
    ok(t && now_s() - start < 10, "half a million equal lines in %.2f s", now_s() - start);
    is_int(t ? tokenizer_id(t, "[PAD]", 5) : -1, 249999, "the last special one counts");
    is_int(t ? tokenizer_id(t, "a", 1) : -1, 499999, "and so does the last ordinary one");
    size_t n;
    ok(t && tokenizer_is_special(t, 249999) && !tokenizer_bytes(t, 249998, &n),
       "the others are no tokens");
    tokenizer_close(t);
    buf_release(&b);
}

static void put_u32(struct buf *b, uint32_t x)
{
    unsigned char s[4];
    le32_put(s, x);
    buf_add(b, s, 4, &e);
}

static void put_u64(struct buf *b, uint64_t x)
{
    put_u32(b, (uint32_t)x);
    put_u32(b, (uint32_t)(x >> 32));
}

static void put_text(struct buf *b, const char *s, size_t n)
{
    put_u64(b, n);
    buf_add(b, s, n, &e);
}

static void put_key(struct buf *b, const char *name, uint32_t type)
{
    put_u64(b, strlen(name) + 15);
    buf_puts(b, "tokenizer.ggml.", &e);
    buf_puts(b, name, &e);
    put_u32(b, type);
}

enum { U32 = 4, STRING = 8, ARRAY = 9, I64 = 11, I8 = 1, I16 = 3, N_TOKENS = 257 };

/* A GGUF vocabulary of bytes, with "pre", one merge, and types of tokens and BOS in numbers of
 * one sort. */
static void gguf(struct buf *b, const char *pre, size_t n_pre, const char *merge, uint32_t type)
{
    const unsigned size = type == I8 ? 1 : type == I16 ? 2 : 8;
    buf_clear(b);
    buf_puts(b, "GGUF", &e);
    put_u32(b, 3);
    put_u64(b, 0);
    put_u64(b, 7);
    put_key(b, "model", STRING);
    put_text(b, "gpt2", 4);
    put_key(b, "pre", STRING);
    put_text(b, pre, n_pre);
    put_key(b, "tokens", ARRAY);
    put_u32(b, STRING);
    put_u64(b, N_TOKENS);
    for (int i = 0; i < N_TOKENS - 1; i++) {
        /* the letters that stand for bytes, in no order */
        int cp = i < 94 ? i + 0x21 : i < 106 ? i - 94 + 0xa1 : i < 188 ? i - 106 + 0xae : i + 68;
        char s[3] = {(char)cp};
        if (cp >= 0x80) {
            s[0] = (char)(0xc0 | cp >> 6);
            s[1] = (char)(0x80 | (cp & 63));
        }
        put_text(b, s, strlen(s));
    }
    put_text(b, "th", 2);
    put_key(b, "token_type", ARRAY);
    put_u32(b, type);
    put_u64(b, N_TOKENS);
    for (int i = 0; i < N_TOKENS; i++)
        buf_add(b, "\1\0\0\0\0\0\0", size, &e);
    put_key(b, "merges", ARRAY);
    put_u32(b, STRING);
    put_u64(b, 1);
    put_text(b, merge, strlen(merge));
    const char *const none[] = {"bos_token_id", "unknown_token_id"};
    for (int i = 0; i < 2; i++) {
        put_key(b, none[i], type);
        buf_add(b, "\377\377\377\377\377\377\377\377", size, &e);
    }
    buf_reserve(b, 64, &e);
}

static void gguf_edges(void)
{
    struct buf b = BUF_INIT;
    static const uint32_t types[] = {I8, I16, I64};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        gguf(&b, "gpt-2", 5, "t h", types[i]);
        struct tokenizer *t = imported(IMPORT_GGUF, &b, NULL);
        ok(t != NULL, "numbers of GGUF's type %u, -1 is none: %s", (unsigned)types[i], e.msg);
        tokenizer_close(t);
    }
    char pre[5000];
    memset(pre, 'x', sizeof pre);
    memcpy(pre, "\33[2J", 4);
    gguf(&b, pre, sizeof pre, "t h", I64);
    ok(!imported(IMPORT_GGUF, &b, NULL) && strlen(e.msg) < 160 && !strchr(e.msg, '\33') &&
           strstr(e.msg, "xxx'..."),
       "a long name: %s", e.msg);
    gguf(&b, "gpt-2", 5, "t \377h", I64);
    ok(!imported(IMPORT_GGUF, &b, NULL) && strstr(e.msg, "merge 0: invalid UTF-8 at its byte 2"),
       "a merge: %s", e.msg);
    gguf(&b, "gpt-2", 5, "th", I64);
    ok(!imported(IMPORT_GGUF, &b, NULL) && strstr(e.msg, "merge 0"), "another: %s", e.msg);
    buf_release(&b);
}

static void ranks_twice(void)
{
    static const struct {
        const char *lines, *want;
    } cases[] = {
        {"IQ== 0\n\nIg== 1\nIw== 1\n", "line 4: the rank is there twice, first in line 3"},
        {"IQ== 0\nIg== 1\n\r\nIQ== 2\n", "line 4: the token is there twice, first in line 1"},
        {"IQ== 0\nIQ== 0\nIQ== 0", "line 3: the token is there twice, first in line 1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = BUF_INIT;
        buf_puts(&b, cases[i].lines, &e);
        buf_reserve(&b, 64, &e);
        ok(!imported(IMPORT_RANKS, &b, "cl100k") && strstr(e.msg, cases[i].want), "%s", e.msg);
        buf_release(&b);
    }
}

/* ---- after a failure */

static void half_made(void)
{
    json_t *o = json_loads("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Whitespace\"},"
                           "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a+b\"},\"behavior\":"
                           "\"Removed\",\"invert\":false}]}",
                           0, NULL);
    struct pretok p = {0};
    struct pretok_run run = {0};
    struct text text = {0};
    text_set(&text, "aab", 3, 0, false, &e);
    ok(pretok_read(&p, o, &e) == 0, "a pre-tokenizer");
    ok(pretok_apply(&p, &run, &text, &e) < 0 && pretok_apply(&p, &run, &text, &e) < 0,
       "whose tools cannot be made, also at the second try: %s", e.msg);
    pretok_run_release(&run);
    pretok_release(&p);
    json_decref(o);

    o = json_loads("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a+b\"},\"content\":\"c\"}", 0,
                   NULL);
    struct normalizer z = {0};
    struct normalizer_run zrun = {0};
    ok(normalizer_read(&z, o, &e) == 0, "a normalizer");
    ok(!normalizer_apply(&z, &zrun, &text, &e) && !normalizer_apply(&z, &zrun, &text, &e),
       "likewise: %s", e.msg);
    normalizer_run_release(&zrun);
    normalizer_release(&z);
    json_decref(o);
    text_release(&text);
}

/* ---- opened for less than all */

/* Every id by itself and all of them at once. */
static void decode_all(const struct tokenizer *t, struct buf *out)
{
    struct ids ids = {.v = malloc((tokenizer_vocab_size(t) + 1) * sizeof *ids.v)};
    struct decoder d;
    for (uint32_t id = 0; id < tokenizer_vocab_size(t); id++) {
        size_t n;
        const char *s = tokenizer_bytes(t, id, &n);
        buf_printf(out, &e, "%u %zu %d ", (unsigned)id, n, tokenizer_is_special(t, id));
        buf_add(out, s ? s : "", n, &e);
        if (s)
            ids.v[ids.n++] = id;
    }
    for (int flags = 0; flags < 4; flags++) {
        decoder_init(&d, t, (flags & 1 ? DECODE_BYTES : 0) | (flags & 2 ? DECODE_SKIP_SPECIAL : 0));
        if (decoder_add_many(&d, ids.v, ids.n, out, &e) < 0 || decoder_end(&d, out, &e) < 0)
            buf_puts(out, e.msg, &e);
        decoder_release(&d);
    }
    ids_release(&ids);
}

static bool prints_equal(const struct tokenizer *a, const struct tokenizer *b)
{
    unsigned char x[16], y[16];
    return tokenizer_fingerprint(a, x, &e) == 0 && tokenizer_fingerprint(b, y, &e) == 0 &&
           memcmp(x, y, 16) == 0;
}

static void use(const char *path, const char *name, int *n_byte_level)
{
    struct tokenizer *all = tokenizer_open(path, &e), *print, *none;
    if (!all)
        return;
    print = tokenizer_open_for(TOKENIZER_FINGERPRINTS, path, &e);
    none = tokenizer_open_for(0, path, &e);
    if (!print || !none) {
        ok(false, "%s: %s", name, e.msg);
        return;
    }
    struct buf want = BUF_INIT, got = BUF_INIT, more = BUF_INIT;
    decode_all(all, &want);
    decode_all(none, &got);
    decode_all(print, &more);
    ok(got.len == want.len && memcmp(got.s, want.s, want.len) == 0 && more.len == want.len &&
           memcmp(more.s, want.s, want.len) == 0,
       "%s decodes alike for any use, %zu bytes", name, want.len);
    ok(prints_equal(all, print), "and has one fingerprint");
    unsigned char no[16];
    ok(tokenizer_fingerprint(none, no, &e) < 0, "but none where it was not asked for");
    if (strstr(tokenizer_describe(all), "byte-level")) {
        ++*n_byte_level;
        ok(!encoder_new(none, &e) && !encoder_new(print, &e), "%s", e.msg);
    }
    buf_release(&want);
    buf_release(&got);
    buf_release(&more);
    tokenizer_close(all);
    tokenizer_close(print);
    tokenizer_close(none);
}

static void uses(void)
{
    DIR *d = opendir(top_path("tests/files"));
    int n_byte_level = 0;
    for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "tests/files/%s", f->d_name);
        if (strncmp(f->d_name, "good-tokenizer-", 15) == 0)
            use(top_path(path), f->d_name, &n_byte_level);
    }
    if (d)
        closedir(d);
    ok(n_byte_level > 2, "%d of them byte-level", n_byte_level);
    const char *qwen = shared_path("data/tokenizers/hf/qwen3.tokenizer.json.gz");
    if (qwen)
        use(qwen, "qwen3", &n_byte_level);
    else
        skip(4, "no published tokenizers");
}

int main(void)
{
    uses();
    many_added();
    many_spaces();
    many_specials();
    gguf_edges();
    ranks_twice();
    half_made();
    return done_testing();
}
