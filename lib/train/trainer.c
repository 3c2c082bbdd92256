/* The training loop. */
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cpu.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/signals.h"
#include "base/sys.h"
#include "kern/peak.h"
#include "train/checkpoint.h"

#define PEAK_S .03 /* time spent on measuring the processor's peak */

enum {
    PROGRAM_BYTES = 16 << 20, /* what every process of this kind takes */
    BATCH_TOK_BYTES = 24,     /* of a batchbuf, for each token */
};

static void note(const struct trainer *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(const struct trainer *t, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (t->note)
        t->note(t->user, text);
}

static int window_seq(const struct feed *f)
{
    return f && f->fill ? (f->window_seq > 0 ? f->window_seq : f->window_tok) : 1;
}

static struct exec_opt exec_options(const struct train_options *o, const struct feed *train,
                                    const struct feed *val)
{
    int64_t max_tok = o->n_batch * o->n_ctx, a = window_seq(train), b = window_seq(val);

    return (struct exec_opt){.max_tok = (int)max_tok,
                             .max_seq = (int)(o->n_batch * (a > b ? a : b)),
                             .train = true,
                             .dtype = (enum gemm_dtype)o->dtype,
                             .gemm = (enum gemm_backend)o->gemm,
                             .recompute = (enum recompute)o->recompute,
                             .n_threads = (int)o->n_threads,
                             .dropout = true,
                             .seed = (uint64_t)o->seed,
                             .profile = o->profile};
}

int trainer_need(const struct train_options *o, const struct config *c, const struct feed *train,
                 const struct feed *val, struct trainer_need *n, struct err *e)
{
    struct exec_opt x = exec_options(o, train, val);
    struct exec_bytes b;
    struct model *shape;

    if (exec_plan_bytes(c, &x, &b, e) < 0 || !(shape = model_shape(c, e)))
        return -1;
    uint64_t n_weights = model_n_weights(shape), weights = n_weights * sizeof(float);
    uint64_t moments = optim_bytes(model_n_elem(shape)),
             micro = BATCH_TOK_BYTES * (uint64_t)x.max_tok;
    model_free(shape);
    n->mem_bytes = PROGRAM_BYTES + b.total + weights + moments + micro * (uint64_t)o->n_accum;
    n->checkpoint_bytes = weights + moments + (1 << 20);
    /* one more than is kept stands beside the others until it is complete */
    n->n_checkpoints = (uint64_t)o->keep_last + 1 + (o->keep_best ? 1 : 0);
    return 0;
}

/* ---- beginning ---- */

static uint64_t step_sequences(const struct trainer *t, uint64_t step)
{
    uint64_t full = (uint64_t)(t->o->n_batch * t->o->n_accum);

    return schedule_batch(1, full, (uint64_t)t->o->batch_ramp, step);
}

/* Steps that take all of total_windows. */
static uint64_t count_steps(const struct trainer *t)
{
    uint64_t step = 0, n = 0;

    if (t->o->batch_ramp == 0) {
        uint64_t per_step = step_sequences(t, 1);
        return (t->total_windows + per_step - 1) / per_step;
    }
    while (n < t->total_windows)
        n += step_sequences(t, ++step);
    return step;
}

static int plan_steps(struct trainer *t, struct err *e)
{
    const struct train_options *o = t->o;

    if (t->train.n_windows == 0)
        return err_set(e, "no training data: there is not one token to predict");
    t->total_windows = UINT64_MAX;
    t->schedule = (struct schedule){.kind = o->lr_schedule,
                                    .lr = o->lr,
                                    .min_lr = o->min_lr,
                                    .decay_share = 0.2,
                                    .n_steps = (uint64_t)o->n_steps};
    if (o->n_tokens > 0)
        t->total_windows = ((uint64_t)o->n_tokens - 1) / (uint64_t)o->n_ctx + 1;
    else if (o->n_steps == 0)
        t->total_windows = (uint64_t)ceil(o->epochs * (double)t->train.n_windows);
    if (o->n_steps == 0)
        t->schedule.n_steps = count_steps(t);
    uint64_t auto_warmup = t->schedule.n_steps / 50 < 1000 ? t->schedule.n_steps / 50 : 1000;
    t->schedule.n_warmup = o->warmup >= 0 ? (uint64_t)o->warmup : auto_warmup;
    if (t->schedule.n_warmup > t->schedule.n_steps)
        return err_usage(e, "--warmup %" PRIu64 " is more than the run's %" PRIu64 " steps",
                         t->schedule.n_warmup, t->schedule.n_steps);
    t->eval_every = o->eval_every ? (uint64_t)o->eval_every : (t->schedule.n_steps + 19) / 20;
    return 0;
}

static int note_isa(struct trainer *t, struct err *e)
{
    enum isa isa;

    if (cpu_isa(&isa, e) < 0)
        return -1;
    if (t->st.isa[0] && strcmp(t->st.isa, cpu_isa_name(isa)) != 0)
        note(t,
             "the run was computed with %s, this machine goes on with %s: "
             "results will differ in the last bits",
             t->st.isa, cpu_isa_name(isa));
    snprintf(t->st.isa, sizeof t->st.isa, "%s", cpu_isa_name(isa));
    return 0;
}

static bool eval_due(const struct trainer *t)
{
    return t->val.fill &&
           (t->st.step % t->eval_every == 0 || t->ended || t->st.step == t->schedule.n_steps);
}

/* A validation that is due after the last complete step and that a signal prevented. */
static bool eval_pending(const struct trainer *t)
{
    return t->st.step > 0 && eval_due(t) && t->st.val_step != t->st.step;
}

/* Finds out whether the stream has ended, since its last step is validated. A signal while it waits
 * leaves that open. */
static int look_ahead(struct trainer *t, struct err *e)
{
    if (!t->train.more || !t->val.fill || t->ended || t->st.step == 0 ||
        t->st.step >= t->schedule.n_steps)
        return 0;
    int r = t->train.more(t->train.self, e);
    if (r < 0 && !sig_pending())
        return -1;
    t->ended = r == 0;
    return 0;
}

static int open_log(struct trainer *t, struct err *e)
{
    char *own = t->o->log ? NULL : run_path(t->run, "log.tsv", e);
    int rc = -1;

    if (own || t->o->log)
        rc = metrics_open(&t->log, own ? own : t->o->log, t->st.step - eval_pending(t), e);
    t->log.name = !own && strcmp(t->o->log, "-") == 0 ? "stdout" : own ? "log.tsv" : t->o->log;
    free(own);
    return rc;
}

static int begin_state(struct trainer *t, struct err *e)
{
    t->st = (struct train_state){.best_val = INFINITY, .val = NAN};
    if (!t->o->resume)
        return 0;
    if (checkpoint_load(t, e) < 0 || look_ahead(t, e) < 0)
        return -1;
    if (t->st.step > 0)
        note(t, "resuming %s at step %" PRIu64, t->run->dir, t->st.step);
    return 0;
}

int trainer_begin(struct trainer *t, struct err *e)
{
    struct exec_opt xo = exec_options(t->o, &t->train, &t->val);
    struct exec_cost cost;

    if (plan_steps(t, e) < 0)
        return -1;
    t->micro = mem_new((size_t)t->o->n_accum, sizeof *t->micro, e);
    if (!t->micro || !(t->x = exec_new(t->m, &xo, e)) ||
        optim_init(&t->opt, t->m, t->x, (int)t->o->n_threads, e) < 0)
        return -1;
    for (int64_t i = 0; i < t->o->n_accum; i++)
        if (batchbuf_init(&t->micro[i], xo.max_tok, e) < 0)
            return -1;
    if (begin_state(t, e) < 0 || note_isa(t, e) < 0 || open_log(t, e) < 0)
        return -1;
    if (exec_cost(model_config(t->m), 1, (int)t->o->n_ctx, &cost, e) < 0)
        return -1;
    t->flops_per_tok = (cost.flops_forward + cost.flops_backward) / (double)t->o->n_ctx;
    t->peak_flops = peak_flops((enum gemm_dtype)t->o->dtype, (int)t->o->n_threads, PEAK_S);
    if (t->o->profile &&
        step_profile_init(&t->profile, (enum gemm_dtype)t->o->dtype, (int)t->o->n_threads, e) < 0)
        return -1;
    t->saved_s = sys_time();
    if (t->begun_s == 0)
        t->begun_s = t->saved_s;
    return 0;
}

static bool time_is_up(const struct trainer *t)
{
    return t->o->max_time_s >= 0 && sys_time() - t->begun_s >= t->o->max_time_s;
}

/* ---- steps ---- */

/* Deals the step's windows to micro-batches. 1, or 0 if a stream has nothing more. */
static int fill_step(struct trainer *t, uint64_t n_seq, int *n_micro, struct err *e)
{
    uint64_t at = t->st.n_windows;

    if (t->total_windows - at < n_seq)
        n_seq = t->total_windows - at;
    *n_micro = 0;
    for (uint64_t done = 0; done < n_seq && !t->ended; (*n_micro)++) {
        struct batchbuf *b = &t->micro[*n_micro];
        batchbuf_clear(b);
        for (int64_t k = 0; k < t->o->n_batch && done < n_seq; k++, done++) {
            uint64_t i = feed_order(&t->train, (uint64_t)t->o->seed, t->shuffle, at + done);
            int r = t->train.fill(t->train.self, i, b, e);
            if (r < 0)
                return -1;
            if (r == 0) {
                t->ended = true;
                break;
            }
            t->st.n_windows++;
        }
        batchbuf_sum(b);
        if (b->b.n_tok == 0)
            break;
    }
    return *n_micro > 0;
}

struct step_result {
    double loss, norm, lr;
    uint64_t n_tok;
    bool finite;
};

/* All passes of a step. 1: done; 0: it is time to stop, nothing is changed; -1. */
static int run_passes(struct trainer *t, int n_micro, struct step_result *r, struct err *e)
{
    double weights = 0, sum = 0;

    for (int i = 0; i < n_micro; i++)
        weights += t->micro[i].weight_sum;
    if (weights == 0)
        weights = 1; /* nothing is scored: loss and gradients are zero */
    exec_zero_grads(t->x);
    r->finite = true;
    for (int i = 0; i < n_micro; i++) {
        struct batchbuf *b = &t->micro[i];
        struct exec_loss loss;
        if (sig_pending() || time_is_up(t))
            return 0;
        if (i == n_micro - 1)
            exec_want_squares(t->x);
        if (exec_train(t->x, &b->b, b->target, b->weight, (float)(1 / weights),
                       t->st.step * (uint64_t)t->o->n_accum + (uint64_t)i, &loss, NULL, e) < 0)
            return -1;
        sum += loss.loss_sum;
        r->finite = r->finite && loss.finite;
        r->n_tok += (uint64_t)b->b.n_tok;
    }
    r->loss = sum / weights;
    return 1;
}

static int nonfinite(struct trainer *t, const struct step_result *r, struct err *e)
{
    uint64_t step = t->st.step + 1;

    if (t->st.n_bad++ >= (uint64_t)t->o->skip_nonfinite)
        return err_set(e,
                       "step %" PRIu64
                       ": %s is not finite; it changed nothing, and checkpoints are "
                       "as they were (a lower --lr, or --skip-nonfinite N, may help)",
                       step, r->finite ? "the gradient" : "the loss");
    note(t, "step %" PRIu64 ": %s is not finite; passed over", step,
         r->finite ? "the gradient" : "the loss");
    return 0;
}

/* One step. 1: done; 0: it is time to stop, or the stream has ended, state as before; -1. */
static int run_step(struct trainer *t, struct step_result *r, struct err *e)
{
    uint64_t step = t->st.step + 1, n_windows = t->st.n_windows;
    int n_micro, rc = fill_step(t, step_sequences(t, step), &n_micro, e);

    *r = (struct step_result){.lr = schedule_lr(&t->schedule, step), .norm = NAN};
    if (rc > 0)
        rc = run_passes(t, n_micro, r, e);
    if (rc <= 0) {
        t->st.n_windows = n_windows;
        return rc;
    }
    if (r->finite && isfinite(r->loss)) {
        struct optim_hyper h = {.lr = r->lr,
                                .beta1 = t->o->beta1,
                                .beta2 = t->o->beta2,
                                .eps = t->o->eps,
                                .weight_decay = t->o->weight_decay,
                                .clip = t->o->clip,
                                .clip_value = t->o->clip_value};
        double from_s = sys_time();
        rc = optim_step(&t->opt, exec_grads(t->x), &h, (int)t->o->n_threads, &r->norm);
        t->profile.update_s += sys_time() - from_s;
    }
    if (rc == 0) {
        t->st.n_bad = 0;
    } else if (nonfinite(t, r, e) < 0) {
        return -1;
    }
    t->st.step = step;
    t->st.n_tokens += r->n_tok;
    t->st.loss = r->loss;
    t->st.grad_norm = r->norm;
    if (t->train.mark)
        t->st.mark = t->train.mark(t->train.self);
    return 1;
}

/* ---- validation ---- */

/* Windows from *i on until they are a batch or the feed has no more (*more false). */
static int fill_val(struct trainer *t, uint64_t *i, struct batchbuf *b, bool *more, struct err *e)
{
    batchbuf_clear(b);
    for (int64_t k = 0; *more && k < t->o->n_batch; k++) {
        int r = *i < t->val.n_windows ? t->val.fill(t->val.self, *i, b, e) : 0;
        if (r < 0)
            return -1;
        *more = r > 0;
        *i += *more;
    }
    return 0;
}

int trainer_evaluate(struct trainer *t, double *loss, struct err *e)
{
    struct batchbuf *b = &t->micro[0];
    float *logp = mem_new((size_t)b->max_tok, sizeof *logp, e);
    double sum = 0, weights = 0;
    uint64_t i = 0;
    bool more = true;
    int rc = logp ? 0 : -1;

    while (rc == 0 && more && !sig_pending()) {
        rc = fill_val(t, &i, b, &more, e);
        if (rc == 0 && b->b.n_tok > 0)
            rc = exec_logp(t->x, &b->b, b->target, logp, e);
        for (int k = 0; rc == 0 && k < b->b.n_tok; k++) {
            sum -= (double)b->weight[k] * (double)logp[k];
            weights += (double)b->weight[k];
        }
    }
    free(logp);
    *loss = sum / weights; /* NAN where nothing is scored */
    return rc;
}

/* 1: the lowest loss so far; 0: not; -1. A signal leaves the validation pending. */
static int evaluate_now(struct trainer *t, struct err *e)
{
    double loss;

    if (trainer_evaluate(t, &loss, e) < 0)
        return -1;
    if (sig_pending())
        return 0;
    t->st.val = loss;
    t->st.val_step = t->st.step;
    if (!(loss < t->st.best_val))
        return 0;
    t->st.best_val = loss;
    t->st.best_step = t->st.step;
    return 1;
}

/* ---- the loop ---- */

static bool save_due(const struct trainer *t)
{
    if (t->o->save_every)
        return t->st.step % (uint64_t)t->o->save_every == 0;
    return sys_time() - t->saved_s > 15 * 60;
}

static void show(struct trainer *t, double tok_per_s)
{
    char extra[128], rate[32];
    size_t n;

    num_human(rate, tok_per_s);
    n = (size_t)snprintf(extra, sizeof extra, "loss %.4f  %s tok/s", t->st.loss, rate);
    if (!isnan(t->st.val) && n < sizeof extra)
        n += (size_t)snprintf(extra + n, sizeof extra - n, "  val %.4f", t->st.val);
    if (t->peak_flops > 0 && n < sizeof extra)
        snprintf(extra + n, sizeof extra - n, "  %.0f%% of peak",
                 100 * tok_per_s * t->flops_per_tok / t->peak_flops);
    progress_at(&t->progress, (double)t->st.step, extra);
}

static int log_row(struct trainer *t, double lr, double tok_per_s, struct err *e)
{
    struct metrics_row row = {.step = t->st.step,
                              .n_tokens = t->st.n_tokens,
                              .loss = t->st.loss,
                              .val_loss = t->st.val_step == t->st.step ? t->st.val : NAN,
                              .lr = lr,
                              .grad_norm = t->st.grad_norm,
                              .tok_per_s = tok_per_s,
                              .time_s = t->st.time_s};
    int rc = metrics_row(&t->log, &row, e);

    if (rc > 0)
        note(t, "%s was closed by its reader; going on without a log", t->log.name);
    return rc < 0 ? -1 : 0;
}

/* What follows a step: validation, log, checkpoint. tok_per_s NAN: not known. */
static int after_step(struct trainer *t, double lr, double tok_per_s, struct err *e)
{
    if (look_ahead(t, e) < 0)
        return -1;
    int best = eval_due(t) ? evaluate_now(t, e) : 0;
    if (best < 0 || eval_pending(t))
        return best;
    if (log_row(t, lr, tok_per_s, e) < 0)
        return -1;
    return (best && t->o->keep_best) || save_due(t) ? checkpoint_save(t, e) : 0;
}

/* Stopped by a signal, or by --max-time. */
static int stop(struct trainer *t, struct err *e)
{
    char text[80];
    int sig = sig_pending();

    if (t->st.step > 0 && checkpoint_save(t, e) < 0)
        return -1;
    snprintf(text, sizeof text, "stopped after step %" PRIu64 " of %" PRIu64 "; --resume goes on",
             t->st.step, t->schedule.n_steps);
    if (sig) {
        err_set(e, "%s", text);
        if (e)
            e->kind = ERR_SIGNAL;
        return -1;
    }
    note(t, "%s", text);
    return 0;
}

static int finish(struct trainer *t, struct err *e)
{
    char val[48] = "";

    if (t->st.step == 0)
        return err_set(e, "no training data: there is not one token to predict");
    if (checkpoint_save(t, e) < 0 || metrics_close(&t->log, e) < 0 ||
        run_finish(t->run, t->st.step, e) < 0)
        return -1;
    if (!isnan(t->st.val))
        snprintf(val, sizeof val, ", validation loss %.4f", t->st.val);
    if (t->st.step < t->schedule.n_steps)
        note(t, "the stream ended after step %" PRIu64 " of %" PRIu64, t->st.step,
             t->schedule.n_steps);
    note(t, "%s: finished after step %" PRIu64 ", loss %.4f%s", t->run->dir, t->st.step, t->st.loss,
         val);
    return 0;
}

/* Steps to the end, or until it is time to stop. */
static int run_steps(struct trainer *t, struct err *e)
{
    struct step_result r;

    if (eval_pending(t) && after_step(t, schedule_lr(&t->schedule, t->st.step), NAN, e) < 0)
        return -1;
    while (t->st.step < t->schedule.n_steps && !t->ended && !sig_pending() && !time_is_up(t)) {
        double from_s = sys_time();
        int rc = run_step(t, &r, e);
        double step_s = sys_time() - from_s;
        t->profile.steps_s += step_s; /* also of one that was given up: its passes are counted */
        if (rc <= 0)
            return rc;
        t->st.time_s += step_s;
        t->profile.n_steps++;
        show(t, (double)r.n_tok / step_s);
        if (after_step(t, r.lr, (double)r.n_tok / step_s, e) < 0)
            return -1;
    }
    return 0;
}

static int print_profile(const struct trainer *t, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = step_profile_table(&t->profile, t->x, optim_moves(&t->opt), &b, e);

    fputs(b.s, stderr);
    buf_release(&b);
    return rc;
}

int trainer_run(struct trainer *t, struct err *e)
{
    progress_start(&t->progress, "step", "step", (double)t->schedule.n_steps, t->o->progress,
                   t->o->quiet);
    t->progress.base = (double)t->st.step;
    int rc = run_steps(t, e);
    progress_finish(&t->progress);
    if (t->o->profile && (rc == 0 || sig_pending()) && print_profile(t, NULL) < 0)
        note(t, "there is too little memory to print the profile");
    if (sig_pending() && (rc == 0 || (e && e->kind == ERR_SIGNAL)))
        return stop(t, e);
    if (rc < 0)
        return -1;
    bool done = !eval_pending(t) && (t->st.step >= t->schedule.n_steps || t->ended);
    return done ? finish(t, e) : stop(t, e);
}

void trainer_release(struct trainer *t)
{
    for (int64_t i = 0; t->micro && i < t->o->n_accum; i++)
        batchbuf_release(&t->micro[i]);
    free(t->micro);
    t->micro = NULL;
    optim_release(&t->opt);
    exec_free(t->x);
    t->x = NULL;
    metrics_close(&t->log, NULL);
}
