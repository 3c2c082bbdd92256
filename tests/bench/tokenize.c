/*
 * Speed of tokenizers, "name figure unit", by CPU time of one thread: loading; of a part of each
 * corpus below ../shared the splitting, the check of form C, encoding with a fresh encoder (cold)
 * and again with the same (warm), decoding. Without ../shared it prints nothing.
 *
 *     obj/tests/bench/tokenize [MB of each corpus, 20]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "io/docs.h"
#include "quern/tokenizer.h"
#include "text/normalize.h"
#include "text/split.h"

static struct err e;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(void)
{
    fprintf(stderr, "%s\n", e.msg);
    exit(1);
}

struct corpus {
    const char *name, *file;
    struct buf text; /* documents, each with 64 bytes behind it */
    size_t *at, *len, n, cap;
    double bytes;
};

static bool load(struct corpus *c, double limit)
{
    char path[4096];
    const char *shared = getenv("SHARED");
    char *operand = path;
    struct docs_opt o = DOCS_OPT_INIT;
    struct doc doc;
    static const char slack[64];
    snprintf(path, sizeof path, "%s/data/corpus/%s", shared ? shared : "../shared", c->file);
    if (access(path, R_OK) < 0)
        return false;
    struct docs *d = docs_open(&operand, 1, &o, &e);
    c->text = (struct buf)BUF_INIT;
    while (d && c->bytes < limit && docs_next(d, &doc, &e) > 0) {
        if (c->n == c->cap) {
            c->cap = c->cap * 2 + 1024;
            c->at = realloc(c->at, c->cap * sizeof *c->at);
            c->len = realloc(c->len, c->cap * sizeof *c->len);
        }
        c->at[c->n] = c->text.len;
        c->len[c->n++] = doc.len;
        c->bytes += (double)doc.len;
        if (buf_add(&c->text, doc.text, doc.len, &e) < 0 || buf_add(&c->text, slack, 64, &e) < 0)
            die();
    }
    docs_abort(d);
    return c->n > 0;
}

static void report(const char *what, const char *tok, const struct corpus *c, double t0)
{
    printf("%s-%s-%s %.0f MB/s\n", what, tok, c->name, c->bytes / (cpu_s() - t0) / 1e6);
}

static void bench_split(const char *name, const struct corpus *c)
{
    static uint32_t ends[256];
    struct split *s = split_new(&e);
    if (!s || split_add_name(s, name, &e) < 0)
        die();
    struct cutter *x = cutter_new(s, &e);
    if (!x)
        die();
    double t0 = cpu_s();
    for (size_t i = 0; i < c->n; i++) {
        cut_begin(x, c->text.s + c->at[i], c->len[i]);
        while (cut_next(x, ends, 256, &e) > 0)
            ;
    }
    report("split", name, c, t0);
    cutter_free(x);
    split_free(s);
}

static void bench_nfc(const struct corpus *c)
{
    volatile size_t sum = 0;
    double t0 = cpu_s();
    for (size_t i = 0; i < c->n; i++)
        sum += nfc_check(c->text.s + c->at[i], c->len[i]);
    report("check", "nfc", c, t0);
}

static void bench_encode(const struct tokenizer *t, const char *name, const struct corpus *c)
{
    struct encoder *x = encoder_new(t, &e);
    struct ids ids = {0};
    struct buf out = BUF_INIT;
    struct decoder d;
    if (!x)
        die();
    for (int warm = 0; warm < 2; warm++) {
        double t0 = cpu_s();
        ids.n = 0;
        for (size_t i = 0; i < c->n; i++)
            if (encoder_run(x, c->text.s + c->at[i], c->len[i], ENCODE_VALID, NULL, 0, &ids, &e) <
                0)
                die();
        report(warm ? "encode-warm" : "encode-cold", name, c, t0);
    }
    double t0 = cpu_s();
    decoder_init(&d, t, DECODE_BYTES);
    for (size_t i = 0; i < ids.n; i++) {
        if (decoder_add(&d, ids.v[i], &out, &e) < 0)
            die();
        if (out.len > 1 << 20)
            buf_clear(&out);
    }
    report("decode", name, c, t0);
    buf_release(&out);
    ids_release(&ids);
    encoder_free(x);
}

int main(int argc, char **argv)
{
    static struct corpus corpora[] = {{.name = "en", .file = "en-novels-train.jsonl.gz"},
                                      {.name = "zh", .file = "zh-oi-wiki.jsonl.gz"},
                                      {.name = "code", .file = "code-c-mix.jsonl.gz"}};
    static const char *const names[] = {"gpt2", "cl100k", "o200k"}, *const tokenizers[] = {
                                                                        "gpt2", "qwen3", "gptoss"};
    double limit = 1e6 * (argc > 1 ? strtod(argv[1], NULL) : 20);
    const char *shared = getenv("SHARED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < 3; i++) {
        if (!load(&corpora[i], limit))
            return 0;
        for (size_t k = 0; k < 3; k++)
            bench_split(names[k], &corpora[i]);
        bench_nfc(&corpora[i]);
    }
    for (size_t k = 0; k < 3; k++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/data/tokenizers/hf/%s.tokenizer.json.gz",
                 shared ? shared : "../shared", tokenizers[k]);
        double t0 = cpu_s();
        struct tokenizer *t = tokenizer_open(path, &e);
        if (!t)
            die();
        printf("load-gz-%s %.0f ms\n", tokenizers[k], (cpu_s() - t0) * 1e3);
        size_t n;
        const char *json = tokenizer_json(t, &n);
        t0 = cpu_s();
        struct tokenizer *again = tokenizer_parse(json, n, path, &e);
        if (!again)
            die();
        printf("load-%s %.0f ms\n", tokenizers[k], (cpu_s() - t0) * 1e3);
        tokenizer_close(again);
        for (size_t i = 0; i < 3; i++)
            bench_encode(t, tokenizers[k], &corpora[i]);
        tokenizer_close(t);
    }
    return 0;
}
