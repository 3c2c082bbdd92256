/* detokenize: token ids back to text. See detokenize(1). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/opt.h"
#include "base/prog.h"
#include "base/progress.h"
#include "base/signals.h"
#include "io/apart.h"
#include "io/out.h"
#include "quern/shard.h"
#include "quern/tokenizer.h"

enum { FLUSH_BYTES = 1 << 18, AT_ONCE = 4096 }; /* text is handed on in parts of this size */

struct detokenize {
    struct prog *prog;
    const char *tokenizer_path, *out_path, *key;
    bool jsonl, quiet, progress;
    int verbose;

    struct tokenizer *given, *embedded, *tokenizer; /* tokenizer: the one in use */
    unsigned char given_print[16];
    struct shard_in *in;
    struct out *out;
    struct buf text, line;
    struct progress bar;
    uint64_t n_docs, n_tokens, n_bytes, n_replaced;
};

/* The tokenizer of -t must be the one that made the shard; without -t the one inside is taken. */
static int choose_tokenizer(struct detokenize *d, const struct shard_head *h, struct err *e)
{
    const char *name = shard_name(d->in);
    if (d->given) {
        struct shard_head mine = {.provenance = ""};
        memcpy(mine.fingerprint, d->given_print, sizeof mine.fingerprint);
        d->tokenizer = d->given;
        return shard_same_tokenizer(h, name, &mine, d->tokenizer_path, e);
    }
    size_t n;
    if (!h->tokenizer_len)
        return err_set(e, "%s: has no tokenizer inside; name its tokenizer.json with -t", name);
    char *json = shard_tokenizer(h, name, &n, e);
    if (!json)
        return -1;
    tokenizer_close(d->embedded);
    d->embedded = tokenizer_parse_for(0, json, n, name, e);
    free(json);
    d->tokenizer = d->embedded;
    if (!d->embedded)
        return -1;
    prog_talk(d->prog, "%s: %s", name, tokenizer_describe(d->embedded));
    return 0;
}

static int flush(struct detokenize *d, struct err *e)
{
    int rc = out_write(d->out, d->text.s, d->text.len, e);
    d->n_bytes += d->text.len;
    buf_clear(&d->text);
    return rc;
}

static int put_record(struct detokenize *d, struct err *e)
{
    buf_clear(&d->line);
    if (buf_puts(&d->line, "{", e) < 0 ||
        buf_json_string(&d->line, d->key, strlen(d->key), e) < 0 ||
        buf_puts(&d->line, ": ", e) < 0 ||
        buf_json_string(&d->line, d->text.s, d->text.len, e) < 0 ||
        buf_puts(&d->line, "}\n", e) < 0)
        return -1;
    d->n_bytes += d->text.len;
    buf_clear(&d->text);
    return out_write(d->out, d->line.s, d->line.len, e);
}

/* Text goes out as it comes; a record is gathered whole, and is valid UTF-8. */
static int put_piece(struct detokenize *d, struct decoder *dec, const struct shard_doc *doc,
                     struct err *e)
{
    for (size_t i = 0; i < doc->n; i += AT_ONCE) {
        size_t n = doc->n - i < AT_ONCE ? doc->n - i : AT_ONCE;
        if (decoder_add_many(dec, doc->ids + i, n, &d->text, e) < 0)
            return err_prefix(e, "%s: document %" PRIu64 ": ", shard_name(d->in), d->n_docs);
        if (!d->jsonl && d->text.len >= FLUSH_BYTES && flush(d, e) < 0)
            return -1;
    }
    d->n_tokens += doc->n;
    if (!doc->last)
        return 0;
    if (decoder_end(dec, &d->text, e) < 0)
        return -1;
    d->n_docs++;
    d->n_replaced += dec->n_replaced;
    return d->jsonl ? put_record(d, e) : 0;
}

