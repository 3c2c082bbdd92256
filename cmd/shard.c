/*
 * shard: tells about token shards and makes shards from shards. Over 500 lines because each of ten
 * subcommands has its own options; what they do is in lib/shard.
 *
 *   1 options and plumbing    2 info, check, stat    3 cat, head, shuffle, mix, split
 *   4 import, export          5 the table
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/prog.h"
#include "base/progress.h"
#include "base/signals.h"
#include "io/out.h"
#include "quern/shard.h"
#include "quern/tokenizer.h"
#include "shard/mix.h"
#include "shard/prov.h"
#include "shard/rawids.h"
#include "shard/report.h"
#include "shard/set.h"
#include "shard/shardstat.h"
#include "shard/shuffle.h"
#include "shard/cut.h"
#include "shard/verify.h"

/* ---- 1 options and plumbing */

static struct {
    bool quiet, json, deflate, no_embed, progress;
    int verbose;
    const char *output, *tokenizer;
    int64_t top, head_docs, seed, mix_tokens, sep;
    uint64_t mem;
    int until, unit;
    const char *at, *rest;
    bool u16, u32, ids, tokenizer_json, llmc;
    int64_t doc_len, vocab_size, bos, eos, pad;
} given = {.top = 10, .head_docs = 10, .sep = -1, .mem = 1 << 30, .bos = -1, .eos = -1, .pad = -1};

/* A line for each option; SHAPES: it goes into the provenance. */
#define FLAG(LETTER, NAME, DST, HELP)                                                     \
    {                                                                                     \
        .kind = OPT_FLAG, .letter = LETTER, .name = NAME, .dst = &given.DST, .help = HELP \
    }
#define STR(LETTER, NAME, DST, ARG, SHAPES, HELP)                                       \
    {                                                                                   \
        .kind = OPT_STR, .letter = LETTER, .name = NAME, .dst = &given.DST, .arg = ARG, \
        .shapes_output = SHAPES, .help = HELP                                           \
    }
#define INT(LETTER, NAME, DST, ARG, MIN, MAX, SHAPES, HELP)                             \
    {                                                                                   \
        .kind = OPT_INT, .letter = LETTER, .name = NAME, .dst = &given.DST, .arg = ARG, \
        .min = MIN, .max = MAX, .shapes_output = SHAPES, .help = HELP                   \
    }
#define CHOICE(NAME, DST, ARG, WORDS, HELP)                                                \
    {                                                                                      \
        .kind = OPT_CHOICE, .name = NAME, .dst = &given.DST, .arg = ARG, .choices = WORDS, \
        .shapes_output = true, .help = HELP                                                \
    }
#define ID(NAME, DST, SHAPES, HELP) INT(0, NAME, DST, "ID", -1, UINT32_MAX - 1, SHAPES, HELP)
#define PROGRESS                    FLAG(0, "progress", progress, "show progress even where stderr is no terminal")
#define TOKENIZER(HELP)             STR('t', "tokenizer", tokenizer, "FILE", false, HELP)
#define JSON                        OPT_JSON(&given.json)
#define SPEECH                      OPT_QUIET(&given.quiet), OPT_VERBOSE(&given.verbose), OPT_END
/* What writes a shard has these. */
#define WRITER                                                                                    \
    OPT_OUTPUT(&given.output), FLAG('z', "deflate", deflate, "deflate the blocks of the output"), \
        FLAG(0, "no-embed", no_embed, "leave the tokenizer.json out of the output"), PROGRESS

static void begin_progress(const struct prog *p, struct progress *pr, const struct shard_set *in)
{
    double done, total = 0;
    if (in)
        shard_set_progress(in, &done, &total);
    progress_start(pr, p->name, in ? "B" : "tok", total, given.progress, given.quiet);
}

/* The head of the output: the inputs' with this program's line, without the tokenizer where
 * --no-embed asks. */
