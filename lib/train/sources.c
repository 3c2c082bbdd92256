/* The data of a pretraining run. */
#include "train/sources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "io/jtree.h"
#include "train/spool.h"

/* ---- opening ---- */

static int add_path(struct sources *d, const char *path, struct err *e)
{
    d->path[d->n] = strcmp(path, "-") == 0 ? mem_strdup(path, e) : sys_realpath(path, e);
    return d->path[d->n] ? (d->n++, 0) : -1;
}

static int open_inputs(struct sources *d, char *const *paths, int n, struct err *e)
{
    static char *stdin_only[] = {"-"};

    if (n == 0) {
        paths = stdin_only;
        n = 1;
    }
    if (!(d->path = mem_new((size_t)n, sizeof *d->path, e)) ||
        !(d->in = mem_new((size_t)n, sizeof *d->in, e)))
        return -1;
    for (int i = 0; i < n; i++) {
        if (add_path(d, paths[i], e) < 0 || !(d->in[i] = shard_open(paths[i], e)))
            return -1;
        const struct shard_head *h = shard_head(d->in[i]);
        if (i == 0)
            d->head = *h;
        else if (shard_same_tokenizer(&d->head, paths[0], h, paths[i], e) < 0)
            return -1;
        bool known = h->vocab_size > 0 && (i == 0 || d->vocab_size > 0);
        d->vocab_size = known && h->vocab_size > d->vocab_size ? h->vocab_size
                        : known                                ? d->vocab_size
                                                               : 0;
        d->has_weights |= h->has_weights;
    }
    return 0;
}

static bool all_mapped(const struct sources *d)
{
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->path[i], "-") == 0 || !corpus_can_map(d->path[i]))
            return false;
    return true;
}

int sources_open(struct sources *d, char *const *operands, int n, bool stream, struct err *e)
{
    if (open_inputs(d, operands, n, e) < 0)
        return -1;
    d->kind = stream ? SOURCE_STREAM : all_mapped(d) ? SOURCE_FILES : SOURCE_SPOOL;
    return 0;
}

/* ---- run.json ---- */

static const char *const kind_words[] = {"files", "spool", "stream"};

static json_t *describe_file(const char *path, struct err *e)
{
    struct shard_totals t;
    char sum[17];

    if (shard_peek(path, NULL, &t, e) < 0)
        return NULL;
    snprintf(sum, sizeof sum, "%016" PRIx64, t.checksum);
    return json_pack("{s:s,s:s,s:I}", "path", path, "checksum", sum, "bytes",
                     (json_int_t)t.n_bytes);
}

json_t *sources_describe(const struct sources *d, struct err *e)
{
    json_t *files = json_array(), *o = NULL;

    for (int i = 0; files && d->kind == SOURCE_FILES && i < d->n; i++) {
        json_t *f = describe_file(d->path[i], e);
        if (!f || json_array_append_new(files, f) != 0)
            goto out;
    }
    o = json_pack("{s:s,s:I,s:b,s:O}", "kind", kind_words[d->kind], "vocab_size",
                  (json_int_t)d->vocab_size, "weights", (int)d->has_weights, "files", files);
    if (!o)
        err_nomem(e, "run.json", 0);
out:
    json_decref(files);
    return o;
}

/* A named file must have the totals that it had. */
static int reopen_file(struct sources *d, const json_t *f, struct err *e)
{
    const char *path = json_string_value(json_object_get(f, "path"));
    json_t *now = path ? describe_file(path, e) : NULL;

    if (!path)
        return err_set(e, "run.json: an input has no path");
    if (!now)
        return err_prefix(e, "an input of the run cannot be read again: ");
    bool same = json_equal(f, now);
    json_decref(now);
    if (!same)
        return err_set(e, "%s: has changed since the run began; start a new run", path);
    return (d->path[d->n] = mem_strdup(path, e)) ? (d->n++, 0) : -1;
}

