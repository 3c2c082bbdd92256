/* What several kinds of node do alike. */
#include <string.h>
#include "model/pass_int.h"

enum { SUM_COLS = 256, ZERO_FLOATS = 1 << 18 };

void pass_sum_parts(struct worker *w, const struct pass *p, const struct node *n, int k,
                    const float *parts, int ldp, int n_tiles)
{
    float *sums = pass_param_grad(p, n->param[k]);
    int n_col = p->graph->params[n->param[k]].cols;

    TEAM_FOR(w, i, tiles_of(n_col, SUM_COLS))
    {
        int64_t c = i * SUM_COLS;
        int len = tile_len(i, SUM_COLS, n_col);
        if (!pass_adds(p, n, k))
            memset(sums + c, 0, sizeof(float) * (size_t)len);
        p->ops->sum_rows(sums + c, parts + c, ldp, len, n_tiles);
    }
    team_barrier(w);
}

void pass_zero(struct worker *w, float *v, size_t n)
{
    TEAM_FOR(w, i, tiles_of((int64_t)n, ZERO_FLOATS))
    {
        size_t from = (size_t)i * ZERO_FLOATS, left = n - from;
        memset(v + from, 0, sizeof(float) * (left < ZERO_FLOATS ? left : ZERO_FLOATS));
    }
    team_barrier(w);
}

void pass_residual_grad(struct worker *w, const struct pass *p, const struct node *n)
{
    const struct graph *g = p->graph;
    int r = n->residual, ld, ldr, d = value_cols(g, n->out[0]);

    if (r < 0 || !n->in_grad[r])
        return;
    const float *dy = pass_grad(p, n->out[0], &ld);
    float *dr = pass_grad(p, n->in[r], &ldr);
    if (dr == dy)
        return;
    TEAM_FOR(w, i, p->n_tok)
    {
        if (n->in_acc[r])
            p->ops->add(dr + i * ldr, dr + i * ldr, dy + i * ld, (size_t)d);
        else
            memcpy(dr + i * ldr, dy + i * ld, sizeof(float) * (size_t)d);
    }
    team_barrier(w);
}