static int output_head(struct prog *p, const char *program, struct shard_head *h, struct buf *prov,
                       struct err *e)
{
    if (prov_add(prov, program, p->opts, e) < 0)
        return -1;
    h->provenance = prov->s;
    if (given.no_embed) {
        h->tokenizer = NULL;
        h->tokenizer_len = 0;
    }
    return 0;
}

static struct shard_out *create(struct prog *p, const char *program, const char *path,
                                struct shard_set *in, struct err *e)
{
    struct shard_head h = *shard_set_head(in);
    if (output_head(p, program, &h, shard_set_provenance(in), e) < 0)
        return NULL;
    return shard_create(path, &h, given.deflate ? SHARD_DEFLATE : 0, e);
}

static int commit(struct prog *p, struct shard_out *o, int rc, const char *path, struct err *e)
{
    struct shard_totals t;
    if (rc < 0) {
        shard_abort(o);
        return -1;
    }
    if (shard_commit(o, &t, e) < 0)
        return -1;
    prog_talk(p, "%s: %" PRIu64 " documents, %" PRIu64 " tokens, %" PRIu64 " bytes",
              path ? path : "stdout", t.n_docs, t.n_tokens, t.n_bytes);
    return 0;
}

static int print(struct buf *text, int rc)
{
    if (rc == 0)
        fwrite(text->s, 1, text->len, stdout);
    buf_release(text);
    return rc;
}

/* The tokenizer that -t names, or the one in the shard. NULL without error: there is none. */
static struct tokenizer *tokenizer_of(const struct shard_head *h, const char *name, struct err *e)
{
    unsigned char fingerprint[16];
    struct tokenizer *t;
    if (given.tokenizer) {
        t = tokenizer_open(given.tokenizer, e);
    } else if (h->tokenizer_len > 0) {
        size_t n;
        char *json = shard_tokenizer(h, name, &n, e);
        t = json ? tokenizer_parse(json, n, name, e) : NULL;
        free(json);
    } else {
        return NULL;
    }
    if (!t)
        return NULL;
    if (tokenizer_fingerprint(t, fingerprint, e) < 0) {
        tokenizer_close(t);
        return NULL;
    }
    if (!shard_has_fingerprint(h) || !memcmp(fingerprint, h->fingerprint, sizeof fingerprint))
        return t;
    err_set(e, "%s: the shard was made with another tokenizer than %s", name,
            given.tokenizer ? given.tokenizer : "the one embedded in it");
    tokenizer_close(t);
    return NULL;
}

/* ---- 2 info, check, stat */

/* From the footers where there are any at hand, else by reading everything. */
static int info_one(const char *path, struct err *e)
{
    struct shard_head h;
    struct shard_totals t;
    struct shard_doc d;
    struct buf text = BUF_INIT;
    int r = -1;
    if (shard_is_regular(path)) {
        if (shard_peek(path, &h, &t, e) < 0)
            return -1;
        r = report_info(&text, path, &h, &t, given.json, e);
        shard_head_release(&h);
        return print(&text, r);
    }
    struct shard_in *s = shard_open(path, e);
    if (!s)
        return -1;
    while ((r = shard_next_piece(s, &d, e)) > 0)
        ;
    shard_totals(s, &t);
    if (r == 0)
        r = report_info(&text, shard_name(s), shard_head(s), &t, given.json, e);
    shard_close(s);
    return print(&text, r);
}

static int each_operand(struct prog *p, int (*fn)(const char *path, struct err *e), struct err *e)
{
    if (p->n_operands == 0)
        return fn("-", e);
    for (int i = 0; i < p->n_operands; i++) {
        if (fn(p->operands[i], e) < 0)
            return -1;
    }
    return 0;
}

static int info_body(struct prog *p, struct err *e)
{
    return each_operand(p, info_one, e);
}

