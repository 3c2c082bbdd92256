/* From a config to the graph: the order of the forward pass, and nothing that knows a family. */
#include "base/bug.h"
#include "base/mem.h"
#include "model/graph_int.h"

static double rate(const struct graph *g, double of_config)
{
    return g->opt.dropout ? of_config : 0;
}

static int vector(struct graph *g, int layer, const char *part, int n, enum param_init init)
{
    return graph_param(g, 1, 1, n, init, layer, "%s", part);
}

static int matrix(struct graph *g, int layer, const char *part, int rows, int cols,
                  enum param_init init)
{
    return graph_param(g, 2, rows, cols, init, layer, "%s", part);
}

static int norm(struct graph *g, int layer, int x, const char *weight, const char *bias)
{
    const struct config *c = g->config;
    struct norm s = {.d = c->d_model,
                     .n_head = 1,
                     .eps = c->norm_eps,
                     .rms = c->norm == NORM_RMS,
                     .plus_one = c->norm_plus_one};
    int w = vector(g, layer, weight, c->d_model, c->norm_plus_one ? INIT_ZERO : INIT_ONE);
    int b = s.rms ? -1 : vector(g, layer, bias, c->d_model, INIT_ZERO);

    return node_norm(g, layer, x, -1, &s, w, b);
}

/* x + dropout(h · wᵀ + b): one product with the sum in its epilogue where nothing is dropped. */
static int residual_linear(struct graph *g, int layer, int h, int w, int b, int x, int site)
{
    double p = rate(g, g->config->dropout_resid);

    if (p == 0)
        return node_linear(g, layer, h, w, b, ACT_NONE, x);
    h = node_linear(g, layer, h, w, b, ACT_NONE, -1);
    return node_add(g, layer, h, x, p, site);
}

static int attention(struct graph *g, int layer, int h, int x)
{
    const struct config *c = g->config;
    int hd = c->head_dim, nq = c->n_head * hd, nk = c->n_kv_head * hd, d = c->d_model;
    int w = matrix(g, layer, "attn.qkv.weight", nq + 2 * nk, d, INIT_NORMAL);
    int b = c->bias_qkv ? vector(g, layer, "attn.qkv.bias", nq + 2 * nk, INIT_ZERO) : -1;
    int qkv = node_linear(g, layer, h, w, b, ACT_NONE, -1);
    int qk = graph_columns(g, qkv, 0, nq + nk), v = graph_columns(g, qkv, nq + nk, nk);

    if (c->qk_norm) {
        enum param_init one = c->norm_plus_one ? INIT_ZERO : INIT_ONE;
        struct norm s = {.d = hd,
                         .n_head = c->n_head,
                         .eps = c->norm_eps,
                         .rms = true,
                         .plus_one = c->norm_plus_one};
        int out = graph_new_value(g, nq + nk);
        node_norm(g, layer, graph_columns(g, qk, 0, nq), graph_columns(g, out, 0, nq), &s,
                  vector(g, layer, "attn.q_norm.weight", hd, one), -1);
        s.n_head = c->n_kv_head;
        node_norm(g, layer, graph_columns(g, qk, nq, nk), graph_columns(g, out, nq, nk), &s,
                  vector(g, layer, "attn.k_norm.weight", hd, one), -1);
        qk = out;
    }
    if (c->pos == POS_ROPE)
        qk = node_rope(g, layer, qk, c->n_head + c->n_kv_head, hd,
                       (int)((double)hd * c->rope_partial));

    struct attn a = {.n_head = c->n_head,
                     .n_kv_head = c->n_kv_head,
                     .head_dim = hd,
                     .mask = {.causal = true, .window = c->window},
                     .scale = c->attn_scale,
                     .dtype = g->opt.dtype};
    int o = node_attn(g, layer, graph_columns(g, qk, 0, nq), graph_columns(g, qk, nq, nk), v, &a,
                      rate(g, c->dropout_attn));
    w = matrix(g, layer, "attn.o.weight", d, nq, INIT_RESIDUAL);
    b = c->bias_o ? vector(g, layer, "attn.o.bias", d, INIT_ZERO) : -1;
    return residual_linear(g, layer, o, w, b, x, SITE_ATTN_OUT);
}

static int feed_forward(struct graph *g, int layer, int h, int x)
{
    const struct config *c = g->config;
    int d = c->d_model, f = c->d_ff, w, b;

    if (c->gated) {
        w = matrix(g, layer, "mlp.gate_up.weight", 2 * f, d, INIT_NORMAL);
        b = c->bias_mlp ? vector(g, layer, "mlp.gate_up.bias", 2 * f, INIT_ZERO) : -1;
        h = node_linear(g, layer, h, w, b, ACT_NONE, -1);
        h = node_glu(g, layer, h, c->act);
    } else {
        w = matrix(g, layer, "mlp.up.weight", f, d, INIT_NORMAL);
        b = c->bias_mlp ? vector(g, layer, "mlp.up.bias", f, INIT_ZERO) : -1;
        h = node_linear(g, layer, h, w, b, c->act, -1);
    }
    w = matrix(g, layer, "mlp.down.weight", d, f, INIT_RESIDUAL);
    b = c->bias_mlp ? vector(g, layer, "mlp.down.bias", d, INIT_ZERO) : -1;
    return residual_linear(g, layer, h, w, b, x, SITE_MLP_OUT);
}

static void build(struct graph *g)
{
    const struct config *c = g->config;
    int table = matrix(g, -1, "embed.weight", c->vocab_size, c->d_model, INIT_NORMAL);
    int pos = -1, x, head = table;

    if (c->pos == POS_LEARNED)
        pos = matrix(g, -1, "pos.weight", c->n_ctx, c->d_model, INIT_NORMAL);
    x = node_embed(g, table, pos, c->embed_scale);
    if (rate(g, c->dropout_embd) > 0)
        x = node_dropout(g, -1, x, c->dropout_embd, SITE_EMBED);
    g->embedded = x;
    for (int i = 0; i < c->n_layer; i++) {
        x = attention(g, i, norm(g, i, x, "norm1.weight", "norm1.bias"), x);
        x = feed_forward(g, i, norm(g, i, x, "norm2.weight", "norm2.bias"), x);
    }
    x = norm(g, -1, x, "norm.weight", "norm.bias");
    if (!c->tied)
        head = matrix(g, -1, "head.weight", c->vocab_size, c->d_model, INIT_NORMAL);
    node_head(g, x, head);
    g->head = g->n_nodes - 1;
}

int graph_build(struct graph *g, const struct config *c, const struct graph_opt *o, struct err *e)
{
    size_t n_layer = (size_t)c->n_layer;

    *g = (struct graph){.config = c, .opt = *o};
    g->cap_nodes = (int)(8 + 12 * n_layer);
    g->cap_params = (int)(8 + 16 * n_layer);
    g->cap_values = g->cap_storages = (int)(16 + 32 * n_layer);
    g->nodes = mem_new((size_t)g->cap_nodes, sizeof *g->nodes, e);
    g->params = mem_new((size_t)g->cap_params, sizeof *g->params, e);
    g->inits = mem_new((size_t)g->cap_params, 1, e);
    g->values = mem_new((size_t)g->cap_values, sizeof *g->values, e);
    g->storages = mem_new((size_t)g->cap_storages, sizeof *g->storages, e);
    if (!g->nodes || !g->params || !g->inits || !g->values || !g->storages) {
        graph_release(g);
        return -1;
    }
    build(g);
    return 0;
}
