/* perplexity: how well a model predicts text. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include "base/compiler.h"
#include "base/num.h"
#include "base/prog.h"
#include "base/signals.h"
#include "base/sys.h"
#include "eval/perplexity.h"
#include "io/apart.h"
#include "io/docs.h"
#include "io/in.h"
#include "io/out.h"

static struct docs_opt docs = DOCS_OPT_INIT;
static const char *model, *per_document;
static int64_t n_ctx, stride, n_threads;
static int gemm, dtype, verbose;
static bool no_bos, json, quiet;

/* clang-format off */
static struct opt opts[] = {
    {.kind = OPT_STR, .letter = 'm', .name = "model", .dst = &model, .arg = "DIR",
     .help = "the model's directory, or a run's"},
    {.kind = OPT_INT, .name = "context", .dst = &n_ctx, .arg = "N", .min = 1, .max = INT32_MAX / 4,
     .help = "tokens that the model sees at once (default: its context)"},
    {.kind = OPT_INT, .name = "stride", .dst = &stride, .arg = "N", .min = 1, .max = INT32_MAX / 4,
     .help = "step of the windows of a longer document (default: half the context)"},
    {.kind = OPT_FLAG, .name = "no-bos", .dst = &no_bos,
     .help = "put no token before a document; its first token is context only"},
    {.kind = OPT_STR, .name = "per-document", .dst = &per_document, .arg = "FILE",
     .help = "write a line for each document to FILE, as TSV"},
    OPT_JSON(&json),
    DOCS_OPTIONS(&docs),
    {.kind = OPT_CHOICE, .name = "dtype", .dst = &dtype, .arg = "f32|bf16", .choices = gemm_dtype_words,
     .help = "inputs of the matrix products (default {})"},
    {.kind = OPT_CHOICE, .name = "gemm", .dst = &gemm, .arg = "own|openblas|ref", .choices = gemm_backend_words,
     .help = "matrix products by (default {})"},
    OPT_THREADS(&n_threads), OPT_QUIET(&quiet), OPT_VERBOSE(&verbose),
    OPT_END,
};
/* clang-format on */

static int write_row(void *user, const struct ppl_doc *d, struct err *e)
{
    struct out *o = user;

    if (out_printf(o, e, "%" PRIu64 "\t%" PRIu64 "\t", d->number, d->n_tokens) < 0)
        return -1;
    if (d->has_text)
        return out_printf(o, e, "%" PRIu64 "\t%" PRIu64 "\t%.9g\n", d->n_bytes, d->n_words,
                          d->nats);
    return out_printf(o, e, "\t\t%.9g\n", d->nats);
}

/* A figure, or null where it has no meaning. */
static void show_json(const char *key, double v, bool known)
{
    if (known && isfinite(v))
        printf(", \"%s\": %.9g", key, v);
    else
        printf(", \"%s\": null", key);
}

static void show_line(const char *what, double v, bool known)
{
    if (known && isfinite(v))
        printf("%-16s %.6g\n", what, v);
}

static void show(const struct ppl_sum *s, const char *signature)
{
    double per_token = s->nats / (double)s->n_tokens;
    double bits = s->nats / ((double)s->n_bytes * log(2));
    double words = exp(s->nats / (double)s->n_words);

    if (json) {
        printf("{\"tokens\": %" PRIu64, s->n_tokens);
        show_json("bytes", (double)s->n_bytes, s->has_text);
        show_json("words", (double)s->n_words, s->has_text);
        show_json("nats_per_token", per_token, s->n_tokens > 0);
        show_json("perplexity", exp(per_token), s->n_tokens > 0);
        show_json("word_perplexity", words, s->has_text && s->n_words > 0);
        show_json("bits_per_byte", bits, s->has_text && s->n_bytes > 0);
        printf(", \"signature\": \"%s\"}\n", signature);
        return;
    }
    printf("%-16s %" PRIu64 "\n", "documents", s->n_docs);
    printf("%-16s %" PRIu64 "\n", "tokens", s->n_tokens);
    show_line("nats/token", per_token, s->n_tokens > 0);
    show_line("perplexity", exp(per_token), s->n_tokens > 0);
    show_line("word perplexity", words, s->has_text && s->n_words > 0);
    show_line("bits/byte", bits, s->has_text && s->n_bytes > 0);
    printf("%-16s %s\n", "signature", signature);
}

/* Texts; in is the first one, open already. */
static int read_texts(struct ppl *p, struct in *in, char **paths, int n, struct err *e)
{
    struct doc doc;
    struct docs *d = docs_open(paths, n, &docs, e);
    int r = -1;

    if (d)
        docs_take_first(d, in);
    else
        in_close(in);
    while (d && (r = docs_next(d, &doc, e)) > 0)
        if ((r = ppl_text(p, doc.text, doc.len, e)) < 0)
            break;
    if (r == 0)
        return docs_close(d, NULL, e);
    docs_abort(d);
    return -1;
}

static int read_shard(struct ppl *p, struct in *in, struct err *e)
{
    struct shard_in *s = shard_open_in(in, e);
    int rc = s ? ppl_shard(p, s, e) : -1;

    shard_close(s);
    return rc;
}

