/* Options of training: what follows from model and data. */
#include "train/options.h"

#include <math.h>
#include "model/config.h"

static int settle_length(struct train_options *o, bool stream, struct err *e)
{
    int n_given = (o->n_steps > 0) + (o->n_tokens > 0) + (o->epochs > 0);

    if (n_given > 1)
        return err_usage(e, "--steps, --tokens and --epochs exclude each other");
    if (stream && (n_given == 0 || o->epochs > 0))
        return err_usage(e, "--stream needs --steps or --tokens");
    if (n_given == 0)
        o->epochs = 1;
    return 0;
}

int train_options_settle(struct train_options *o, const struct config *c, bool stream,
                         struct err *e)
{
    if (o->n_ctx == 0)
        o->n_ctx = c->n_ctx;
    if (o->n_batch == 0)
        o->n_batch = o->n_ctx < 4096 ? 4096 / o->n_ctx : 1;
    if (o->lr < 0)
        o->lr = 6e-4 * sqrt(768.0 / c->d_model);
    if (o->min_lr >= 0 && o->lr_schedule == LR_CONSTANT && !o->resume)
        return err_usage(e, "--min-lr means nothing with --lr-schedule constant");
    if (o->min_lr < 0)
        o->min_lr = o->lr_schedule == LR_CONSTANT ? o->lr : o->lr / 10;
    if (o->min_lr > o->lr)
        return err_usage(e, "--min-lr %g is above --lr %g", o->min_lr, o->lr);
    return settle_length(o, stream, e);
}
