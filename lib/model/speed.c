/* How fast a model trains here: a few whole steps on random ids. */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/sys.h"
#include "kern/ops.h"
#include "model/info.h"

enum { TILE = 1 << 16 };

struct trial {
    struct model *m;
    struct exec *x;
    float *mv; /* both moments */
    size_t mv_bytes;
    double *norms; /* of the tiles */
    int64_t n_tiles;
    uint64_t t;
    struct batch b;
    uint32_t *ids, *target;
    int32_t *pos, *seq, *cu;
};

static void trial_release(struct trial *t)
{
    if (t->mv)
        sys_pages_free(t->mv, t->mv_bytes);
    exec_free(t->x);
    model_free(t->m);
    free(t->norms);
    free(t->ids);
    free(t->target);
    free(t->pos);
    free(t->seq);
    free(t->cu);
}

static int trial_init(struct trial *t, const struct config *c, struct exec_opt *o, int n_seq,
                      int n_ctx, struct err *e)
{
    size_t n = (size_t)n_seq * (size_t)n_ctx;
    struct rng r;

    *t = (struct trial){0};
    o->train = true;
    o->dropout = false;
    o->max_tok = n_seq * n_ctx;
    o->max_seq = n_seq;
    t->ids = mem_new(n, sizeof *t->ids, e);
    t->target = mem_new(n, sizeof *t->target, e);
    t->pos = mem_new(n, sizeof *t->pos, e);
    t->seq = mem_new(n, sizeof *t->seq, e);
    t->cu = mem_new((size_t)n_seq + 1, sizeof *t->cu, e);
    if (!t->ids || !t->target || !t->pos || !t->seq || !t->cu)
        return -1;
    rng_init(&r, 0, RNG_TEST, 0);
    for (int i = 0; i < o->max_tok; i++) {
        t->ids[i] = (uint32_t)rng_below(&r, (uint64_t)c->vocab_size);
        t->target[i] = (uint32_t)rng_below(&r, (uint64_t)c->vocab_size);
        t->pos[i] = i % n_ctx;
        t->seq[i] = i / n_ctx;
    }
    for (int s = 0; s <= n_seq; s++)
        t->cu[s] = s * n_ctx;
    t->b = (struct batch){o->max_tok, t->ids, t->pos, t->seq, n_seq, t->cu, NULL};

    t->m = model_new(c, 0, e);
    t->x = t->m ? exec_new(t->m, o, e) : NULL;
    if (!t->x)
        return -1;
    t->mv_bytes = 2 * sizeof(float) * model_n_elem(t->m);
    t->mv = sys_pages(t->mv_bytes, e);
    t->n_tiles = (int64_t)((model_n_elem(t->m) + TILE - 1) / TILE);
    t->norms = mem_new((size_t)t->n_tiles, sizeof *t->norms, e);
    return t->mv && t->norms ? 0 : -1;
}

static size_t tile_len(const struct trial *t, int64_t i)
{
    size_t left = model_n_elem(t->m) - (size_t)i * TILE;
    return left < TILE ? left : TILE;
}

static void update(struct worker *w, void *arg)
{
    struct trial *t = arg;
    const struct ops *k = ops_get();
    float *grad = exec_grads(t->x);
    double norm = 0;
    struct adamw a;

    TEAM_FOR(w, i, t->n_tiles)
    t->norms[i] = k->sum_squares(grad + i * TILE, tile_len(t, i));
    team_barrier(w);
    for (int64_t i = 0; i < t->n_tiles; i++)
        norm += t->norms[i];
    adamw_init(&a, 6e-4, .9, .95, 1e-8, .1, t->t, fmin(1, 1 / (sqrt(norm) + 1e-6)));
    TEAM_FOR(w, i, t->n_tiles)
    {
        float *m = t->mv + i * TILE, *v = m + model_n_elem(t->m);
        k->adamw(&a, model_weights(t->m) + i * TILE, m, v, grad + i * TILE, tile_len(t, i));
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int speed_train(struct speed *s, const struct config *c, const struct exec_opt *opt, int n_seq,
                int n_ctx, int n_steps, struct err *e)
{
    struct exec_opt o = *opt;
    struct trial t;
    struct exec_cost cost;
    struct exec_loss loss = {0};
    double time_s[SPEED_MAX_STEPS];
    int rc = -1, skip = n_steps > 3 ? 2 : 1;

    *s = (struct speed){0};
    if (o.n_threads <= 0)
        o.n_threads = sys_n_cpu();
    if (trial_init(&t, c, &o, n_seq, n_ctx, e) < 0 || exec_cost(c, n_seq, n_ctx, &cost, e) < 0)
        goto done;
    for (int i = 0; i < n_steps; i++) {
        double start = sys_time();
        exec_zero_grads(t.x);
        if (exec_train(t.x, &t.b, t.target, NULL, 1.f / (float)t.b.n_tok, (uint64_t)i, &loss, NULL,
                       e) < 0)
            goto done;
        t.t = (uint64_t)i + 1;
        team_run(o.n_threads, update, &t);
        exec_weights_changed(t.x);
        time_s[i] = sys_time() - start;
    }
    s->first_s = time_s[0];
    qsort(time_s + skip, (size_t)(n_steps - skip), sizeof *time_s, by_value);
    s->step_s = time_s[skip + (n_steps - skip) / 2];
    s->tok_per_s = t.b.n_tok / s->step_s;
    s->flops_per_s = (cost.flops_forward + cost.flops_backward) / s->step_s;
    s->loss = loss.loss_sum / loss.weight_sum;
    rc = 0;
done:
    trial_release(&t);
    return rc;
}
