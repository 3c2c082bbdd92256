/* shard cat, head, split, shuffle, mix: shards from documents of shards. */
#include "subcommand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/num.h"
#include "shard/cut.h"
#include "shard/mix.h"
#include "shard/prov.h"
#include "shard/report.h"
#include "shard/shuffle.h"

static struct {
    int64_t head_docs, seed, mix_tokens;
    uint64_t mem;
    int until, unit;
    const char *at, *rest;
} own = {.head_docs = 10, .mem = 1 << 30};

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
    struct shard_out *out = in ? sub_create(p, program, given.output, in, e) : NULL;
    if (out) {
        sub_progress(p, &pr, in);
        rc = copy_docs(in, out, max_docs, &pr, e);
        progress_finish(&pr);
        rc = sub_commit(p, out, rc, given.output, e);
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
    return copy_body(p, "shard-head", (uint64_t)own.head_docs, e);
}

static int shuffle_body(struct prog *p, struct err *e)
{
    struct progress pr;
    struct shuffle_report rep;
    int rc = -1;
    struct shard_set *in = shard_set_open(p->operands, p->n_operands, 0, e);
    struct shard_out *out = in ? sub_create(p, "shard-shuffle", given.output, in, e) : NULL;
    if (out) {
        sub_progress(p, &pr, in);
        rc = shuffle_run(in, out, (uint64_t)own.seed, own.mem, &pr, &rep, e);
        progress_finish(&pr);
        rc = sub_commit(p, out, rc, given.output, e);
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
    if (sub_head(p, "shard-mix", h, mix_provenance(m), e) < 0)
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
        sub_progress(p, &pr, NULL);
        rc = mix_run(m, (enum mix_until)own.until, (uint64_t)own.mix_tokens, out, &pr, e);
        progress_finish(&pr);
        rc = sub_commit(p, out, rc, given.output, e);
    }
    if (rc == 0)
        report_mixed(p, src, n);
    mix_close(m);
    return rc;
}

static int mix_apart(const struct mix_source *src, int n, struct err *e)
{
    char **path = mem_new((size_t)n, sizeof *path, e);
    for (int i = 0; path && i < n; i++)
        path[i] = (char *)(uintptr_t)src[i].path;
    int rc = path ? sub_apart(path, n, NULL, e) : -1;
    free(path);
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
        rc = mix_apart(src, n, e);
    if (rc == 0)
        rc = mix_sources(p, src, n, e);
    free(src);
    return rc;
}

/* Bytes of text of every id, by the tokenizer; caller frees. */
static uint32_t *id_lengths(const struct shard_head *h, const char *name, size_t *n, struct err *e)
{
    struct tokenizer *t = sub_tokenizer(h, name, e);
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
    struct shard_out *rest = NULL, *first = sub_create(p, "shard-split", given.output, in, e);
    if (!first)
        return -1;
    /* the same line: the two differ in what they hold, which --at and --unit say */
    struct shard_head h = *shard_set_head(in);
    if (given.no_embed)
        h.tokenizer_len = 0;
    rest = shard_create(own.rest, &h, given.deflate ? SHARD_DEFLATE : 0, e);
    int rc = -1;
    if (rest) {
        sub_progress(p, &pr, in);
        rc = split_run(in, at, first, rest, &pr, rep, e);
        progress_finish(&pr);
    }
    if (rc < 0) {
        shard_abort(first);
        shard_abort(rest);
        return -1;
    }
    if (sub_commit(p, first, 0, given.output, e) < 0) {
        shard_abort(rest);
        return -1;
    }
    return sub_commit(p, rest, 0, own.rest, e);
}

static int split_body(struct prog *p, struct err *e)
{
    struct split_at at = {.unit = (enum split_unit)own.unit};
    struct split_report rep = {0};
    uint32_t *lengths = NULL;
    int rc = -1;
    if (!own.at)
        return err_usage(e, "where? --at 90%% or --at N");
    if (!own.rest)
        return err_usage(e, "where does the second part go? --rest FILE");
    if (sub_apart(p->operands, p->n_operands, own.rest, e) < 0)
        return -1;
    if (split_parse(&at, own.at, e) < 0) {
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

static struct opt cat_opts[] = {WRITER, SPEECH};

const struct sub sub_cat = {
    "cat",    "shard cat", "join shards into one segment", "[-z] [-o x.tok] [FILE...]\n",
    cat_opts, cat_body};

static struct opt head_opts[] = {
    INT('n', "docs", own.head_docs, "N", 0, INT64_MAX, true, "how many documents (default {})"),
    WRITER, SPEECH};

const struct sub sub_head_docs = {
    "head",    "shard head", "take the first documents", "[-n N] [-z] [-o x.tok] [FILE...]\n",
    head_opts, head_body};

static struct opt split_opts[] = {
    STR(0, "at", own.at, "P%|N", true, "where to cut: a share of the whole, or a number of units"),
    CHOICE("unit", own.unit, "doc|byte|token", split_unit_words,
           "count documents, bytes of text (needs a tokenizer) or tokens; by the last two a "
           "document may be cut (default {})"),
    TOKENIZER("count bytes by this tokenizer.json, not by the embedded one"),
    STR(0, "rest", own.rest, "FILE", false, "write what lies behind the cut to FILE"),
    WRITER,
    SPEECH};

const struct sub sub_split = {"split",
                              "shard split",
                              "cut shards in two",
                              "--at P%|N [--unit doc|byte|token] [-t tok.json] [-z] "
                              "[-o A.tok] --rest B.tok [FILE...]\n",
                              split_opts,
                              split_body};

static struct opt shuffle_opts[] = {
    OPT_SEED(&own.seed),
    {.kind = OPT_BYTES,
     .name = "mem",
     .dst = &own.mem,
     .arg = "SIZE",
     .min = SHUFFLE_MEM_MIN,
     .max = INT64_MAX,
     .help = "memory for sorting; what does not fit goes to a temporary file in TMPDIR. The output "
             "does not depend on it (default {})"},
    WRITER,
    SPEECH};

const struct sub sub_shuffle = {"shuffle",
                                "shard shuffle",
                                "put documents into random order",
                                "[--seed N] [--mem SIZE] [-z] [-o x.tok] [FILE...]\n",
                                shuffle_opts,
                                shuffle_body};

static struct opt mix_opts[] = {
    CHOICE("until", own.until, "first|all|repeat", mix_until_words,
           "first: stop when a shard that is due has ended; all: go on with the others; repeat: "
           "begin it again, until each has been read once (default {})"),
    INT(0, "tokens", own.mix_tokens, "N", 0, INT64_MAX, true,
        "stop once N tokens are drawn; 0: no limit (default {})"),
    JSON, WRITER, SPEECH};

const struct sub sub_mix = {
    "mix",
    "shard mix",
    "draw documents from several shards by weight of tokens",
    "[--until first|all|repeat] [--tokens N] [-z] [-o x.tok] WEIGHT:FILE...\n",
    mix_opts,
    mix_body};
