/* Tokenizers in the formats of others: ids as the programs give them to which the formats belong.
 */
#include <dirent.h>
#include "base/buf.h"
#include "io/in.h"
#include "io/jtree.h"
#include "quern/tokenizer.h"
#include "token/import.h"
#include "tap.h"

static struct err e;

/* "FILE" or "FILE:SPLIT" of tests/files. */
static struct tokenizer *open_named(const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "tests/files/%s", name);
    char *split = strchr(file, ':');
    if (split)
        *split++ = '\0';
    return tokenizer_open_split(top_path(file), split, NULL, &e);
}

static void same_ids(struct encoder *x, const char *text, size_t n, const json_t *want,
                     const char *name, int nth)
{
    struct ids ids = {0};
    char *padded = calloc(n + 64, 1);
    memcpy(padded, text, n);
    bool same =
        encoder_run(x, padded, n, 0, NULL, 0, &ids, &e) == 0 && ids.n == json_array_size(want);
    for (size_t i = 0; same && i < ids.n; i++)
        same = ids.v[i] == (uint32_t)json_integer_value(json_array_get(want, i));
    ok(same, "%s: text %d", name, nth);
    free(padded);
    ids_release(&ids);
}

/* tests/files/import-cases.jsonl: "tokenizer", "text", "ids" as make-import.py wrote them. */
static void cases(void)
{
    struct in *in = in_open(top_path("tests/files/import-cases.jsonl"), 0, &e);
    struct tokenizer *t = NULL;
    struct encoder *x = NULL;
    char now[256] = "";
    int nth = 0;
    const char *line;
    size_t n;
    if (!in)
        bail_out(e.msg);
    while (in_line(in, &line, &n, 1 << 20, &e) > 0) {
        json_t *o = json_loadb(line, n, 0, NULL);
        const char *name = json_string_value(json_object_get(o, "tokenizer"));
        const json_t *text = json_object_get(o, "text");
        if (strcmp(now, name) != 0) {
            encoder_free(x);
            tokenizer_close(t);
            snprintf(now, sizeof now, "%s", name);
            nth = 0;
            t = open_named(name);
            if (!ok(t != NULL, "%s opens", name))
                diag("%s", e.msg);
            x = t ? encoder_new(t, &e) : NULL;
        }
        if (x)
            same_ids(x, json_string_value(text), json_string_length(text),
                     json_object_get(o, "ids"), name, ++nth);
        json_decref(o);
    }
    encoder_free(x);
    tokenizer_close(t);
    in_close(in);
}

/* Each tests/files/bad-* is refused, in a line that names it. */
static void refused(void)
{
    static const char *const kinds[] = {".model", ".gguf", ".tiktoken", "-vocab.txt"};
    DIR *d = opendir(top_path("tests/files"));
    int n = 0;
    for (struct dirent *f; d && (f = readdir(d)) != NULL;)
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            size_t len = strlen(f->d_name), k = strlen(kinds[i]);
            char path[512];
            if (strncmp(f->d_name, "bad-", 4) != 0 || len < k ||
                strcmp(f->d_name + len - k, kinds[i]) != 0)
                continue;
            snprintf(path, sizeof path, "tests/files/%s", f->d_name);
            err_clear(&e);
            struct tokenizer *t =
                tokenizer_open_split(top_path(path), i == 2 ? "cl100k" : NULL, NULL, &e);
            ok(!t && strstr(e.msg, f->d_name), "%s: %s", f->d_name, e.msg);
            tokenizer_close(t);
            n++;
        }
    ok(n >= 20, "%d damaged files", n);
    closedir(d);
    ok(!tokenizer_open(top_path("tests/files/good-ranks.tiktoken"), &e) && strstr(e.msg, "--split"),
       "ranks without a split: %s", e.msg);
    ok(!tokenizer_open_split(top_path("tests/files/good-ranks.tiktoken"), "x", NULL, &e) &&
           e.kind == ERR_USAGE,
       "ranks with an unknown split: %s", e.msg);
    ok(!tokenizer_open_split(top_path("tests/files/good-llama.gguf"), "cl100k", NULL, &e) &&
           e.kind == ERR_USAGE,
       "a split for what needs none: %s", e.msg);
}

static char *slurp(const char *path, size_t *n)
{
    struct in *in = path ? in_open(path, 0, &e) : NULL;
    char *s = in ? in_all(in, 1 << 30, n, &e) : NULL;
    in_close(in);
    return s;
}

