/* Dropout (Srivastava 2014), alone and in place, or on its way into a residual sum. Passes other
 * than training leave it out. */
#include <string.h>
#include "base/bug.h"
#include "model/pass_int.h"

static bool dropout_of(const struct pass *p, const struct node *n, struct dropout *d)
{
    if (p->mode != PASS_TRAIN || n->u.dropout.rate == 0)
        return false;
    dropout_init(d, n->u.dropout.rate, p->opt->seed, p->step, (uint32_t)n->layer,
                 (uint32_t)n->u.dropout.site);
    return true;
}

static void drop_rows(struct worker *w, const struct pass *p, const struct node *n, float *y,
                      int ldy, const float *x, int ldx)
{
    int n_col = value_cols(p->graph, n->out[0]);
    struct dropout d;
    bool drop = dropout_of(p, n, &d);

    TEAM_FOR(w, i, tiles_of(p->n_tok, TILE_ROWS))
    {
        int64_t r0 = i * TILE_ROWS;
        int n_rows = tile_len(i, TILE_ROWS, p->n_tok);
        if (drop)
            p->ops->dropout(&d, y + r0 * ldy, ldy, x + r0 * ldx, ldx, n_col, 0, (uint32_t)r0,
                            n_rows);
        for (int64_t r = r0; !drop && y != x && r < r0 + n_rows; r++)
            memcpy(y + r * ldy, x + r * ldx, sizeof(float) * (size_t)n_col);
    }
    team_barrier(w);
}

static void alone_forward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ld;
    float *x = pass_value(p, n->out[0], &ld);
    drop_rows(w, p, n, x, ld, x, ld);
}

static void alone_backward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ld;
    float *dx = pass_grad(p, n->out[0], &ld);
    drop_rows(w, p, n, dx, ld, dx, ld);
}

static const struct node_ops alone = {"dropout",     false,          false, NULL, NULL,
                                      alone_forward, alone_backward, NULL,  NULL};

int node_dropout(struct graph *g, int layer, int x, double rate, int site)
{
    int y = graph_columns(g, x, 0, value_cols(g, x));
    struct node *n = graph_node(g, &alone, layer);

    n->n_in = n->n_out = 1;
    n->in[0] = x;
    n->out[0] = y;
    n->in_place = true;
    n->u.dropout.rate = rate;
    n->u.dropout.site = site;
    return y;
}

/* ---- y = residual + dropout(x) */

static void add_forward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldx, ldy, ldr, n_col = value_cols(p->graph, n->out[0]);
    const float *x = pass_value(p, n->in[0], &ldx), *res = pass_value(p, n->in[1], &ldr);
    float *y = pass_value(p, n->out[0], &ldy);

    drop_rows(w, p, n, y, ldy, x, ldx);
    TEAM_FOR(w, i, p->n_tok)
    p->ops->add(y + i * ldy, y + i * ldy, res + i * ldr, (size_t)n_col);
    team_barrier(w);
}

static void add_backward(struct worker *w, const struct pass *p, const struct node *n)
{
    int lddx, lddy;
    const float *dy = pass_grad(p, n->out[0], &lddy);

    if (n->in_grad[0]) {
        float *dx = pass_grad(p, n->in[0], &lddx);
        drop_rows(w, p, n, dx, lddx, dy, lddy);
    }
    pass_residual_grad(w, p, n);
}

static const struct node_ops add = {"add",       false,        false, NULL, NULL,
                                    add_forward, add_backward, NULL,  NULL};

int node_add(struct graph *g, int layer, int x, int residual, double dropout, int site)
{
    struct node *n = graph_node(g, &add, layer);

    if (value_cols(g, x) != value_cols(g, residual))
        BUG("a sum of %d and %d columns", value_cols(g, x), value_cols(g, residual));
    n->n_in = 2;
    n->in[0] = x;
    n->in[1] = residual;
    n->residual = 1;
    n->n_out = 1;
    n->out[0] = graph_new_value(g, value_cols(g, x));
    n->u.dropout.rate = dropout;
    n->u.dropout.site = site;
    return n->out[0];
}
