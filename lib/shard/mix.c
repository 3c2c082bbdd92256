/* Documents by weight of tokens: see mix.h. */
#include "shard/mix.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "shard/set.h"

const char *const mix_until_words[] = {"first", "all", "repeat", NULL};

struct mix {
    struct mix_source *src;
    struct shard_in **in; /* NULL: ended for good */
    int n;
    struct shard_head head;
    struct buf provenance;
    uint64_t n_tokens;
};

int mix_parse(struct mix_source *src, const char *word, struct err *e)
{
    const char *colon = strchr(word, ':');
    if (!colon || colon == word || !colon[1])
        return err_usage(e, "'%s' is not WEIGHT:FILE, as in 0.7:a.tok", word);
    char *weight = mem_dup(word, (size_t)(colon - word), e);
    if (!weight)
        return -1;
    *src = (struct mix_source){.path = colon + 1};
    int rc = num_real(weight, 0, 1e18, &src->weight, e);
    if (rc == 0 && src->weight <= 0)
        rc = err_usage(e, "the weight must be over 0");
    if (rc < 0)
        err_prefix(e, "%s: ", word);
    free(weight);
    return rc;
}

static int open_source(struct mix *m, int i, struct err *e)
{
    struct mix_source *src = &m->src[i];
    struct shard_totals t;
    for (int k = 0; k < i && !strcmp(src->path, "-"); k++) {
        if (!strcmp(m->src[k].path, "-"))
            return err_usage(e, "stdin is named twice");
    }
    m->in[i] = shard_open(src->path, e);
    if (!m->in[i])
        return -1;
    if (shard_is_regular(src->path)) {
        if (shard_peek(src->path, NULL, &t, e) < 0)
            return -1;
        src->all_known = true;
        src->all_docs = t.n_docs;
        src->all_tokens = t.n_tokens;
    }
    return shard_head_join(&m->head, &m->provenance, shard_name(m->in[0]), shard_head(m->in[i]),
                           shard_name(m->in[i]), e);
}

struct mix *mix_open(struct mix_source *src, int n, struct err *e)
{
    struct mix *m = mem_new(1, sizeof *m, e);
    if (!m)
        return NULL;
    m->provenance = (struct buf)BUF_INIT;
    m->src = src;
    m->in = mem_new((size_t)n, sizeof *m->in, e);
    if (!m->in)
        goto fail;
    m->n = n;
    for (int i = 0; i < n; i++) {
        if (open_source(m, i, e) < 0)
            goto fail;
    }
    return m;
fail:
    mix_close(m);
    return NULL;
}

struct shard_head *mix_head(struct mix *m)
{
    m->head.provenance = m->provenance.s;
    if (m->head.vocab_size)
        m->head.width = m->head.vocab_size <= 65536 ? 2 : 4;
    return &m->head;
}

struct buf *mix_provenance(struct mix *m)
{
    return &m->provenance;
}

/* The source that is due; -1: all have ended. */
static int due(const struct mix *m)
{
    int best = -1;
    for (int i = 0; i < m->n; i++) {
        if (!m->in[i])
            continue;
        const struct mix_source *a = &m->src[i], *b = best < 0 ? NULL : &m->src[best];
        if (!b || (double)a->n_tokens * b->weight < (double)b->n_tokens * a->weight)
            best = i;
    }
    return best;
}

static bool all_ended_once(const struct mix *m)
{
    for (int i = 0; i < m->n; i++) {
        if (m->src[i].n_ends == 0)
            return false;
    }
    return true;
}

/* A document, piece by piece: 1, 0 where the source has no more, -1. */
static int draw(struct mix *m, int i, struct shard_out *out, struct err *e)
{
    struct shard_doc d;
    do {
        int r = shard_next_piece(m->in[i], &d, e);
        if (r <= 0)
            return r;
        if (shard_part(out, d.ids, d.weights, d.n, e) < 0)
            return -1;
        m->src[i].n_tokens += d.n;
        m->n_tokens += d.n;
    } while (!d.last);
    m->src[i].n_docs++;
    return shard_part_end(out, e) < 0 ? -1 : 1;
}

/* At a source's end: 1 = go on, 0 = the mixture is complete, -1. */
static int at_end(struct mix *m, int i, enum mix_until until, uint64_t max_tokens, struct err *e)
{
    struct mix_source *src = &m->src[i];
    src->n_ends++;
    if (until == MIX_FIRST)
        return 0;
    if (until == MIX_REPEAT && max_tokens == 0 && all_ended_once(m))
        return 0;
    shard_close(m->in[i]);
    m->in[i] = NULL;
    if (until == MIX_ALL)
        return 1;
    if (src->n_tokens == 0)
        return err_set(e, "%s: has no tokens to repeat", src->path);
    if (!shard_is_regular(src->path))
        return err_set(e, "%s: cannot be read again: it is no regular file",
                       strcmp(src->path, "-") ? src->path : "stdin");
    src->n_again++;
    m->in[i] = shard_open(src->path, e);
    return m->in[i] ? 1 : -1;
}

int mix_run(struct mix *m, enum mix_until until, uint64_t max_tokens, struct shard_out *out,
            struct progress *pr, struct err *e)
{
    int i;
    while ((i = due(m)) >= 0) {
        if (max_tokens > 0 && m->n_tokens >= max_tokens)
            return 0;
        int r = draw(m, i, out, e);
        if (r == 0)
            r = at_end(m, i, until, max_tokens, e);
        if (r <= 0)
            return r;
        if (pr)
            progress_at(pr, (double)m->n_tokens, NULL);
    }
    return 0;
}

void mix_close(struct mix *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->n; i++)
        shard_close(m->in[i]);
    m->head.provenance = NULL; /* the buffer's */
    shard_head_release(&m->head);
    buf_release(&m->provenance);
    free(m->in);
    free(m);
}
