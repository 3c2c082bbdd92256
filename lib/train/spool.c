/* Tokens of a pipe kept on disk. */
#include "train/spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/hash.h"
#include "base/le.h"
#include "base/mem.h"
#include "io/jtree.h"
#include "io/out.h"

enum part_of { TOKENS, DOCS, WEIGHTS, N_PARTS };
static const char *const part_names[] = {"tokens", "docs", "weights"};

struct spool {
    char *dir;
    struct out *out[N_PARTS]; /* NULL: no weights */
    struct hash_state *hash[N_PARTS];
    int width;
    uint64_t n_tok, n_docs, doc_tok, id_bound;
    unsigned char *bytes;
    size_t cap;
};

static int open_part(struct spool *s, enum part_of k, struct err *e)
{
    struct buf b = BUF_INIT;

    if (buf_printf(&b, e, "%s/%s", s->dir, part_names[k]) == 0)
        s->out[k] = out_open(b.s, 0, e);
    buf_release(&b);
    if (s->out[k] && !(s->hash[k] = hash_new()))
        return err_nomem(e, "hash", 0);
    return s->out[k] ? 0 : -1;
}

static int put(struct spool *s, enum part_of k, const void *p, size_t n, struct err *e)
{
    hash_add(s->hash[k], p, n);
    return out_write(s->out[k], p, n, e);
}

static int put_ids(struct spool *s, const struct shard_doc *d, struct err *e)
{
    size_t n_bytes = d->n * (size_t)s->width;
    uint32_t most = 0;

    if (mem_grow(&s->bytes, &s->cap, n_bytes, 1, e) < 0)
        return -1;
    for (size_t i = 0; i < d->n; i++) {
        most = d->ids[i] > most ? d->ids[i] : most;
        if (s->width == 2)
            le16_put(s->bytes + 2 * i, (uint16_t)d->ids[i]);
        else
            le32_put(s->bytes + 4 * i, d->ids[i]);
    }
    if (s->width == 2 && most > UINT16_MAX)
        return err_set(e, "an id is not below the vocabulary's size");
    if (d->n && most >= s->id_bound)
        s->id_bound = (uint64_t)most + 1;
    return put(s, TOKENS, s->bytes, n_bytes, e);
}

static int put_weights(struct spool *s, const struct shard_doc *d, struct err *e)
{
    if (d->weights)
        return put(s, WEIGHTS, d->weights, d->n, e);
    if (mem_grow(&s->bytes, &s->cap, d->n, 1, e) < 0)
        return -1;
    if (d->n)
        memset(s->bytes, 255, d->n);
    return put(s, WEIGHTS, s->bytes, d->n, e);
}

int spool_piece(struct spool *s, const struct shard_doc *d, struct err *e)
{
    unsigned char len[8];

    if (put_ids(s, d, e) < 0 || (s->out[WEIGHTS] && put_weights(s, d, e) < 0))
        return -1;
    s->n_tok += d->n;
    s->doc_tok += d->n;
    if (!d->last)
        return 0;
    le64_put(len, s->doc_tok);
    s->doc_tok = 0;
    s->n_docs++;
    return put(s, DOCS, len, sizeof len, e);
}

static int commit_parts(struct spool *s, struct err *e)
{
    for (int k = 0; k < N_PARTS; k++) {
        struct out *now = s->out[k];
        s->out[k] = NULL;
        if (now && out_commit(now, e) < 0)
            return -1;
    }
    return 0;
}

static int mark_complete(const struct spool *s, struct err *e)
{
    struct buf b = BUF_INIT;
    json_t *j = json_pack("{s:i,s:I,s:I,s:I,s:b}", "width", s->width, "tokens",
                          (json_int_t)s->n_tok, "documents", (json_int_t)s->n_docs, "id_bound",
                          (json_int_t)s->id_bound, "weights", s->hash[WEIGHTS] != NULL);
    json_t *sums = json_object();
    int rc = -1;

    for (int k = 0; sums && k < N_PARTS; k++) {
        char hex[17];
        if (!s->hash[k])
            continue;
        snprintf(hex, sizeof hex, "%016" PRIx64, hash_get64(s->hash[k]));
        json_object_set_new(sums, part_names[k], json_string(hex));
    }
    if (!j || !sums || json_object_set(j, "xxh3", sums) != 0)
        err_nomem(e, "spool.json", 0);
    else if (buf_printf(&b, e, "%s/spool.json", s->dir) == 0)
        rc = jtree_save(j, b.s, e);
    json_decref(sums);
    json_decref(j);
    buf_release(&b);
    return rc;
}

struct spool *spool_create(const char *dir, int width, bool weights, struct err *e)
{
    struct spool *s = mem_new(1, sizeof *s, e);

    if (!s)
        return NULL;
    *s = (struct spool){.width = width};
    if (!(s->dir = mem_strdup(dir, e)) || out_rmtree(dir, e) < 0)
        goto fail;
    if (mkdir(dir, 0777) != 0) {
        err_sys(e, "%s: cannot make the directory", dir);
        goto fail;
    }
    if (open_part(s, TOKENS, e) == 0 && open_part(s, DOCS, e) == 0 &&
        (!weights || open_part(s, WEIGHTS, e) == 0))
        return s;
fail:
    spool_abort(s);
    return NULL;
}

