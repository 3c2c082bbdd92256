/* tokenize: documents to token ids. See tokenize(1). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/prog.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/sys.h"
#include "io/apart.h"
#include "io/docflow.h"
#include "io/out.h"
#include "quern/shard.h"
#include "quern/tokenizer.h"
#include "shard/prov.h"

/* What the threads have of their own. */
struct worker {
    struct encoder *encoder;
    struct ids ids;
    struct offsets offsets;
};

/* Where the ids of a document stand in docflow_more(). */
struct result {
    size_t at, n;
};

struct tokenize {
    struct prog *prog;
    struct docs_opt docs_opt;
    const char *tokenizer_path, *out_path, *bos, *eos, *pad, *split, *split_regex;
    bool convert, text_ids, offsets, no_embed, deflate, quiet, progress;
    int verbose;
    int64_t n_threads;

    struct tokenizer *tokenizer;
    struct worker *workers;
    struct docs *docs;
    struct shard_out *shard;
    struct out *out; /* --text-ids */
    struct buf line;
    struct progress bar;
    uint64_t n_tokens;
};

static int blame(const struct doc *doc, struct err *e)
{
    return doc->line ? err_prefix(e, "%s:%" PRIu64 ": ", doc->file, doc->line)
                     : err_prefix(e, "%s: ", doc->file);
}

/* A buffer's memory for ids that go behind those in it, to spare copying them: both are malloc's.
 */
static void lend(struct buf *b, struct ids *ids)
{
    *ids = (struct ids){.v = b->cap ? (uint32_t *)(void *)b->s : NULL,
                        .n = b->len / sizeof *ids->v,
                        .cap = b->cap / sizeof *ids->v};
    *b = (struct buf)BUF_INIT;
}

static void give_back(struct buf *b, const struct ids *ids)
{
    if (ids->cap)
        *b = (struct buf){
            .s = (char *)ids->v, .len = ids->n * sizeof *ids->v, .cap = ids->cap * sizeof *ids->v};
}

static int encode_doc(void *user, const struct doc *doc, int thread, void *result, struct err *e)
{
    struct tokenize *t = user;
    struct worker *w = &t->workers[thread];
    struct result *r = result;
    struct buf *more = docflow_more(result);
    r->at = more->len;
    if (!t->offsets) {
        struct ids ids;
        lend(more, &ids);
        int rc = encoder_run(w->encoder, doc->text, doc->len, ENCODE_VALID, NULL, 0, &ids, e);
        give_back(more, &ids);
        r->n = (more->len - r->at) / sizeof *ids.v;
        return rc < 0 ? blame(doc, e) : 0;
    }
    w->ids.n = 0;
    w->offsets.n = 0;
    if (encoder_offsets(w->encoder, doc->text, doc->len, ENCODE_VALID, NULL, 0, &w->ids,
                        &w->offsets, e) < 0)
        return blame(doc, e);
    r->n = w->ids.n;
    if (buf_add(more, w->ids.v, w->ids.n * sizeof *w->ids.v, e) < 0)
        return -1;
    return buf_add(more, w->offsets.v, w->ids.n * sizeof *w->offsets.v, e);
}

static int put_line(struct tokenize *t, const uint32_t *ids, size_t n, struct err *e)
{
    enum { MOST_DIGITS = 11 };
    buf_clear(&t->line);
    if (buf_reserve(&t->line, n * MOST_DIGITS + 1, e) < 0)
        return -1;
    char *p = t->line.s;
    for (size_t i = 0; i < n; i++) {
        char digits[MOST_DIGITS];
        int k = 0;
        uint32_t v = ids[i];
        do
            digits[k++] = (char)('0' + v % 10);
        while (v /= 10);
        if (i)
            *p++ = ' ';
        while (k)
            *p++ = digits[--k];
    }
    *p++ = '\n';
    return out_write(t->out, t->line.s, (size_t)(p - t->line.s), e);
}