/* The embedded tokenizer must be the one that the head's fingerprint names. */
static int check_tokenizer(const char *name, const struct shard_head *h, struct err *e)
{
    if (h->tokenizer_len == 0)
        return 0;
    if (!shard_has_fingerprint(h))
        return err_set(e, "%s: a tokenizer is embedded, but the header names none", name);
    struct tokenizer *t = tokenizer_of(h, name, e);
    tokenizer_close(t);
    return t ? 0 : -1;
}

static int check_one(struct prog *p, const char *path, bool alone, struct err *e)
{
    struct progress pr;
    struct shard_totals t = {0};
    struct buf text = BUF_INIT;
    struct err why = {0};
    int rc = shard_verify(path, check_tokenizer, &pr, given.progress, given.quiet, &t, &why);
    if (rc < 0 && !alone)
        prog_warn(p, "%s", why.msg);
    else if (rc < 0)
        *e = why;
    if (given.json || !given.quiet)
        print(&text,
              report_check(&text, strcmp(path, "-") ? path : "stdin", &t, &why, given.json, NULL));
    return rc;
}

/* Every operand is looked at; the messages of bad ones go to stderr as they are found. */
static int check_body(struct prog *p, struct err *e)
{
    int n = p->n_operands, n_bad = 0;
    if (n <= 1)
        return check_one(p, n ? p->operands[0] : "-", true, e);
    for (int i = 0; i < n; i++)
        n_bad += check_one(p, p->operands[i], false, e) < 0;
    return n_bad ? err_set(e, "%d of %d shards are bad", n_bad, n) : 0;
}

static int print_stat(const struct shardstat *st, const struct tokenizer *t, struct err *e)
{
    size_t n = (size_t)given.top;
    struct buf text = BUF_INIT;
    int rc = -1;
    struct shardstat_id *top = mem_new(n, sizeof *top, e);
    const char **bytes = mem_new(n, sizeof *bytes, e);
    size_t *len = mem_new(n, sizeof *len, e);
    if (top && bytes && len) {
        n = shardstat_top(st, n, top);
        for (size_t i = 0; t && i < n; i++)
            bytes[i] = tokenizer_bytes(t, top[i].id, &len[i]);
        rc = report_stat(&text, st, &(struct report_tokens){top, n, bytes, len}, given.json, e);
    }
    free(top);
    free(bytes);
    free(len);
    return print(&text, rc);
}

static int stat_body(struct prog *p, struct err *e)
{
    struct shard_doc d;
    struct progress pr;
    struct tokenizer *t = NULL;
    struct shardstat *st = NULL;
    double done, total;
    int r = -1;
    struct shard_set *s = shard_set_open(p->operands, p->n_operands, 0, e);
    if (!s)
        return -1;
    const struct shard_head *h = shard_set_head(s);
    t = tokenizer_of(h, p->n_operands ? p->operands[0] : "stdin", e);
    if ((t || !(h->tokenizer_len || given.tokenizer)) && (st = shardstat_new(e)) != NULL) {
        begin_progress(p, &pr, s);
        while ((r = shard_set_next_piece(s, &d, e)) > 0) {
            if ((r = shardstat_piece(st, &d, e)) < 0)
                break;
            shard_set_progress(s, &done, &total);
            progress_at(&pr, done, NULL);
        }
        progress_finish(&pr);
    }
    if (r == 0)
        r = print_stat(st, t, e);
    shardstat_free(st);
    tokenizer_close(t);
    shard_set_close(s);
    return r;
}

/* ---- 3 cat, head, shuffle, mix, split */

static int copy_docs(struct shard_set *in, struct shard_out *out, uint64_t max_docs,
                     struct progress *pr, struct err *e)
{
    struct shard_doc d;
    double done, total;
    int r = 0;
    for (uint64_t n = 0; n < max_docs;) {
        r = shard_set_next_piece(in, &d, e);
        if (r <= 0)
            return r;
        if (shard_part(out, d.ids, d.weights, d.n, e) < 0 || (d.last && shard_part_end(out, e) < 0))
            return -1;
        n += d.last;
        shard_set_progress(in, &done, &total);
        progress_at(pr, done, NULL);
    }
    return 0;
}

