/* Rotary positions (Su 2021) on the heads of queries and keys, in place. */
#include <math.h>
#include "base/bug.h"
#include "model/pass_int.h"
#include "model/rope_int.h"

static void turn(struct worker *w, const struct pass *p, const struct node *n, float *x, int ld,
                 bool inverse)
{
    TEAM_FOR(w, i, tiles_of(p->n_tok, TILE_ROWS))
    {
        int64_t r = i * TILE_ROWS;
        p->ops->rope(x + r * ld, ld, n->u.rope.n_head, n->u.rope.head_dim, n->u.rope.n_rot,
                     p->rope_cos, p->rope_sin, p->batch->pos + r, inverse,
                     tile_len(i, TILE_ROWS, p->n_tok));
    }
    team_barrier(w);
}

static void forward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ld;
    float *x = pass_value(p, n->out[0], &ld);
    turn(w, p, n, x, ld, false);
}

static void backward(struct worker *w, const struct pass *p, const struct node *n)
{
    int ld;
    float *dx = pass_grad(p, n->out[0], &ld);
    turn(w, p, n, dx, ld, true);
}

static const struct node_ops ops = {"rope",  false,    false, NULL, NULL,
                                    forward, backward, NULL,  NULL};

int node_rope(struct graph *g, int layer, int x, int n_head, int head_dim, int n_rot)
{
    struct node *n;
    int y = graph_columns(g, x, 0, value_cols(g, x));

    if (value_cols(g, x) != n_head * head_dim || n_rot % 2 || n_rot > head_dim)
        BUG("rope of %d x %d over %d columns", n_head, head_dim, value_cols(g, x));
    n = graph_node(g, &ops, layer);
    n->n_in = n->n_out = 1;
    n->in[0] = x;
    n->out[0] = y;
    n->in_place = true;
    n->u.rope.n_head = n_head;
    n->u.rope.head_dim = head_dim;
    n->u.rope.n_rot = n_rot;
    return y;
}

/* Rounded to f32 at every step as the reference does, whose angles are f32. */
void rope_freqs(const struct config *c, int n_rot, float *freq)
{
    float factor = (float)c->rope_factor, low = (float)c->rope_low_freq;
    float high = (float)c->rope_high_freq, ctx = (float)c->rope_original_ctx;

    for (int i = 0; i < n_rot / 2; i++) {
        float f = 1 / powf((float)c->rope_theta, (float)(2 * i) / (float)n_rot);
        if (c->rope_scaling == ROPE_LINEAR)
            f /= factor;
        if (c->rope_scaling == ROPE_LLAMA3) {
            float wave = (float)(2 * 3.14159265358979323846) / f;
            float smooth = (ctx / wave - low) / (high - low);
            if (wave > ctx / low)
                f /= factor;
            else if (wave >= ctx / high)
                f = (1 - smooth) * f / factor + smooth * f;
        }
        freq[i] = f;
    }
}
