/* y = act(x · wᵀ + b) + residual, one product with its epilogue. */
#include <string.h>
#include "base/bug.h"
#include "model/pass_int.h"

/* Columns of a row that are worked on at a time, in the first-level cache. */
enum { ROW_PART = 512 };

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

static void end_rows(struct worker *w, const struct pass *p, uint16_t *rows, int ld, int n_col)
{
    if (n_col % 32 == 0)
        return;
    TEAM_FOR(w, i, p->n_tok)
    pass_end_row(rows + i * ld, n_col);
    team_barrier(w);
}

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldy;
    float *y = pass_value(p, n->out[0], &ldy);
    struct gemm_epilogue ep = {.bias = pass_weight(p, n->param[1]), .act = n->u.linear.act};

    ep.half = pass_half(p, n->out[0], &ep.ldhalf);
    if (ep.half) /* the product's y is what the activation is of */
        y = pass_value(p, n->out[1], &ldy);
    else if (n->out[1] >= 0)
        ep.pre = pass_value(p, n->out[1], &ep.ldpre);
    if (n->residual >= 0)
        ep.residual = pass_value(p, n->in[n->residual], &ep.ldr);
    gemm_forward(w, p->packed[n->param[0]], p->n_tok, pass_rows(p, n->in[0]), y, ldy, &ep,
                 pass_scratch(p, n));
    if (ep.half)
        end_rows(w, p, ep.half, ep.ldhalf, value_cols(p->graph, n->out[0]));
}

/* Whether all of dy is gone through before the products. */
static bool goes_through(const struct node *n)
{
    return n->u.linear.act != ACT_NONE || n->param_grad[1];
}

/* Whether dy becomes bf16 then: no residual's gradient is the same. */
static bool dy_half(const struct pass *p, const struct node *n)
{
    return p->graph->opt.half && n->residual < 0 && goes_through(n);
}

/* A row of dy through the activation; it becomes bf16, which lies where floats are that have been
 * read. sum, or NULL: the bias's share is added. */
static void half_row(const struct pass *p, enum act_kind act, float *dy, const float *pre, int n,
                     float *sum)
{
    uint16_t *half = (uint16_t *)(void *)dy;
    float d[ROW_PART];

    for (int at = 0; at < n; at += ROW_PART) {
        int len = n - at < ROW_PART ? n - at : ROW_PART;
        p->ops->act_grad_bf16(act, half + at, d, pre + at, dy + at, (size_t)len);
        if (sum)
            p->ops->sum_rows(sum + at, d, len, len, 1);
    }
    pass_end_row(half, n);
}

/* dy through the activation, in place, and the bias's share of each tile. */
static void before_products(struct worker *w, const struct pass *p, const struct node *n,
                            float *parts)
{
    int lddy, ldpre = 0, n_out, n_in, n_tiles = (int)tiles_of(p->n_tok, TILE_ROWS);
    enum act_kind act = n->u.linear.act;
    float *dy = pass_grad(p, n->out[0], &lddy);
    const float *pre = act == ACT_NONE ? NULL : pass_value(p, n->out[1], &ldpre);
    bool half = dy_half(p, n);

    shape(p, n, &n_out, &n_in);
    TEAM_FOR(w, i, n_tiles)
    {
        int64_t r0 = i * TILE_ROWS, r1 = r0 + tile_len(i, TILE_ROWS, p->n_tok);
        float *sum = n->param_grad[1] ? parts + i * n_out : NULL;
        if (sum)
            memset(sum, 0, sizeof(float) * (size_t)n_out);
        for (int64_t r = r0; half && r < r1; r++)
            half_row(p, act, dy + r * lddy, pre ? pre + r * ldpre : dy + r * lddy, n_out, sum);
        if (half)
            continue;
        for (int64_t r = r0; pre && r < r1; r++)
            p->ops->act_grad(act, dy + r * lddy, pre + r * ldpre, dy + r * lddy, (size_t)n_out);
        if (sum)
            p->ops->sum_rows(sum, dy + r0 * lddy, lddy, n_out, (int)(r1 - r0));
    }
    team_barrier(w);
    if (n->param_grad[1])
        pass_sum_parts(w, p, n, 1, parts, n_out, n_tiles);
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    int lddx, lddy, n_out, n_in;
    const float *dy = pass_grad(p, n->out[0], &lddy);
    struct gemm_rows rows = gemm_f32(dy, lddy);
    float *parts = p->arena + n->grad_scratch;
    void *area = parts + parts_bytes(p, n) / sizeof(float);

    shape(p, n, &n_out, &n_in);
    pass_residual_grad(w, p, n);
    if (goes_through(n))
        before_products(w, p, n, parts);
    if (dy_half(p, n))
        rows = (struct gemm_rows){dy, 2 * lddy, GEMM_BF16};
    if (n->in_grad[0]) {
        float *dx = pass_grad(p, n->in[0], &lddx);
        gemm_dgrad(w, p->packed[n->param[0]], p->n_tok, rows, dx, lddx, n->in_acc[0], area);
    }
    if (n->param_grad[0])
        gemm_wgrad(w, p->opt->gemm, p->opt->dtype, p->n_tok, n_out, n_in, rows,
                   pass_rows(p, n->in[0]), pass_param_grad(p, n->param[0]), n_in,
                   pass_adds(p, n, 0), pass_far(p), pass_squares(p, n->param[0]), area);
}

/* The activation, from what was before it. */
static void remake(struct worker *w, const struct pass *p, const struct node *n)
{
    int ldy, ldh, ldpre, n_out = value_cols(p->graph, n->out[0]);
    float *y = pass_value(p, n->out[0], &ldy);
    uint16_t *half = pass_half(p, n->out[0], &ldh);
    const float *pre = pass_value(p, n->out[1], &ldpre);

    TEAM_FOR(w, i, p->n_tok)
    {
        if (half) {
            p->ops->act_bf16(n->u.linear.act, half + i * ldh, pre + i * ldpre, (size_t)n_out);
            pass_end_row(half + i * ldh, n_out);
        } else {
            p->ops->act(n->u.linear.act, y + i * ldy, pre + i * ldpre, (size_t)n_out);
        }
    }
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
    int n_out = g->params[w].rows;
    int y = act == ACT_NONE ? graph_new_value(g, n_out) : graph_new_input(g, n_out);
    struct node *n = graph_node(g, &ops, layer);

    if (residual < 0 && g->opt.half) /* before_products() may make it bf16 */
        g->storages[g->values[y].storage].ld_grad = graph_apart(n_out);
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