static int copy_body(struct prog *p, const char *program, uint64_t max_docs, struct err *e)
{
    struct progress pr;
    int rc = -1;
    struct shard_set *in = shard_set_open(p->operands, p->n_operands, 0, e);
    struct shard_out *out = in ? create(p, program, given.output, in, e) : NULL;
    if (out) {
        begin_progress(p, &pr, in);
        rc = copy_docs(in, out, max_docs, &pr, e);
        progress_finish(&pr);
        rc = commit(p, out, rc, given.output, e);
    }
    shard_set_close(in);
    return rc;
}

static int cat_body(struct prog *p, struct err *e)
{
    return copy_body(p, "shard-cat", UINT64_MAX, e);
}

static int head_body(struct prog *p, struct err *e)
{
    return copy_body(p, "shard-head", (uint64_t)given.head_docs, e);
}

static int shuffle_body(struct prog *p, struct err *e)
{
    struct progress pr;
    struct shuffle_report rep;
    int rc = -1;
    struct shard_set *in = shard_set_open(p->operands, p->n_operands, 0, e);
    struct shard_out *out = in ? create(p, "shard-shuffle", given.output, in, e) : NULL;
    if (out) {
        begin_progress(p, &pr, in);
        rc = shuffle_run(in, out, (uint64_t)given.seed, given.mem, &pr, &rep, e);
        progress_finish(&pr);
        rc = commit(p, out, rc, given.output, e);
    }
    if (rc == 0 && rep.n_runs > 0)
        prog_talk(
            p, "%" PRIu64 " runs, %" PRIu64 " extra passes, %" PRIu64 " bytes in temporary files",
            rep.n_runs, rep.n_merges, rep.spill_bytes);
    shard_set_close(in);
    return rc;
}

static void report_mixed(const struct prog *p, const struct mix_source *src, int n)
{
    struct buf text = BUF_INIT;
    if (!p->quiet && report_mix(&text, src, n, given.json, NULL) == 0) {
        progress_clear();
        fputs(text.s, stderr);
    }
    buf_release(&text);
}

/* The weights are part of what shapes the output; the names of the files are not. */
static int mix_provenance_line(struct prog *p, struct mix *m, const struct mix_source *src, int n,
                               struct shard_head *h, struct err *e)
{
    char num[32];
    if (output_head(p, "shard-mix", h, mix_provenance(m), e) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        if (prov_value(mix_provenance(m), "weight", num_show_f64(num, src[i].weight), e) < 0)
            return -1;
    }
    h->provenance = mix_provenance(m)->s;
    return 0;
}

static int mix_sources(struct prog *p, struct mix_source *src, int n, struct err *e)
{
    struct progress pr;
    int rc = -1;
    struct shard_out *out = NULL;
    struct mix *m = mix_open(src, n, e);
    if (m) {
        struct shard_head h = *mix_head(m);
        if (mix_provenance_line(p, m, src, n, &h, e) == 0)
            out = shard_create(given.output, &h, given.deflate ? SHARD_DEFLATE : 0, e);
    }
    if (out) {
        begin_progress(p, &pr, NULL);
        rc = mix_run(m, (enum mix_until)given.until, (uint64_t)given.mix_tokens, out, &pr, e);
        progress_finish(&pr);
        rc = commit(p, out, rc, given.output, e);
    }
    if (rc == 0)
        report_mixed(p, src, n);
    mix_close(m);
    return rc;
}

static int mix_body(struct prog *p, struct err *e)
{
    int n = p->n_operands, rc = 0;
    if (n == 0)
        return err_usage(e, "what is to be mixed? Name WEIGHT:FILE, as in 0.7:a.tok 0.3:b.tok");
    struct mix_source *src = mem_new((size_t)n, sizeof *src, e);
    if (!src)
        return -1;
    for (int i = 0; i < n && rc == 0; i++)
        rc = mix_parse(&src[i], p->operands[i], e);
    if (rc == 0)
        rc = mix_sources(p, src, n, e);
    free(src);
    return rc;
}

