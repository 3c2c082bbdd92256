/* Checkpoints of a trainer. */
#include "train/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/sys.h"
#include "io/out.h"

static int fill_checkpoint(struct trainer *t, const char *dir, struct err *e)
{
    if (model_save(t->m, dir, ST_F32, e) < 0 || (t->publish && t->publish(t->user, dir, e) < 0))
        return -1;
    return state_save(&t->st, &t->opt, dir, e);
}

int checkpoint_save(struct trainer *t, struct err *e)
{
    struct buf path = BUF_INIT;
    char *tmp = NULL;
    int rc = -1;

    if (t->saved_step == t->st.step && t->st.step > 0)
        return checkpoint_settle(t, e);
    /* a row of the log must not get lost behind the checkpoint that it leads to */
    if (metrics_sync(&t->log, e) < 0 ||
        buf_printf(&path, e, "%s/checkpoint-%" PRIu64, t->run->dir, t->st.step) < 0 ||
        !(tmp = out_dir_begin(path.s, e)))
        goto out;
    if (fill_checkpoint(t, tmp, e) < 0 || out_dir_commit(tmp, path.s, e) < 0) {
        err_prefix(e, "checkpoint of step %" PRIu64 ": ", t->st.step);
        out_dir_abort(tmp);
        goto out;
    }
    free(tmp);
    t->saved_step = t->st.step;
    t->saved_s = sys_time();
    rc = checkpoint_settle(t, e);
out:
    buf_release(&path);
    return rc;
}

int checkpoint_settle(struct trainer *t, struct err *e)
{
    bool best = t->o->keep_best && t->st.best_step > 0;

    if (best && run_set_best(t->run, t->st.best_step, e) < 0)
        return -1;
    return run_prune(t->run, (size_t)t->o->keep_last, best ? t->st.best_step : UINT64_MAX, e);
}

int checkpoint_load(struct trainer *t, struct err *e)
{
    char *path;
    int rc = run_newest(t->run, &path, e);

    if (rc <= 0)
        return rc;
    rc = state_load(&t->st, &t->opt, path, e);
    free(path);
    if (rc < 0)
        return -1;
    t->saved_step = t->st.step;
    if (t->train.forward && t->train.forward(t->train.self, t->st.n_windows, t->st.mark, e) < 0)
        return -1;
    return checkpoint_settle(t, e);
}
