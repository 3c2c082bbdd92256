/* Loading published tokenizers, and their ids against the references. */
#include <dirent.h>
#include <time.h>
#include "base/buf.h"
#include "base/le.h"
#include "io/in.h"
#include "io/jscan.h"
#include "quern/shard.h"
#include "quern/tokenizer.h"
#include "tap.h"

static struct err e;

static char *slurp(const char *path, size_t *n)
{
    struct in *in = in_open(path, 0, &e);
    char *s = in ? in_all(in, 1 << 30, n, &e) : NULL;
    in_close(in);
    if (!s)
        bail_out(e.msg);
    return s;
}

/* All text back from the ids, id by id. */
static void round_trip(const struct tokenizer *t, const struct ids *ids, const char *s, size_t n,
                       const char *name)
{
    struct buf text = BUF_INIT, bytes = BUF_INIT, many = BUF_INIT;
    struct decoder d, b;
    decoder_init(&d, t, 0);
    decoder_init(&b, t, DECODE_BYTES);
    for (size_t i = 0; i < ids->n; i++)
        if (decoder_add(&d, ids->v[i], &text, &e) < 0 || decoder_add(&b, ids->v[i], &bytes, &e) < 0)
            break;
    decoder_end(&d, &text, &e);
    decoder_end(&b, &bytes, &e);
    decoder_init(&d, t, 0);
    for (size_t i = 0, k = 1; i < ids->n; i += k, k = k % 700 + 1) /* 1, 2, 3 ... at once */
        if (decoder_add_many(&d, ids->v + i, ids->n - i < k ? ids->n - i : k, &many, &e) < 0)
            break;
    decoder_end(&d, &many, &e);
    ok(many.len == text.len && memcmp(many.s, text.s, n) == 0, "%s: many ids at once", name);
    ok(text.len == n && memcmp(text.s, s, n) == 0, "%s: the text comes back", name);
    ok(bytes.len == n && memcmp(bytes.s, s, n) == 0, "%s: and so do its bytes", name);
    buf_release(&text);
    buf_release(&bytes);
    buf_release(&many);
}

static void reference(const char *name, bool nfc)
{
    char file[256];
    const char *sample = shared_path("data/tokenizers/vectors/sample.txt");
    snprintf(file, sizeof file, "data/tokenizers/hf/%s.tokenizer.json.gz", name);
    const char *json = shared_path(file);
    snprintf(file, sizeof file, "data/tokenizers/vectors/hf.%s.u32.gz", name);
    const char *want_path = shared_path(file);
    if (!json || !sample || !want_path) {
        skip(6, "no reference");
        return;
    }
    size_t n, n_want;
    char *s = slurp(sample, &n), *want = slurp(want_path, &n_want);
    struct tokenizer *t = tokenizer_open(json, &e);
    if (!ok(t != NULL, "%s: opens", name)) {
        diag("%s", e.msg);
        return;
    }
    note("%s", tokenizer_describe(t));
    struct encoder *x = encoder_new(t, &e);
    struct ids ids = {0};
    for (int round = 0; round < 2; round++) { /* without and with the cache */
        ids.n = 0;
        ok(encoder_run(x, s, n, 0, NULL, 0, &ids, &e) == 0 && ids.n * 4 == n_want &&
               memcmp(ids.v, want, n_want) == 0,
           "%s: the reference's %zu ids, not %zu", name, n_want / 4, ids.n);
    }
    if (nfc)
        note("not in form C: another text comes back");
    else
        round_trip(t, &ids, s, n, name);
    ids_release(&ids);
    encoder_free(x);
    tokenizer_close(t);
    free(s);
    free(want);
}