/* Bytes of text of every id, by the tokenizer; caller frees. */
static uint32_t *id_lengths(const struct shard_head *h, const char *name, size_t *n, struct err *e)
{
    struct tokenizer *t = tokenizer_of(h, name, e);
    if (!t) {
        if (!given.tokenizer && h->tokenizer_len == 0)
            err_set(e,
                    "%s: no tokenizer is embedded, so the bytes of its text are not known; name "
                    "one with -t, or split by --unit token",
                    name);
        return NULL;
    }
    *n = tokenizer_vocab_size(t);
    uint32_t *len = mem_new(*n, sizeof *len, e);
    for (size_t i = 0; len && i < *n; i++) {
        size_t bytes = 0;
        if (tokenizer_bytes(t, (uint32_t)i, &bytes))
            len[i] = (uint32_t)bytes;
    }
    tokenizer_close(t);
    return len;
}

static int split_set(struct prog *p, struct shard_set *in, const struct split_at *at,
                     struct split_report *rep, struct err *e)
{
    struct progress pr;
    struct shard_out *rest = NULL, *first = create(p, "shard-split", given.output, in, e);
    if (!first)
        return -1;
    /* the same line: the two differ in what they hold, which --at and --unit say */
    struct shard_head h = *shard_set_head(in);
    if (given.no_embed)
        h.tokenizer_len = 0;
    rest = shard_create(given.rest, &h, given.deflate ? SHARD_DEFLATE : 0, e);
    int rc = -1;
    if (rest) {
        begin_progress(p, &pr, in);
        rc = split_run(in, at, first, rest, &pr, rep, e);
        progress_finish(&pr);
    }
    if (rc < 0) {
        shard_abort(first);
        shard_abort(rest);
        return -1;
    }
    if (commit(p, first, 0, given.output, e) < 0) {
        shard_abort(rest);
        return -1;
    }
    return commit(p, rest, 0, given.rest, e);
}

static int split_body(struct prog *p, struct err *e)
{
    struct split_at at = {.unit = (enum split_unit)given.unit};
    struct split_report rep = {0};
    uint32_t *lengths = NULL;
    int rc = -1;
    if (!given.at)
        return err_usage(e, "where? --at 90%% or --at N");
    if (!given.rest)
        return err_usage(e, "where does the second part go? --rest FILE");
    if (!strcmp(given.rest, given.output ? given.output : "-"))
        return err_usage(e, "both parts would go to %s",
                         strcmp(given.rest, "-") ? given.rest : "stdout");
    if (split_parse(&at, given.at, e) < 0) {
        err_prefix(e, "--at: ");
        if (e->kind == ERR_FAIL)
            e->kind = ERR_USAGE;
        return -1;
    }
    struct shard_set *in =
        shard_set_open(p->operands, p->n_operands, at.percent ? SHARD_SET_COUNTED : 0, e);
    if (!in)
        return -1;
    if (at.unit == SPLIT_BYTE) {
        lengths = id_lengths(shard_set_head(in), p->n_operands ? p->operands[0] : "stdin",
                             &at.n_id_bytes, e);
        at.id_bytes = lengths;
    }
    if (at.unit != SPLIT_BYTE || lengths)
        rc = split_set(p, in, &at, &rep, e);
    if (rc == 0 && rep.inside)
        prog_talk(p, "the cut lies within a document, which is two documents now");
    free(lengths);
    shard_set_close(in);
    return rc;
}

/* ---- 4 import, export */

static int take_form(enum raw_form *form, struct err *e)
{
    if (given.u16 + given.u32 + given.ids + given.tokenizer_json != 1)
        return err_usage(e, "exactly one of --u16, --u32 and --ids is needed");
    *form = given.u16 ? RAW_U16 : given.u32 ? RAW_U32 : RAW_TEXT;
    return 0;
}

