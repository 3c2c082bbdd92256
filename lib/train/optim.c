/* AdamW over a model's parameter arena: norm, clipping and update, tile by tile, and packing. */
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

/* Products sum squares in floats, which have none of what is smaller than 1e-19: below this norm
 * they might have lost too much, and where it is not finite, perhaps only they are not. */
#define LEAST_NORM 1e-10

struct optim_tile {
    size_t at, n;
    bool summed; /* in the sums of products, where there are any */
};

/* What one thread updates: a tile, or the rows of a packing job. */
struct optim_piece {
    size_t at, n;
    bool decay;
    const struct gemm_weight *packed; /* NULL: it is not packed here */
    int64_t job;
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
            o->tiles[o->n_tiles++] = (struct optim_tile){.at = p->at + at,
                                                         .n = p->n - at < TILE ? p->n - at : TILE,
                                                         .summed = exec_has_squares(o->x, i)};
        }
    }
    return 0;
}

static int cut_pieces(struct optim *o, struct err *e)
{
    size_t cap = 0, n_packed = 0;

    for (int i = 0; i < model_n_params(o->m); i++) {
        const struct param *p = model_param(o->m, i);
        const struct gemm_weight *g = exec_packed(o->x, i);
        size_t rows = g ? (size_t)gemm_weight_job_rows(g) : 0;
        size_t step = rows ? rows * (size_t)p->cols : TILE;
        if (!p->requires_grad)
            continue;
        n_packed += rows ? p->n : 0;
        o->packed_bytes += rows ? gemm_weight_copies(g) : 0;
        o->packs &= !g || rows;
        for (size_t at = 0; at < p->n; at += step) {
            if (mem_grow(&o->pieces, &cap, (size_t)o->n_pieces + 1, sizeof *o->pieces, e) < 0)
                return -1;
            o->pieces[o->n_pieces++] =
                (struct optim_piece){.at = p->at + at,
                                     .n = p->n - at < step ? p->n - at : step,
                                     .decay = p->decay,
                                     .packed = rows ? g : NULL,
                                     .job = (int64_t)(at / step)};
        }
    }
    o->far = gemm_far(n_packed);
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

int optim_init(struct optim *o, struct model *m, struct exec *x, int n_threads, struct err *e)
{
    size_t n_bytes = model_n_elem(m) * sizeof(float);

    *o = (struct optim){.m = m, .x = x, .packs = true};
    if ((o->exp_avg = sys_pages(n_bytes, e)) && (o->exp_avg_sq = sys_pages(n_bytes, e)) &&
        cut_tiles(o, e) == 0 && cut_pieces(o, e) == 0 &&
        (o->partial = mem_new((size_t)o->n_tiles + 1, sizeof *o->partial, e))) {
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
    const double *squares; /* that products have summed, or NULL */
    size_t n_squares;
    double norm;
};

static double tile_squares(const struct update *u, const struct optim_tile *t)
{
    float *g = u->grads + t->at, limit = (float)u->h->clip_value;
    const struct ops *k = ops_get();
    double sum = k->sum_squares(g, t->n);
    if (limit <= 0 || !isfinite(sum)) /* what is not finite must show */
        return sum;
    k->clamp(g, g, limit, t->n);
    return k->sum_squares(g, t->n);
}

/* The gradients' norm, the same in every thread; squares: those that products have summed, or
 * NULL. */
static double norm_of(struct worker *w, const struct update *u, const double *squares)
{
    struct optim *o = u->o;
    double sum = 0;

    TEAM_FOR(w, i, o->n_tiles + 1)
    {
        if (i < o->n_tiles) {
            bool summed = squares && o->tiles[i].summed;
            o->partial[i] = summed ? 0 : tile_squares(u, &o->tiles[i]);
            continue;
        }
        o->partial[i] = 0;
        for (size_t k = 0; squares && k < u->n_squares; k++)
            o->partial[i] += squares[k];
    }
    team_barrier(w);
    for (int i = 0; i <= o->n_tiles; i++)
        sum += o->partial[i];
    return sqrt(sum);
}

static void update_pass(struct worker *w, void *arg)
{
    struct update *u = arg;
    struct optim *o = u->o;
    const struct optim_hyper *h = u->h;
    const struct ops *k = ops_get();
    struct adamw matrix, vector;
    float *weights = model_weights(o->m);
    double norm = norm_of(w, u, u->squares);

    if (u->squares && !(norm >= LEAST_NORM && isfinite(norm))) {
        team_barrier(w);
        norm = norm_of(w, u, NULL);
    }
    if (w->tid == 0)
        u->norm = norm;
    if (!isfinite(norm))
        return; /* alike in every thread */
    /* torch.nn.utils.clip_grad_norm_: max_norm / (norm + 1e-6), at most 1 */
    double scale = h->clip > 0 ? fmin(1.0, h->clip / (norm + 1e-6)) : 1.0;
    adamw_init(&matrix, h->lr, h->beta1, h->beta2, h->eps, h->weight_decay, o->n_steps + 1, scale);
    adamw_init(&vector, h->lr, h->beta1, h->beta2, h->eps, 0, o->n_steps + 1, scale);
    TEAM_FOR(w, i, o->n_pieces)
    {
        const struct optim_piece *t = &o->pieces[i];
        k->adamw(t->decay ? &matrix : &vector, weights + t->at, o->exp_avg + t->at,
                 o->exp_avg_sq + t->at, u->grads + t->at, t->n);
        if (t->packed)
            gemm_weight_pack_job(t->packed, t->job, o->far);
    }
}

int optim_step(struct optim *o, float *grads, const struct optim_hyper *h, int n_threads,
               double *norm)
{
    struct update u = {.o = o, .h = h, .grads = grads};

    if (!(h->clip_value > 0)) /* which changes elements */
        u.squares = exec_squares(o->x, &u.n_squares);
    team_run(n_threads, update_pass, &u);
    *norm = u.norm;
    if (!isfinite(u.norm))
        return 1;
    o->n_steps++;
    if (!o->packs)
        exec_weights_changed(o->x);
    return 0;
}

/* AdamW reads weight, gradient and moments and writes all but the gradient; the norm reads it. */
uint64_t optim_moves(const struct optim *o)
{
    return 32 * model_n_elem(o->m) + o->packed_bytes;
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
    free(o->pieces);
    *o = (struct optim){0};
}
