/* AdamW over a model's parameter arena: norm, clipping and update, tile by tile. */
#include "train/optim.h"

#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/sys.h"
#include "base/team.h"
#include "kern/ops.h"

/* Elements of a tile: what one thread takes at a time. Part of the definition of the norm, which is
 * summed tile by tile. */
enum { TILE = 1 << 16 };

struct optim_tile {
    size_t at, n;
    bool decay;
};

static int cut_tiles(struct optim *o, struct err *e)
{
    size_t cap = 0;

    for (int i = 0; i < model_n_params(o->m); i++) {
        const struct param *p = model_param(o->m, i);
        if (!p->requires_grad)
            continue;
        for (size_t at = 0; at < p->n; at += TILE) {
            if (mem_grow(&o->tiles, &cap, (size_t)o->n_tiles + 1, sizeof *o->tiles, e) < 0)
                return -1;
            o->tiles[o->n_tiles++] = (struct optim_tile){
                .at = p->at + at, .n = p->n - at < TILE ? p->n - at : TILE, .decay = p->decay};
        }
    }
    return 0;
}

uint64_t optim_bytes(uint64_t n_elem)
{
    return 2 * sizeof(float) * n_elem;
}

static void touch_pass(struct worker *w, void *arg)
{
    const struct optim *o = arg;
    size_t n_bytes = model_n_elem(o->m) * sizeof(float);

    team_touch(w, o->exp_avg, n_bytes);
    team_touch(w, o->exp_avg_sq, n_bytes);
}

int optim_init(struct optim *o, struct model *m, int n_threads, struct err *e)
{
    size_t n_bytes = model_n_elem(m) * sizeof(float);

    *o = (struct optim){.m = m};
    if ((o->exp_avg = sys_pages(n_bytes, e)) && (o->exp_avg_sq = sys_pages(n_bytes, e)) &&
        cut_tiles(o, e) == 0 && (o->partial = mem_new((size_t)o->n_tiles, sizeof *o->partial, e))) {
        team_run(n_threads, touch_pass, o);
        return 0;
    }
    optim_release(o);
    return -1;
}

struct update {
    struct optim *o;
    const struct optim_hyper *h;
    float *grads;
    double norm;
};

static void update_pass(struct worker *w, void *arg)
{
    struct update *u = arg;
    struct optim *o = u->o;
    const struct optim_hyper *h = u->h;
    const struct ops *k = ops_get();
    struct adamw matrix, vector;
    float *weights = model_weights(o->m);

    TEAM_FOR(w, i, o->n_tiles)
    {
        float *g = u->grads + o->tiles[i].at;
        o->partial[i] = k->sum_squares(g, o->tiles[i].n);
        if (h->clip_value > 0 && isfinite(o->partial[i])) { /* what is not finite must show */
            k->clamp(g, g, (float)h->clip_value, o->tiles[i].n);
            o->partial[i] = k->sum_squares(g, o->tiles[i].n);
        }
    }
    team_barrier(w);
    double sum = 0;
    for (int i = 0; i < o->n_tiles; i++)
        sum += o->partial[i];
    double norm = sqrt(sum);
    if (w->tid == 0)
        u->norm = norm;
    if (!isfinite(norm))
        return; /* alike in every thread */
    /* torch.nn.utils.clip_grad_norm_: max_norm / (norm + 1e-6), at most 1 */
    double scale = h->clip > 0 ? fmin(1.0, h->clip / (norm + 1e-6)) : 1.0;
    adamw_init(&matrix, h->lr, h->beta1, h->beta2, h->eps, h->weight_decay, o->n_steps + 1, scale);
    adamw_init(&vector, h->lr, h->beta1, h->beta2, h->eps, 0, o->n_steps + 1, scale);
    TEAM_FOR(w, i, o->n_tiles)
    {
        const struct optim_tile *t = &o->tiles[i];
        k->adamw(t->decay ? &matrix : &vector, weights + t->at, o->exp_avg + t->at,
                 o->exp_avg_sq + t->at, u->grads + t->at, t->n);
    }
}

int optim_step(struct optim *o, float *grads, const struct optim_hyper *h, int n_threads,
               double *norm)
{
    struct update u = {.o = o, .h = h, .grads = grads};

    team_run(n_threads, update_pass, &u);
    *norm = u.norm;
    if (!isfinite(u.norm))
        return 1;
    o->n_steps++;
    return 0;
}

void optim_release(struct optim *o)
{
    size_t n_bytes = o->m ? model_n_elem(o->m) * sizeof(float) : 0;

    if (o->exp_avg)
        sys_pages_free(o->exp_avg, n_bytes);
    if (o->exp_avg_sq)
        sys_pages_free(o->exp_avg_sq, n_bytes);
    free(o->tiles);
    free(o->partial);
    *o = (struct optim){0};
}