/* Ids and offsets of the general path against the reference's, and the text back or not. */
static void reference_offsets(const char *name)
{
    char file[256];
    const char *sample = shared_path("data/tokenizers/vectors/sample.txt");
    snprintf(file, sizeof file, "data/tokenizers/hf/%s.tokenizer.json.gz", name);
    const char *json = shared_path(file);
    snprintf(file, sizeof file, "data/tokenizers/vectors/hf.%s.u32.gz", name);
    const char *ids_path = shared_path(file);
    snprintf(file, sizeof file, "data/tokenizers/vectors/hf.%s.offs.gz", name);
    const char *offs_path = shared_path(file);
    if (!json || !sample || !ids_path || !offs_path) {
        skip(4, "no reference");
        return;
    }
    size_t n, n_ids, n_offs, n_same = 0;
    char *s = slurp(sample, &n), *want = slurp(ids_path, &n_ids), *offs = slurp(offs_path, &n_offs);
    struct tokenizer *t = tokenizer_open(json, &e);
    struct encoder *x = t ? encoder_new(t, &e) : NULL;
    if (!ok(x != NULL, "%s: opens", name)) {
        diag("%s", e.msg);
        return;
    }
    struct ids ids = {0};
    struct offsets off = {0};
    ok(encoder_run(x, s, n, 0, NULL, 0, &ids, &e) == 0 && ids.n * 4 == n_ids &&
           memcmp(ids.v, want, n_ids) == 0,
       "%s: the reference's %zu ids", name, n_ids / 4);
    ids.n = 0;
    ok(encoder_offsets(x, s, n, 0, NULL, 0, &ids, &off, &e) == 0 && ids.n * 4 == n_ids &&
           memcmp(ids.v, want, n_ids) == 0,
       "%s: and with offsets", name);
    for (size_t i = 0; i < off.n && off.n * 8 == n_offs; i++)
        n_same += off.v[i].from == le32_get((unsigned char *)offs + 8 * i) &&
                  off.v[i].to == le32_get((unsigned char *)offs + 8 * i + 4);
    is_int(n_same, n_offs / 8, "%s: which are the reference's", name);
    ids_release(&ids);
    offsets_release(&off);
    encoder_free(x);
    tokenizer_close(t);
    free(s);
    free(want);
    free(offs);
}

/* What a line of tokenizer-cases.jsonl says besides "tokenizer", "text" and "ids". */
struct more {
    struct ids offsets;
    struct buf decoded;
    bool given;
};

static bool read_numbers(struct jscan *j, struct ids *v)
{
    enum jscan_type type;
    int64_t x;
    v->n = 0;
    if (jscan_next(j) != JSCAN_KEY || jscan_next(j) != JSCAN_ARRAY)
        return false;
    while ((type = jscan_next(j)) == JSCAN_NUMBER && jscan_int(j, &x) == 0) {
        if (v->n == v->cap) {
            v->cap = 2 * v->cap + 64;
            v->v = realloc(v->v, v->cap * sizeof *v->v);
        }
        v->v[v->n++] = (uint32_t)x;
    }
    return type == JSCAN_END;
}

/* "tokenizer", "text", "ids" and perhaps "offsets" and "decoded", in this order. */
static bool read_case(const char *line, size_t n, struct buf *file, struct buf *text,
                      struct ids *want, struct more *more)
{
    struct jscan j;
    jscan_init(&j, line, n);
    buf_clear(file);
    buf_clear(text);
    buf_clear(&more->decoded);
    if (jscan_next(&j) != JSCAN_OBJECT || jscan_next(&j) != JSCAN_KEY ||
        jscan_next(&j) != JSCAN_STRING || jscan_string(&j, false, file, &e) < 0 ||
        jscan_next(&j) != JSCAN_KEY || jscan_next(&j) != JSCAN_STRING ||
        jscan_string(&j, false, text, &e) < 0 || buf_reserve(text, 64, &e) < 0 ||
        !read_numbers(&j, want))
        return false;
    struct jscan end = j;
    more->given = jscan_next(&end) == JSCAN_KEY;
    return !more->given ||
           (read_numbers(&j, &more->offsets) && jscan_next(&j) == JSCAN_KEY &&
            jscan_next(&j) == JSCAN_STRING && jscan_string(&j, false, &more->decoded, &e) == 0);
}

