/* Lays out the arena of activations by the times at which things are used. */
#include "model/plan_int.h"
#include <stdint.h>
#include <string.h>
#include "base/mem.h"

/* Something that needs a place from one time to another. */
struct need {
    size_t n_floats;
    int first, last;
    size_t *at; /* where the place is to be noted */
};

struct needs {
    struct need *v;
    size_t n;
};

/* ---- what runs backward */

static bool overlap(const struct value *a, const struct value *b)
{
    return a->storage == b->storage && a->col < b->col + b->cols && b->col < a->col + a->cols;
}

/* Forward: a storage needs a gradient if a trainable parameter lies behind it. */
static void mark_wanted(struct graph *g, const struct pass *p)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct node *n = &g->nodes[i];
        n->time = i;
        for (int k = 0; k < n->n_in; k++) {
            n->in_grad[k] = n->in[k] >= 0 && g->storages[g->values[n->in[k]].storage].grad;
            n->backward |= n->in_grad[k];
        }
        for (int k = 0; k < n->n_param; k++) {
            n->param_grad[k] = n->param[k] >= 0 && g->params[n->param[k]].requires_grad;
            n->backward |= n->param_grad[k];
        }
        if (i == 0 && p->opt->embed_grad)
            n->backward = true;
        if (n->backward && n->n_out > 0)
            g->storages[g->values[n->out[0]].storage].grad = true;
    }
}

/* Backward: the first to write a gradient stores, later ones add; a residual's gradient is the
 * output's own where nobody wrote it before. */
static int mark_order(struct graph *g, struct err *e)
{
    int *written = mem_new((size_t)g->n_values, sizeof *written, e), n_written = 0;

    if (!written)
        return -1;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        struct node *n = &g->nodes[i];
        if (!n->backward || n->in_place)
            continue;
        for (int k = 0; k < n->n_in; k++) {
            if (!n->in_grad[k])
                continue;
            const struct value *v = &g->values[n->in[k]];
            /* Values of a late storage are read soon after: search from the newest. */
            for (int j = n_written - 1; j >= 0 && !n->in_acc[k]; j--)
                n->in_acc[k] = overlap(v, &g->values[written[j]]);
            if (k == n->residual && !n->in_acc[k]) {
                int of = g->values[n->out[0]].storage;
                g->storages[v->storage].same_grad = g->storages[of].same_grad;
            }
            written[n_written++] = n->in[k];
        }
    }
    free(written);
    return 0;
}

/* The head first, which works while going forward; then in the order of backward. */
static int mark_first(struct graph *g, struct err *e)
{
    bool *seen = mem_new((size_t)g->n_params, sizeof *seen, e);

    if (!seen)
        return -1;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        struct node *n = &g->nodes[i];
        for (int k = 0; k < n->n_param; k++) {
            n->param_first[k] = n->param_grad[k] && !seen[n->param[k]];
            if (n->param_grad[k])
                seen[n->param[k]] = true;
        }
    }
    free(seen);
    return 0;
}

/* ---- times of use */

static void use(int *first, int *last, int time)
{
    if (time < *first)
        *first = time;
    if (time > *last)
        *last = time;
}

static void use_value(struct graph *g, int value, int time)
{
    struct storage *s = value < 0 ? NULL : &g->storages[g->values[value].storage];

    if (s)
        use(&s->first, &s->last, time);
}

static void use_grad(struct graph *g, int value, int time)
{
    struct storage *s = &g->storages[g->values[value].storage];

    s = &g->storages[s->same_grad];
    use(&s->grad_first, &s->grad_last, time);
}