void spool_abort(struct spool *s)
{
    if (!s)
        return;
    for (int k = 0; k < N_PARTS; k++) {
        out_abort(s->out[k]);
        hash_free(s->hash[k]);
    }
    free(s->bytes);
    free(s->dir);
    free(s);
}

int spool_commit(struct spool *s, struct err *e)
{
    int rc = commit_parts(s, e) < 0 ? -1 : mark_complete(s, e);

    spool_abort(s);
    return rc;
}

static int read_all(struct spool *s, struct shard_in *in, int (*tick)(void *, uint64_t), void *user,
                    struct err *e)
{
    struct shard_doc d;
    int r;

    while ((r = shard_next_piece(in, &d, e)) > 0) {
        if (spool_piece(s, &d, e) < 0)
            return err_prefix(e, "%s: ", shard_name(in));
        if (tick && tick(user, s->n_tok)) {
            err_set(e, "stopped while reading the input");
            if (e)
                e->kind = ERR_SIGNAL;
            return -1;
        }
    }
    return r;
}

int spool_write(const char *dir, struct shard_in *const *in, int n_in, int width, bool weights,
                int (*tick)(void *user, uint64_t n_tok), void *user, struct err *e)
{
    struct spool *s = spool_create(dir, width, weights, e);

    if (!s)
        return -1;
    for (int i = 0; i < n_in; i++)
        if (read_all(s, in[i], tick, user, e) < 0) {
            spool_abort(s);
            return -1;
        }
    return spool_commit(s, e);
}

bool spool_complete(const char *dir)
{
    struct buf b = BUF_INIT;
    bool there = buf_printf(&b, NULL, "%s/spool.json", dir) == 0 && access(b.s, F_OK) == 0;

    buf_release(&b);
    return there;
}

/* Maps a file, which must have exactly n_bytes and the checksum that j has. */
static const unsigned char *map_part(struct corpus *c, const char *dir, enum part_of k,
                                     uint64_t n_bytes, const json_t *j, struct err *e)
{
    struct buf b = BUF_INIT;
    struct sys_map m;
    const unsigned char *p = NULL;
    const char *sum = json_string_value(json_object_get(j, part_names[k]));
    char hex[17];

    if (mem_grow(&c->maps, &c->cap_maps, c->n_maps + 1, sizeof *c->maps, e) < 0 ||
        buf_printf(&b, e, "%s/%s", dir, part_names[k]) < 0 || sys_map_file(&m, b.s, e) < 0)
        goto out;
    c->maps[c->n_maps++] = m;
    p = m.p ? m.p : (const unsigned char *)""; /* an empty file maps to nothing */
    snprintf(hex, sizeof hex, "%016" PRIx64, hash64(p, m.len, 0));
    if (m.len != n_bytes || !sum || strcmp(sum, hex) != 0) {
        err_set(e, "%s: is not what was written: the run's copy of its input is damaged", b.s);
        p = NULL;
    }
out:
    buf_release(&b);
    return p;
}

int spool_open(struct corpus *c, const char *dir, struct err *e)
{
    struct buf b = BUF_INIT;
    int64_t width = 0, n_tok = -1, n_docs = -1, id_bound = -1;
    bool weights = false;
    const unsigned char *docs, *w = NULL, *ids;
    json_t *j = NULL;
    const json_t *sums;
    int rc = -1;

    if (buf_printf(&b, e, "%s/spool.json", dir) < 0 || !(j = jtree_load(b.s, e)) ||
        jtree_int(j, "width", 2, 4, &width, e) < 0 ||
        jtree_int(j, "tokens", 0, INT64_MAX / 8, &n_tok, e) < 0 ||
        jtree_int(j, "documents", 0, INT64_MAX / 8, &n_docs, e) < 0 ||
        jtree_int(j, "id_bound", 0, (int64_t)UINT32_MAX + 1, &id_bound, e) < 0 ||
        jtree_bool(j, "weights", &weights, e) < 0)
        goto out;
    if (width == 0 || width == 3 || n_tok < 0 || n_docs < 0 || id_bound < 0) {
        err_set(e, "%s: not a spool", b.s);
        goto out;
    }
    sums = json_object_get(j, "xxh3");
    if (!(ids = map_part(c, dir, TOKENS, (uint64_t)(n_tok * width), sums, e)) ||
        !(docs = map_part(c, dir, DOCS, (uint64_t)n_docs * 8, sums, e)) ||
        (weights && !(w = map_part(c, dir, WEIGHTS, (uint64_t)n_tok, sums, e))))
        goto out;
    struct token_run r = {.n = (uint64_t)n_tok, .ids = ids, .weights = w, .width = (int)width};
    if (corpus_add_run(c, r, e) < 0)
        goto out;
    for (int64_t i = 0; i < n_docs; i++)
        if (corpus_add_doc(c, le64_get(docs + 8 * i), e) < 0)
            goto out;
    if (c->n_tok != (uint64_t)n_tok) {
        err_set(e, "%s: the documents do not add up to the tokens: the spool is damaged", dir);
        goto out;
    }
    if ((uint64_t)id_bound > c->id_bound)
        c->id_bound = (uint64_t)id_bound;
    rc = 0;
out:
    json_decref(j);
    buf_release(&b);
    return rc;
}
