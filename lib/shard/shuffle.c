/*
 * External sort by random keys: see shuffle.h.
 *
 * Documents are cut into records of at most RECORD_TOKENS, so that a record always fits the buffer
 * of a run. A run is records in the order of (key, document, place in the document). A document
 * may lie in several consecutive runs; its records stay in order because equal keys leave the
 * merge in the order of the runs.
 */
#include "shard/shuffle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "io/tmp.h"
#include "shard/shard_int.h"

enum {
    RECORD_TOKENS = 16384,
    RECORD_HEAD = 24, /* key, document, tokens and whether the document ends; host order */
    RECORD_MAX = RECORD_HEAD + RECORD_TOKENS * 5,
    RUN_BUFFER_MIN = 128 << 10,
    RUN_BUFFER_MAX = 4 << 20,
    ENTRY_COST = 80, /* an entry, and the copy that qsort makes of it */
};
#define LAST_RECORD (UINT64_C(1) << 63)

struct entry {
    uint64_t key, doc;
    uint64_t n; /* tokens, | LAST_RECORD */
    size_t at;  /* in data */
};

struct run {
    uint64_t from, to; /* bytes of the temporary file */
};

struct shuffle {
    struct shard_out *out;
    int width;
    bool weighted;
    uint64_t mem, id_limit;
    struct rng key;
    uint64_t n_docs;
    /* The run being filled: ids of a record, then its weights. */
    unsigned char *data;
    size_t n_data, data_cap;
    struct entry *entry;
    size_t n_entry, entry_cap;
    struct tmp tmp[2]; /* runs are read from one and merged into the other */
    int from;          /* which of the two holds the runs */
    struct run *run;
    size_t n_run, run_cap;
    unsigned char *wbuf; /* what goes to a temporary file next */
    size_t n_wbuf, wbuf_cap;
    uint32_t ids[RECORD_TOKENS];
    struct shuffle_report rep;
    struct progress *pr;
    double in_bytes; /* read in all; writing counts as much again */
    uint64_t n_emitted;
};

static uint64_t key_of(struct shuffle *s, uint64_t doc)
{
    struct rng r = s->key;
    r.counter[2] = (uint32_t)doc;
    r.counter[3] = (uint32_t)(doc >> 32);
    return rng_u64(&r);
}

static size_t payload_bytes(const struct shuffle *s, uint64_t n)
{
    return (size_t)(n & ~LAST_RECORD) * (size_t)(s->width + s->weighted);
}

static int by_key(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->doc != b->doc)
        return a->doc < b->doc ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int emit(struct shuffle *s, const unsigned char *p, uint64_t n, struct err *e)
{
    size_t n_tok = (size_t)(n & ~LAST_RECORD);
    shard_ids_get(s->ids, p, n_tok, s->width);
    if (shard_part(s->out, s->ids, s->weighted ? p + n_tok * (size_t)s->width : NULL, n_tok, e) < 0)
        return -1;
    s->n_emitted += n_tok;
    if (s->pr && s->rep.n_tokens > 0)
        progress_at(s->pr, s->in_bytes * (1 + (double)s->n_emitted / (double)s->rep.n_tokens),
                    "writing");
    return n & LAST_RECORD ? shard_part_end(s->out, e) : 0;
}

/* ---- writing runs */

static int flush_wbuf(struct shuffle *s, struct tmp *t, struct err *e)
{
    int rc = s->n_wbuf ? tmp_write(t, s->wbuf, s->n_wbuf, e) : 0;
    s->rep.spill_bytes += s->n_wbuf;
    s->n_wbuf = 0;
    return rc;
}

static int write_record(struct shuffle *s, struct tmp *t, uint64_t key, uint64_t doc, uint64_t n,
                        const unsigned char *p, struct err *e)
{
    const uint64_t head[3] = {key, doc, n};
    size_t bytes = payload_bytes(s, n);
    if (s->wbuf_cap - s->n_wbuf < RECORD_HEAD + bytes && flush_wbuf(s, t, e) < 0)
        return -1;
    memcpy(s->wbuf + s->n_wbuf, head, RECORD_HEAD);
    if (bytes > 0)
        memcpy(s->wbuf + s->n_wbuf + RECORD_HEAD, p, bytes);
    s->n_wbuf += RECORD_HEAD + bytes;
    return 0;
}