static int import_tokenizer(struct prog *p, struct shard_head *h, struct tokenizer **t,
                            struct err *e)
{
    struct special_ids ids;
    *t = tokenizer_open(given.tokenizer, e);
    if (!*t)
        return -1;
    if (tokenizer_specials(*t, given.tokenizer, NULL, NULL, NULL, &ids, e) < 0)
        return -1;
    if (!opt_find(p->opts, "bos")->given)
        h->bos = ids.bos;
    if (!opt_find(p->opts, "eos")->given)
        h->eos = ids.eos;
    if (!opt_find(p->opts, "pad")->given)
        h->pad = ids.pad;
    if (h->vocab_size && h->vocab_size < tokenizer_vocab_size(*t))
        return err_usage(e, "--vocab-size %" PRIu64 " is below the tokenizer's %" PRIu32,
                         h->vocab_size, tokenizer_vocab_size(*t));
    if (!h->vocab_size)
        h->vocab_size = tokenizer_vocab_size(*t);
    if (tokenizer_fingerprint(*t, h->fingerprint, e) < 0)
        return -1;
    if (!given.no_embed)
        h->tokenizer = tokenizer_json(*t, &h->tokenizer_len);
    return 0;
}

static int import_files(struct prog *p, const struct raw_import *how, struct shard_out *out,
                        struct raw_report *rep, struct err *e)
{
    struct progress pr;
    int rc = p->n_operands ? 0 : -1;
    progress_start(&pr, p->name, "B", 0, given.progress, given.quiet);
    if (p->n_operands == 0)
        rc = raw_import("-", how, out, &pr, rep, e);
    for (int i = 0; i < p->n_operands && rc == 0; i++)
        rc = raw_import(p->operands[i], how, out, &pr, rep, e);
    progress_finish(&pr);
    return rc;
}

static int import_body(struct prog *p, struct err *e)
{
    struct raw_import how = {.doc_len = (uint64_t)given.doc_len, .sep = given.sep};
    struct shard_head h = {.vocab_size = (uint64_t)given.vocab_size,
                           .bos = given.bos,
                           .eos = given.eos,
                           .pad = given.pad};
    struct raw_report rep = {0};
    struct buf prov = BUF_INIT;
    struct tokenizer *t = NULL;
    struct shard_out *out = NULL;
    int rc = -1;
    if (take_form(&how.form, e) < 0)
        return -1;
    if (how.doc_len && how.sep >= 0)
        return err_usage(e, "--doc-len and --sep exclude each other");
    if (how.form == RAW_TEXT && (how.doc_len || how.sep >= 0))
        return err_usage(e, "--doc-len and --sep are for --u16 and --u32; with --ids a line is a "
                            "document");
    if (given.tokenizer && import_tokenizer(p, &h, &t, e) < 0)
        goto done;
    if (!h.vocab_size && how.form == RAW_U16)
        h.width = 2;
    if (output_head(p, "shard-import", &h, &prov, e) < 0)
        goto done;
    out = shard_create(given.output, &h, given.deflate ? SHARD_DEFLATE : 0, e);
    if (!out)
        goto done;
    rc = import_files(p, &how, out, &rep, e);
    rc = commit(p, out, rc, given.output, e);
    if (rc == 0 && rep.n_header)
        prog_talk(p, "%" PRIu64 " files with llm.c's header", rep.n_header);
done:
    buf_release(&prov);
    tokenizer_close(t);
    return rc;
}

static int export_tokenizer(struct shard_set *in, struct prog *p, struct err *e)
{
    size_t n;
    char *json =
        shard_tokenizer(shard_set_head(in), p->n_operands ? p->operands[0] : "stdin", &n, e);
    int rc = json ? out_file(given.output, json, n, e) : -1;
    free(json);
    return rc;
}

