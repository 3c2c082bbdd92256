/* LayerNorm and RMSNorm over the width, or over each head of it. */
#include <string.h>
#include "base/bug.h"
#include "model/pass_int.h"

static void keeps(const struct node *n, unsigned *in, unsigned *out)
{
    (void)n;
    *in = 1;
    *out = 6; /* mean, rstd */
}

static float *statistic(const struct pass *p, int value)
{
    int ld;
    return value < 0 ? NULL : pass_value(p, value, &ld);
}

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    const struct norm *s = &n->u.norm;
    int ldx, ldy, ldh;
    const float *x = pass_value(p, n->in[0], &ldx);
    float *y = pass_value(p, n->out[0], &ldy);
    uint16_t *half = pass_half(p, n->out[0], &ldh);
    float *mean = statistic(p, n->out[1]), *rstd = statistic(p, n->out[2]);

    TEAM_FOR(w, i, tiles_of(p->n_tok, TILE_ROWS))
    {
        int64_t r = i * TILE_ROWS;
        int n_rows = tile_len(i, TILE_ROWS, p->n_tok);
        const float *weight = pass_weight(p, n->param[0]), *bias = pass_weight(p, n->param[1]);
        float *m = mean ? mean + r * s->n_head : NULL, *rs = rstd ? rstd + r * s->n_head : NULL;
        if (!half) {
            p->ops->norm(s, y + r * ldy, ldy, x + r * ldx, ldx, weight, bias, m, rs, n_rows);
            continue;
        }
        p->ops->norm_bf16(s, half + r * ldh, ldh, x + r * ldx, ldx, weight, bias, m, rs, n_rows);
        for (int64_t q = r; q < r + n_rows; q++)
            pass_end_row(half + q * ldh, s->d * s->n_head);
    }
    team_barrier(w);
}

/* A row of dw and one of db for each tile. */
static size_t scratch(const struct pass *p, const struct node *n, bool backward)
{
    size_t n_tiles = (size_t)tiles_of(p->n_tok, TILE_ROWS);
    return backward ? 2 * n_tiles * (size_t)n->u.norm.d * sizeof(float) : 0;
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    const struct norm *s = &n->u.norm;
    int ldx, lddx, lddy, n_tiles = (int)tiles_of(p->n_tok, TILE_ROWS);
    const float *x = pass_value(p, n->in[0], &ldx);
    float *dy = pass_grad(p, n->out[0], &lddy), *dx = dy;
    const float *mean = statistic(p, n->out[1]), *rstd = statistic(p, n->out[2]);
    float *parts[2] = {p->arena + n->grad_scratch,
                       p->arena + n->grad_scratch + (size_t)n_tiles * (size_t)s->d};

    /* Where nobody wants dx it is written over dy. */
    lddx = lddy;
    if (n->in_grad[0])
        dx = pass_grad(p, n->in[0], &lddx);
    TEAM_FOR(w, i, n_tiles)
    {
        int64_t r = i * TILE_ROWS;
        float *part[2] = {NULL, NULL};
        for (int k = 0; k < 2; k++)
            if (n->param_grad[k]) {
                part[k] = parts[k] + i * s->d;
                memset(part[k], 0, sizeof(float) * (size_t)s->d);
            }
        p->ops->norm_grad(s, dx + r * lddx, lddx, n->in_grad[0] && n->in_acc[0], dy + r * lddy,
                          lddy, x + r * ldx, ldx, pass_weight(p, n->param[0]),
                          mean ? mean + r * s->n_head : NULL, rstd + r * s->n_head, part[0],
                          part[1], tile_len(i, TILE_ROWS, p->n_tok));
    }
    team_barrier(w);
    for (int k = 0; k < 2; k++)
        if (n->param_grad[k])
            pass_sum_parts(w, p, n, k, parts[k], s->d, n_tiles);
}

static const struct node_ops ops = {"norm",  false,    false,   keeps, scratch,
                                    forward, backward, forward, NULL};

int node_norm(struct graph *g, int layer, int x, int y, const struct norm *s, int w, int b)
{
    int width = s->d * s->n_head;
    struct node *n;

    if (y < 0)
        y = graph_new_input(g, width);
    if (value_cols(g, x) != width || value_cols(g, y) != width || g->params[w].cols != s->d)
        BUG("a norm of %d x %d over %d columns", s->n_head, s->d, value_cols(g, x));
    n = graph_node(g, &ops, layer);
    n->n_in = 1;
    n->in[0] = x;
    n->n_out = 3;
    n->out[0] = y;
    if (g->opt.train && !s->rms)
        n->out[1] = graph_new_value(g, s->n_head);
    if (g->opt.train)
        n->out[2] = graph_new_value(g, s->n_head);
    n->n_param = 2;
    n->param[0] = w;
    n->param[1] = b;
    n->u.norm = *s;
    n->remakes = true;
    return y;
}