static int add_run(struct shuffle *s, uint64_t from, uint64_t to, struct err *e)
{
    if (mem_grow(&s->run, &s->run_cap, s->n_run + 1, sizeof *s->run, e) < 0)
        return -1;
    s->run[s->n_run++] = (struct run){from, to};
    return 0;
}

static int need_tmp(struct shuffle *s, int i, struct err *e)
{
    return s->tmp[i].fd >= 0 ? 0 : tmp_open(&s->tmp[i], 0, e);
}

static int need_wbuf(struct shuffle *s, struct err *e)
{
    size_t want = s->mem / 8 > RUN_BUFFER_MAX ? RUN_BUFFER_MAX : (size_t)(s->mem / 8);
    return mem_grow(&s->wbuf, &s->wbuf_cap, want < RUN_BUFFER_MIN ? RUN_BUFFER_MIN : want, 1, e);
}

static int spill(struct shuffle *s, struct err *e)
{
    struct tmp *t = &s->tmp[s->from];
    if (need_tmp(s, s->from, e) < 0 || need_wbuf(s, e) < 0)
        return -1;
    uint64_t from = t->size;
    qsort(s->entry, s->n_entry, sizeof *s->entry, by_key);
    for (size_t i = 0; i < s->n_entry; i++) {
        const struct entry *x = &s->entry[i];
        if (write_record(s, t, x->key, x->doc, x->n, s->data + x->at, e) < 0)
            return -1;
    }
    s->n_entry = s->n_data = 0;
    s->rep.n_runs++;
    return flush_wbuf(s, t, e) < 0 ? -1 : add_run(s, from, t->size, e);
}

static int add_record(struct shuffle *s, const uint32_t *ids, const uint8_t *weights, size_t n,
                      bool last, struct err *e)
{
    size_t bytes = payload_bytes(s, n);
    if (s->n_entry > 0 && (uint64_t)(s->n_data + bytes) + (s->n_entry + 1) * ENTRY_COST > s->mem &&
        spill(s, e) < 0)
        return -1;
    if (mem_grow(&s->data, &s->data_cap, s->n_data + bytes + 1, 1, e) < 0 ||
        mem_grow(&s->entry, &s->entry_cap, s->n_entry + 1, sizeof *s->entry, e) < 0)
        return -1;
    unsigned char *to = s->data + s->n_data;
    if (shard_ids_put(to, ids, n, s->width) >= s->id_limit && n > 0)
        return err_set(e, "document %llu: an id is not below the vocabulary size %llu",
                       (unsigned long long)s->n_docs + 1, (unsigned long long)s->id_limit);
    if (s->weighted && weights && n > 0)
        memcpy(to + n * (size_t)s->width, weights, n);
    else if (s->weighted && n > 0)
        memset(to + n * (size_t)s->width, 255, n);
    s->entry[s->n_entry++] = (struct entry){
        .key = key_of(s, s->n_docs),
        .doc = s->n_docs,
        .n = n | (last ? LAST_RECORD : 0),
        .at = s->n_data,
    };
    s->n_data += bytes;
    return 0;
}

static int add_piece(struct shuffle *s, const struct shard_doc *d, struct err *e)
{
    size_t done = 0;
    do {
        size_t n = d->n - done < RECORD_TOKENS ? d->n - done : RECORD_TOKENS;
        bool last = d->last && done + n == d->n;
        if (add_record(s, d->ids + done, d->weights ? d->weights + done : NULL, n, last, e) < 0)
            return -1;
        done += n;
    } while (done < d->n);
    s->rep.n_tokens += d->n;
    s->n_docs += d->last;
    return 0;
}

/* ---- merging runs */

