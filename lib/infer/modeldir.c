/* A model directory, its tokenizer and its special ids. */
#include "infer/modeldir.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/num.h"
#include "io/jtree.h"

static bool has(const char *dir, const char *name)
{
    struct buf b = BUF_INIT;
    bool there = buf_printf(&b, NULL, "%s/%s", dir, name) == 0 && access(b.s, F_OK) == 0;

    buf_release(&b);
    return there;
}

static bool is_model(const char *dir)
{
    return has(dir, "config.json") &&
           (has(dir, "model.safetensors") || has(dir, "model.safetensors.index.json"));
}

/* The number of a checkpoint-N, -1 for another name. */
static int64_t checkpoint_number(const char *name)
{
    static const char stem[] = "checkpoint-";
    const char *digits = name + sizeof stem - 1;
    int64_t n;

    if (strncmp(name, stem, sizeof stem - 1) != 0 || digits[strspn(digits, "0123456789")] != '\0' ||
        num_int(digits, 0, INT64_MAX, &n, NULL) < 0)
        return -1;
    return n;
}

/* The newest complete checkpoint-N in dir to out: 1, 0 if there is none, -1. */
static int newest_checkpoint(const char *dir, struct buf *out, struct err *e)
{
    struct buf path = BUF_INIT;
    int64_t newest = -1, n;
    struct dirent *d;
    int rc = 0;
    DIR *h = opendir(dir);

    while (rc == 0 && h && (d = readdir(h))) {
        if ((n = checkpoint_number(d->d_name)) <= newest)
            continue;
        buf_clear(&path);
        if ((rc = buf_printf(&path, e, "%s/%s", dir, d->d_name)) == 0 && is_model(path.s)) {
            newest = n;
            buf_clear(out);
            rc = buf_puts(out, path.s, e);
        }
    }
    if (h)
        closedir(h);
    buf_release(&path);
    return rc < 0 ? -1 : newest >= 0;
}

int modeldir_find(const char *path, struct buf *out, struct err *e)
{
    struct stat st;

    buf_clear(out);
    if (stat(path, &st) != 0)
        return err_sys(e, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e,
                       "%s: not a directory; a model is a directory with config.json and "
                       "model.safetensors",
                       path);
    if (is_model(path))
        return buf_puts(out, path, e);
    int found = newest_checkpoint(path, out, e);
    if (found != 0)
        return found < 0 ? -1 : 0;
    if (has(path, "run.json"))
        return err_set(e, "%s: a run that has no complete model yet", path);
    return err_set(e, "%s: no model: it lacks %s", path,
                   has(path, "config.json") ? "model.safetensors" : "config.json");
}

static int open_tokenizer(struct modeldir *d, int flags, struct err *e)
{
    const struct config *c = model_config(d->m);

    d->ids = (struct special_ids){.bos = c->bos, .eos = c->n_eos ? c->eos[0] : -1, .pad = c->pad};
    if (!has(d->path, "tokenizer.json"))
        return flags & MODELDIR_TOKENIZER
                   ? err_set(e, "%s: has no tokenizer.json, which text needs", d->path)
                   : 0;
    struct buf file = BUF_INIT;
    int rc = buf_printf(&file, e, "%s/tokenizer.json", d->path);
    if (rc == 0 && !(d->tok = tokenizer_open(file.s, e)))
        rc = -1;
    if (rc == 0)
        rc = tokenizer_specials(d->tok, file.s, NULL, NULL, NULL, &d->ids, e);
    if (rc == 0 && tokenizer_vocab_size(d->tok) > (uint32_t)c->vocab_size)
        rc = err_set(e, "%s: the tokenizer has %" PRIu32 " ids, the model only %d", d->path,
                     tokenizer_vocab_size(d->tok), c->vocab_size);
    buf_release(&file);
    return rc;
}

static int open_at(struct modeldir *d, const char *path, int flags, struct err *e)
{
    *d = (struct modeldir){0};
    if ((d->path = mem_strdup(path, e)) && (d->m = model_map(d->path, e)) &&
        open_tokenizer(d, flags, e) == 0)
        return 0;
    modeldir_close(d);
    return -1;
}

int modeldir_open(struct modeldir *d, const char *path, int flags, struct err *e)
{
    struct buf dir = BUF_INIT, now = BUF_INIT;
    int rc = modeldir_find(path, &dir, e);

    if (rc == 0)
        rc = open_at(d, dir.s, flags, e);
    /* a run's checkpoint may give way to a newer one while it is being opened */
    while (rc < 0 && dir.len && strcmp(dir.s, path) != 0 && modeldir_find(path, &now, NULL) == 0 &&
           strcmp(now.s, dir.s) != 0) {
        struct buf t = dir;
        dir = now;
        now = t;
        rc = open_at(d, dir.s, flags, e);
    }
    buf_release(&dir);
    buf_release(&now);
    return rc;
}

void modeldir_close(struct modeldir *d)
{
    tokenizer_close(d->tok);
    model_free(d->m);
    free(d->path);
    *d = (struct modeldir){0};
}

static void add_eos(const struct modeldir *d, int64_t id, int64_t *v, int *n)
{
    for (int i = 0; i < *n; i++)
        if (v[i] == id)
            return;
    if (id >= 0 && id < model_config(d->m)->vocab_size && *n < MODELDIR_MAX_EOS)
        v[(*n)++] = id;
}

int modeldir_eos(const struct modeldir *d, int64_t v[MODELDIR_MAX_EOS], struct err *e)
{
    const struct config *c = model_config(d->m);
    struct buf path = BUF_INIT;
    json_t *tree = NULL;
    int n = 0;

    add_eos(d, d->ids.eos, v, &n);
    for (int i = 0; i < c->n_eos; i++)
        add_eos(d, c->eos[i], v, &n);
    int rc = buf_printf(&path, e, "%s/generation_config.json", d->path);
    if (rc == 0 && access(path.s, F_OK) == 0)
        rc = (tree = jtree_load(path.s, e)) ? 0 : -1;
    const json_t *eos = json_object_get(tree, "eos_token_id");
    if (json_is_integer(eos))
        add_eos(d, json_integer_value(eos), v, &n);
    for (size_t i = 0; i < json_array_size(eos); i++)
        add_eos(d, json_integer_value(json_array_get(eos, i)), v, &n);
    json_decref(tree);
    buf_release(&path);
    return rc < 0 ? -1 : n;
}

int modeldir_accepts(const struct modeldir *d, const struct shard_head *h, const char *name,
                     struct err *e)
{
    uint64_t vocab = (uint64_t)model_config(d->m)->vocab_size;

    if (h->vocab_size > vocab && !shard_has_fingerprint(h))
        return err_set(e, "%s: a vocabulary of %" PRIu64 " ids, the model has %" PRIu64, name,
                       h->vocab_size, vocab);
    if (!d->tok || !shard_has_fingerprint(h))
        return 0;
    struct shard_head mine = {.provenance = ""};
    if (tokenizer_fingerprint(d->tok, mine.fingerprint, e) < 0)
        return -1;
    return shard_same_tokenizer(h, name, &mine, d->path, e);
}
