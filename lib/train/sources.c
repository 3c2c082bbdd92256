/* The data of a pretraining run. */
#include "train/sources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/sys.h"
#include "train/sources_int.h"
#include "train/spool.h"

/* ---- opening ---- */

/* Of a regular file, the absolute path: fifos and /dev/fd/N have none. */
static int add_path(struct sources *d, const char *path, struct err *e)
{
    struct stat st;
    bool file = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);

    d->path[d->n] = file ? sys_realpath(path, e) : mem_strdup(path, e);
    return d->path[d->n] ? (d->n++, 0) : -1;
}

/* Inputs of one tokenizer may still say otherwise how documents begin and end. */
static int same_marks(const struct shard_head *a, const char *name_a, const struct shard_head *b,
                      const char *name_b, struct err *e)
{
    if (a->bos == b->bos && a->eos == b->eos)
        return 0;
    return err_set(e,
                   "%s has BOS %" PRId64 " and EOS %" PRId64 ", %s has %" PRId64 " and %" PRId64
                   ": make the shards alike",
                   name_a, a->bos, a->eos, name_b, b->bos, b->eos);
}

int sources_open_inputs(struct sources *d, char *const *paths, int n, struct err *e)
{
    static char stdin_path[] = "-";
    char *const stdin_only[] = {stdin_path};

    if (n == 0) {
        paths = stdin_only;
        n = 1;
    }
    if (!(d->path = mem_new((size_t)n, sizeof *d->path, e)) ||
        !(d->in = mem_new((size_t)n, sizeof *d->in, e)))
        return -1;
    for (int i = 0; i < n; i++) {
        if (strcmp(paths[i], "-") == 0 && isatty(STDIN_FILENO))
            return err_set(e, "stdin is a terminal: name a shard, or pipe one in");
        if (add_path(d, paths[i], e) < 0 || !(d->in[i] = shard_open(paths[i], e)))
            return -1;
        const struct shard_head *h = shard_head(d->in[i]);
        if (i == 0)
            d->head = *h;
        else if (shard_same_tokenizer(&d->head, paths[0], h, paths[i], e) < 0 ||
                 same_marks(&d->head, paths[0], h, paths[i], e) < 0)
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
    if (sources_open_inputs(d, operands, n, e) < 0)
        return -1;
    d->kind = stream ? SOURCE_STREAM : all_mapped(d) ? SOURCE_FILES : SOURCE_SPOOL;
    return 0;
}

/* ---- loading ---- */

static int check_ids(const struct corpus *c, const char *what, const struct sources_plan *p,
                     struct err *e)
{
    if (c->id_bound <= p->vocab_size)
        return 0;
    return err_set(
        e, "%s: holds id %" PRIu64 ", which is not below the model's vocabulary of %" PRIu64, what,
        c->id_bound - 1, p->vocab_size);
}

/* Copies what the inputs bring, unless that was done before. */
static int load_spool(struct corpus *c, const char *dir, struct shard_in *const *in, int n,
                      uint64_t vocab_size, bool weights, const struct sources_plan *p,
                      struct err *e)
{
    int width = vocab_size > 0 && vocab_size <= 1 << 16 ? 2 : 4;

    if (!spool_complete(dir) && spool_write(dir, in, n, width, weights, p->tick, p->user, e) < 0)
        return -1;
    return spool_open(c, dir, e);
}

static int load_corpus(struct sources *d, const struct sources_plan *p, struct err *e)
{
    if (d->kind == SOURCE_SPOOL)
        return load_spool(&d->corpus, p->dirs.spool, d->in, d->n, d->vocab_size, d->has_weights, p,
                          e) < 0
                   ? -1
                   : check_ids(&d->corpus, "the input", p, e);
    for (int i = 0; i < d->n; i++)
        if (corpus_add_shard(&d->corpus, d->path[i], p->tick, p->user, e) < 0 ||
            check_ids(&d->corpus, d->path[i], p, e) < 0)
            return -1;
    return 0;
}

/* A validation shard that cannot be mapped. */
static int spool_val(struct sources *d, const struct sources_plan *p, struct err *e)
{
    struct shard_in *in = NULL;
    int rc = -1;

    if (spool_complete(p->dirs.val_spool))
        return spool_open(&d->val_corpus, p->dirs.val_spool, e);
    if ((in = shard_open(p->val_path, e)) &&
        (!d->in ||
         shard_same_tokenizer(&d->head, shard_name(d->in[0]), shard_head(in), p->val_path, e) == 0))
        rc = load_spool(&d->val_corpus, p->dirs.val_spool, &in, 1, shard_head(in)->vocab_size,
                        shard_head(in)->has_weights, p, e);
    shard_close(in);
    return rc;
}

static int map_val(struct sources *d, const struct sources_plan *p, struct err *e)
{
    struct shard_head h;

    if (shard_peek(p->val_path, &h, NULL, e) < 0)
        return -1;
    int rc = d->in ? shard_same_tokenizer(&d->head, shard_name(d->in[0]), &h, p->val_path, e) : 0;
    shard_head_release(&h);
    return rc < 0 ? -1 : corpus_add_shard(&d->val_corpus, p->val_path, p->tick, p->user, e);
}

static int load_val_file(struct sources *d, const struct sources_plan *p, struct err *e)
{
    bool map = !spool_complete(p->dirs.val_spool) && corpus_can_map(p->val_path);

    if ((map ? map_val(d, p, e) : spool_val(d, p, e)) < 0 ||
        check_ids(&d->val_corpus, p->val_path, p, e) < 0)
        return -1;
    if (windows_init(&d->val_windows, &d->val_corpus, p->n_ctx, p->bos, p->eos, PART_ALL, 0,
                     p->seed, e) < 0)
        return -1;
    return d->val_windows.n_windows
               ? 0
               : err_set(e, "%s: there is not one token to predict", p->val_path);
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
        if (d->val_windows.n_windows == 0 && d->corpus.n_tok > 0)
            return err_set(e, "--val %g%%: that is not one token of %" PRIu64, 100 * p->val_share,
                           d->corpus.n_tok);
    }
    return windows_init(&d->train_windows, &d->corpus, p->n_ctx, p->bos, p->eos, train,
                        p->val_share, p->seed, e);
}

int sources_load(struct sources *d, const struct sources_plan *p, struct err *e)
{
    if (p->val_path && load_val_file(d, p, e) < 0)
        return -1;
    if (d->kind == SOURCE_STREAM) {
        struct stream_plan sp = {.n_ctx = p->n_ctx,
                                 .vocab_size = p->vocab_size,
                                 .bos = p->bos,
                                 .eos = p->eos,
                                 .val_share = p->val_share,
                                 .seed = p->seed};
        d->stream = stream_new(d->in, d->n, &sp, e);
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