static void times(struct graph *g)
{
    int end = 2 * g->n_nodes - 1;

    for (int i = 0; i < g->n_storages; i++) {
        struct storage *s = &g->storages[i];
        s->first = s->grad_first = INT32_MAX;
        s->last = s->grad_last = -1;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = &g->nodes[i];
        unsigned keep_in = 0, keep_out = 0;
        int back = end - i;
        for (int k = 0; k < n->n_in; k++)
            use_value(g, n->in[k], i);
        for (int k = 0; k < n->n_out; k++)
            use_value(g, n->out[k], i);
        if (!n->backward)
            continue;
        if (n->ops->keeps)
            n->ops->keeps(n, &keep_in, &keep_out);
        for (int k = 0; k < n->n_in; k++) {
            if (keep_in >> k & 1)
                use_value(g, n->in[k], back);
            if (n->in_grad[k])
                use_grad(g, n->in[k], back);
        }
        for (int k = 0; k < n->n_out; k++)
            if (keep_out >> k & 1)
                use_value(g, n->out[k], back);
        if (n->n_out > 0)
            use_grad(g, n->out[0], back);
        if (i == g->head && n->in_grad[0]) /* it makes its gradient while going forward */
            use_grad(g, n->in[0], i);
    }
}

/* ---- places */

static void need(struct needs *l, size_t n_floats, int first, int last, size_t *at)
{
    if (n_floats && first <= last)
        l->v[l->n++] = (struct need){(n_floats + 15) & ~(size_t)15, first, last, at};
}

static void collect(struct needs *l, struct graph *g, const struct pass *p)
{
    size_t rows = (size_t)p->n_tok;
    int end = 2 * g->n_nodes - 1;

    for (int i = 0; i < g->n_storages; i++) {
        struct storage *s = &g->storages[i];
        need(l, rows * (size_t)s->cols, s->first, s->last, &s->at);
        if (s->same_grad == i)
            need(l, rows * (size_t)s->cols, s->grad_first, s->grad_last, &s->grad_at);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        struct node *n = &g->nodes[i];
        if (!n->ops->scratch)
            continue;
        need(l, (n->ops->scratch(p, n, false) + 3) / sizeof(float), i, i, &n->scratch);
        if (n->backward)
            need(l, (n->ops->scratch(p, n, true) + 3) / sizeof(float), end - i, end - i,
                 &n->grad_scratch);
    }
}

static int by_size(const void *a, const void *b)
{
    const struct need *x = a, *y = b;
    if (x->n_floats != y->n_floats)
        return x->n_floats < y->n_floats ? 1 : -1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Largest first, each at the lowest place that is free during its whole time (Pisarchyk & Lee
 * 2020, "Efficient memory management for deep neural net inference": greedy by size). placed is
 * kept sorted by place. */
static size_t place(struct need *v, size_t n, struct need **placed)
{
    size_t n_placed = 0, top = 0;

    qsort(v, n, sizeof *v, by_size);
    for (size_t i = 0; i < n; i++) {
        size_t at = 0, slot;
        for (size_t j = 0; j < n_placed; j++) {
            const struct need *o = placed[j];
            if (o->last < v[i].first || v[i].last < o->first || *o->at + o->n_floats <= at)
                continue;
            if (*o->at >= at + v[i].n_floats)
                break;
            at = *o->at + o->n_floats;
        }
        *v[i].at = at;
        for (slot = n_placed++; slot > 0 && *placed[slot - 1]->at > at; slot--)
            placed[slot] = placed[slot - 1];
        placed[slot] = &v[i];
        if (at + v[i].n_floats > top)
            top = at + v[i].n_floats;
    }
    return top;
}

int plan_make(struct graph *g, const struct pass *p, size_t *n_floats, struct err *e)
{
    size_t most = 2 * (size_t)(g->n_storages + g->n_nodes);
    struct needs l = {mem_new(most, sizeof *l.v, e), 0};
    struct need **placed = mem_new(most, sizeof *placed, e);
    int rc = -1;

    g->max_tok = p->n_tok;
    if (!l.v || !placed)
        goto done;
    if (p->opt->train) {
        mark_wanted(g, p);
        if (mark_order(g, e) < 0 || mark_first(g, e) < 0)
            goto done;
    }
    times(g);
    collect(&l, g, p);
    *n_floats = place(l.v, l.n, placed);
    rc = 0;
done:
    free(l.v);
    free(placed);
    return rc;
}
