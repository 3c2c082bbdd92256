/* Conversations packed whole into windows. */
#include "train/pack.h"

#include <stdlib.h>
#include "base/bug.h"
#include "base/mem.h"

struct item {
    uint64_t doc;
    int n_pairs, window;
};

static int longest_first(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->n_pairs != y->n_pairs)
        return x->n_pairs > y->n_pairs ? -1 : 1;
    return (x->doc > y->doc) - (x->doc < y->doc);
}

static int by_window(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->window != y->window)
        return x->window < y->window ? -1 : 1;
    return (x->doc > y->doc) - (x->doc < y->doc);
}

/* Windows by room left: a segment tree over the number of windows with each room finds the smallest
 * room that suffices in log(n_ctx); windows of one room form a stack. */
struct rooms {
    int n_leaf;
    int *count; /* 2 · n_leaf: how many windows below */
    int *top;   /* [n_leaf] last window with this room, -1 */
    int *next;  /* [windows] the one before it */
};

static void room_change(struct rooms *r, int room, int by)
{
    for (int i = room + r->n_leaf; i > 0; i /= 2)
        r->count[i] += by;
}

static void room_push(struct rooms *r, int room, int window)
{
    r->next[window] = r->top[room];
    r->top[room] = window;
    room_change(r, room, 1);
}

/* The smallest room of at least `need`, -1 if there is none. */
static int room_find(const struct rooms *r, int need)
{
    int i = need + r->n_leaf;

    if (r->count[i])
        return need;
    while (i > 1 && (i & 1 || !r->count[i + 1]))
        i /= 2;
    if (i <= 1)
        return -1;
    for (i++; i < r->n_leaf;)
        i = r->count[2 * i] ? 2 * i : 2 * i + 1;
    return i - r->n_leaf;
}

static int rooms_init(struct rooms *r, int n_ctx, size_t n_items, struct err *e)
{
    r->n_leaf = 1;
    while (r->n_leaf <= n_ctx)
        r->n_leaf *= 2;
    if (!(r->count = mem_new((size_t)r->n_leaf * 2, sizeof *r->count, e)) ||
        !(r->top = mem_new((size_t)r->n_leaf, sizeof *r->top, e)) ||
        !(r->next = mem_new(n_items, sizeof *r->next, e)))
        return -1;
    for (int i = 0; i < r->n_leaf; i++)
        r->top[i] = -1;
    return 0;
}

/* Gives each item (longest first) the window that it fits best; returns the number of windows. */
static int best_fit(struct item *v, size_t n, int n_ctx, struct err *e)
{
    struct rooms r = {0};
    int n_windows = rooms_init(&r, n_ctx, n, e);

    for (size_t i = 0; n_windows >= 0 && i < n; i++) {
        int room = room_find(&r, v[i].n_pairs);
        if (room < 0) {
            v[i].window = n_windows++;
            room = n_ctx;
        } else {
            v[i].window = r.top[room];
            r.top[room] = r.next[v[i].window];
            room_change(&r, room, -1);
        }
        room_push(&r, room - v[i].n_pairs, v[i].window);
    }
    free(r.count);
    free(r.top);
    free(r.next);
    return n_windows;
}

static struct item *list_items(struct pack *p, double share, bool val, uint64_t seed, size_t *n,
                               struct err *e)
{
    struct item *v = mem_new(p->c->n_docs, sizeof *v, e);

    *n = 0;
    for (uint64_t i = 0; v && i < p->c->n_docs; i++) {
        uint64_t len = p->c->doc_at[i + 1] - p->c->doc_at[i];
        if (len > (uint64_t)p->n_ctx + 1)
            BUG("a conversation of %llu tokens for a context of %d", (unsigned long long)len,
                p->n_ctx);
        if (len < 2 || (share > 0 && windows_held_out(seed, i, share) != val))
            continue;
        v[(*n)++] = (struct item){.doc = i, .n_pairs = (int)len - 1};
        p->n_pairs += len - 1;
    }
    return v;
}

int pack_init(struct pack *p, const struct corpus *c, int n_ctx, double share, bool val,
              uint64_t seed, struct err *e)
{
    size_t n;
    int n_windows = -1;

    *p = (struct pack){.c = c, .n_ctx = n_ctx};
    struct item *v = list_items(p, share, val, seed, &n, e);
    if (v) {
        qsort(v, n, sizeof *v, longest_first);
        n_windows = best_fit(v, n, n_ctx, e);
    }
    if (n_windows < 0 || !(p->doc = mem_new(n, sizeof *p->doc, e)) ||
        !(p->from = mem_new((size_t)n_windows + 1, sizeof *p->from, e)) ||
        !(p->scratch = mem_new((size_t)n_ctx + 1, sizeof *p->scratch, e))) {
        free(v);
        pack_release(p);
        return -1;
    }
    qsort(v, n, sizeof *v, by_window);
    p->n_windows = (uint64_t)n_windows;
    for (size_t i = 0; i < n; i++) {
        p->doc[i] = v[i].doc;
        p->from[v[i].window + 1] = i + 1;
    }
    free(v);
    return 0;
}

static int pack_fill(void *self, uint64_t i, struct batchbuf *b, struct err *e)
{
    struct pack *p = self;

    (void)e;
    if (i >= p->n_windows)
        return 0;
    for (uint64_t k = p->from[i]; k < p->from[i + 1]; k++) {
        uint64_t at = p->c->doc_at[p->doc[k]];
        int n = (int)(p->c->doc_at[p->doc[k] + 1] - at) - 1;
        uint32_t *ids, *target;
        float *weight;
        batchbuf_seq(b, n, &ids, &target, &weight);
        corpus_read(p->c, at, (size_t)n + 1, p->scratch, NULL);
        corpus_read(p->c, at + 1, (size_t)n, target, weight);
        for (int j = 0; j < n; j++)
            ids[j] = p->scratch[j];
    }
    return 1;
}

struct feed pack_feed(struct pack *p)
{
    uint64_t most = 0;

    for (uint64_t i = 0; i < p->n_windows; i++)
        most = p->from[i + 1] - p->from[i] > most ? p->from[i + 1] - p->from[i] : most;
    return (struct feed){.self = p,
                         .n_windows = p->n_windows,
                         .n_pairs = p->n_pairs,
                         .window_tok = p->n_ctx,
                         .window_seq = (int)most,
                         .fill = pack_fill};
}

void pack_release(struct pack *p)
{
    free(p->doc);
    free(p->from);
    free(p->scratch);
    *p = (struct pack){0};
}
