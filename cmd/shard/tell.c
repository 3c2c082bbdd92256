/* shard info, check, stat: what shards hold. */
#include "subcommand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "shard/report.h"
#include "shard/shardstat.h"
#include "shard/verify.h"

static struct {
    int64_t top;
} own = {.top = 10};

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
        return sub_print(&text, r);
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
    return sub_print(&text, r);
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
    struct tokenizer *t = sub_tokenizer(h, name, e);
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
        sub_print(&text, report_check(&text, strcmp(path, "-") ? path : "stdin", &t, &why,
                                      given.json, NULL));
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
    size_t n = (size_t)own.top;
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
    return sub_print(&text, rc);
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
    t = sub_tokenizer(h, p->n_operands ? p->operands[0] : "stdin", e);
    if ((t || !(h->tokenizer_len || given.tokenizer)) && (st = shardstat_new(e)) != NULL) {
        sub_progress(p, &pr, s);
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

static struct opt info_opts[] = {JSON, SPEECH};

const struct sub sub_info = {
    "info", "shard info", "say what shards hold", "[--json] [FILE...]\n", info_opts, info_body};

static struct opt check_opts[] = {JSON, PROGRESS, SPEECH};

const struct sub sub_check = {"check",
                              "shard check",
                              "read shards to their end and verify everything in them",
                              "[--json] [FILE...]\n",
                              check_opts,
                              check_body};

static struct opt stat_opts[] = {
    INT(0, "top", own.top, "N", 0, 1000000, false, "show the N most frequent ids (default {})"),
    TOKENIZER("show what ids stand for by this tokenizer.json, not by the embedded one"), JSON,
    PROGRESS, SPEECH};

const struct sub sub_stat = {"stat",
                             "shard stat",
                             "count documents, tokens, lengths and ids",
                             "[--json] [--top N] [-t tok.json] [FILE...]\n",
                             stat_opts,
                             stat_body};