/* sample.txt in one piece. */
static void sample(const char *file, const char *split, const char *reference)
{
    char path[256];
    size_t n, n_want;
    snprintf(path, sizeof path, "data/tokenizers/%s", file);
    const char *from = shared_path(path);
    char *s = slurp(shared_path("data/tokenizers/vectors/sample.txt"), &n);
    snprintf(path, sizeof path, "data/tokenizers/vectors/%s.u32.gz", reference);
    char *want = slurp(shared_path(path), &n_want);
    if (!from || !s || !want) {
        skip(1, "no reference");
    } else {
        struct tokenizer *t = tokenizer_open_split(from, split, NULL, &e);
        struct encoder *x = t ? encoder_new(t, &e) : NULL;
        struct ids ids = {0};
        if (!ok(x && encoder_run(x, s, n, 0, NULL, 0, &ids, &e) == 0 && ids.n * 4 == n_want &&
                    memcmp(ids.v, want, n_want) == 0,
                "%s: the ids of %s on sample.txt", file, reference))
            diag("%zu ids, not %zu; %s", ids.n, n_want / 4, e.msg);
        ids_release(&ids);
        encoder_free(x);
        tokenizer_close(t);
    }
    free(s);
    free(want);
}

/* llama.cpp's cases: texts with a line between them, and a line of ids for each. */
static void llama_cases(const char *file, const char *vectors)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char path[256];
    size_t n_in, n_out;
    snprintf(path, sizeof path, "data/tokenizers/vectors/llama.cpp/ggml-vocab-%s.gguf.inp",
             vectors);
    char *in = slurp(shared_path(path), &n_in);
    snprintf(path, sizeof path, "data/tokenizers/vectors/llama.cpp/ggml-vocab-%s.gguf.out",
             vectors);
    char *out = slurp(shared_path(path), &n_out);
    const char *from = shared_path(file);
    if (!from || !in || !out) {
        skip(1, "no reference");
        free(in);
        free(out);
        return;
    }
    struct tokenizer *t = tokenizer_open(from, &e);
    struct encoder *x = t ? encoder_new(t, &e) : NULL;
    struct ids ids = {0};
    int n = 0, n_same = 0;
    const char *line = out;
    for (char *text = in, *next; x && text; text = next) {
        char *end = strstr(text, mark);
        next = end ? end + sizeof mark - 1 : NULL;
        size_t len = end ? (size_t)(end - text) : strlen(text), k = 0;
        ids.n = 0;
        bool same = encoder_run(x, text, len, 0, NULL, 0, &ids, &e) == 0;
        for (char *after; *line && *line != '\n'; line = after) {
            unsigned long id = strtoul(line, &after, 10);
            if (after == line)
                break;
            same = same && k < ids.n && ids.v[k] == id;
            k++;
            while (*after == ' ')
                after++;
        }
        line += *line == '\n';
        n_same += same && k == ids.n;
        if (!same || k != ids.n)
            diag("%s: text %d differs", vectors, n + 1);
        n++;
    }
    ok(n > 40 && n_same == n, "%s: %d of %d texts of llama.cpp's %s", file, n_same, n, vectors);
    if (!x)
        diag("%s", e.msg);
    ids_release(&ids);
    encoder_free(x);
    tokenizer_close(t);
    free(in);
    free(out);
}

int main(void)
{
    cases();
    refused();
    sample("ranks/r50k_base.tiktoken.gz", "r50k", "tiktoken.r50k_base");
    sample("ranks/cl100k_base.tiktoken.gz", "cl100k", "tiktoken.cl100k_base");
    sample("ranks/o200k_base.tiktoken.gz", "o200k", "tiktoken.o200k_base");
    sample("sp/mistral01.model", NULL, "hf.mistral_v1");
    static const char *const gguf[] = {"bert-bge",  "deepseek-coder", "falcon",   "gpt-2",
                                       "llama-spm", "phi-3",          "starcoder"};
    for (size_t i = 0; i < ARRAY_LEN(gguf); i++) {
        char file[64];
        snprintf(file, sizeof file, "data/gguf-vocab/%s.gguf", gguf[i]);
        llama_cases(file, gguf[i]);
    }
    llama_cases("data/tokenizers/hf/gpt2.tokenizer.json.gz", "gpt-2");
    llama_cases("data/tokenizers/hf/qwen3.tokenizer.json.gz", "qwen2");
    llama_cases("data/tokenizers/hf/qwen3.tokenizer.json.gz", "deepseek-r1-qwen");
    return done_testing();
}