/* ID:FROM-TO, the spans stand behind the ids in memory. */
static int put_offsets(struct tokenize *t, const uint32_t *ids, size_t n, struct err *e)
{
    const char *spans = (const char *)(ids + n);
    buf_clear(&t->line);
    for (size_t i = 0; i < n; i++) {
        struct text_span k;
        memcpy(&k, spans + i * sizeof k, sizeof k);
        if (buf_printf(&t->line, e, "%s%" PRIu32 ":%zu-%zu", i ? " " : "", ids[i], k.from, k.to) <
            0)
            return -1;
    }
    if (buf_putc(&t->line, '\n', e) < 0)
        return -1;
    return out_write(t->out, t->line.s, t->line.len, e);
}

static int put_doc(void *user, const struct doc *doc, const void *result, struct err *e)
{
    struct tokenize *t = user;
    const struct result *r = result;
    const uint32_t *ids = (const uint32_t *)(const void *)(docflow_more(result)->s + r->at);
    (void)doc;
    t->n_tokens += r->n;
    if (t->offsets)
        return put_offsets(t, ids, r->n, e);
    return t->out ? put_line(t, ids, r->n, e) : shard_put(t->shard, ids, NULL, r->n, e);
}

static int show_progress(void *user, struct err *e)
{
    struct tokenize *t = user;
    double done;
    char tokens[32], extra[64];
    (void)e;
    docs_progress(t->docs, &done, &t->bar.total);
    snprintf(extra, sizeof extra, "%s tokens", num_human(tokens, (double)t->n_tokens));
    progress_at(&t->bar, done, extra);
    return 0;
}

static int find_specials(struct tokenize *t, struct special_ids *s, struct err *e)
{
    static const char *const names[] = {"BOS", "EOS", "PAD"};
    if (tokenizer_specials(t->tokenizer, t->tokenizer_path, t->bos, t->eos, t->pad, s, e) < 0)
        return -1;
    const int64_t ids[] = {s->bos, s->eos, s->pad};
    for (int i = 0; i < 3; i++) {
        size_t n = 0;
        const char *token = NULL;
        if (ids[i] >= 0)
            token = tokenizer_bytes(t->tokenizer, (uint32_t)ids[i], &n);
        if (token)
            prog_talk(t->prog, "%s: %" PRId64 " %.*s (%s)", names[i], ids[i], (int)n, token,
                      s->where[i]);
        else
            prog_talk(t->prog, "%s: none (%s)", names[i], s->where[i]);
    }
    return 0;
}

static int open_shard(struct tokenize *t, const struct special_ids *s, struct err *e)
{
    struct buf prov = BUF_INIT;
    struct shard_head h = {
        .vocab_size = tokenizer_vocab_size(t->tokenizer),
        .bos = s->bos,
        .eos = s->eos,
        .pad = s->pad,
    };
    if (tokenizer_fingerprint(t->tokenizer, h.fingerprint, e) < 0)
        return -1;
    if (!t->no_embed)
        h.tokenizer = tokenizer_json(t->tokenizer, &h.tokenizer_len);
    if (prov_add(&prov, "tokenize", t->prog->opts, e) == 0) {
        h.provenance = prov.s;
        t->shard =
            shard_create(t->out_path ? t->out_path : "-", &h, t->deflate ? SHARD_DEFLATE : 0, e);
    }
    buf_release(&prov);
    return t->shard ? 0 : -1;
}

/* The tokenizer as a tokenizer.json. It has been read as such a one, so others will too. */
static int convert(struct tokenize *t, struct err *e)
{
    size_t n;
    t->tokenizer = tokenizer_open_split(t->tokenizer_path, t->split, t->split_regex, e);
    if (!t->tokenizer)
        return -1;
    prog_talk(t->prog, "%s", tokenizer_describe(t->tokenizer));
    const char *json = tokenizer_json(t->tokenizer, &n);
    struct out *out = t->out = out_open(t->out_path, 0, e);
    if (!out || out_write(out, json, n, e) < 0)
        return -1;
    t->out = NULL;
    return out_commit(out, e);
}