/* Shards are known by their magic, whatever they are called. 1, 0, or -1. */
static int is_shard(struct in *in, struct err *e)
{
    const unsigned char *p;
    long n = in_peek(in, &p, 8, e);

    return n < 0 ? -1 : n == 8 && memcmp(p, "\x89TOK\r\n\x1a\n", 8) == 0;
}

/* Whether a later operand is text that can be read together with those before it: not so where
 * looking would take the bytes away. */
static bool is_text_file(const char *path)
{
    struct stat st;

    if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    struct in *in = in_open(path, 0, NULL);
    bool text = in && is_shard(in, NULL) == 0;
    in_close(in);
    return text;
}

/* Options of documents without a document are a mistake. Whether there is one is known before a
 * shard is read unless one of those behind it (the rest) is no regular file; at the latest when
 * all are read. */
static int check_shards(char **rest, int n, bool read, struct err *e)
{
    const char *given = docs_given(opts);
    struct stat st;

    for (int i = 0; given && !read && i < n; i++)
        if (stat(rest[i], &st) != 0 || !S_ISREG(st.st_mode) || is_text_file(rest[i]))
            return 0;
    return given ? err_usage(e, "--%s is for texts, and shards hold token ids", given) : 0;
}

static int read_inputs(struct ppl *p, char **paths, int n, struct err *e)
{
    static char dash[] = "-";
    char *only[] = {dash};
    int n_texts = 0, end;

    if (n == 0) {
        paths = only;
        n = 1;
    }
    for (int i = 0; i < n; i = end) {
        struct in *in = in_open(paths[i], 0, e);
        int shard = in ? is_shard(in, e) : -1;
        end = i + 1;
        if (shard < 0) {
            in_close(in);
            return -1;
        }
        while (!shard && end < n && is_text_file(paths[end]))
            end++;
        if (!shard && n_texts++ && docs.rejected) {
            in_close(in);
            return err_usage(e, "--rejected: the texts must stand together, not between shards");
        }
        if (shard && n_texts == 0 && check_shards(paths + end, n - end, false, e) < 0) {
            in_close(in);
            return -1;
        }
        if ((shard ? read_shard(p, in, e) : read_texts(p, in, paths + i, end - i, e)) < 0)
            return -1;
    }
    return n_texts == 0 ? check_shards(NULL, 0, true, e) : 0;
}

static int check_files(const struct prog *prog, struct err *e)
{
    const struct file_use use[] = {{FILE_KEEP, "-m", model},
                                   {FILE_OUT, "the result", "-"},
                                   {FILE_OUT, "--per-document", per_document},
                                   {FILE_OUT, "--rejected", docs.rejected}};

    return files_apart(prog->operands, prog->n_operands, use, ARRAY_LEN(use), e);
}

static int run(struct prog *prog, struct err *e)
{
    struct modeldir d = {0};
    struct out *rows = NULL;
    struct ppl *p = NULL;
    struct ppl_sum sum;
    struct buf signature = BUF_INIT;
    enum isa isa;
    int rc = -1;

    if (!model)
        return err_usage(e, "-m DIR is missing: the model");
    if (docs_check_key(opts, &docs, e) < 0 || check_files(prog, e) < 0 || cpu_isa(&isa, e) < 0 ||
        gemm_backend_check((enum gemm_backend)gemm, (enum gemm_dtype)dtype, e) < 0 ||
        modeldir_open(&d, model, 0, e) < 0)
        return -1;
    sig_cleanup();
    if (per_document && (!(rows = out_open(per_document, 0, e)) ||
                         out_printf(rows, e, "document\ttokens\tbytes\twords\tnats\n") < 0))
        goto out;
    struct ppl_options o = {.n_ctx = (int)n_ctx,
                            .stride = (int)stride,
                            .no_bos = no_bos,
                            .n_threads = n_threads ? (int)n_threads : sys_n_cpu(),
                            .dtype = (enum gemm_dtype)dtype,
                            .gemm = (enum gemm_backend)gemm,
                            .per_doc = rows ? write_row : NULL,
                            .user = rows};
    if (!(p = ppl_new(&d, &o, e)) || read_inputs(p, prog->operands, prog->n_operands, e) < 0 ||
        ppl_finish(p, &sum, e) < 0 || ppl_signature(p, &signature, e) < 0)
        goto out;
    if (sum.n_tokens == 0 && !json) {
        err_set(e, "no token to score");
        goto out;
    }
    rc = 0;
    if (rows) {
        rc = out_commit(rows, e);
        rows = NULL;
    }
    if (rc == 0)
        show(&sum, signature.s);
out:
    out_abort(rows);
    ppl_free(p);
    modeldir_close(&d);
    buf_release(&signature);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct prog p = {.name = "perplexity",
                     .purpose = "how well a language model predicts text",
                     .synopsis = "-m DIR [options] [FILE...]\n",
                     .opts = opts};

    gemm = gemm_backend_default();
    if (!prog_begin(&p, argc, argv, &e))
        return prog_end(&p, -1, &e);
    p.quiet = quiet;
    p.verbose = verbose;
    int rc = run(&p, &e);
    return prog_end(&p, rc, &e);
}