/* Offsets and decoding, at once and id by id. */
static bool same_more(const struct tokenizer *t, struct encoder *x, const struct buf *text,
                      const struct more *more)
{
    struct ids ids = {0};
    struct offsets off = {0};
    struct buf out = BUF_INIT;
    struct decoder d;
    bool same = encoder_offsets(x, text->s, text->len, 0, NULL, 0, &ids, &off, &e) == 0 &&
                2 * off.n == more->offsets.n && ids.n == off.n;
    for (size_t i = 0; same && i < off.n; i++)
        same = off.v[i].from == more->offsets.v[2 * i] && off.v[i].to == more->offsets.v[2 * i + 1];
    decoder_init(&d, t, 0);
    for (size_t i = 0; i < ids.n && same; i++)
        same = decoder_add(&d, ids.v[i], &out, &e) == 0;
    same = decoder_end(&d, &out, &e) == 0 && same && out.len == more->decoded.len &&
           memcmp(out.s, more->decoded.s, out.len) == 0;
    ids_release(&ids);
    offsets_release(&off);
    buf_release(&out);
    return same;
}

/* What the tokenizers library makes of small texts full of traps. */
static void cases(void)
{
    struct in *in = in_open(top_path("tests/files/tokenizer-cases.jsonl"), 0, &e);
    struct buf file = BUF_INIT, now = BUF_INIT, text = BUF_INIT;
    struct ids want = {0}, got = {0};
    struct more more = {.decoded = BUF_INIT};
    struct tokenizer *t = NULL;
    struct encoder *x = NULL;
    const char *line;
    size_t n, n_same = 0, n_cases = 0;
    int r;
    if (!in)
        bail_out(e.msg);
    for (;;) {
        r = in_line(in, &line, &n, 1 << 20, &e);
        if (r > 0 && !read_case(line, n, &file, &text, &want, &more))
            bail_out("tokenizer-cases.jsonl");
        if (r <= 0 || strcmp(file.s, now.s) != 0) {
            if (n_cases)
                ok(n_same == n_cases, "%s: %zu of %zu texts as in the reference", now.s, n_same,
                   n_cases);
            if (r <= 0)
                break;
            buf_clear(&now);
            buf_puts(&now, file.s, &e);
            encoder_free(x);
            tokenizer_close(t);
            char path[256];
            snprintf(path, sizeof path, "tests/files/%s", file.s);
            t = tokenizer_open(top_path(path), &e);
            x = t ? encoder_new(t, &e) : NULL;
            if (!x)
                bail_out(e.msg);
            n_same = n_cases = 0;
        }
        n_cases++;
        bool same = true;
        for (int round = 0; round < 2; round++) { /* the cache must not change anything */
            got.n = 0;
            same = same && encoder_run(x, text.s, text.len, 0, NULL, 0, &got, &e) == 0 &&
                   got.n == want.n &&
                   (want.n == 0 || memcmp(got.v, want.v, want.n * sizeof *want.v) == 0);
        }
        same = same && (!more.given || same_more(t, x, &text, &more));
        n_same += same;
        if (!same)
            diag("%s: other ids for %.*s", file.s, (int)n, line);
    }
    in_close(in);
    encoder_free(x);
    tokenizer_close(t);
    ids_release(&want);
    ids_release(&got);
    ids_release(&more.offsets);
    buf_release(&more.decoded);
    buf_release(&file);
    buf_release(&now);
    buf_release(&text);
}

static void refused(void)
{
    DIR *d = opendir(top_path("tests/files"));
    struct dirent *f;
    while (d && (f = readdir(d)) != NULL) {
        if (strncmp(f->d_name, "bad-tokenizer-", 14) != 0 || !strstr(f->d_name, ".json"))
            continue;
        char path[512];
        snprintf(path, sizeof path, "tests/files/%s", f->d_name);
        err_clear(&e);
        struct tokenizer *t = tokenizer_open(top_path(path), &e);
        ok(!t && strstr(e.msg, f->d_name), "refused: %s", t ? path : e.msg);
        tokenizer_close(t);
    }
    if (d)
        closedir(d);
}