struct reader {
    uint64_t key, doc, n; /* of the record at `at` */
    uint64_t next, to;    /* bytes of the temporary file not yet in buf */
    unsigned char *buf;
    size_t at, have;
};

struct merge {
    struct shuffle *s;
    const struct tmp *t;
    struct reader *r;
    size_t *heap, n_heap; /* readers; the least on top */
    size_t buf_bytes;
};

static bool before(const struct merge *m, size_t a, size_t b)
{
    const struct reader *x = &m->r[a], *y = &m->r[b];
    if (x->key != y->key)
        return x->key < y->key;
    return x->doc != y->doc ? x->doc < y->doc : a < b;
}

static void sift_down(struct merge *m, size_t i)
{
    size_t x = m->heap[i];
    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid >= m->n_heap)
            break;
        if (kid + 1 < m->n_heap && before(m, m->heap[kid + 1], m->heap[kid]))
            kid++;
        if (!before(m, m->heap[kid], x))
            break;
        m->heap[i] = m->heap[kid];
        i = kid;
    }
    m->heap[i] = x;
}

/* At least `want` bytes behind r->at, or all that is left of the run. */
static int fill(struct merge *m, struct reader *r, size_t want, struct err *e)
{
    if (r->have - r->at >= want || r->next == r->to)
        return 0;
    memmove(r->buf, r->buf + r->at, r->have - r->at);
    r->have -= r->at;
    r->at = 0;
    size_t n = m->buf_bytes - r->have;
    if (n > r->to - r->next)
        n = (size_t)(r->to - r->next);
    if (tmp_read(m->t, r->next, r->buf + r->have, n, e) < 0)
        return -1;
    r->next += n;
    r->have += n;
    return 0;
}

/* Parses the record at r->at: 1, 0 at the run's end. */
static int next_record(struct merge *m, struct reader *r, struct err *e)
{
    uint64_t head[3];
    if (fill(m, r, RECORD_MAX, e) < 0)
        return -1;
    if (r->have == r->at)
        return 0;
    memcpy(head, r->buf + r->at, RECORD_HEAD);
    r->key = head[0];
    r->doc = head[1];
    r->n = head[2];
    r->at += RECORD_HEAD;
    return 1;
}

static int begin_merge(struct merge *m, const struct run *run, size_t n, struct err *e)
{
    uint64_t each = m->s->mem / n;
    m->buf_bytes = each > RUN_BUFFER_MAX   ? RUN_BUFFER_MAX
                   : each < RUN_BUFFER_MIN ? RUN_BUFFER_MIN
                                           : (size_t)each;
    m->r = mem_new(n, sizeof *m->r, e);
    m->heap = mem_new(n, sizeof *m->heap, e);
    if (!m->r || !m->heap)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct reader *r = &m->r[i];
        r->next = run[i].from;
        r->to = run[i].to;
        r->buf = mem_new(m->buf_bytes, 1, e);
        if (!r->buf)
            return -1;
        int got = next_record(m, r, e);
        if (got < 0)
            return -1;
        if (got > 0)
            m->heap[m->n_heap++] = i;
    }
    for (size_t i = m->n_heap; i-- > 0;)
        sift_down(m, i);
    return 0;
}

static void end_merge(struct merge *m, size_t n)
{
    for (size_t i = 0; m->r && i < n; i++)
        free(m->r[i].buf);
    free(m->r);
    free(m->heap);
}

/* n runs into the output, or into one run at the end of `to`. */
static int merge_runs(struct shuffle *s, const struct run *run, size_t n, struct tmp *to,
                      struct err *e)
{
    struct merge m = {.s = s, .t = &s->tmp[s->from]};
    int rc = begin_merge(&m, run, n, e);
    while (rc == 0 && m.n_heap > 0) {
        struct reader *r = &m.r[m.heap[0]];
        const unsigned char *p = r->buf + r->at;
        rc = to ? write_record(s, to, r->key, r->doc, r->n, p, e) : emit(s, p, r->n, e);
        if (rc < 0)
            break;
        r->at += payload_bytes(s, r->n);
        int got = next_record(&m, r, e);
        if (got < 0)
            rc = -1;
        if (got == 0)
            m.heap[0] = m.heap[--m.n_heap];
        if (m.n_heap > 0)
            sift_down(&m, 0);
    }
    end_merge(&m, n);
    return rc;
}

