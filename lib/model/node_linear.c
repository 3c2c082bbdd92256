/* y = act(x · wᵀ + b) + residual, one product with its epilogue. */
#include <string.h>
#include "base/bug.h"
#include "model/pass_int.h"

static void keeps(const struct node *n, unsigned *in, unsigned *out)
{
    *in = n->param_grad[0] ? 1 : 0;
    *out = n->u.linear.act == ACT_NONE ? 0 : 2; /* before the activation */
}

static void shape(const struct pass *p, const struct node *n, int *n_out, int *n_in)
{
    const struct param *w = &p->graph->params[n->param[0]];
    *n_out = w->rows;
    *n_in = w->cols;
}

static size_t parts_bytes(const struct pass *p, const struct node *n)
{
    int n_out, n_in;

    shape(p, n, &n_out, &n_in);
    if (!n->param_grad[1])
        return 0;
    return round64(sizeof(float) * (size_t)tiles_of(p->n_tok, TILE_ROWS) * (size_t)n_out);
}

static size_t scratch(const struct pass *p, const struct node *n, bool backward)
{
    int n_out, n_in;

    shape(p, n, &n_out, &n_in);
    return (backward ? parts_bytes(p, n) : 0) +
           gemm_scratch(p->opt->gemm, p->opt->dtype, p->n_tok, n_out, n_in);
}

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldx, ldy;
    const float *x = pass_value(p, n->in[0], &ldx);
    float *y = pass_value(p, n->out[0], &ldy);
    struct gemm_epilogue ep = {.bias = pass_weight(p, n->param[1]), .act = n->u.linear.act};

    if (n->out[1] >= 0)
        ep.pre = pass_value(p, n->out[1], &ep.ldpre);
    if (n->residual >= 0)
        ep.residual = pass_value(p, n->in[n->residual], &ep.ldr);
    gemm_forward(w, p->packed[n->param[0]], p->n_tok, gemm_f32(x, ldx), y, ldy, &ep,
                 pass_scratch(p, n));
}

/* dy through the activation, in place, and the bias's share of each tile. */
static void before_products(struct worker *w, const struct pass *p, const struct node *n,
                            float *parts)
{
    int lddy, ldpre = 0, n_out, n_in, n_tiles = (int)tiles_of(p->n_tok, TILE_ROWS);
    enum act_kind act = n->u.linear.act;
    float *dy = pass_grad(p, n->out[0], &lddy);
    const float *pre = act == ACT_NONE ? NULL : pass_value(p, n->out[1], &ldpre);

    shape(p, n, &n_out, &n_in);
    TEAM_FOR(w, i, n_tiles)
    {
        int64_t r0 = i * TILE_ROWS, r1 = r0 + tile_len(i, TILE_ROWS, p->n_tok);
        for (int64_t r = r0; pre && r < r1; r++)
            p->ops->act_grad(act, dy + r * lddy, pre + r * ldpre, dy + r * lddy, (size_t)n_out);
        if (!n->param_grad[1])
            continue;
        memset(parts + i * n_out, 0, sizeof(float) * (size_t)n_out);
        p->ops->sum_rows(parts + i * n_out, dy + r0 * lddy, lddy, n_out, (int)(r1 - r0));
    }
    team_barrier(w);
    if (n->param_grad[1])
        pass_sum_parts(w, p, n, 1, parts, n_out, n_tiles);
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldx, lddx, lddy, n_out, n_in;
    const float *dy = pass_grad(p, n->out[0], &lddy);
    float *parts = p->arena + n->grad_scratch;
    void *area = parts + parts_bytes(p, n) / sizeof(float);

    shape(p, n, &n_out, &n_in);
    pass_residual_grad(w, p, n);
    if (n->u.linear.act != ACT_NONE || n->param_grad[1])
        before_products(w, p, n, parts);
    if (n->in_grad[0]) {
        float *dx = pass_grad(p, n->in[0], &lddx);
        gemm_dgrad(w, p->packed[n->param[0]], p->n_tok, gemm_f32(dy, lddy), dx, lddx, n->in_acc[0],
                   area);
    }
    if (n->param_grad[0]) {
        const float *x = pass_value(p, n->in[0], &ldx);
        gemm_wgrad(w, p->opt->gemm, p->opt->dtype, p->n_tok, n_out, n_in, gemm_f32(dy, lddy),
                   gemm_f32(x, ldx), pass_param_grad(p, n->param[0]), n_in, pass_adds(p, n, 0),
                   pass_far(p), pass_squares(p, n->param[0]), area);
    }
}

/* The activation, from what was before it. */
static void remake(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldy, ldpre, n_out = value_cols(p->graph, n->out[0]);
    float *y = pass_value(p, n->out[0], &ldy);
    const float *pre = pass_value(p, n->out[1], &ldpre);

    TEAM_FOR(w, i, p->n_tok)
    p->ops->act(n->u.linear.act, y + i * ldy, pre + i * ldpre, (size_t)n_out);
    team_barrier(w);
}

static void cost(const struct graph *g, const struct node *n, double n_seq, double n_tok,
                 struct node_cost *out)
{
    out->flops_forward = 2.0 * (double)g->params[n->param[0]].n * n_seq * n_tok;
    out->flops_backward = 2 * out->flops_forward;
}

static const struct node_ops ops = {"linear", false,    true,   keeps, scratch,
                                    forward,  backward, remake, cost};

int node_linear(struct graph *g, int layer, int x, int w, int b, enum act_kind act, int residual)
{
    int n_out = g->params[w].rows, y = graph_new_value(g, n_out);
    struct node *n = graph_node(g, &ops, layer);

    if (act != ACT_NONE && residual >= 0)
        BUG("an activation and a residual cannot share a gradient");
    if (value_cols(g, x) != g->params[w].cols || (b >= 0 && g->params[b].cols != n_out) ||
        (residual >= 0 && value_cols(g, residual) != n_out))
        BUG("a product of shapes that do not fit: %s", g->params[w].name);
    n->n_in = residual >= 0 ? 2 : 1;
    n->in[0] = x;
    n->in[1] = residual;
    n->residual = residual >= 0 ? 1 : -1;
    n->n_out = 2;
    n->out[0] = y;
    if (g->opt.train && act != ACT_NONE)
        n->out[1] = graph_new_value(g, n_out);
    n->n_param = 2;
    n->param[0] = w;
    n->param[1] = b;
    n->u.linear.act = act;
    n->remakes = n->out[1] >= 0;
    return y;
}
