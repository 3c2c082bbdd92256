/* Gated unit (Shazeer 2020): y = act(gate) · up, the two side by side in one value. */
#include "base/bug.h"
#include "model/pass_int.h"

static void keeps(const struct node *n, unsigned *in, unsigned *out)
{
    (void)n;
    *in = 1;
    *out = 0;
}

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldx, ldy, ldh, f = value_cols(p->graph, n->out[0]);
    const float *x = pass_value(p, n->in[0], &ldx);
    float *y = pass_value(p, n->out[0], &ldy);
    uint16_t *half = pass_half(p, n->out[0], &ldh);

    TEAM_FOR(w, i, tiles_of(p->n_tok, TILE_ROWS))
    {
        int64_t r0 = i * TILE_ROWS, r1 = r0 + tile_len(i, TILE_ROWS, p->n_tok);
        for (int64_t r = r0; r < r1; r++)
            if (half) {
                p->ops->glu_bf16(n->u.glu.act, half + r * ldh, x + r * ldx, x + r * ldx + f,
                                 (size_t)f);
                pass_end_row(half + r * ldh, f);
            } else {
                p->ops->glu(n->u.glu.act, y + r * ldy, x + r * ldx, x + r * ldx + f, (size_t)f);
            }
    }
    team_barrier(w);
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldx, lddx, lddy, f = value_cols(p->graph, n->out[0]);
    const float *x = pass_value(p, n->in[0], &ldx);
    const float *dy = pass_grad(p, n->out[0], &lddy);
    float *dx = pass_grad(p, n->in[0], &lddx);

    TEAM_FOR(w, i, tiles_of(p->n_tok, TILE_ROWS))
    {
        int64_t r0 = i * TILE_ROWS, r1 = r0 + tile_len(i, TILE_ROWS, p->n_tok);
        for (int64_t r = r0; r < r1; r++)
            p->ops->glu_grad(n->u.glu.act, dx + r * lddx, dx + r * lddx + f, x + r * ldx,
                             x + r * ldx + f, dy + r * lddy, (size_t)f);
    }
    team_barrier(w);
}

static const struct node_ops ops = {"gate",  false,    false,   keeps, NULL,
                                    forward, backward, forward, NULL};

int node_glu(struct graph *g, int layer, int x, enum act_kind act)
{
    struct node *n = graph_node(g, &ops, layer);
    int cols = value_cols(g, x);

    if (cols % 2)
        BUG("a gate over %d columns", cols);
    n->n_in = n->n_out = 1;
    n->in[0] = x;
    n->out[0] = graph_new_input(g, cols / 2);
    n->u.glu.act = act;
    n->remakes = true;
    return n->out[0];
}
