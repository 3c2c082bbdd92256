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

/* NULL: there is no such value. */
static struct storage *storage_of(const struct graph *g, int value)
{
    return value < 0 ? NULL : &g->storages[g->values[value].storage];
}

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
        for (int k = 0; k < n->n_in; k++) {
            n->in_grad[k] = n->in[k] >= 0 && storage_of(g, n->in[k])->grad;
            n->backward |= n->in_grad[k];
        }
        for (int k = 0; k < n->n_param; k++) {
            n->param_grad[k] = n->param[k] >= 0 && g->params[n->param[k]].requires_grad;
            n->backward |= n->param_grad[k];
        }
        if (i == 0 && p->opt->embed_grad)
            n->backward = true;
        if (n->backward && n->n_out > 0)
            storage_of(g, n->out[0])->grad = true;
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

/* ---- steps */

/* The layer that alone touches a storage: outside of it nobody will miss what it held. What a
 * costly node makes belongs to none: it is kept from forward to backward. */
static void mark_layers(struct graph *g)
{
    for (int i = 0; i < g->n_storages; i++)
        g->storages[i].layer = -2;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in + n->n_out; k++) {
            int value = k < n->n_in ? n->in[k] : n->out[k - n->n_in];
            struct storage *s = storage_of(g, value);
            bool keep = k >= n->n_in && n->costly;
            if (s)
                s->layer = !keep && (s->layer == -2 || s->layer == n->layer) ? n->layer : -1;
        }
    }
}

/* The nodes whose outputs need not be kept, for they are remade where backward reads them. */
static void mark_makers(struct graph *g, const struct exec_opt *o)
{
    for (int i = 0; i < g->n_storages; i++)
        g->storages[i].maker = -2;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = &g->nodes[i];
        for (int k = 0; k < n->n_out; k++) {
            struct storage *s = storage_of(g, n->out[k]);
            bool first = s && s->maker == -2;
            if (s)
                s->maker = first && k == 0 && n->remakes && !n->in_place ? i : -1;
        }
    }
    for (int i = 0; i < g->n_storages; i++)
        if (!o->train || o->recompute != RECOMPUTE_NONE || g->storages[i].maker == -2)
            g->storages[i].maker = -1;
}

static void want(struct graph *g, const int *value, int n, unsigned mask)
{
    for (int k = 0; k < n; k++)
        if (value[k] >= 0 && mask >> k & 1)
            storage_of(g, value[k])->wanted = true;
}

/* Whether n must run again for what others, or its own backward, read inside of the layer. */
static bool runs_again(const struct graph *g, const struct node *n)
{
    for (int k = 0; k < n->n_out; k++) {
        const struct storage *s = storage_of(g, n->out[k]);
        if (s && s->layer >= 0 && s->wanted)
            return true;
    }
    return false;
}

/* The nodes [from, to) of a layer whose outputs backward misses, forward again. */
static void add_again(struct graph *g, int from, int to)
{
    bool any = false;

    for (int i = to - 1; i >= from; i--) {
        unsigned in, out;
        node_keeps(&g->nodes[i], &in, &out);
        if (g->nodes[i].backward) {
            want(g, g->nodes[i].in, g->nodes[i].n_in, in);
            want(g, g->nodes[i].out, g->nodes[i].n_out, out);
        }
        any |= g->nodes[i].backward;
        if (runs_again(g, &g->nodes[i]))
            want(g, g->nodes[i].in, g->nodes[i].n_in, ~0u);
    }
    for (int i = from; any && i < to; i++)
        if (runs_again(g, &g->nodes[i]))
            g->steps[g->n_steps++] = (struct step){i, STEP_AGAIN};
}

/* What backward of n reads and nobody kept. wanted is set where it is there already. */
static void add_remakes(struct graph *g, const struct node *n)
{
    unsigned in, out;

    node_keeps(n, &in, &out);
    for (int k = 0; k < n->n_in; k++) {
        struct storage *s = storage_of(g, n->in[k]);
        if (!s || s->maker < 0 || s->wanted || !(in >> k & 1))
            continue;
        s->wanted = true;
        g->steps[g->n_steps++] = (struct step){s->maker, STEP_REMAKE};
    }
}

static void make_steps(struct graph *g, const struct exec_opt *o)
{
    g->n_steps = 0;
    for (int i = 0; i < g->n_nodes; i++)
        g->steps[g->n_steps++] = (struct step){i, STEP_FORWARD};
    for (int i = g->n_nodes - 1, layer = -1; o->train && i >= 0; i--) {
        if (o->recompute == RECOMPUTE_BLOCK && g->nodes[i].layer != layer) {
            int from = i;
            layer = g->nodes[i].layer;
            while (from > 0 && g->nodes[from - 1].layer == layer)
                from--;
            if (layer >= 0)
                add_again(g, from, i + 1);
        }
        if (!g->nodes[i].backward)
            continue;
        add_remakes(g, &g->nodes[i]);
        g->steps[g->n_steps++] = (struct step){i, STEP_BACKWARD};
    }
}

/* ---- times of use */

static void use(struct span *s, int time)
{
    if (time < s->first)
        s->first = time;
    if (time > s->last)
        s->last = time;
}

