/*
 * The head: logits = x · wᵀ, and what is wanted of them. Only chunks of rows of logits exist:
 * in training a chunk's loss, its dlogits (in place), dx and dw are made before the next one's,
 * all in the node's forward; its backward has nothing left to do.
 */
#include <string.h>
#include "base/bug.h"
#include "model/pass_int.h"

/* Floats of the largest chunk of logits: 64 MiB. The weight's gradient is read and written once a
 * chunk, so that chunks should not be small. */
enum { CHUNK_FLOATS = 1 << 24, CHUNK_ROWS = 32 };

static int vocab(const struct pass *p, const struct node *n)
{
    return p->graph->params[n->param[0]].rows;
}

/* Floats from row to row of logits: whole lines of cache, so that each belongs to one tile. */
static size_t row_floats(int n_vocab)
{
    return round64((size_t)n_vocab * sizeof(float)) / sizeof(float);
}

/* Rows of the largest chunk: by shape alone. */
static int max_rows(int n_vocab, int n_tok)
{
    int64_t rows = CHUNK_FLOATS / n_vocab / CHUNK_ROWS * CHUNK_ROWS;
    int64_t most = tiles_of(n_tok, CHUNK_ROWS) * CHUNK_ROWS;

    if (rows < CHUNK_ROWS)
        rows = CHUNK_ROWS;
    return (int)(rows < most ? rows : most);
}

/* Chunks of about equal length, none above max. */
static int chunk_rows(int n_rows, int max)
{
    int64_t n_chunks = tiles_of(n_rows, max);
    int64_t rows = n_chunks ? tiles_of(tiles_of(n_rows, n_chunks), CHUNK_ROWS) * CHUNK_ROWS : 0;

    return (int)(rows < max ? rows : max);
}

/* The scratch of a pass. */
struct area {
    float *logits, *x, *dx, *lse;
    void *gemm;
    size_t n_bytes;
};

static void area_of(const struct pass *p, const struct node *n, char *base, struct area *a)
{
    int n_vocab = vocab(p, n);
    size_t d = (size_t)value_cols(p->graph, n->in[0]), at = 0;
    size_t ldx = (size_t)p->graph->storages[p->graph->values[n->in[0]].storage].ld;
    size_t rows = (size_t)max_rows(n_vocab, p->graph->max_tok);
    struct {
        float **to;
        size_t n;
    } part[] = {{&a->logits, rows * row_floats(n_vocab)},
                {&a->x, rows * ldx},
                {&a->dx, rows * d},
                {&a->lse, rows}};

    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        *part[i].to = base ? (float *)(void *)(base + at) : NULL;
        at += round64(part[i].n * sizeof(float));
    }
    a->gemm = base ? base + at : NULL;
    a->n_bytes = at + gemm_scratch(p->opt->gemm, p->opt->dtype, (int)rows, n_vocab, (int)d);
}

static size_t scratch(const struct pass *p, const struct node *n, bool backward)
{
    struct area a;

    if (backward)
        return 0;
    area_of(p, n, NULL, &a);
    return a.n_bytes;
}

/* Loss of each row of the chunk, and its gradient in place of the logits. */
static void losses(struct worker *w, const struct pass *p, const struct area *a, int n_vocab,
                   int from, int n_rows)
{
    const uint32_t *target = p->row_target + from;
    float *nll = p->row_nll + from;

    TEAM_FOR(w, i, n_rows)
    {
        float *row = a->logits + (size_t)i * row_floats(n_vocab);
        p->ops->xent(nll + i, a->lse + i, row, n_vocab, n_vocab, target + i, 1);
        if (p->mode == PASS_TRAIN && p->graph->opt.half) {
            uint16_t *half = (uint16_t *)(void *)row;
            p->ops->xent_grad_bf16(half, row, n_vocab, a->lse[i], target[i],
                                   p->row_weight[from + i]);
            pass_end_row(half, n_vocab);
        } else if (p->mode == PASS_TRAIN)
            p->ops->xent_grad(row, n_vocab, row, n_vocab, n_vocab, a->lse + i, target + i,
                              p->row_weight + from + i, 1);
    }
    team_barrier(w);
}

static void scatter(struct worker *w, const struct pass *p, const struct area *a, float *dx,
                    int lddx, int d, int from, int n_rows)
{
    TEAM_FOR(w, i, n_rows)
    memcpy(dx + (size_t)p->rows[from + i] * (size_t)lddx, a->dx + i * d, sizeof(float) * (size_t)d);
    team_barrier(w);
}

