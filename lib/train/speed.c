/* Whole training steps on random ids, timed. */
#include "train/speed.h"

#include <stdlib.h>
#include "base/rng.h"
#include "base/sys.h"
#include "model/batchbuf.h"
#include "train/optim.h"
#include "train/steptime.h"

struct trial {
    struct model *m;
    struct exec *x;
    struct optim optim;
    struct batchbuf batch;
};

static void trial_release(struct trial *t)
{
    batchbuf_release(&t->batch);
    optim_release(&t->optim);
    exec_free(t->x);
    model_free(t->m);
}

static int trial_init(struct trial *t, const struct config *c, const struct exec_opt *opt,
                      int n_seq, int n_ctx, struct err *e)
{
    struct exec_opt o = *opt;
    uint64_t n_vocab = (uint64_t)c->vocab_size;
    struct rng r;

    o.train = true;
    o.dropout = false;
    o.max_tok = n_seq * n_ctx;
    o.max_seq = n_seq;
    t->m = model_new(c, 0, e);
    t->x = t->m ? exec_new(t->m, &o, e) : NULL;
    if (!t->x || optim_init(&t->optim, t->m, e) < 0 || batchbuf_init(&t->batch, o.max_tok, e) < 0)
        return -1;
    rng_init(&r, 0, RNG_TEST, 0);
    for (int s = 0; s < n_seq; s++) {
        uint32_t *ids, *target;
        float *weight;
        batchbuf_seq(&t->batch, n_ctx, &ids, &target, &weight);
        for (int i = 0; i < n_ctx; i++) {
            ids[i] = (uint32_t)rng_below(&r, n_vocab);
            target[i] = (uint32_t)rng_below(&r, n_vocab);
            weight[i] = 1;
        }
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int speed_train(struct speed *s, const struct config *c, const struct exec_opt *o, int n_seq,
                int n_ctx, int n_steps, struct err *e)
{
    static const struct optim_hyper hyper = {
        .lr = 6e-4, .beta1 = .9, .beta2 = .95, .eps = 1e-8, .weight_decay = .1, .clip = 1};
    int n_threads = o->n_threads > 0 ? o->n_threads : sys_n_cpu();
    int rc = -1, skip = n_steps > 3 ? 2 : 1, n_tok = n_seq * n_ctx;
    double time_s[SPEED_MAX_STEPS], norm;
    struct exec_loss loss = {0};
    struct exec_cost cost;
    struct trial t = {0};
    struct step_profile profile = {0};

    *s = (struct speed){.profile = BUF_INIT};
    if (o->profile && step_profile_init(&profile, o->dtype, n_threads, e) < 0)
        return -1;
    if (trial_init(&t, c, o, n_seq, n_ctx, e) < 0 || exec_cost(c, n_seq, n_ctx, &cost, e) < 0)
        goto done;
    for (int i = 0; i < n_steps; i++) {
        double start = sys_time();
        exec_zero_grads(t.x);
        if (exec_train(t.x, &t.batch.b, t.batch.target, NULL, 1.f / (float)n_tok, (uint64_t)i,
                       &loss, NULL, e) < 0)
            goto done;
        double passed_s = sys_time();
        optim_step(&t.optim, exec_grads(t.x), &hyper, n_threads, &norm);
        exec_weights_changed(t.x);
        time_s[i] = sys_time() - start;
        if (i == 0) {
            exec_profile_clear(t.x);
            continue;
        }
        profile.n_steps++;
        profile.steps_s += time_s[i];
        profile.update_s += start + time_s[i] - passed_s;
    }
    if (o->profile && step_profile_table(&profile, t.x, model_n_elem(t.m), &s->profile, e) < 0)
        goto done;
    s->first_s = time_s[0];
    qsort(time_s + skip, (size_t)(n_steps - skip), sizeof *time_s, by_value);
    s->step_s = time_s[skip + (n_steps - skip) / 2];
    s->tok_per_s = n_tok / s->step_s;
    s->flops_per_s = (cost.flops_forward + cost.flops_backward) / s->step_s;
    s->loss = loss.loss_sum / loss.weight_sum;
    rc = 0;
done:
    trial_release(&t);
    return rc;
}