static int check_usage(const struct tokenize *t, struct err *e)
{
    if (!t->tokenizer_path)
        return err_usage(e, "-t names the tokenizer.json, or the directory that holds one");
    if (t->convert && (t->text_ids || t->no_embed || t->deflate || t->prog->n_operands))
        return err_usage(e, "--convert writes the tokenizer, and reads and writes nothing else");
    if (t->offsets && !t->text_ids)
        return err_usage(e, "--offsets are written beside the ids of --text-ids");
    if (t->text_ids && (t->no_embed || t->deflate))
        return err_usage(e, "--text-ids writes no shard, so %s has no meaning",
                         t->no_embed ? "--no-embed" : "-z");
    if ((t->text_ids || t->convert) && (t->bos || t->eos || t->pad))
        return err_usage(e, "%s writes no shard, so --bos, --eos and --pad have no meaning",
                         t->convert ? "--convert" : "--text-ids");
    const char *given = t->convert ? docs_given(t->prog->opts) : NULL;
    if (given)
        return err_usage(e, "--convert reads no documents, so --%s has no meaning", given);
    return docs_check_key(t->prog->opts, &t->docs_opt, e);
}

static int check_files(const struct tokenize *t, struct err *e)
{
    const struct file_use use[] = {
        {t->convert ? FILE_IN : FILE_KEEP, "-t", t->tokenizer_path},
        {FILE_REPLACE, "-o", t->out_path ? t->out_path : "-"},
        {FILE_OUT, "--rejected", t->docs_opt.rejected},
    };
    return files_apart(t->convert ? NULL : t->prog->operands, t->prog->n_operands, use,
                       ARRAY_LEN(use), e);
}

static int open_all(struct tokenize *t, struct err *e)
{
    t->tokenizer = tokenizer_open_split(t->tokenizer_path, t->split, t->split_regex, e);
    if (!t->tokenizer)
        return -1;
    prog_talk(t->prog, "%s", tokenizer_describe(t->tokenizer));
    struct special_ids specials;
    if ((!t->text_ids || t->verbose) && find_specials(t, &specials, e) < 0)
        return -1;
    t->workers = mem_new((size_t)t->n_threads, sizeof *t->workers, e);
    if (!t->workers)
        return -1;
    for (int64_t i = 0; i < t->n_threads; i++)
        if (!(t->workers[i].encoder =
                  i ? encoder_new_beside(t->workers[0].encoder, e) : encoder_new(t->tokenizer, e)))
            return -1;
    t->docs = docs_open(t->prog->operands, t->prog->n_operands, &t->docs_opt, e);
    if (!t->docs)
        return -1;
    if (!t->text_ids)
        return open_shard(t, &specials, e);
    t->out = out_open(t->out_path, 0, e);
    return t->out ? 0 : -1;
}

static int commit(struct tokenize *t, struct err *e)
{
    struct docs_counts counts;
    struct docs *docs = t->docs;
    struct out *out = t->out;
    struct shard_out *shard = t->shard;
    uint64_t n_lost = 0;
    t->docs = NULL;
    if (docs_close(docs, &counts, e) < 0)
        return -1;
    t->out = NULL;
    t->shard = NULL;
    if (out ? out_commit(out, e) < 0 : shard_commit(shard, NULL, e) < 0)
        return -1;
    for (int64_t i = 0; i < t->n_threads; i++)
        n_lost += encoder_lost(t->workers[i].encoder);
    if (n_lost)
        prog_warn(t->prog,
                  "%" PRIu64 " bytes of text were left out: the vocabulary has no token for them",
                  n_lost);
    prog_note(t->prog, "%" PRIu64 " documents, %" PRIu64 " bytes of text, %" PRIu64 " tokens",
              counts.n_docs, counts.n_bytes, t->n_tokens);
    if (counts.n_skipped || counts.n_replaced)
        prog_note(t->prog,
                  "%" PRIu64 " bad records skipped, %" PRIu64 " repaired (invalid UTF-8 replaced)",
                  counts.n_skipped, counts.n_replaced);
    return 0;
}

static int run(struct tokenize *t, struct err *e)
{
    struct docflow flow = {
        .work = encode_doc,
        .put = put_doc,
        .done = show_progress,
        .result_size = sizeof(struct result),
    };
    if (check_usage(t, e) < 0 || check_files(t, e) < 0)
        return -1;
    if (t->convert)
        return convert(t, e);
    if (open_all(t, e) < 0)
        return -1;
    progress_start(&t->bar, "tokenize", "B", 0, t->progress, t->quiet);
    int rc = docflow_run(&flow, t, t->docs, &t->docs_opt, (int)t->n_threads, e);
    progress_finish(&t->bar);
    return rc < 0 ? -1 : commit(t, e);
}

