/* A set in two: see split.h. */
#include "shard/cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

const char *const split_unit_words[] = {"doc", "byte", "token", NULL};

int split_parse(struct split_at *at, const char *word, struct err *e)
{
    size_t n = strlen(word);
    int64_t count;
    at->percent = n > 0 && word[n - 1] == '%';
    if (!at->percent) {
        if (num_int(word, 0, INT64_MAX, &count, e) < 0)
            return -1;
        at->count = (uint64_t)count;
        return 0;
    }
    char *number = mem_dup(word, n - 1, e);
    if (!number)
        return -1;
    int rc = num_real(number, 0, 100, &at->share, e);
    free(number);
    return rc;
}

struct split {
    const struct split_at *at;
    struct shard_set *in;
    struct progress *pr;
    uint64_t cut, sum; /* what lies before the present document or token */
};

static int bytes_of(const struct split_at *at, uint32_t id, uint64_t *n, struct err *e)
{
    if (id >= at->n_id_bytes)
        return err_set(e, "id %lu has no token in the tokenizer", (unsigned long)id);
    *n = at->id_bytes[id];
    return 0;
}

static void show_progress(struct split *s)
{
    double done, total;
    if (!s->pr)
        return;
    shard_set_progress(s->in, &done, &total);
    progress_at(s->pr, done, NULL);
}

/* Bytes of all the text: a pass over the set. */
static int count_bytes(struct split *s, uint64_t *total, struct err *e)
{
    struct shard_doc d;
    int r;
    *total = 0;
    while ((r = shard_set_next_piece(s->in, &d, e)) > 0) {
        for (size_t i = 0; i < d.n; i++) {
            uint64_t n = 0;
            if (bytes_of(s->at, d.ids[i], &n, e) < 0)
                return -1;
            *total += n;
        }
        show_progress(s);
    }
    return r < 0 ? -1 : shard_set_rewind(s->in, e);
}

static int find_cut(struct split *s, struct split_report *rep, struct err *e)
{
    struct shard_totals t;
    rep->total = 0;
    rep->cut = s->at->count;
    if (!s->at->percent)
        return 0;
    if (s->at->unit == SPLIT_BYTE) {
        if (count_bytes(s, &rep->total, e) < 0)
            return -1;
    } else {
        int r = shard_set_totals(s->in, &t, e);
        if (r < 0)
            return -1;
        rep->total = s->at->unit == SPLIT_DOC ? t.n_docs : t.n_tokens;
    }
    /* 33.3 % of 1000 is 333, though 33.3 has no exact double */
    rep->cut = (uint64_t)floor(s->at->share * (double)rep->total / 100 * (1 + 1e-12));
    if (rep->cut > rep->total)
        rep->cut = rep->total;
    return 0;
}

/* How many of the piece's tokens lie before the cut; sum moves on by them. */
static int tokens_before(struct split *s, const struct shard_doc *d, size_t *n, struct err *e)
{
    *n = d->n;
    if (s->at->unit == SPLIT_TOKEN) {
        if (s->cut - s->sum < d->n)
            *n = (size_t)(s->cut - s->sum);
        s->sum += *n;
        return 0;
    }
    for (size_t i = 0; i < d->n; i++) {
        uint64_t bytes = 0;
        if (bytes_of(s->at, d->ids[i], &bytes, e) < 0)
            return -1;
        if (s->sum == s->cut || bytes > s->cut - s->sum) {
            *n = i;
            s->sum = s->cut;
            break;
        }
        s->sum += bytes;
    }
    return 0;
}

static int put(struct shard_out *o, const struct shard_doc *d, size_t from, size_t to,
               struct err *e)
{
    return shard_part(o, d->ids + from, d->weights ? d->weights + from : NULL, to - from, e);
}

/* One document, piece by piece, to either part or to both: 1, 0 at the end, -1. */
static int split_doc(struct split *s, struct shard_out *first, struct shard_out *rest,
                     struct split_report *rep, struct err *e)
{
    bool in_first = false, in_rest = s->sum >= s->cut;
    struct shard_doc d;
    do {
        size_t n = 0;
        int r = shard_set_next_piece(s->in, &d, e);
        if (r <= 0)
            return r;
        if (!in_rest && s->at->unit == SPLIT_DOC)
            n = d.n;
        else if (!in_rest && tokens_before(s, &d, &n, e) < 0)
            return -1;
        if (n > 0 || (!in_rest && d.last && d.n == 0)) {
            in_first = true;
            if (put(first, &d, 0, n, e) < 0)
                return -1;
        }
        if (n < d.n)
            in_rest = true;
        if (n < d.n && put(rest, &d, n, d.n, e) < 0)
            return -1;
    } while (!d.last);
    if (s->at->unit == SPLIT_DOC)
        s->sum++;
    rep->inside = rep->inside || (in_first && in_rest);
    if (in_first && shard_part_end(first, e) < 0)
        return -1;
    if ((in_rest || !in_first) && shard_part_end(rest, e) < 0)
        return -1;
    return 1;
}

int split_run(struct shard_set *in, const struct split_at *at, struct shard_out *first,
              struct shard_out *rest, struct progress *pr, struct split_report *rep, struct err *e)
{
    struct split s = {.at = at, .in = in, .pr = pr};
    int r;
    *rep = (struct split_report){0};
    if (find_cut(&s, rep, e) < 0)
        return -1;
    s.cut = rep->cut;
    while ((r = split_doc(&s, first, rest, rep, e)) > 0)
        show_progress(&s);
    return r;
}
