/* shard import, export: the forms of other programs. */
#include "subcommand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/out.h"
#include "shard/rawids.h"

static struct {
    bool u16, u32, ids, tokenizer_json, llmc;
    int64_t doc_len, sep, vocab_size, bos, eos, pad;
} own = {.sep = -1, .bos = -1, .eos = -1, .pad = -1};

/* forms: the options of the subcommand */
static int take_form(enum raw_form *form, const char *forms, struct err *e)
{
    if (own.u16 + own.u32 + own.ids + own.tokenizer_json != 1)
        return err_usage(e, "exactly one of %s is needed", forms);
    *form = own.u16 ? RAW_U16 : own.u32 ? RAW_U32 : RAW_TEXT;
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
    struct raw_import how = {.doc_len = (uint64_t)own.doc_len, .sep = own.sep};
    struct shard_head h = {
        .vocab_size = (uint64_t)own.vocab_size, .bos = own.bos, .eos = own.eos, .pad = own.pad};
    struct raw_report rep = {0};
    struct buf prov = BUF_INIT;
    struct tokenizer *t = NULL;
    struct shard_out *out = NULL;
    int rc = -1;
    if (take_form(&how.form, "--u16, --u32 and --ids", e) < 0)
        return -1;
    if (how.doc_len && how.sep >= 0)
        return err_usage(e, "--doc-len and --sep exclude each other");
    if (how.form == RAW_U16 && how.sep > UINT16_MAX)
        return err_usage(e, "--sep %" PRId64 ": does not fit 16 bits, so --u16 never holds it",
                         how.sep);
    if (how.form == RAW_TEXT && (how.doc_len || how.sep >= 0))
        return err_usage(e, "--doc-len and --sep are for --u16 and --u32; with --ids a line is a "
                            "document");
    if (sub_apart(p->operands, p->n_operands, NULL, e) < 0)
        return -1;
    if (given.tokenizer && import_tokenizer(p, &h, &t, e) < 0)
        goto done;
    if (!h.vocab_size && how.form == RAW_U16)
        h.width = 2;
    if (sub_head(p, "shard-import", &h, &prov, e) < 0)
        goto done;
    out = shard_create(given.output, &h, given.deflate ? SHARD_DEFLATE : 0, e);
    if (!out)
        goto done;
    rc = import_files(p, &how, out, &rep, e);
    rc = sub_commit(p, out, rc, given.output, e);
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
    const char *name = p->n_operands ? p->operands[0] : "stdin";
    if (shard_set_head(in)->tokenizer_len == 0)
        return err_set(e, "%s: no tokenizer is embedded, so there is none to export", name);
    char *json = shard_tokenizer(shard_set_head(in), name, &n, e);
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
    sub_progress(p, &pr, in);
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
    struct raw_export how = {.sep = own.sep, .header = own.llmc};
    if (take_form(&how.form, "--u16, --u32, --ids and --tokenizer", e) < 0)
        return -1;
    if (how.form == RAW_TEXT && (how.sep >= 0 || how.header))
        return err_usage(e, "--sep and --llmc are for --u16 and --u32");
    if (sub_apart(p->operands, p->n_operands, NULL, e) < 0)
        return -1;
    struct shard_set *in =
        shard_set_open(p->operands, p->n_operands, how.header ? SHARD_SET_COUNTED : 0, e);
    if (!in)
        return -1;
    int rc = own.tokenizer_json ? export_tokenizer(in, p, e) : export_set(p, in, &how, e);
    shard_set_close(in);
    return rc;
}

#define FORMS                                                     \
    FLAG(0, "u16", own.u16, "16-bit little-endian integers"),     \
        FLAG(0, "u32", own.u32, "32-bit little-endian integers"), \
        FLAG(0, "ids", own.ids, "decimal numbers, a document a line")

static struct opt import_opts[] = {
    FORMS,
    INT(0, "doc-len", own.doc_len, "N", 0, INT64_MAX, true,
        "integers: cut into documents of N tokens; 0: do not (default {})"),
    ID("sep", own.sep, true,
       "integers: documents are separated by this id, which is not kept; -1: none (default {})"),
    INT(0, "vocab-size", own.vocab_size, "V", 0, UINT32_MAX, false,
        "refuse ids from V on; 0: the tokenizer's size, else not known (default {})"),
    TOKENIZER("the ids are this tokenizer.json's, which is embedded"),
    ID("bos", own.bos, false,
       "id that begins a document, for the header; -1: none (default: the tokenizer's)"),
    ID("eos", own.eos, false,
       "id that ends a document, for the header; -1: none (default: the tokenizer's)"),
    ID("pad", own.pad, false, "id of padding, for the header; -1: none (default: the tokenizer's)"),
    WRITER,
    SPEECH};

const struct sub sub_import = {
    "import",
    "shard import",
    "make a shard of raw token ids",
    "--u16|--u32 [--doc-len N|--sep ID] [--vocab-size V] [-t tok.json] "
    "[--bos ID] [--eos ID] [-z] [-o x.tok] [FILE...]\n"
    "--ids [--vocab-size V] [-t tok.json] [--bos ID] [--eos ID] [-z] [-o x.tok] [FILE...]\n",
    import_opts,
    import_body};

static struct opt export_opts[] = {
    FORMS,
    FLAG(0, "tokenizer", own.tokenizer_json, "the embedded tokenizer.json instead of ids"),
    ID("sep", own.sep, true, "integers: put this id between documents; -1: nothing (default {})"),
    FLAG(0, "llmc", own.llmc, "integers: begin with llm.c's header"),
    OPT_OUTPUT(&given.output),
    PROGRESS,
    SPEECH};

const struct sub sub_export = {"export",
                               "shard export",
                               "write the ids of shards in the forms of other programs",
                               "--u16|--u32 [--sep ID] [--llmc] [-o FILE] [FILE...]\n"
                               "--ids|--tokenizer [-o FILE] [FILE...]\n",
                               export_opts,
                               export_body};
