/*
 * The training loop: windows from a feed, passes of the executor, the optimiser, validation, log,
 * checkpoints. The same for every loss that exec_train computes.
 *
 *     struct trainer t = {.o = &options, .run = &run, .m = model, .train = feed, ...,
 *                         .log = METRICS_INIT};
 *     trainer_begin(&t, e)       memory, and the newest checkpoint's state where resuming: the
 *                                model must hold its weights
 *     trainer_run(&t, e)         to the end; ERR_SIGNAL after a checkpoint when a signal came
 *     trainer_release(&t)
 *
 * A step's loss is Σ weight·nll / Σ weight over all its micro-batches; so its gradients do not
 * depend on how sequences are dealt to micro-batches, but for rounding.
 */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "base/progress.h"
#include "model/exec.h"
#include "train/feed.h"
#include "train/metrics.h"
#include "train/optim.h"
#include "train/options.h"
#include "train/steptime.h"
#include "train/run.h"
#include "train/state.h"

struct trainer {
    const struct train_options *o;
    struct run *run;
    struct model *m;
    struct feed train, val; /* val.fill NULL: no validation */
    bool shuffle;
    /* Writes what belongs beside the weights (tokenizer, generation_config.json) into dir. */
    int (*publish)(void *user, const char *dir, struct err *e);
    void *user;
    void (*note)(void *user, const char *text); /* lines for people; may be NULL */
    double begun_s; /* sys_time() from which --max-time counts; 0: from trainer_begin on */

    /* the trainer's own */
    struct exec *x;
    struct optim opt;
    struct step_profile profile; /* if o->profile */
    struct train_state st;
    struct metrics log;
    struct progress progress;
    struct schedule schedule;
    struct batchbuf *micro;
    uint64_t total_windows; /* of the run; UINT64_MAX: until the steps are done */
    uint64_t eval_every;
    uint64_t saved_step;
    double saved_s, flops_per_tok, peak_flops;
    bool ended; /* the stream had no more */
};
int trainer_begin(struct trainer *t, struct err *e);
int trainer_run(struct trainer *t, struct err *e);
void trainer_release(struct trainer *t);

/* What a run will take, for a check before anything is allocated: memory; a checkpoint; how many
 * checkpoints stand beside each other at a time. The feeds may be NULL before they are known: then
 * it is the least, with a sequence a window. */
struct trainer_need {
    uint64_t mem_bytes, checkpoint_bytes;
    uint64_t n_checkpoints;
};
int trainer_need(const struct train_options *o, const struct config *c, const struct feed *train,
                 const struct feed *val, struct trainer_need *n, struct err *e);

/* Mean loss over the validation feed. */
int trainer_evaluate(struct trainer *t, double *loss, struct err *e);

#endif