/* Merges neighbouring runs until one merge can take all of them. */
static int reduce_runs(struct shuffle *s, size_t fan_in, struct err *e)
{
    while (s->n_run > fan_in) {
        struct tmp *to = &s->tmp[!s->from];
        size_t n_new = 0;
        if (need_tmp(s, !s->from, e) < 0)
            return -1;
        for (size_t i = 0; i < s->n_run; i += fan_in) {
            size_t n = s->n_run - i < fan_in ? s->n_run - i : fan_in;
            uint64_t from = to->size;
            if (merge_runs(s, s->run + i, n, to, e) < 0 || flush_wbuf(s, to, e) < 0)
                return -1;
            s->run[n_new++] = (struct run){from, to->size};
        }
        s->n_run = n_new;
        if (tmp_rewind(&s->tmp[s->from], e) < 0)
            return -1;
        s->from = !s->from;
        s->rep.n_merges++;
    }
    return 0;
}

static int write_out(struct shuffle *s, struct err *e)
{
    if (s->n_run > 0) {
        if (s->n_entry > 0 && spill(s, e) < 0)
            return -1;
        /* The merge's buffers take the place of these. */
        free(s->data);
        free(s->entry);
        s->data = NULL;
        s->entry = NULL;
        uint64_t fan_in = s->mem / RUN_BUFFER_MIN;
        if (reduce_runs(s, fan_in > 4096 ? 4096 : (size_t)fan_in, e) < 0)
            return -1;
        return merge_runs(s, s->run, s->n_run, NULL, e);
    }
    qsort(s->entry, s->n_entry, sizeof *s->entry, by_key);
    for (size_t i = 0; i < s->n_entry; i++) {
        if (emit(s, s->data + s->entry[i].at, s->entry[i].n, e) < 0)
            return -1;
    }
    return 0;
}

static int take_all(struct shuffle *s, struct shard_set *in, struct err *e)
{
    struct shard_doc d;
    double total;
    int r;
    shard_set_progress(in, &s->in_bytes, &total);
    if (s->pr)
        s->pr->total = 2 * total;
    while ((r = shard_set_next_piece(in, &d, e)) > 0) {
        if (add_piece(s, &d, e) < 0)
            return -1;
        shard_set_progress(in, &s->in_bytes, &total);
        if (s->pr)
            progress_at(s->pr, s->in_bytes, "reading");
    }
    if (s->pr)
        s->pr->total = 2 * s->in_bytes;
    return r;
}

int shuffle_run(struct shard_set *in, struct shard_out *out, uint64_t seed, uint64_t mem_bytes,
                struct progress *pr, struct shuffle_report *rep, struct err *e)
{
    const struct shard_head *h = shard_set_head(in);
    int r;
    struct shuffle *s = mem_new(1, sizeof *s, e);
    if (!s)
        return -1;
    s->out = out;
    s->width = h->width;
    s->id_limit = h->vocab_size ? h->vocab_size : h->width == 2 ? 65536 : UINT32_MAX;
    s->weighted = h->has_weights;
    s->mem = mem_bytes;
    s->tmp[0].fd = s->tmp[1].fd = -1;
    s->tmp[0].slot = s->tmp[1].slot = -1;
    rng_init(&s->key, seed, RNG_SHUFFLE, 0);
    s->pr = pr;
    r = take_all(s, in, e);
    if (r == 0)
        r = write_out(s, e);
    s->rep.n_docs = s->n_docs;
    if (rep)
        *rep = s->rep;
    tmp_close(&s->tmp[0]);
    tmp_close(&s->tmp[1]);
    free(s->data);
    free(s->entry);
    free(s->run);
    free(s->wbuf);
    free(s);
    return r;
}
