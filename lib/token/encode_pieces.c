/*
 * Pieces to ids: see encode_pieces.h. The ids of pieces that the cache has go out at once. Where it
 * has none they leave a hole: the pieces of many holes are quicker together than a few, so they
 * wait until there are many or the text ends, and then what was put out behind the first hole makes
 * room for them.
 */
#include "token/encode_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "token/cache.h"
#include "token/junctions.h"
#include "token/keys.h"

enum { HOLES = 2 * KEYS_MOST };

/* A piece, or a part of one, whose ids are to be put in. */
struct hole {
    const char *s;
    size_t n;
    bool part;
    size_t at;               /* in the ids that are out */
    struct cache_cell *cell; /* NULL: the cache does not keep it */
    size_t one;              /* in x->one, where the model was asked for it alone */
    size_t n_ids;
};

struct piece_run {
    const struct tokenizer *t;
    struct cutter *cutter;
    struct piece_scratch *scratch;
    struct cache cache;
    struct cut_window window[KEYS_WINDOWS];
    size_t n_windows, now; /* now: the first that may hold the place asked for */
    const char *text;
    struct keys keys;
    bool cut;     /* the next piece does not begin where one of the splitter's does */
    bool any_cut; /* in the windows */
    struct hole hole[HOLES];
    struct piece_job jobs[HOLES];
    size_t n_holes, n_jobs, cap_room;
    uint32_t *room; /* for the ids of jobs */
    struct ids one;
    uint64_t n_lost;
};

struct piece_run *piece_run_new(const struct tokenizer *t, const struct piece_run *beside,
                                struct err *e)
{
    struct piece_run *x = sys_pages(sizeof *x, e); /* aligned further than mem_new() does */
    if (!x)
        return NULL;
    x->t = t;
    keys_init(&x->keys);
    if (cache_init(&x->cache, beside ? &beside->cache : NULL, e) < 0 ||
        !(x->scratch = t->ops->scratch_new(t->model, e)) ||
        !(x->cutter = cutter_new(t->split, e))) {
        piece_run_free(x);
        return NULL;
    }
    return x;
}

void piece_run_free(struct piece_run *x)
{
    if (!x)
        return;
    cache_release(&x->cache);
    if (x->scratch)
        x->t->ops->scratch_free(x->scratch);
    if (x->cutter)
        cutter_free(x->cutter);
    free(x->room);
    ids_release(&x->one);
    sys_pages_free(x, sizeof *x);
}

uint64_t piece_run_lost(const struct piece_run *x)
{
    return x->n_lost;
}

/* ---- holes */

static int ask(struct piece_run *x, const char *s, size_t n, bool part, struct err *e)
{
    return x->t->ops->encode(x->t->model, x->scratch, s, n, part, &x->one, &x->n_lost, e);
}

/* Fills the cells of new pieces, but for those that lose bytes, which are to be counted each time,
 * and those that are not the same as a piece and as a part of one. */
static int run_jobs(struct piece_run *x, struct err *e)
{
    size_t n_room = 0;
    for (size_t i = 0; i < x->n_jobs; i++)
        n_room += x->jobs[i].n;
    if (mem_grow(&x->room, &x->cap_room, n_room, sizeof *x->room, e) < 0)
        return -1;
    for (size_t i = 0, at = 0; i < x->n_jobs; at += x->jobs[i++].n)
        x->jobs[i].ids = x->room + at;
    if (x->t->ops->encode_jobs &&
        x->t->ops->encode_jobs(x->t->model, x->scratch, x->jobs, x->n_jobs, e) < 0)
        return -1;
    for (size_t i = 0; i < x->n_jobs; i++) {
        struct piece_job *job = &x->jobs[i];
        uint64_t lost = x->n_lost;
        if (job->n_ids) {
            cache_fill(&x->cache, job->owner, job->ids, job->n_ids);
            continue;
        }
        x->one.n = 0;
        if (ask(x, job->s, job->n, false, e) < 0)
            return -1;
        size_t n_whole = x->one.n;
        /* it can differ only where the piece is a token as a whole */
        if (x->t->settings.ignore_merges && n_whole == 1 && ask(x, job->s, job->n, true, e) < 0)
            return -1;
        bool same = x->one.n == n_whole ||
                    (x->one.n == 2 * n_whole &&
                     memcmp(x->one.v, x->one.v + n_whole, n_whole * sizeof *x->one.v) == 0);
        if (x->n_lost == lost && n_whole && same)
            cache_fill(&x->cache, job->owner, x->one.v, n_whole);
        x->n_lost = lost;
    }
    return 0;
}

/* How many ids go into the hole; where no cell has them, they are in x->one then. */
static int count_ids(struct piece_run *x, struct hole *h, struct err *e)
{
    if (h->cell && !cache_is_none(h->cell)) {
        h->n_ids = cache_n_ids(h->cell);
        return 0;
    }
    h->cell = NULL;
    h->one = x->one.n;
    if (ask(x, h->s, h->n, h->part, e) < 0)
        return -1;
    h->n_ids = x->one.n - h->one;
    return 0;
}

