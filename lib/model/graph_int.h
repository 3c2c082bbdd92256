/*
 * The static graph of a model: a list of nodes over named parameters and values, made once from a
 * config by graph_build(). Everything else follows from the list: the planner (plan_int.h) gives
 * every value its place in memory, the executor runs the nodes forward, and backward in reverse.
 *
 * A value has one row per token of a pass and stands in a storage: rows of `cols` floats. Several
 * values may be columns of one storage (q, k and v of one product), and a node that works in place
 * gives a value of its input's storage. A value's gradient stands likewise in the storage's
 * gradient. A value's consumers add to its gradient; the first to run in backward stores (in_acc).
 *
 * A node kind is a file: a constructor node_KIND() that checks shapes and gives the output its
 * shape, and a table of node_ops with forward, backward, scratch and cost. forward and backward
 * are collective: every worker of the team calls them with the same arguments; no tile has been
 * claimed since the last barrier, and a barrier stands at their end.
 */
#ifndef MODEL_GRAPH_INT_H
#define MODEL_GRAPH_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/team.h"
#include "kern/attn.h"
#include "kern/gemm.h"
#include "kern/ops.h"
#include "model/config.h"
#include "model/model.h"

struct graph;
struct node;
struct pass;

/* Times of first and last use, as indices of the graph's steps; first > last: none. */
struct span {
    int first, last;
};

struct storage {
    int cols;
    int ld, ld_grad; /* floats from row to row, of the gradient's, too */
    bool half;       /* rows of bf16, as struct gemm_rows has them; the gradient's are of floats */
    bool grad;       /* some value of it needs a gradient */
    int same_grad;   /* its gradient is that storage's; else its own index */
    /* Set by the planner. */
    int layer;   /* that alone uses it and may make it again, or -1 */
    bool wanted; /* some node's work that is done again needs it */
    int maker;   /* the node that alone writes it and can remake it cheaply, or -1 */
    struct span use[2], grad_use; /* [1]: when its layer is run again */
    size_t at[2], grad_at;        /* floats from the arena's start */
};

struct value {
    int storage, col, cols;
};

enum { NODE_MAX_IN = 4, NODE_MAX_OUT = 3, NODE_MAX_PARAM = 2 };

struct node_cost {
    double flops_forward, flops_backward;
    double bytes; /* moved inside, each way, besides inputs, outputs and parameters */
};

struct node_ops {
    const char *kind;
    bool fused;   /* in training, forward does backward's work, too */
    bool product; /* param[0] is the weight of a product, of which packed copies are made */
    /* What backward reads again, as bit masks of inputs and outputs; NULL: nothing. */
    void (*keeps)(const struct node *n, unsigned *in, unsigned *out);
    /* Bytes that one step needs and nobody reads afterwards; NULL: none. */
    size_t (*scratch)(const struct pass *p, const struct node *n, bool backward);
    void (*forward)(struct worker *w, const struct pass *p, const struct node *n);
    void (*backward)(struct worker *w, const struct pass *p, const struct node *n);
    /* out[0] once more, from what backward keeps; see node.remakes. */
    void (*remake)(struct worker *w, const struct pass *p, const struct node *n);
    /* For n_seq sequences of n_tok tokens each. A multiply-add is two FLOPs; what is not a product
     * or attention counts as nothing, as in the literature's 6N. NULL: nothing. */
    void (*cost)(const struct graph *g, const struct node *n, double n_seq, double n_tok,
                 struct node_cost *out);
};

struct node {
    const struct node_ops *ops;
    int layer; /* -1: outside the layers. A layer is what recomputation would run again */
    int n_in, n_out, n_param;
    int in[NODE_MAX_IN], out[NODE_MAX_OUT]; /* values; -1: none */
    int param[NODE_MAX_PARAM];              /* indices; -1: none */
    int residual;  /* of in[]: passed on unchanged to out[0], so that gradients may share; -1 */
    bool in_place; /* out[0] is in[0]'s storage */
    bool remakes;  /* remaking out[0] is cheaper than keeping it for others */
    bool costly;   /* keeping out[] is cheaper than running it again with its layer */
    bool is_attn;  /* u.attn holds: it has a cache */

