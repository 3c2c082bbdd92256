/* Time, operations and bytes of passes by kind of node. */
#include "model/profile_int.h"
#include <stdlib.h>
#include <string.h>
#include "base/bug.h"
#include "base/mem.h"

/* The first row, which is no node's. */
enum { PACKING };

static int row_of(struct profile *pr, const char *kind)
{
    for (int i = 0; i < pr->n_rows; i++)
        if (strcmp(pr->rows[i].kind, kind) == 0)
            return i;
    if (pr->n_rows == EXEC_PROFILE_ROWS)
        BUG("more than %d kinds of node", EXEC_PROFILE_ROWS);
    pr->rows[pr->n_rows].kind = kind;
    return pr->n_rows++;
}

int profile_init(struct profile *pr, const struct graph *g, struct err *e)
{
    *pr = (struct profile){0};
    row_of(pr, "packing");
    pr->row_of = mem_new((size_t)g->n_nodes, sizeof *pr->row_of, e);
    pr->spent_s = mem_new((size_t)g->n_steps, sizeof *pr->spent_s, e);
    if (!pr->row_of || !pr->spent_s)
        return -1;
    for (int i = 0; i < g->n_nodes; i++)
        pr->row_of[i] = row_of(pr, g->nodes[i].ops->kind);
    return 0;
}

void profile_release(struct profile *pr)
{
    free(pr->row_of);
    free(pr->spent_s);
}

static double cols(const struct graph *g, const int *value, int n, unsigned mask)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        if (value[i] >= 0 && mask >> i & 1)
            sum +=
                value_cols(g, value[i]) / (g->storages[g->values[value[i]].storage].half ? 2. : 1.);
    return sum;
}

/* A table of which rows are picked counts with as many rows as there are tokens. */
static double param_bytes(const struct graph *g, const struct node *n, double n_tok, bool gradients)
{
    double sum = 0;
    bool halves = n->ops->product && g->opt.dtype == GEMM_BF16;

    for (int i = 0; i < n->n_param; i++) {
        if (n->param[i] < 0)
            continue;
        const struct param *p = &g->params[n->param[i]];
        double elems = n->ops->product || p->rows < n_tok ? (double)p->n : n_tok * p->cols;
        sum += elems * (halves && i == 0 ? 2 : 4) + (gradients && n->param_grad[i] ? 4 * elems : 0);
    }
    return sum;
}

/* What must be moved at least: every input, output and parameter once, and in backward their
 * gradients and what was kept. */
static double moved(const struct graph *g, const struct node *n, double n_tok, bool backward)
{
    unsigned in = ~0u, out = ~0u;

    if (!backward)
        return 4 * n_tok * (cols(g, n->in, n->n_in, in) + cols(g, n->out, n->n_out, out)) +
               param_bytes(g, n, n_tok, false);
    node_keeps(n, &in, &out);
    double kept = cols(g, n->in, n->n_in, in) + cols(g, n->out, n->n_out, out);
    double grads = cols(g, n->out, 1, 1);
    for (int i = 0; i < n->n_in; i++)
        if (n->in_grad[i])
            grads += value_cols(g, n->in[i]);
    return 4 * n_tok * (kept + grads) + param_bytes(g, n, n_tok, true);
}

static void add_work(struct exec_profile_row *r, const struct pass *p, const struct node *n)
{
    const struct graph *g = p->graph;
    bool back = p->mode == PASS_TRAIN && n->backward;
    struct node_cost sum = {0};

    bool head = n == &g->nodes[g->head]; /* of scored rows alone */
    double n_tok = head ? p->n_rows : p->n_tok;

    if (head)
        n->ops->cost(g, n, 1, n_tok, &sum);
    for (int s = 0; !head && n->ops->cost && s < p->batch->n_seq; s++) {
        struct node_cost cost = {0};
        int len = p->batch->cu_seqlens[s + 1] - p->batch->cu_seqlens[s];
        n->ops->cost(g, n, 1, len, &cost);
        sum.flops_forward += cost.flops_forward;
        sum.flops_backward += cost.flops_backward;
        sum.bytes += cost.bytes;
    }
    /* a head does both in its forward */
    r->fused |= n->ops->fused;
    r->flops[0] += sum.flops_forward + (back && n->ops->fused ? sum.flops_backward : 0);
    r->flops[1] += back && !n->ops->fused ? sum.flops_backward : 0;
    r->bytes[0] += moved(g, n, n_tok, false) + sum.bytes +
                   (back && n->ops->fused ? moved(g, n, n_tok, true) + sum.bytes : 0);
    r->bytes[1] += back && !n->ops->fused ? moved(g, n, n_tok, true) : 0;
}

static double packed_bytes(const struct pass *p, const struct node *n)
{
    if (!n->ops->product)
        return 0;
    const struct param *w = &p->graph->params[n->param[0]];
    size_t copies = gemm_weight_bytes(w->rows, w->cols, p->opt->gemm, p->opt->dtype, n->in_grad[0]);
    return copies ? 4.0 * (double)w->n + (double)copies : 0;
}

void profile_add(struct profile *pr, const struct pass *p)
{
    const struct graph *g = p->graph;

    pr->rows[PACKING].time_s[0] += pr->packing_s;
    for (int i = 0; pr->packing_s > 0 && i < g->n_nodes; i++)
        pr->rows[PACKING].bytes[0] += packed_bytes(p, &g->nodes[i]);
    for (int i = 0; i < g->n_nodes; i++) {
        struct exec_profile_row *r = &pr->rows[pr->row_of[i]];
        add_work(r, p, &g->nodes[i]);
    }
    for (int t = 0; t < (p->mode == PASS_TRAIN ? g->n_steps : g->n_nodes); t++)
        pr->rows[pr->row_of[g->steps[t].node]].time_s[t >= g->n_nodes] += pr->spent_s[t];
    pr->packing_s = 0;
}

void profile_clear(struct profile *pr)
{
    for (int i = 0; i < pr->n_rows; i++)
        pr->rows[i] = (struct exec_profile_row){.kind = pr->rows[i].kind};
}