static struct tokenizer *good(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/files/good-tokenizer-%s.json", name);
    struct tokenizer *t = tokenizer_open(top_path(path), &e);
    if (!t)
        bail_out(e.msg);
    return t;
}

static const char *ids_of(struct encoder *x, const char *text, int flags,
                          const struct text_span *literal, size_t n_literal)
{
    static char out[512];
    char padded[256] = {0};
    struct ids ids = {0};
    size_t n = 0;
    memcpy(padded, text, strlen(text));
    if (encoder_run(x, padded, strlen(text), flags, literal, n_literal, &ids, &e) < 0)
        return e.msg;
    for (size_t i = 0; i < ids.n; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%u", i ? " " : "", ids.v[i]);
    out[n] = 0;
    ids_release(&ids);
    return out;
}

/* A megabyte without a space is no slower than other text; other letters than the vocabulary's too.
 */
static void long_texts(void)
{
    static const char *const names[] = {"wordpiece", "wordlevel",   "unigram", "unigram-bytes",
                                        "llama",     "llama-first", "gemma",   "clip",
                                        "subwords",  "bloom"};
    static const char *const letters[] = {"a", "Z", "\344\270\255", "a\314\201"};
    enum { N = 1 << 20 };
    char *s = calloc(N + 128, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tokenizer *t = good(names[i]);
        struct encoder *x = encoder_new(t, &e);
        const clock_t begin = clock();
        int n_failed = 0;
        for (size_t k = 0; k < sizeof letters / sizeof *letters; k++) {
            struct ids ids = {0};
            struct offsets off = {0};
            size_t n = 0, len = strlen(letters[k]);
            for (; n + len <= N; n += len)
                memcpy(s + n, letters[k], len);
            n_failed += encoder_run(x, s, n, 0, NULL, 0, &ids, &e) < 0 ||
                        encoder_offsets(x, s, n, 0, NULL, 0, &ids, &off, &e) < 0;
            ids_release(&ids);
            offsets_release(&off);
        }
        const double time_s = (double)(clock() - begin) / CLOCKS_PER_SEC;
        ok(n_failed == 0 && time_s < 20, "%s: eight megabytes of one letter take %.2f s", names[i],
           time_s);
        encoder_free(x);
        tokenizer_close(t);
    }
    free(s);
}

static void literal_spans(void)
{
    struct tokenizer *t = good("gpt2");
    struct encoder *x = encoder_new(t, &e);
    const char *s = "<|im_end|>a<|im_end|>";
    char all[512], none[512];
    snprintf(all, sizeof all, "%s", ids_of(x, s, 0, NULL, 0));
    is_str(all, "318 97 318", "added tokens are found");
    snprintf(none, sizeof none, "%s", ids_of(x, s, ENCODE_LITERAL, NULL, 0));
    ok(!strstr(none, "318"), "or are ordinary text: %s", none);
    struct text_span first = {0, 10}, part = {13, 14}, both[] = {{0, 3}, {20, 21}};
    is_str(strrchr(ids_of(x, s, 0, &first, 1), ' '), " 318",
           "in a span they are ordinary, outside of it not");
    ok(strncmp(ids_of(x, s, 0, &part, 1), "318 ", 4) == 0, "a span over a part of one");
    is_str(ids_of(x, s, 0, both, 2), none, "two spans");
    encoder_free(x);
    tokenizer_close(t);

    /* with normalisation and tokens sought after it: spans move with the text */
    t = good("added");
    x = encoder_new(t, &e);
    struct text_span mid = {4, 13};
    is_str(ids_of(x, "mill e\314\201 mill  mill", 0, &mid, 1),
           ids_of(x, "mill \303\251 mill  mill", 0, &(struct text_span){4, 12}, 1),
           "spans of a text that normalisation shortens");
    encoder_free(x);
    tokenizer_close(t);
}

static void decoding(void)
{
    struct tokenizer *t = good("gpt2");
    struct buf out = BUF_INIT;
    struct decoder d;
    size_t n;
    int64_t hi = tokenizer_id(t, "\303\242", 2), lo = tokenizer_id(t, "\304\246", 2); /* e2, 84 */
    uint32_t eot = (uint32_t)tokenizer_id(t, "<|endoftext|>", 13);
    is_int(eot, 316, "tokens by their content");
    is_int(tokenizer_id(t, "nonesuch", 8), -1, "or none");
    is_mem(tokenizer_bytes(t, (uint32_t)hi, &n), "\342", 1, "the byte behind a character");
    ok(!tokenizer_bytes(t, 319, &n) && !tokenizer_bytes(t, UINT32_MAX, &n), "ids beyond the last");
    decoder_init(&d, t, 0);
    decoder_add(&d, (uint32_t)hi, &out, &e);
    is_int(out.len, 0, "a part of a character is held back");
    decoder_add(&d, (uint32_t)lo, &out, &e);
    is_int(out.len, 0, "and more of it");
    decoder_add(&d, (uint32_t)tokenizer_id(t, "\304\242", 2), &out, &e); /* 80 */
    is_str(out.s, "\342\204\200", "until it is whole");
    buf_clear(&out);
    decoder_add(&d, (uint32_t)hi, &out, &e);
    decoder_add(&d, eot, &out, &e);
    decoder_add(&d, (uint32_t)hi, &out, &e);
    decoder_end(&d, &out, &e);
    is_str(out.s, "\357\277\275<|endoftext|>\357\277\275", "what cannot be one becomes U+FFFD");
    is_int(d.n_replaced, 2, "and is counted");
    buf_clear(&out);
    decoder_init(&d, t, DECODE_SKIP_SPECIAL | DECODE_BYTES);
    decoder_add(&d, (uint32_t)hi, &out, &e);
    decoder_add(&d, eot, &out, &e);
    is_str(out.s, "\342", "bytes at once, special tokens left out");
    ok(decoder_add(&d, 319, &out, &e) < 0, "an id without a token: %s", e.msg);
    buf_release(&out);
    tokenizer_close(t);
}

static void around(void)
{
    struct tokenizer *t = good("o200k");
    const uint32_t *before, *after;
    size_t n_before, n_after;
    tokenizer_around(t, &before, &n_before, &after, &n_after);
    ok(n_before == 1 && before[0] == 317 && n_after == 1 && after[0] == 318,
       "what the post-processor puts around a text");
    tokenizer_close(t);
    t = good("gpt2");
    tokenizer_around(t, &before, &n_before, &after, &n_after);
    ok(n_before == 0 && n_after == 0, "which may be nothing");
    tokenizer_close(t);
}

static void special(const char *file, const char *text, const char *bos, const char *want)
{
    struct special_ids s;
    char got[1024];
    struct tokenizer *t = good("gpt2");
    if (text) {
        FILE *f = fopen(scratch_path(file), "w");
        fputs(text, f);
        fclose(f);
    }
    if (tokenizer_specials(t, scratch_path("tokenizer.json"), bos, NULL, NULL, &s, &e) < 0)
        snprintf(got, sizeof got, "%s", e.msg);
    else
        snprintf(got, sizeof got, "%d %d %d; %s; %s; %s", (int)s.bos, (int)s.eos, (int)s.pad,
                 s.where[0], s.where[1], s.where[2]);
    is_like(got, want, "BOS, EOS, PAD with %s %s", file, text ? text : "");
    if (text)
        remove(scratch_path(file));
    tokenizer_close(t);
}

static void specials(void)
{
    special("nothing", NULL, NULL, "-1 316 -1; nothing says so; the name <|endoftext|>; nothing");
    special("nothing", NULL, "<|im_start|>", "317 316 -1; --bos; the name");
    special("nothing", NULL, "none", "-1 316 -1; --bos; the name");
    special("nothing", NULL, "nonesuch", "--bos: 'nonesuch' is no token");
    special("tokenizer_config.json",
            "{\"bos_token\":{\"content\":\"<|im_start|>\"},\"eos_token\":\"<|im_end|>\"}", NULL,
            "317 318 -1; tokenizer_config.json; tokenizer_config.json; nothing");
    special("tokenizer_config.json", "{\"eos_token\":null}", NULL,
            "-1 -1 -1; nothing says so; tokenizer_config.json; nothing");
    special("tokenizer_config.json", "{\"eos_token\":\"</s>\"}", NULL, "use --eos");
    special("tokenizer_config.json", "{\"eos_token\":7}", NULL, "'eos_token' is no token");
    special("tokenizer_config.json", "{", NULL, "not JSON");
    special("config.json", "{\"eos_token_id\":[318,316],\"pad_token_id\":0}", NULL,
            "-1 318 0; nothing says so; config.json; config.json");
    special("config.json", "{\"eos_token_id\":319}", NULL, "eos_token_id is no id");
}

static void print_is(const char *name, const char *change_from, const char *change_to, bool same)
{
    unsigned char a[16], b[16];
    size_t n;
    struct tokenizer *t = good(name);
    const char *json = tokenizer_json(t, &n);
    const char *at = strstr(json, change_from);
    struct buf other = BUF_INIT;
    buf_add(&other, json, (size_t)(at - json), &e);
    buf_puts(&other, change_to, &e);
    buf_puts(&other, at + strlen(change_from), &e);
    struct tokenizer *u = tokenizer_parse(other.s, other.len, "changed", &e);
    if (!u)
        bail_out(e.msg);
    tokenizer_fingerprint(t, a, &e);
    tokenizer_fingerprint(u, b, &e);
    ok((memcmp(a, b, 16) == 0) == same, "fingerprint: %s for %s is %s", change_from, change_to,
       same ? "the same" : "another");
    buf_release(&other);
    tokenizer_close(t);
    tokenizer_close(u);
}

/* tokenizer-fingerprints, made from the page alone: 32 digits, as shard(5) writes them, and a name.
 */
static void fingerprints_of_samples(void)
{
    struct in *in = in_open(top_path("tests/files/tokenizer-fingerprints"), 0, &e);
    const char *line;
    size_t n;
    while (in && in_line(in, &line, &n, 1 << 10, &e) > 0) {
        char path[256], got[33];
        unsigned char print[16];
        snprintf(path, sizeof path, "tests/files/%.*s", (int)(n - 33), line + 33);
        struct tokenizer *t = tokenizer_open(top_path(path), &e);
        if (!t || tokenizer_fingerprint(t, print, &e) < 0)
            bail_out(e.msg);
        shard_fingerprint_hex(got, print);
        is_mem(got, line, 32, "fingerprint of %s is %s", path, got);
        tokenizer_close(t);
    }
    in_close(in);
}

static void fingerprints(void)
{
    fingerprints_of_samples();
    print_is("gpt2", "\"truncation\":null", "\"truncation\":{}", true);
    print_is("gpt2", "\"vocab\":{", "\"vocab\": { ", true);
    print_is("gpt2", "\"!\":33", "\"\\u0021\":33", true);
    print_is("gpt2", "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false",
             "\"decoder\":{\"add_prefix_space\":false,\"type\":\"ByteLevel\"", true);
    print_is("gpt2", "\"add_prefix_space\":false", "\"add_prefix_space\":true", false);
    print_is("gpt2", "\"single_word\":false", "\"single_word\":true", false);
    print_is("gpt2", "\"ignore_merges\":false", "\"ignore_merges\":true", false);
    print_is("gpt2", "\"post_processor\":null", "\"post_processor\":{\"type\":\"ByteLevel\"}",
             true);
}

/* Equal strings, of which the last counts, and several strings of one id. */
static void doubled(void)
{
    static const char json[] =
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{"
        "\"a\":0,\"b\":0,\"b\":1,\"c\":2,\"d\":2,\"\\u0120\":3},\"merges\":[]}}";
    struct tokenizer *t = tokenizer_parse(json, sizeof json - 1, "doubled", &e);
    struct encoder *x = t ? encoder_new(t, &e) : NULL;
    size_t n;
    unsigned char print[16];
    if (!x)
        bail_out(e.msg);
    is_str(ids_of(x, " abcd", 0, NULL, 0), "3 0 1 2 2", "strings that are there twice, and ids");
    is_mem(tokenizer_bytes(t, 0, &n), "a", 1, "an id keeps the string that is left");
    is_mem(tokenizer_bytes(t, 2, &n), "d", 1, "of two strings the last is the id's");
    ok(tokenizer_fingerprint(t, print, &e) == 0, "they have a fingerprint");
    encoder_free(x);
    tokenizer_close(t);
}

static void long_pieces(void)
{
    struct tokenizer *t = good("runs");
    struct encoder *x = encoder_new(t, &e);
    size_t n = 1 << 20, sum = 0;
    char *s = calloc(n + 64, 1);
    struct ids ids = {0};
    memset(s, 'a', n);
    ok(encoder_run(x, s, n, 0, NULL, 0, &ids, &e) == 0, "a megabyte of one letter");
    for (size_t i = 0; i < ids.n; i++) {
        size_t len;
        tokenizer_bytes(t, ids.v[i], &len);
        sum += len;
    }
    is_int(sum, n, "all of it");
    ids_release(&ids);
    encoder_free(x);
    tokenizer_close(t);
    free(s);
}

/* Ill-formed text and spans are errors for every split and model, with offsets and without. */
static void ill_formed(void)
{
    static const char *const texts[] = {"ab\377", "\377", "ab\355\240\200", "\342\202",
                                        "ab\364\220\200\200"};
    static const char *const names[] = {"o200k", "gpt2", "wordpiece", "unigram", "llama", "bloom"};
    static const struct text_span bad[] = {{1, 2}, {2, 1}, {0, 9}};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct tokenizer *t = good(names[k]);
        struct encoder *x = encoder_new(t, &e);
        struct ids ids = {0};
        struct offsets off = {0};
        bool refused = true;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            char padded[128] = {0}, want[64];
            size_t n = strlen(texts[i]);
            memcpy(padded, texts[i], n);
            snprintf(want, sizeof want, "invalid UTF-8 at byte %d", i == 1 || i == 3 ? 0 : 2);
            refused = refused && encoder_run(x, padded, n, 0, NULL, 0, &ids, &e) < 0 &&
                      !strcmp(e.msg, want) &&
                      encoder_offsets(x, padded, n, 0, NULL, 0, &ids, &off, &e) < 0 &&
                      !strcmp(e.msg, want);
        }
        ok(refused && ids.n == 0, "%s: ill-formed text is refused", names[k]);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            ok(strstr(ids_of(x, "\303\251a", 0, &bad[i], 1), "none of whole characters") != NULL,
               "%s: a span that is none", names[k]);
        ids_release(&ids);
        offsets_release(&off);
        encoder_free(x);
        tokenizer_close(t);
    }
}

int main(void)
{
    cases();
    refused();
    literal_spans();
    decoding();
    around();
    specials();
    fingerprints();
    doubled();
    long_pieces();
    reference("gpt2", false);
    reference("qwen3", true);
    reference("gptoss", false);
    reference("gpt-neox", true);
    reference("deepseek_v3", false);
    static const char *const all[] = {"bert-base-chinese",
                                      "bert-base-uncased",
                                      "clip_base",
                                      "deepseek_v3",
                                      "gpt-neox",
                                      "gpt2",
                                      "gptoss",
                                      "mistral_v1",
                                      "qwen3",
                                      "xlnet_base_cased"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        reference_offsets(all[i]);
    long_texts();
    ill_formed();
    return done_testing();
}
