/* Attention of each sequence's queries to its own keys, in the batch or in a cache slot. */
#include "base/bug.h"
#include "model/pass_int.h"

static void keeps(const struct node *n, unsigned *in, unsigned *out)
{
    (void)n;
    *in = 7;
    *out = 3; /* o, log-sum-exp */
}

static size_t scratch(const struct pass *p, const struct node *n, bool backward)
{
    return attn_scratch_bytes(&n->u.attn.a, p->n_tok, p->opt->max_seq, p->opt->n_threads, backward);
}

static void io_of(const struct pass *p, const struct node *n, struct attn_io *io)
{
    int ld;

    *io = (struct attn_io){.seq = p->seqs + (size_t)n->u.attn.index * (size_t)p->seq_stride,
                           .n_seq = p->n_seq};
    io->q = pass_value(p, n->in[0], &io->ldq);
    io->k = pass_value(p, n->in[1], &io->ldk);
    io->v = pass_value(p, n->in[2], &io->ldv);
    io->o = pass_value(p, n->out[0], &io->ldo);
    if (n->out[1] >= 0)
        io->lse = pass_value(p, n->out[1], &ld);
}

/* a with the dropout of this step, which d holds. */
static struct attn attn_of(const struct pass *p, const struct node *n, struct dropout *d)
{
    struct attn a = n->u.attn.a;

    if (p->mode == PASS_TRAIN && n->u.attn.dropout > 0) {
        dropout_init(d, n->u.attn.dropout, p->opt->seed, p->step, (uint32_t)n->layer, SITE_ATTN);
        a.dropout = d;
    }
    return a;
}

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    struct dropout d;
    struct attn a = attn_of(p, n, &d);
    struct attn_io io;

    io_of(p, n, &io);
    io.scratch = pass_scratch(p, n);
    attn_forward(w, &a, &io);
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    struct dropout d;
    struct attn a = attn_of(p, n, &d);
    struct attn_io io;

    io_of(p, n, &io);
    io.scratch = p->arena + n->grad_scratch;
    io.d_o = pass_grad(p, n->out[0], &io.ldd_o);
    io.dq = pass_grad(p, n->in[0], &io.lddq);
    io.dk = pass_grad(p, n->in[1], &io.lddk);
    io.dv = pass_grad(p, n->in[2], &io.lddv);
    attn_backward(w, &a, &io);
}

/* Two products forward and four backward over the pairs that the mask shows; recomputing the
 * scores is not counted. */
static void cost(const struct graph *g, const struct node *n, double n_seq, double n_tok,
                 struct node_cost *out)
{
    const struct attn *a = &n->u.attn.a;
    double window = a->mask.window, pairs = n_tok * (n_tok + 1) / 2;

    (void)g;
    if (window > 0 && window < n_tok)
        pairs = window * (window + 1) / 2 + (n_tok - window) * window;
    out->flops_forward = 4.0 * a->n_head * a->head_dim * pairs * n_seq;
    out->flops_backward = 2 * out->flops_forward;
}

static const struct node_ops ops = {"attention", false,    false, keeps, scratch,
                                    forward,     backward, NULL,  cost};

int node_attn(struct graph *g, int layer, int q, int k, int v, const struct attn *a, double dropout)
{
    int nq = a->n_head * a->head_dim, nk = a->n_kv_head * a->head_dim;
    int o = graph_new_value(g, nq);
    struct node *n;

    if (value_cols(g, q) != nq || value_cols(g, k) != nk || value_cols(g, v) != nk)
        BUG("attention's heads do not fit its inputs");
    n = graph_node(g, &ops, layer);
    n->n_in = 3;
    n->in[0] = q;
    n->in[1] = k;
    n->in[2] = v;
    n->n_out = 2;
    n->out[0] = o;
    if (g->opt.train)
        n->out[1] = graph_new_value(g, a->n_head);
    n->costly = true; /* its work grows as the square of the context, its outputs do not */
    n->is_attn = true;
    n->u.attn.a = *a;
    n->u.attn.dropout = dropout;
    n->u.attn.index = g->n_attn++;
    return o;
}
