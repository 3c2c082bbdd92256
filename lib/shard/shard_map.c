/* The columns of a mapped shard file. */
#include "shard/shard_map.h"

#include "shard/shard_int.h"

struct walk {
    const unsigned char *p;
    size_t len, at;
    int width;
    uint32_t features;
};

/* Steps over a header. 1, 0 at the end of the file, -1. */
static int next_segment(struct walk *w, struct err *e)
{
    struct shard_head h;
    const char *provenance;
    size_t len, n_provenance;

    if (w->at == w->len)
        return 0;
    if (w->len - w->at < SHARD_HEAD_MIN || shard_magic_get(w->p + w->at, &len, e) < 0 ||
        len > w->len - w->at ||
        shard_head_get(w->p + w->at, len, &h, &w->features, &provenance, &n_provenance, e) < 0)
        return -1;
    w->width = h.width;
    w->at += len;
    return 1;
}

/* The next block of the segment and its payload; -1 if it is not whole. */
static int next_block(struct walk *w, struct shard_block *b, const unsigned char **payload,
                      struct err *e)
{
    if (w->len - w->at < SHARD_BLOCK_HEAD ||
        shard_block_get(w->p + w->at, w->width, w->features, b, e) < 0)
        return -1;
    w->at += SHARD_BLOCK_HEAD;
    if (w->len - w->at < shard_pad(b->stored))
        return -1;
    *payload = w->p + w->at;
    w->at += shard_pad(b->stored);
    return 0;
}

static struct shard_cols columns(const struct walk *w, const struct shard_block *b,
                                 const unsigned char *payload)
{
    size_t docs = shard_pad((uint64_t)b->n_docs * 4);
    size_t ids = shard_pad((uint64_t)b->n_tokens * (uint64_t)w->width);

    return (struct shard_cols){.n_tok = payload,
                               .ids = payload + docs,
                               .weights = w->features & SHARD_FEATURE_WEIGHTS ? payload + docs + ids
                                                                              : NULL,
                               .width = w->width,
                               .n_docs = b->n_docs,
                               .n_tokens = b->n_tokens,
                               .continues = b->flags & SHARD_CONTINUES,
                               .goes_on = b->flags & SHARD_GOES_ON};
}

static int walk_blocks(const struct sys_map *m,
                       int (*fn)(void *user, const struct shard_cols *c, struct err *e), void *user,
                       struct err *e)
{
    struct walk w = {.p = m->p, .len = m->len};
    struct shard_block b;
    const unsigned char *payload;
    int r;

    while ((r = next_segment(&w, e)) > 0)
        do {
            if (next_block(&w, &b, &payload, e) < 0)
                return -1;
            if (b.type != SHARD_DOCS)
                continue;
            if (b.codec != SHARD_CODEC_RAW)
                return 1;
            struct shard_cols c = columns(&w, &b, payload);
            if (fn && fn(user, &c, e) < 0)
                return -1;
        } while (b.type != SHARD_ENDS);
    return r;
}

int shard_map_walk(const struct sys_map *m, const char *name,
                   int (*fn)(void *user, const struct shard_cols *c, struct err *e), void *user,
                   struct err *e)
{
    err_clear(e);
    int r = walk_blocks(m, NULL, NULL, e);
    if (r == 0)
        r = walk_blocks(m, fn, user, e);
    if (r < 0 && e && e->kind == ERR_NONE)
        err_set(e, "%s: the file has changed while it was read", name);
    return r;
}