static int export_set(struct prog *p, struct shard_set *in, const struct raw_export *how,
                      struct err *e)
{
    struct raw_report rep;
    struct progress pr;
    struct out *out = out_open(given.output, how->form == RAW_TEXT ? 0 : OUT_BINARY, e);
    if (!out)
        return -1;
    begin_progress(p, &pr, in);
    int rc = raw_export(in, how, out, &pr, &rep, e);
    progress_finish(&pr);
    if (rc < 0) {
        out_abort(out);
        return -1;
    }
    return out_commit(out, e);
}

static int export_body(struct prog *p, struct err *e)
{
    struct raw_export how = {.sep = given.sep, .header = given.llmc};
    if (take_form(&how.form, e) < 0)
        return -1;
    if (how.form == RAW_TEXT && (how.sep >= 0 || how.header))
        return err_usage(e, "--sep and --llmc are for --u16 and --u32");
    struct shard_set *in =
        shard_set_open(p->operands, p->n_operands, how.header ? SHARD_SET_COUNTED : 0, e);
    if (!in)
        return -1;
    int rc = given.tokenizer_json ? export_tokenizer(in, p, e) : export_set(p, in, &how, e);
    shard_set_close(in);
    return rc;
}

/* ---- 5 the table */

static struct opt info_opts[] = {JSON, SPEECH};
static struct opt check_opts[] = {JSON, PROGRESS, SPEECH};
static struct opt stat_opts[] = {
    INT(0, "top", top, "N", 0, 1000000, false, "show the N most frequent ids (default {})"),
    TOKENIZER("show what ids stand for by this tokenizer.json, not by the embedded one"), JSON,
    PROGRESS, SPEECH};
static struct opt cat_opts[] = {WRITER, SPEECH};
static struct opt head_opts[] = {
    INT('n', "docs", head_docs, "N", 0, INT64_MAX, true, "how many documents (default {})"), WRITER,
    SPEECH};
static struct opt shuffle_opts[] = {
    OPT_SEED(&given.seed),
    {.kind = OPT_BYTES,
     .name = "mem",
     .dst = &given.mem,
     .arg = "SIZE",
     .min = SHUFFLE_MEM_MIN,
     .max = INT64_MAX,
     .help = "memory for sorting; what does not fit goes to a temporary file in TMPDIR. The output "
             "does not depend on it (default {})"},
    WRITER,
    SPEECH};
static struct opt mix_opts[] = {
    CHOICE("until", until, "first|all|repeat", mix_until_words,
           "first: stop when a shard that is due has ended; all: go on with the others; repeat: "
           "begin it again, until each has been read once (default {})"),
    INT(0, "tokens", mix_tokens, "N", 0, INT64_MAX, true,
        "stop once N tokens are drawn; 0: no limit (default {})"),
    JSON, WRITER, SPEECH};
static struct opt split_opts[] = {
    STR(0, "at", at, "P%|N", true, "where to cut: a share of the whole, or a number of units"),
    CHOICE("unit", unit, "doc|byte|token", split_unit_words,
           "count documents, bytes of text (needs a tokenizer) or tokens; by the last two a "
           "document may be cut (default {})"),
    TOKENIZER("count bytes by this tokenizer.json, not by the embedded one"),
    STR(0, "rest", rest, "FILE", false, "write what lies behind the cut to FILE"),
    WRITER,
    SPEECH};
#define FORMS                                                 \
    FLAG(0, "u16", u16, "16-bit little-endian integers"),     \
        FLAG(0, "u32", u32, "32-bit little-endian integers"), \
        FLAG(0, "ids", ids, "decimal numbers, a document a line")
static struct opt import_opts[] = {
    FORMS,
    INT(0, "doc-len", doc_len, "N", 0, INT64_MAX, true,
        "integers: cut into documents of N tokens; 0: do not (default {})"),
    ID("sep", sep, true,
       "integers: documents are separated by this id, which is not kept; -1: none (default {})"),
    INT(0, "vocab-size", vocab_size, "V", 0, UINT32_MAX, false,
        "refuse ids from V on; 0: the tokenizer's size, else not known (default {})"),
    TOKENIZER("the ids are this tokenizer.json's, which is embedded"),
    ID("bos", bos, false,
       "id that begins a document, for the header; -1: none (default: the tokenizer's)"),
    ID("eos", eos, false,
       "id that ends a document, for the header; -1: none (default: the tokenizer's)"),
    ID("pad", pad, false, "id of padding, for the header; -1: none (default: the tokenizer's)"),
    WRITER,
    SPEECH};
