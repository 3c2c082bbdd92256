/* The tokens of many documents by number. */
#include "train/corpus.h"

#include <stdlib.h>
#include "base/bug.h"
#include "base/le.h"
#include "base/mem.h"
#include "shard/shard_map.h"

int corpus_add_run(struct corpus *c, struct token_run r, struct err *e)
{
    if (r.n == 0)
        return 0;
    if (mem_grow(&c->runs, &c->cap_runs, c->n_runs + 1, sizeof *c->runs, e) < 0)
        return -1;
    r.from = c->n_runs ? c->runs[c->n_runs - 1].from + c->runs[c->n_runs - 1].n : 0;
    c->has_weights |= r.weights != NULL;
    c->runs[c->n_runs++] = r;
    return 0;
}

int corpus_add_doc(struct corpus *c, uint64_t n_tok, struct err *e)
{
    if (mem_grow(&c->doc_at, &c->cap_docs, c->n_docs + 2, sizeof *c->doc_at, e) < 0)
        return -1;
    if (c->n_docs == 0)
        c->doc_at[0] = 0;
    c->n_tok += n_tok;
    c->doc_at[++c->n_docs] = c->n_tok;
    return 0;
}

static size_t find_run(const struct corpus *c, uint64_t at)
{
    size_t lo = 0, hi = c->n_runs;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->runs[mid].from <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static void read_ids(const struct token_run *r, uint64_t at, size_t n, uint32_t *ids)
{
    if (r->width == 2) {
        const unsigned char *p = (const unsigned char *)r->ids + 2 * at;
        for (size_t i = 0; i < n; i++)
            ids[i] = le16_get(p + 2 * i);
    } else {
        const unsigned char *p = (const unsigned char *)r->ids + 4 * at;
        for (size_t i = 0; i < n; i++)
            ids[i] = le32_get(p + 4 * i);
    }
}

void corpus_read(const struct corpus *c, uint64_t from, size_t n, uint32_t *ids, float *weights)
{
    if (from > c->n_tok || n > c->n_tok - from)
        BUG("tokens %llu + %zu of %llu", (unsigned long long)from, n, (unsigned long long)c->n_tok);
    for (size_t k = n ? find_run(c, from) : 0; n > 0; k++) {
        const struct token_run *r = &c->runs[k];
        uint64_t at = from - r->from;
        size_t m = r->n - at < n ? (size_t)(r->n - at) : n;
        if (ids) {
            read_ids(r, at, m, ids);
            ids += m;
        }
        if (weights) {
            for (size_t i = 0; i < m; i++)
                weights[i] = r->weights ? (float)r->weights[at + i] / 255.0f : 1.0f;
            weights += m;
        }
        from += m;
        n -= m;
    }
}

void corpus_release(struct corpus *c)
{
    for (size_t i = 0; i < c->n_maps; i++)
        sys_unmap(&c->maps[i]);
    free(c->maps);
    free(c->runs);
    free(c->doc_at);
    *c = (struct corpus)CORPUS_INIT;
}

/* ---- shard files ---- */

struct adding {
    struct corpus *c;
    uint64_t doc_tok; /* of a document that goes on */
};

static int add_cols(void *user, const struct shard_cols *cols, struct err *e)
{
    struct adding *a = user;
    struct token_run r = {
        .n = cols->n_tokens, .ids = cols->ids, .weights = cols->weights, .width = cols->width};

    if (corpus_add_run(a->c, r, e) < 0)
        return -1;
    for (uint32_t i = 0; i < cols->n_docs; i++) {
        a->doc_tok += le32_get(cols->n_tok + 4 * (size_t)i);
        if (i + 1 == cols->n_docs && cols->goes_on)
            break;
        if (corpus_add_doc(a->c, a->doc_tok, e) < 0)
            return -1;
        a->doc_tok = 0;
    }
    return 0;
}

/* Reads the whole file once, so that every CRC and checksum has been verified. */
static int verify(struct corpus *c, const char *path, int (*tick)(void *, uint64_t), void *user,
                  struct err *e)
{
    struct shard_in *s = shard_open(path, e);
    struct shard_totals t;
    struct shard_doc d;
    uint64_t n = 0;
    int r = -1;

    while (s && (r = shard_next_piece(s, &d, e)) > 0) {
        n += d.n;
        if (tick && tick(user, c->n_tok + n)) {
            err_set(e, "stopped while reading %s", path);
            if (e)
                e->kind = ERR_SIGNAL;
            r = -1;
            break;
        }
    }
    if (r == 0) {
        shard_totals(s, &t);
        c->id_bound = t.id_bound > c->id_bound ? t.id_bound : c->id_bound;
    }
    shard_close(s);
    return r;
}

int corpus_add_shard(struct corpus *c, const char *path, int (*tick)(void *user, uint64_t n_tok),
                     void *user, struct err *e)
{
    struct adding a = {.c = c};
    struct sys_map m;

    if (verify(c, path, tick, user, e) < 0 ||
        mem_grow(&c->maps, &c->cap_maps, c->n_maps + 1, sizeof *c->maps, e) < 0 ||
        sys_map_file(&m, path, e) < 0)
        return -1;
    c->maps[c->n_maps++] = m;
    int r = shard_map_walk(&m, path, add_cols, &a, e);
    if (r == 1)
        return err_set(e, "%s: is deflated and cannot be mapped", path);
    return r;
}

bool corpus_can_map(const char *path)
{
    struct err ignored = {0};
    struct sys_map m;
    bool can = false;

    if (shard_peek(path, NULL, NULL, &ignored) == 0 && sys_map_file(&m, path, &ignored) == 0) {
        can = shard_map_walk(&m, path, NULL, NULL, &ignored) == 0;
        sys_unmap(&m);
    }
    return can;
}