/* Whole rows, of floats or bf16. */
static void gather(struct worker *w, const struct pass *p, const struct area *a, const float *x,
                   int ldx, int from, int n_rows)
{
    TEAM_FOR(w, i, n_rows)
    memcpy(a->x + i * ldx, x + (size_t)p->rows[from + i] * (size_t)ldx,
           sizeof(float) * (size_t)ldx);
    team_barrier(w);
}

static void gradients(struct worker *w, const struct pass *p, const struct node *n,
                      const struct area *a, struct gemm_rows x, int from, int n_rows)
{
    int n_vocab = vocab(p, n), ld = (int)row_floats(n_vocab);
    int d = value_cols(p->graph, n->in[0]), lddx;
    struct gemm_rows dy = gemm_f32(a->logits, ld);

    if (p->graph->opt.half)
        dy = (struct gemm_rows){a->logits, 2 * ld, GEMM_BF16};
    if (n->in_grad[0]) {
        float *dx = pass_grad(p, n->in[0], &lddx),
              *to = p->rows ? a->dx : dx + (size_t)from * (size_t)lddx;
        gemm_dgrad(w, p->packed[n->param[0]], n_rows, dy, to, p->rows ? d : lddx, false, a->gemm);
        if (p->rows)
            scatter(w, p, a, dx, lddx, d, from, n_rows);
    }
    if (n->param_grad[0])
        gemm_wgrad(w, p->opt->gemm, p->opt->dtype, n_rows, n_vocab, d, dy, x,
                   pass_param_grad(p, n->param[0]), d, from > 0 || pass_adds(p, n, 0), pass_far(p),
                   from + n_rows == p->n_rows ? pass_squares(p, n->param[0]) : NULL, a->gemm);
}

/* Rows that are not scored have no gradient. */
static void clear_grad(struct worker *w, const struct pass *p, const struct node *n)
{
    int lddx, d = value_cols(p->graph, n->in[0]);
    float *dx = pass_grad(p, n->in[0], &lddx);

    TEAM_FOR(w, i, p->n_tok)
    memset(dx + i * lddx, 0, sizeof(float) * (size_t)d);
    team_barrier(w);
}

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    int n_vocab = vocab(p, n), ldx;
    int step = chunk_rows(p->n_rows, max_rows(n_vocab, p->graph->max_tok));
    const float *all = pass_value(p, n->in[0], &ldx);
    struct gemm_rows x = pass_rows(p, n->in[0]);
    struct area a;

    area_of(p, n, (char *)(pass_scratch(p, n)), &a);
    if (p->mode == PASS_TRAIN && p->rows && n->in_grad[0])
        clear_grad(w, p, n);
    if (p->mode == PASS_TRAIN && p->n_rows == 0 && n->param_grad[0] && !pass_adds(p, n, 0))
        pass_zero(w, pass_param_grad(p, n->param[0]), p->graph->params[n->param[0]].n);
    for (int from = 0; from < p->n_rows; from += step) {
        int n_rows = p->n_rows - from < step ? p->n_rows - from : step;
        bool wanted = p->mode == PASS_LOGITS;
        float *to = wanted ? p->logits + (size_t)from * (size_t)n_vocab : a.logits;
        int ld_to = wanted ? n_vocab : (int)row_floats(n_vocab);
        if (p->rows) {
            gather(w, p, &a, all, ldx, from, n_rows);
            x.at = a.x;
        } else {
            x.at = all + (size_t)from * (size_t)ldx;
        }
        gemm_forward(w, p->packed[n->param[0]], n_rows, x, to, ld_to, NULL, a.gemm);
        if (wanted)
            continue;
        losses(w, p, &a, n_vocab, from, n_rows);
        if (p->mode == PASS_TRAIN)
            gradients(w, p, n, &a, x, from, n_rows);
    }
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    (void)w, (void)p, (void)n;
}

static void cost(const struct graph *g, const struct node *n, double n_seq, double n_tok,
                 struct node_cost *out)
{
    out->flops_forward = 2.0 * (double)g->params[n->param[0]].n * n_seq * n_tok;
    out->flops_backward = 2 * out->flops_forward;
    out->bytes =
        4.0 * (double)g->params[n->param[0]].rows * n_seq * n_tok * 2; /* logits: written, read */
}

static const struct node_ops ops = {"head",  true,     true, NULL, scratch,
                                    forward, backward, NULL, cost};

void node_head(struct graph *g, int x, int w)
{
    struct node *n = graph_node(g, &ops, -1);

    if (value_cols(g, x) != g->params[w].cols)
        BUG("a head of %d columns over %d", g->params[w].cols, value_cols(g, x));
    n->n_in = 1;
    n->in[0] = x;
    n->n_param = 1;
    n->param[0] = w;
}