    /* Set by the planner. */
    bool backward;             /* runs at all */
    bool in_grad[NODE_MAX_IN]; /* the gradient of the input is wanted */
    bool in_acc[NODE_MAX_IN];  /* ... and to be added to what is there */
    bool param_grad[NODE_MAX_PARAM];
    bool param_first[NODE_MAX_PARAM]; /* no other node has added to it before in this pass */
    size_t scratch[2], grad_scratch;  /* floats from the arena's start; [1]: when run again */

    union {
        struct {
            float scale;
        } embed;
        struct norm norm;
        struct {
            enum act_kind act;
        } linear;
        struct {
            int n_head, head_dim, n_rot;
        } rope;
        struct {
            struct attn a;
            double dropout;
            int index; /* among the attention nodes: which cache */
        } attn;
        struct {
            enum act_kind act;
        } glu;
        struct {
            double rate;
            int site;
        } dropout;
    } u;
};

/* What a training pass does, in order; the first n_nodes steps are the forward pass. */
enum step_kind { STEP_FORWARD, STEP_AGAIN, STEP_REMAKE, STEP_BACKWARD };
struct step {
    int node;
    enum step_kind kind;
};

/* The node's own masks; nothing where it has no rule. */
static inline void node_keeps(const struct node *n, unsigned *in, unsigned *out)
{
    *in = *out = 0;
    if (n->ops->keeps)
        n->ops->keeps(n, in, out);
}

enum param_init { INIT_NORMAL, INIT_RESIDUAL, INIT_ONE, INIT_ZERO };

struct graph_opt {
    bool train;   /* keep what backward needs (norms' statistics, log-sum-exp, inputs of acts) */
    bool dropout; /* put in the config's dropout */
    enum gemm_dtype dtype;
    bool half; /* what products alone read is bf16 */
};

struct graph {
    const struct config *config;
    struct graph_opt opt;
    struct param *params;
    unsigned char *inits; /* enum param_init of each */
    struct storage *storages;
    struct value *values;
    struct node *nodes;
    struct step *steps; /* set by the planner */
    int n_params, n_storages, n_values, n_nodes, n_steps, n_attn;
    int cap_params, cap_storages, cap_values, cap_nodes;
    size_t n_elem; /* floats of the parameters' arena */
    int embedded;  /* the value that the embedding gives, after its dropout */
    int head;      /* the last node */
    int max_tok;   /* rows of every value; set by the planner */
};

/* c must outlive g. */
int graph_build(struct graph *g, const struct config *c, const struct graph_opt *o, struct err *e);
void graph_release(struct graph *g);
int graph_find_param(const struct graph *g, const char *name); /* -1: none */

/* For constructors: new things, by index. */
int graph_storage(struct graph *g, int cols);
int graph_value(struct graph *g, int storage, int col, int cols);
int graph_new_value(struct graph *g, int cols); /* with a storage of its own */
int graph_new_input(struct graph *g, int cols); /* the same, and products alone will read it */
int graph_apart(int n);                         /* floats from row to row of n, for products */
int graph_columns(struct graph *g, int value, int from, int cols); /* a part of a value */
struct node *graph_node(struct graph *g, const struct node_ops *ops, int layer);
PRINTF_LIKE(7, 8)
int graph_param(struct graph *g, int n_dim, int rows, int cols, enum param_init init, int layer,
                const char *fmt, ...); /* fmt without "layers.%d." of layer >= 0 */

/* Where in a layer a dropout stands: part of its key. Append only. */
enum dropout_site { SITE_EMBED, SITE_ATTN, SITE_ATTN_OUT, SITE_MLP_OUT };

/* Constructors; each returns its output value. Parameters are made by them or given; -1: none. */
int node_embed(struct graph *g, int table, int pos_table, float scale);
int node_dropout(struct graph *g, int layer, int x, double rate, int site);
int node_norm(struct graph *g, int layer, int x, int y, const struct norm *s, int w, int b);
int node_linear(struct graph *g, int layer, int x, int w, int b, enum act_kind act, int residual);
int node_rope(struct graph *g, int layer, int x, int n_head, int head_dim, int n_rot);
int node_attn(struct graph *g, int layer, int q, int k, int v, const struct attn *a,
              double dropout);
int node_glu(struct graph *g, int layer, int x, enum act_kind act);
int node_add(struct graph *g, int layer, int x, int residual, double dropout, int site);
void node_head(struct graph *g, int x, int w);

#endif