/* What is remade, or inside of a layer that is run again, has a second life in backward. */
static void use_value(struct graph *g, const struct exec_opt *o, int value, int time)
{
    struct storage *s = storage_of(g, value);

    if (s) {
        bool twice = s->maker >= 0 || (o->recompute == RECOMPUTE_BLOCK && s->layer >= 0);
        use(&s->use[twice && time >= g->n_nodes], time);
    }
}

static void use_grad(struct graph *g, int value, int time)
{
    struct storage *s = storage_of(g, value);

    use(&g->storages[s->same_grad].grad_use, time);
}

static void use_backward(struct graph *g, const struct exec_opt *o, const struct node *n, int time)
{
    unsigned keep_in, keep_out;

    node_keeps(n, &keep_in, &keep_out);
    for (int k = 0; k < n->n_in; k++) {
        if (keep_in >> k & 1)
            use_value(g, o, n->in[k], time);
        if (n->in_grad[k])
            use_grad(g, n->in[k], time);
    }
    for (int k = 0; k < n->n_out; k++)
        if (keep_out >> k & 1)
            use_value(g, o, n->out[k], time);
    if (n->n_out > 0)
        use_grad(g, n->out[0], time);
}

/* out[0], from what backward keeps and nobody else must remake first. */
static void use_remake(struct graph *g, const struct exec_opt *o, const struct node *n, int time)
{
    unsigned in, out;

    node_keeps(n, &in, &out);
    use_value(g, o, n->out[0], time);
    for (int k = 0; k < n->n_in; k++)
        if (in >> k & 1 && storage_of(g, n->in[k])->maker < 0)
            use_value(g, o, n->in[k], time);
    for (int k = 0; k < n->n_out; k++)
        if (out >> k & 1)
            use_value(g, o, n->out[k], time);
}

static void times(struct graph *g, const struct exec_opt *o)
{
    const struct span none = {INT32_MAX, -1};

    for (int i = 0; i < g->n_storages; i++) {
        struct storage *s = &g->storages[i];
        s->use[0] = s->use[1] = s->grad_use = none;
    }
    for (int t = 0; t < g->n_steps; t++) {
        const struct node *n = &g->nodes[g->steps[t].node];
        if (g->steps[t].kind == STEP_BACKWARD) {
            use_backward(g, o, n, t);
            continue;
        }
        if (g->steps[t].kind == STEP_REMAKE) {
            use_remake(g, o, n, t);
            continue;
        }
        for (int k = 0; k < n->n_in; k++)
            use_value(g, o, n->in[k], t);
        for (int k = 0; k < n->n_out; k++)
            use_value(g, o, n->out[k], t);
        if (g->steps[t].node == g->head && n->in_grad[0]) /* its gradient is made on the way */
            use_grad(g, n->in[0], t);
    }
}

/* ---- places */

static void need(struct needs *l, size_t n_floats, struct span use, size_t *at)
{
    if (n_floats && use.first <= use.last)
        l->v[l->n++] = (struct need){(n_floats + 15) & ~(size_t)15, use.first, use.last, at};
}

static void collect(struct needs *l, struct graph *g, const struct pass *p)
{
    size_t rows = (size_t)p->n_tok;

    for (int i = 0; i < g->n_storages; i++) {
        struct storage *s = &g->storages[i];
        size_t n = rows * (size_t)s->ld;
        need(l, n, s->use[0], &s->at[0]);
        need(l, n, s->use[1], &s->at[1]);
        if (s->same_grad == i)
            need(l, rows * (size_t)s->ld_grad, s->grad_use, &s->grad_at);
    }
    for (int t = 0; t < g->n_steps; t++) {
        struct node *n = &g->nodes[g->steps[t].node];
        bool back = g->steps[t].kind == STEP_BACKWARD;
        size_t *at = back ? &n->grad_scratch : &n->scratch[g->steps[t].kind == STEP_AGAIN];
        if (n->ops->scratch && g->steps[t].kind != STEP_REMAKE)
            need(l, (n->ops->scratch(p, n, back) + 3) / sizeof(float), (struct span){t, t}, at);
    }
}

/* Where nothing is run again, everything stands where it stood. */
static void settle(struct graph *g)
{
    for (int i = 0; i < g->n_storages; i++)
        if (g->storages[i].use[1].last < 0)
            g->storages[i].at[1] = g->storages[i].at[0];
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
    size_t most = 3 * (size_t)(g->n_storages + g->n_nodes);
    struct needs l = {mem_new(most, sizeof *l.v, e), 0};
    struct need **placed = mem_new(most, sizeof *placed, e);
    int rc = -1;

    g->max_tok = p->n_tok;
    g->steps = mem_new(4 * (size_t)g->n_nodes, sizeof *g->steps, e);
    if (!l.v || !placed || !g->steps)
        goto done;
    if (p->opt->train) {
        mark_wanted(g, p);
        if (mark_order(g, e) < 0 || mark_first(g, e) < 0)
            goto done;
    }
    mark_layers(g);
    mark_makers(g, p->opt);
    make_steps(g, p->opt);
    times(g, p->opt);
    collect(&l, g, p);
    *n_floats = place(l.v, l.n, placed);
    settle(g);
    rc = 0;
done:
    free(l.v);
    free(placed);
    return rc;
}