static void release(struct tokenize *t)
{
    out_abort(t->out);
    shard_abort(t->shard);
    docs_abort(t->docs);
    for (int64_t i = 0; t->workers && i < t->n_threads; i++) {
        encoder_free(t->workers[i].encoder);
        ids_release(&t->workers[i].ids);
        offsets_release(&t->workers[i].offsets);
    }
    free(t->workers);
    tokenizer_close(t->tokenizer);
    buf_release(&t->line);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct tokenize t = {.docs_opt = DOCS_OPT_INIT, .line = BUF_INIT};
    struct opt opts[] = {
        {.kind = OPT_STR,
         .letter = 't',
         .name = "tokenizer",
         .dst = &t.tokenizer_path,
         .arg = "FILE",
         .help = "the tokenizer.json, a directory that holds one, or a file of another format"},
        {.kind = OPT_STR,
         .name = "split",
         .dst = &t.split,
         .arg = "NAME",
         .help = "how text is split for ranks of tiktoken: r50k, cl100k, o200k, llama3 or qwen2"},
        {.kind = OPT_STR,
         .name = "split-regex",
         .dst = &t.split_regex,
         .arg = "RE",
         .help = "the same, by a regular expression whose matches are pieces"},
        {.kind = OPT_FLAG,
         .name = "convert",
         .dst = &t.convert,
         .help = "write the tokenizer as a tokenizer.json, and nothing else"},
        OPT_OUTPUT(&t.out_path),
        {.kind = OPT_FLAG,
         .name = "text-ids",
         .dst = &t.text_ids,
         .help = "write ids as text, a document a line, instead of a shard"},
        {.kind = OPT_FLAG,
         .name = "offsets",
         .dst = &t.offsets,
         .help = "with --text-ids: where in the document each id stands, as ID:FROM-TO"},
        {.kind = OPT_FLAG,
         .name = "no-embed",
         .dst = &t.no_embed,
         .help = "do not put the tokenizer.json into the shard"},
        {.kind = OPT_FLAG,
         .letter = 'z',
         .name = "deflate",
         .dst = &t.deflate,
         .help = "deflate the shard's blocks"},
        {.kind = OPT_STR,
         .name = "bos",
         .dst = &t.bos,
         .arg = "TOKEN",
         .utf8 = true,
         .shapes_output = true,
         .help = "the token that begins a document, or none (it is noted, not written)"},
        {.kind = OPT_STR,
         .name = "eos",
         .dst = &t.eos,
         .arg = "TOKEN",
         .utf8 = true,
         .shapes_output = true,
         .help = "the token that ends a document, or none (it is noted, not written)"},
        {.kind = OPT_STR,
         .name = "pad",
         .dst = &t.pad,
         .arg = "TOKEN",
         .utf8 = true,
         .shapes_output = true,
         .help = "the token that fills up, or none (it is noted, not written)"},
        DOCS_OPTIONS(&t.docs_opt),
        OPT_THREADS(&t.n_threads),
        {.kind = OPT_FLAG,
         .name = "progress",
         .dst = &t.progress,
         .help = "show progress also where stderr is no terminal"},
        OPT_QUIET(&t.quiet),
        OPT_VERBOSE(&t.verbose),
        OPT_END,
    };
    struct prog p = {.name = "tokenize",
                     .purpose = "turn documents into token ids",
                     .synopsis =
                         "-t tokenizer.json [-o x.tok] [--text-ids [--offsets]] [--no-embed] [-z] "
                         "[FILE...]\n"
                         "-t FILE [--split NAME | --split-regex RE] --convert [-o tok.json]\n",
                     .opts = opts};
    int rc = -1;
    t.prog = &p;
    if (prog_begin(&p, argc, argv, &e)) {
        p.quiet = t.quiet;
        p.verbose = t.verbose;
        sig_cleanup();
        if (t.n_threads == 0)
            t.n_threads = sys_n_cpu();
        rc = run(&t, &e);
    }
    release(&t);
    opt_release(opts);
    return prog_end(&p, rc, &e);
}