static int fill_holes(struct piece_run *x, struct ids *out, struct err *e)
{
    size_t more = 0, end = out->n;
    if (x->n_jobs && run_jobs(x, e) < 0)
        return -1;
    x->one.n = 0;
    for (size_t i = 0; i < x->n_holes; i++) {
        if (count_ids(x, &x->hole[i], e) < 0)
            return -1;
        more += x->hole[i].n_ids;
    }
    if (ids_reserve(out, more + CACHE_ROOM, e) < 0)
        return -1;
    out->n += more;
    for (size_t i = x->n_holes; i-- > 0;) { /* each id is moved once, to its place */
        const struct hole *h = &x->hole[i];
        uint32_t few[CACHE_ROOM];
        const uint32_t *ids = h->cell || !h->n_ids ? few : x->one.v + h->one;
        memmove(out->v + h->at + more, out->v + h->at, (end - h->at) * sizeof *out->v);
        more -= h->n_ids;
        end = h->at;
        if (h->cell && cache_ids(few, h->cell) == CACHE_POOLED)
            ids = cache_pooled(&x->cache, h->cell);
        if (h->n_ids)
            memcpy(out->v + end + more, ids, h->n_ids * sizeof *ids);
    }
    x->n_holes = x->n_jobs = 0;
    return cache_ready(&x->cache, HOLES, e);
}

/* ---- pieces */

/* Whether a piece of the splitter's goes on over the place. Places come in order. */
static bool is_cut(struct piece_run *x, const char *s)
{
    const size_t at = (size_t)(s - x->text);
    while (x->now < x->n_windows && x->window[x->now].at + 64 <= at)
        x->now++;
    for (size_t i = x->now; i < x->n_windows && x->window[i].at <= at; i++) {
        const size_t bit = at - x->window[i].at;
        if (bit < 64 && x->window[i].wide >> bit & 1)
            return true;
    }
    return false;
}

/* Piece i, which does not stand, with few ids, in the first cells that are looked at. */
static NO_INLINE int add_other(struct piece_run *x, size_t i, struct ids *out, struct err *e)
{
    const struct cache_key key = keys_get(&x->keys, i);
    const char *s = key.s, *to = x->keys.s[i + 1];
    const size_t n = (size_t)(to - s);
    struct cache_cell *cell = NULL;
    if (n <= CACHE_LONGEST) {
        bool mine = false;
        cell = cache_find(&x->cache, &key, n);
        if (!cell)
            cell = cache_take(&x->cache, &key, n, &mine);
        if (mine)
            x->jobs[x->n_jobs++] = (struct piece_job){.s = s, .n = n, .owner = cell};
    }
    if (cell && !cache_is_none(cell)) {
        if (ids_reserve(out, cache_n_ids(cell) + CACHE_ROOM, e) < 0)
            return -1;
        out->n += cache_all_ids(&x->cache, out->v + out->n, cell);
        return 0;
    }
    struct hole *h = &x->hole[x->n_holes++];
    *h = (struct hole){.s = s, .n = n, .at = out->n, .cell = cell};
    if (x->t->settings.ignore_merges) /* nothing else tells a part from a piece */
        h->part = (i == 0 && x->cut) || (x->any_cut && ((i && is_cut(x, s)) || is_cut(x, to)));
    return 0;
}

static int add_pieces(struct piece_run *x, struct ids *out, struct err *e)
{
    struct keys *k = &x->keys;
    if (x->n_holes > HOLES - KEYS_MOST && fill_holes(x, out, e) < 0)
        return -1;
    keys_take(k, &x->cache, x->text, x->window, x->n_windows);
    for (size_t i = 0; i < k->n; i++) {
        if (ids_reserve(out, (k->n - i) * CACHE_ROOM, e) < 0)
            return -1;
        uint32_t *v = out->v + out->n;
        i += keys_ids(k, i, &v);
        out->n = (size_t)(v - out->v);
        if (i < k->n && add_other(x, i, out, e) < 0)
            return -1;
    }
    if (x->t->settings.ignore_merges && k->n)
        x->cut = x->any_cut && is_cut(x, k->s[k->n]);
    return 0;
}

int piece_run_text(struct piece_run *x, const char *s, size_t n, struct ids *out, struct err *e)
{
    struct cut_window *w = x->window;
    long k;
    x->n_holes = x->n_jobs = 0; /* an error may have left some */
    x->text = s;
    keys_begin(&x->keys, s);
    x->cut = false;
    if (cache_ready(&x->cache, HOLES, e) < 0)
        return -1;
    cut_begin(x->cutter, s, n);
    while ((k = cut_windows(x->cutter, w, KEYS_WINDOWS, e)) > 0) {
        x->n_windows = (size_t)k;
        x->now = 0;
        x->any_cut = junctions_mark(x->t->junctions, s, w, (size_t)k);
        if (add_pieces(x, out, e) < 0)
            return -1;
    }
    return k < 0 ? -1 : x->n_holes ? fill_holes(x, out, e) : 0;
}