int sources_reopen(struct sources *d, const json_t *described, char *const *operands, int n,
                   const char *spool, struct err *e)
{
    const char *kind = json_string_value(json_object_get(described, "kind"));
    const json_t *files = json_object_get(described, "files");
    size_t n_files = json_array_size(files);

    d->kind = kind && strcmp(kind, "files") == 0   ? SOURCE_FILES
              : kind && strcmp(kind, "spool") == 0 ? SOURCE_SPOOL
                                                   : SOURCE_STREAM;
    d->vocab_size = (uint64_t)json_integer_value(json_object_get(described, "vocab_size"));
    d->has_weights = json_is_true(json_object_get(described, "weights"));
    if (d->kind == SOURCE_SPOOL && spool_complete(spool))
        return 0;
    if (d->kind != SOURCE_FILES) {
        if (open_inputs(d, operands, n, e) < 0)
            return err_prefix(e, d->kind == SOURCE_SPOOL
                                     ? "the run's spool is incomplete, give the input again: "
                                     : "a stream resumes from its input given again: ");
        return 0;
    }
    if (!(d->path = mem_new(n_files + 1, sizeof *d->path, e)))
        return -1;
    for (size_t i = 0; i < n_files; i++)
        if (reopen_file(d, json_array_get(files, i), e) < 0)
            return -1;
    return 0;
}

/* ---- loading ---- */

static int load_corpus(struct sources *d, const struct sources_plan *p, struct err *e)
{
    if (d->kind == SOURCE_FILES) {
        for (int i = 0; i < d->n; i++)
            if (corpus_add_shard(&d->corpus, d->path[i], e) < 0)
                return -1;
        return 0;
    }
    int width = d->vocab_size > 0 && d->vocab_size <= 1 << 16 ? 2 : 4;
    if (!spool_complete(p->spool) &&
        spool_write(p->spool, d->in, d->n, width, d->has_weights, p->tick, p->user, e) < 0)
        return -1;
    return spool_open(&d->corpus, p->spool, e);
}

static int load_val_file(struct sources *d, const struct sources_plan *p, struct err *e)
{
    struct shard_head h;

    if (shard_peek(p->val_path, &h, NULL, e) < 0)
        return -1;
    int rc = d->in ? shard_same_tokenizer(&d->head, shard_name(d->in[0]), &h, p->val_path, e) : 0;
    shard_head_release(&h);
    if (rc < 0)
        return -1;
    if (!corpus_can_map(p->val_path))
        return err_set(e, "%s: deflated or gzipped; validation reads a plain shard: shard cat -o",
                       p->val_path);
    return corpus_add_shard(&d->val_corpus, p->val_path, e) < 0 ||
                   windows_init(&d->val_windows, &d->val_corpus, p->n_ctx, p->bos, p->eos, PART_ALL,
                                0, p->seed, e) < 0
               ? -1
               : 0;
}

static int cut_windows(struct sources *d, const struct sources_plan *p, struct err *e)
{
    enum part train = PART_ALL;

    if (p->val_share > 0) {
        train = windows_split(&d->corpus, p->val_share, p->seed);
        enum part val = train == PART_TRAIN_DOCS ? PART_VAL_DOCS : PART_VAL_TAILS;
        snprintf(d->note, sizeof d->note, "validation: %s",
                 val == PART_VAL_DOCS ? "whole documents, chosen by number"
                                      : "the end of every document (there are few, or long ones)");
        if (windows_init(&d->val_windows, &d->corpus, p->n_ctx, p->bos, p->eos, val, p->val_share,
                         p->seed, e) < 0)
            return -1;
    }
    return windows_init(&d->train_windows, &d->corpus, p->n_ctx, p->bos, p->eos, train,
                        p->val_share, p->seed, e);
}

int sources_load(struct sources *d, const struct sources_plan *p, struct err *e)
{
    if (p->val_path && load_val_file(d, p, e) < 0)
        return -1;
    if (d->kind == SOURCE_STREAM) {
        d->stream = stream_new(d->in, d->n, p->n_ctx, p->bos, p->eos, p->val_share, p->seed, e);
        if (!d->stream)
            return -1;
        d->train = stream_feed(d->stream);
        if (p->val_share > 0)
            d->val = stream_val_feed(d->stream);
    } else {
        if (load_corpus(d, p, e) < 0 || cut_windows(d, p, e) < 0)
            return -1;
        d->train = feed_windows(&d->train_windows);
    }
    if (d->val_windows.n_ctx)
        d->val = feed_windows(&d->val_windows);
    return 0;
}

void sources_close(struct sources *d)
{
    stream_free(d->stream);
    windows_release(&d->train_windows);
    windows_release(&d->val_windows);
    corpus_release(&d->corpus);
    corpus_release(&d->val_corpus);
    for (int i = 0; i < d->n; i++) {
        if (d->in)
            shard_close(d->in[i]);
        free(d->path[i]);
    }
    free(d->in);
    free(d->path);
    *d = (struct sources){0};
}
