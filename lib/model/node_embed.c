/* Embedding: y[t] = scale · table[id[t]] (+ pos_table[pos[t]]). */
#include "base/bug.h"
#include "model/pass_int.h"

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    const struct batch *b = p->batch;
    const float *table = pass_weight(p, n->param[0]), *pos = pass_weight(p, n->param[1]);
    int ldy, d = value_cols(p->graph, n->out[0]);
    float *y = pass_value(p, n->out[0], &ldy);

    TEAM_FOR(w, i, tiles_of(p->n_tok, TILE_ROWS))
    {
        int64_t r = i * TILE_ROWS;
        int n_rows = tile_len(i, TILE_ROWS, p->n_tok);
        float *to = y + r * ldy;
        p->ops->gather(to, ldy, table, d, b->ids + r, d, n->u.embed.scale, false, n_rows);
        if (pos)
            p->ops->gather(to, ldy, pos, d, (const uint32_t *)b->pos + r, d, 1, true, n_rows);
    }
    team_barrier(w);
}

/* order and its temporary, for the ids and then for the positions. */
static size_t scratch(const struct pass *p, const struct node *n, bool backward)
{
    (void)n;
    return backward ? 4 * round64(sizeof(uint32_t) * (size_t)p->n_tok) : 0;
}

static void table_grad(struct worker *w, const struct pass *p, const struct node *n, int k,
                       const uint32_t *id, uint32_t *order, float scale)
{
    int ld, d = value_cols(p->graph, n->out[0]);
    const float *dy = pass_grad(p, n->out[0], &ld);
    float *dw = pass_param_grad(p, n->param[k]);

    if (!pass_adds(p, n, k))
        pass_zero(w, dw, p->graph->params[n->param[k]].n);
    TEAM_FOR(w, i, tiles_of(p->n_tok, TILE_ROWS))
    {
        int from = (int)i * TILE_ROWS, to = from + tile_len(i, TILE_ROWS, p->n_tok);
        embed_grad(p->ops, dw, d, dy, ld, id, order, d, scale, p->n_tok, from, to);
    }
    team_barrier(w);
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    const uint32_t *ids[2] = {p->batch->ids, (const uint32_t *)p->batch->pos};
    size_t step = round64(sizeof(uint32_t) * (size_t)p->n_tok) / sizeof(uint32_t);
    uint32_t *area = (uint32_t *)(void *)(p->arena + n->grad_scratch);

    TEAM_FOR(w, i, 2)
    if (n->param_grad[i])
        embed_order(area + (size_t)i * 2 * step, area + ((size_t)i * 2 + 1) * step, ids[i],
                    p->n_tok);
    team_barrier(w);
    for (int i = 0; i < 2; i++)
        if (n->param_grad[i])
            table_grad(w, p, n, i, ids[i], area + (size_t)i * 2 * step, i ? 1 : n->u.embed.scale);
}

static const struct node_ops ops = {"embed", false,    false, NULL, scratch,
                                    forward, backward, NULL,  NULL};

int node_embed(struct graph *g, int table, int pos_table, float scale)
{
    struct node *n = graph_node(g, &ops, -1);
    int y = graph_new_value(g, g->params[table].cols);

    if (pos_table >= 0 && g->params[pos_table].cols != g->params[table].cols)
        BUG("embeddings of different widths");
    n->n_out = 1;
    n->out[0] = y;
    n->n_param = 2;
    n->param[0] = table;
    n->param[1] = pos_table;
    n->u.embed.scale = scale;
    return y;
}
