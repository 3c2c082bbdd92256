/* What the subcommands of shard share. */
#include "subcommand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "io/apart.h"
#include "shard/prov.h"

struct sub_given given;

void sub_progress(const struct prog *p, struct progress *pr, const struct shard_set *in)
{
    double done, total = 0;
    if (in)
        shard_set_progress(in, &done, &total);
    progress_start(pr, p->name, in ? "B" : "tok", total, given.progress, given.quiet);
}

int sub_head(struct prog *p, const char *program, struct shard_head *h, struct buf *prov,
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

int sub_apart(char *const *operands, int n, const char *rest, struct err *e)
{
    const struct file_use use[] = {{FILE_KEEP, "-t", given.tokenizer},
                                   {FILE_REPLACE, "-o", given.output ? given.output : "-"},
                                   {FILE_REPLACE, "--rest", rest}};
    return files_apart(operands, n, use, ARRAY_LEN(use), e);
}

struct shard_out *sub_create(struct prog *p, const char *program, const char *path,
                             struct shard_set *in, struct err *e)
{
    struct shard_head h = *shard_set_head(in);
    if (sub_apart(p->operands, p->n_operands, NULL, e) < 0)
        return NULL;
    if (sub_head(p, program, &h, shard_set_provenance(in), e) < 0)
        return NULL;
    return shard_create(path, &h, given.deflate ? SHARD_DEFLATE : 0, e);
}

int sub_commit(struct prog *p, struct shard_out *o, int rc, const char *path, struct err *e)
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

int sub_print(struct buf *text, int rc)
{
    if (rc == 0)
        fwrite(text->s, 1, text->len, stdout);
    buf_release(text);
    return rc;
}

struct tokenizer *sub_tokenizer(const struct shard_head *h, const char *name, struct err *e)
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
