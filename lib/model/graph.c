/* The lists that make a graph, and the ways to add to them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "model/graph_int.h"

static int next(int *n, int cap, const char *what)
{
    if (*n >= cap)
        BUG("the graph has more %s than were reckoned with", what);
    return (*n)++;
}

int graph_storage(struct graph *g, int cols)
{
    int i = next(&g->n_storages, g->cap_storages, "storages");

    g->storages[i] = (struct storage){.cols = cols, .ld = cols, .ld_grad = cols, .same_grad = i};
    return i;
}

int graph_value(struct graph *g, int storage, int col, int cols)
{
    int i = next(&g->n_values, g->cap_values, "values");

    if (col < 0 || cols <= 0 || col + cols > g->storages[storage].cols)
        BUG("columns %d+%d of %d", col, cols, g->storages[storage].cols);
    g->values[i] = (struct value){storage, col, cols};
    return i;
}

int graph_new_value(struct graph *g, int cols)
{
    return graph_value(g, graph_storage(g, cols), 0, cols);
}

/* Rows of at least n floats that are an odd number of pairs of cache lines apart, so that they
 * spread over all sets of a cache. */
int graph_apart(int n)
{
    enum { PAIR = 32 };
    return ((n + PAIR - 1) / PAIR | 1) * PAIR;
}

int graph_new_input(struct graph *g, int cols)
{
    int value = graph_new_value(g, cols);
    struct storage *s = &g->storages[g->values[value].storage];

    s->half = g->opt.half;
    if (s->half)
        s->ld = graph_apart((cols + 1) / 2);
    return value;
}

int graph_columns(struct graph *g, int value, int from, int cols)
{
    struct value v = g->values[value];

    if (from < 0 || from + cols > v.cols)
        BUG("columns %d+%d of %d", from, cols, v.cols);
    return graph_value(g, v.storage, v.col + from, cols);
}

struct node *graph_node(struct graph *g, const struct node_ops *ops, int layer)
{
    struct node *n = &g->nodes[next(&g->n_nodes, g->cap_nodes, "nodes")];

    *n = (struct node){.ops = ops, .layer = layer, .residual = -1};
    for (int i = 0; i < NODE_MAX_IN; i++)
        n->in[i] = -1;
    for (int i = 0; i < NODE_MAX_OUT; i++)
        n->out[i] = -1;
    for (int i = 0; i < NODE_MAX_PARAM; i++)
        n->param[i] = -1;
    return n;
}

int graph_param(struct graph *g, int n_dim, int rows, int cols, enum param_init init, int layer,
                const char *fmt, ...)
{
    int i = next(&g->n_params, g->cap_params, "parameters"), len = 0;
    struct param *p = &g->params[i];
    va_list ap;

    *p = (struct param){.at = g->n_elem,
                        .n = (size_t)rows * (size_t)cols,
                        .rows = rows,
                        .cols = cols,
                        .decay = n_dim >= 2,
                        .requires_grad = true};
    if (layer >= 0)
        len = snprintf(p->name, sizeof p->name, "layers.%d.", layer);
    va_start(ap, fmt);
    vsnprintf(p->name + len, sizeof p->name - (size_t)len, fmt, ap);
    va_end(ap);
    g->inits[i] = (unsigned char)init;
    g->n_elem += (p->n + 15) & ~(size_t)15; /* 64 bytes */
    return i;
}

int graph_find_param(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_params; i++)
        if (!strcmp(g->params[i].name, name))
            return i;
    return -1;
}

void graph_release(struct graph *g)
{
    free(g->params);
    free(g->inits);
    free(g->storages);
    free(g->values);
    free(g->nodes);
    free(g->steps);
    *g = (struct graph){0};
}