static struct opt export_opts[] = {
    FORMS,
    FLAG(0, "tokenizer", tokenizer_json, "the embedded tokenizer.json instead of ids"),
    ID("sep", sep, true, "integers: put this id between documents; -1: nothing (default {})"),
    FLAG(0, "llmc", llmc, "integers: begin with llm.c's header"),
    OPT_OUTPUT(&given.output),
    PROGRESS,
    SPEECH};

static const struct sub {
    const char *name, *full, *purpose, *synopsis;
    struct opt *opts;
    int (*body)(struct prog *, struct err *);
} table[] = {
    {"info", "shard info", "say what shards hold", "[--json] [FILE...]\n", info_opts, info_body},
    {"check", "shard check", "read shards to their end and verify everything in them",
     "[--json] [FILE...]\n", check_opts, check_body},
    {"stat", "shard stat", "count documents, tokens, lengths and ids",
     "[--json] [--top N] [-t tok.json] [FILE...]\n", stat_opts, stat_body},
    {"cat", "shard cat", "join shards into one segment", "[-z] [-o x.tok] [FILE...]\n", cat_opts,
     cat_body},
    {"head", "shard head", "take the first documents", "[-n N] [-z] [-o x.tok] [FILE...]\n",
     head_opts, head_body},
    {"split", "shard split", "cut shards in two",
     "--at P%|N [--unit doc|byte|token] [-t tok.json] [-z] "
     "[-o A.tok] --rest B.tok [FILE...]\n",
     split_opts, split_body},
    {"shuffle", "shard shuffle", "put documents into random order",
     "[--seed N] [--mem SIZE] [-z] [-o x.tok] [FILE...]\n", shuffle_opts, shuffle_body},
    {"mix", "shard mix", "draw documents from several shards by weight of tokens",
     "[--until first|all|repeat] [--tokens N] [-z] [-o x.tok] WEIGHT:FILE...\n", mix_opts,
     mix_body},
    {"import", "shard import", "make a shard of raw token ids",
     "--u16|--u32 [--doc-len N|--sep ID] [--vocab-size V] [-t tok.json] "
     "[--bos ID] [--eos ID] [-z] [-o x.tok] [FILE...]\n"
     "--ids [--vocab-size V] [-t tok.json] [--bos ID] [--eos ID] [-z] [-o x.tok] [FILE...]\n",
     import_opts, import_body},
    {"export", "shard export", "write the ids of shards in the forms of other programs",
     "--u16|--u32 [--sep ID] [--llmc] [-o FILE] [FILE...]\n"
     "--ids|--tokenizer [-o FILE] [FILE...]\n",
     export_opts, export_body},
};

static int run(int argc, char **argv)
{
    const struct sub *s = table;
    struct err e = {0};
    while (strcmp(s->name, argv[0]) != 0)
        s++;
    struct prog p = {
        .name = s->full, .purpose = s->purpose, .synopsis = s->synopsis, .opts = s->opts};
    if (!prog_begin(&p, argc, argv, &e))
        return prog_end(&p, -1, &e);
    p.quiet = given.quiet;
    p.verbose = given.verbose;
    sig_cleanup();
    return prog_end(&p, s->body(&p, &e), &e);
}

int main(int argc, char **argv)
{
    struct prog_sub subs[ARRAY_LEN(table) + 1] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        subs[i] = (struct prog_sub){table[i].name, table[i].purpose, run};
    return prog_subcommands("shard", "tell about token shards and make new ones of them", subs,
                            argc, argv);
}