static int read_shard(struct detokenize *d, const char *path, struct err *e)
{
    struct shard_doc doc;
    struct decoder dec = {0};
    uint64_t done, total;
    int r;
    d->in = shard_open(path, e);
    if (!d->in || choose_tokenizer(d, shard_head(d->in), e) < 0)
        return -1;
    shard_progress(d->in, &done, &total);
    progress_start(&d->bar, "detokenize", "B", (double)total, d->progress, d->quiet);
    while ((r = shard_next_piece(d->in, &doc, e)) > 0) {
        if (doc.first)
            decoder_init(&dec, d->tokenizer, d->jsonl ? 0 : DECODE_BYTES);
        r = put_piece(d, &dec, &doc, e);
        if (r < 0)
            break;
        shard_progress(d->in, &done, &total);
        progress_at(&d->bar, (double)done, "");
    }
    decoder_release(&dec);
    progress_finish(&d->bar);
    shard_close(d->in);
    d->in = NULL;
    return r < 0 ? -1 : 0;
}

static int run(struct detokenize *d, struct err *e)
{
    if (opt_find(d->prog->opts, "key")->given && !d->jsonl)
        return err_usage(e, "--key names the field of --jsonl");
    const struct file_use use[] = {{FILE_KEEP, "-t", d->tokenizer_path},
                                   {FILE_REPLACE, "-o", d->out_path ? d->out_path : "-"}};
    if (files_apart(d->prog->operands, d->prog->n_operands, use, ARRAY_LEN(use), e) < 0)
        return -1;
    if (d->tokenizer_path) {
        d->given = tokenizer_open_for(TOKENIZER_FINGERPRINTS, d->tokenizer_path, e);
        if (!d->given || tokenizer_fingerprint(d->given, d->given_print, e) < 0)
            return -1;
        prog_talk(d->prog, "%s", tokenizer_describe(d->given));
    }
    d->out = out_open(d->out_path, 0, e);
    if (!d->out)
        return -1;
    int n = d->prog->n_operands;
    for (int i = 0; i < (n ? n : 1); i++)
        if (read_shard(d, n ? d->prog->operands[i] : "-", e) < 0)
            return -1;
    if (flush(d, e) < 0)
        return -1;
    struct out *out = d->out;
    d->out = NULL;
    if (out_commit(out, e) < 0)
        return -1;
    prog_note(d->prog, "%" PRIu64 " documents, %" PRIu64 " tokens, %" PRIu64 " bytes of text",
              d->n_docs, d->n_tokens, d->n_bytes);
    if (d->n_replaced)
        prog_warn(d->prog,
                  "%" PRIu64
                  " times U+FFFD stands for bytes that are no UTF-8; without --jsonl they "
                  "are written as they are",
                  d->n_replaced);
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct detokenize d = {.key = "text", .text = BUF_INIT, .line = BUF_INIT};
    struct opt opts[] = {
        {.kind = OPT_STR,
         .letter = 't',
         .name = "tokenizer",
         .dst = &d.tokenizer_path,
         .arg = "FILE",
         .help = "the tokenizer.json, or a directory that holds one, in place of the one inside"},
        OPT_OUTPUT(&d.out_path),
        {.kind = OPT_FLAG,
         .name = "jsonl",
         .dst = &d.jsonl,
         .help = "write a record of JSON for each document"},
        {.kind = OPT_STR,
         .name = "key",
         .dst = &d.key,
         .arg = "K",
         .utf8 = true,
         .help = "the record's field that holds the text (default {})"},
        {.kind = OPT_FLAG,
         .name = "progress",
         .dst = &d.progress,
         .help = "show progress also where stderr is no terminal"},
        OPT_QUIET(&d.quiet),
        OPT_VERBOSE(&d.verbose),
        OPT_END,
    };
    struct prog p = {.name = "detokenize",
                     .purpose = "turn token ids back into text",
                     .synopsis = "[-t tokenizer.json] [--jsonl] [-o FILE] [x.tok...]\n",
                     .opts = opts};
    int rc = -1;
    d.prog = &p;
    if (prog_begin(&p, argc, argv, &e)) {
        p.quiet = d.quiet;
        p.verbose = d.verbose;
        sig_cleanup();
        rc = run(&d, &e);
    }
    shard_close(d.in);
    out_abort(d.out);
    tokenizer_close(d.given);
    tokenizer_close(d.embedded);
    buf_release(&d.text);
    buf_release(&d.line);
    opt_release(opts);
    return prog_end(&p, rc, &e);
}
