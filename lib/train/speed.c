/* Steps, prompts and tokens on random ids, timed. */
#include "train/speed.h"

#include <stdlib.h>
#include "base/mem.h"
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

/* The model and n_seq sequences of random ids. */
static int trial_init(struct trial *t, const struct config *c, const struct exec_opt *o, int n_seq,
                      int n_ctx, struct err *e)
{
    uint64_t n_vocab = (uint64_t)c->vocab_size;
    struct rng r;

    t->m = model_new(c, 0, e);
    t->x = t->m ? exec_new(t->m, o, e) : NULL;
    if (!t->x || batchbuf_init(&t->batch, n_seq * n_ctx, e) < 0)
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

/* Whether another one follows the n that were made since start_s. */
static bool goes_on(struct speed_times times, int n, double start_s)
{
    return n < times.n && (n < 2 || sys_time() - start_s < times.most_s);
}

/* tok_per_s and flops_per_s by the median of time_s, which it sorts. */
static void summarise(struct speed *s, double *time_s, int n_tok, double flops)
{
    int n = s->n_made, skip = n > 3 ? 2 : 1;

    s->first_s = time_s[0];
    qsort(time_s + skip, (size_t)(n - skip), sizeof *time_s, by_value);
    s->step_s = time_s[skip + (n - skip) / 2];
    s->tok_per_s = n_tok / s->step_s;
    s->flops_per_s = flops / s->step_s;
}

int speed_train(struct speed *s, const struct config *c, const struct exec_opt *o, int n_seq,
                int n_ctx, struct speed_times times, struct err *e)
{
    static const struct optim_hyper hyper = {
        .lr = 6e-4, .beta1 = .9, .beta2 = .95, .eps = 1e-8, .weight_decay = .1, .clip = 1};
    int n_threads = o->n_threads > 0 ? o->n_threads : sys_n_cpu();
    int rc = -1, n_tok = n_seq * n_ctx;
    struct exec_opt train = *o;
    double time_s[SPEED_MAX], begin_s, norm;
    struct exec_loss loss = {0};
    struct exec_cost cost;
    struct trial t = {0};
    struct step_profile profile = {0};

    *s = (struct speed){.profile = BUF_INIT};
    if (o->profile && step_profile_init(&profile, o->dtype, n_threads, e) < 0)
        return -1;
    train.train = true;
    train.dropout = false;
    train.max_tok = n_tok;
    train.max_seq = n_seq;
    if (trial_init(&t, c, &train, n_seq, n_ctx, e) < 0 ||
        optim_init(&t.optim, t.m, t.x, n_threads, e) < 0 ||
        exec_cost(c, n_seq, n_ctx, &cost, e) < 0)
        goto done;
    begin_s = sys_time();
    for (int i = 0; goes_on(times, i, begin_s); i++) {
        double start = sys_time();
        exec_zero_grads(t.x);
        exec_want_squares(t.x);
        if (exec_train(t.x, &t.batch.b, t.batch.target, NULL, 1.f / (float)n_tok, (uint64_t)i,
                       &loss, NULL, e) < 0)
            goto done;
        double passed_s = sys_time();
        optim_step(&t.optim, exec_grads(t.x), &hyper, n_threads, &norm);
        time_s[i] = sys_time() - start;
        s->n_made = i + 1;
        if (i == 0) {
            exec_profile_clear(t.x);
            continue;
        }
        profile.n_steps++;
        profile.steps_s += time_s[i];
        profile.update_s += start + time_s[i] - passed_s;
    }
    if (o->profile && step_profile_table(&profile, t.x, optim_moves(&t.optim), &s->profile, e) < 0)
        goto done;
    summarise(s, time_s, n_tok, cost.flops_forward + cost.flops_backward);
    s->loss = loss.loss_sum / loss.weight_sum;
    rc = 0;
done:
    trial_release(&t);
    return rc;
}

/* ---- reading and writing */

/* A pass over tokens [from, from + n) of the one sequence in slot 0, and the last one's logits. */
static int infer(const struct trial *t, int from, int n, float *logits, struct err *e)
{
    static const int32_t slot[1] = {0};
    const struct batch *all = &t->batch.b;
    int32_t cu[2] = {0, n}, last = n - 1;
    struct batch b = {.n_tok = n,
                      .ids = all->ids + from,
                      .pos = all->pos + from,
                      .seq = all->seq + from,
                      .n_seq = 1,
                      .cu_seqlens = cu,
                      .slot = slot};

    return exec_logits(t->x, &b, &last, 1, logits, e);
}

/* Each time n_tok tokens, `at_once` of them in a pass. */
static int speed_infer(struct speed *s, const struct config *c, const struct exec_opt *o, int n_tok,
                       int at_once, struct speed_times times, struct err *e)
{
    struct exec_opt infers = *o;
    struct exec_cost cost;
    struct exec_bytes bytes;
    struct trial t = {0};
    double time_s[SPEED_MAX], begin_s;
    float *logits = mem_new((size_t)c->vocab_size, sizeof *logits, e);
    int rc = -1, n_passes = n_tok / at_once;

    *s = (struct speed){.profile = BUF_INIT};
    infers.train = infers.profile = false;
    infers.max_tok = at_once;
    infers.max_seq = infers.n_slot = 1;
    infers.slot_tok = n_tok;
    if (!logits || exec_cost(c, 1, n_tok, &cost, e) < 0 ||
        exec_plan_bytes(c, &infers, &bytes, e) < 0 || trial_init(&t, c, &infers, 1, n_tok, e) < 0)
        goto done;
    begin_s = sys_time();
    for (int i = 0; goes_on(times, i, begin_s); i++) {
        double start_s = sys_time();
        if (exec_slot_reserve(t.x, 0, e) < 0)
            goto done;
        for (int k = 0; k < n_passes; k++)
            if (infer(&t, k * at_once, at_once, logits, e) < 0)
                goto done;
        time_s[i] = sys_time() - start_s;
        s->n_made = i + 1;
    }
    /* the head works on a pass's last token alone */
    double head = 2.0 * c->vocab_size * c->d_model * (n_tok - n_passes);
    summarise(s, time_s, n_tok, cost.flops_forward - head);
    /* on average half of the cache is there */
    if (at_once == 1)
        s->bytes_per_s = n_passes * ((double)bytes.read + (double)bytes.cache / 2) / s->step_s;
    rc = 0;
done:
    free(logits);
    trial_release(&t);
    return rc;
}

int speed_prefill(struct speed *s, const struct config *c, const struct exec_opt *o, int n_tok,
                  struct speed_times times, struct err *e)
{
    return speed_infer(s, c, o, n_tok, n_tok, times, e);
}

int speed_decode(struct speed *s, const struct config *c, const struct exec_opt *o, int n_tok,
                 struct speed_times times, struct err *e)
{
    return speed_infer(s, c, o, n_tok, 1, times, e);
}
