/* What a run needs besides the weights to go on. */
#include "train/state.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/num.h"
#include "io/jtree.h"
#include "io/safetensors.h"

static const char avg[] = "exp_avg.", avg_sq[] = "exp_avg_sq.";

static int save_moments(const struct optim *o, const char *path, struct err *e)
{
    struct st_writer *w = st_create(path, e);

    if (!w)
        return -1;
    if (model_plan_save(o->m, w, avg, ST_F32, e) < 0 ||
        model_plan_save(o->m, w, avg_sq, ST_F32, e) < 0 || st_begin(w, e) < 0 ||
        model_write(o->m, o->exp_avg, w, e) < 0 || model_write(o->m, o->exp_avg_sq, w, e) < 0) {
        st_abort(w);
        return -1;
    }
    return st_commit(w, e);
}

/* Counters as strings: JSON numbers of other readers hold 53 bits. */
static void put_u64(json_t *o, const char *key, uint64_t v)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRIu64, v);
    json_object_set_new(o, key, json_string(text));
}

static void put_real(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, isfinite(v) ? json_real(v) : json_null());
}

static int get_u64(const json_t *o, const char *key, uint64_t *out, const char *path, struct err *e)
{
    const char *s = json_string_value(json_object_get(o, key));
    char *end;

    if (!s || *s < '0' || *s > '9')
        return err_set(e, "%s: \"%s\" is missing or no number", path, key);
    errno = 0;
    *out = strtoull(s, &end, 10);
    return *end || errno ? err_set(e, "%s: \"%s\" is no number", path, key) : 0;
}

static int save_counters(const struct train_state *s, const struct optim *o, const char *path,
                         struct err *e)
{
    json_t *j = json_object();

    if (!j)
        return err_nomem(e, path, 0);
    put_u64(j, "step", s->step);
    put_u64(j, "updates", o->n_steps);
    put_u64(j, "windows", s->n_windows);
    put_u64(j, "tokens", s->n_tokens);
    put_u64(j, "nonfinite", s->n_bad);
    put_u64(j, "mark", s->mark);
    put_u64(j, "best_step", s->best_step);
    put_real(j, "best_val_loss", s->best_val);
    put_u64(j, "val_step", s->val_step);
    put_real(j, "val_loss", s->val);
    put_real(j, "loss", s->loss);
    put_real(j, "grad_norm", s->grad_norm);
    put_real(j, "time_s", s->time_s);
    json_object_set_new(j, "isa", json_string(s->isa));
    int rc = jtree_save(j, path, e);
    json_decref(j);
    return rc;
}

int state_save(const struct train_state *s, const struct optim *o, const char *dir, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = -1;

    if (buf_printf(&b, e, "%s/state", dir) < 0)
        goto out;
    if (mkdir(b.s, 0777) != 0) {
        err_sys(e, "%s", b.s);
        goto out;
    }
    buf_clear(&b);
    if (buf_printf(&b, e, "%s/state/moments.safetensors", dir) < 0 || save_moments(o, b.s, e) < 0)
        goto out;
    buf_clear(&b);
    if (buf_printf(&b, e, "%s/state/state.json", dir) < 0)
        goto out;
    rc = save_counters(s, o, b.s, e);
out:
    buf_release(&b);
    return rc;
}

static int load_counters(struct train_state *s, struct optim *o, const char *path, struct err *e)
{
    json_t *j = jtree_load(path, e);
    const char *isa = NULL;
    int rc = -1;

    if (!j)
        return -1;
    s->best_val = INFINITY;
    s->val = s->loss = s->grad_norm = NAN;
    if (get_u64(j, "step", &s->step, path, e) == 0 &&
        get_u64(j, "updates", &o->n_steps, path, e) == 0 &&
        get_u64(j, "windows", &s->n_windows, path, e) == 0 &&
        get_u64(j, "tokens", &s->n_tokens, path, e) == 0 &&
        get_u64(j, "nonfinite", &s->n_bad, path, e) == 0 &&
        get_u64(j, "mark", &s->mark, path, e) == 0 &&
        get_u64(j, "best_step", &s->best_step, path, e) == 0 &&
        jtree_real(j, "best_val_loss", -1e300, 1e300, &s->best_val, e) >= 0 &&
        jtree_real(j, "val_loss", -1e300, 1e300, &s->val, e) >= 0 &&
        get_u64(j, "val_step", &s->val_step, path, e) == 0 &&
        jtree_real(j, "loss", -1e300, 1e300, &s->loss, e) >= 0 &&
        jtree_real(j, "grad_norm", -1e300, 1e300, &s->grad_norm, e) >= 0 &&
        jtree_real(j, "time_s", 0, 1e300, &s->time_s, e) >= 0 &&
        jtree_str(j, "isa", &isa, e) >= 0) {
        snprintf(s->isa, sizeof s->isa, "%s", isa ? isa : "");
        rc = 0;
    }
    json_decref(j);
    return rc;
}

int state_load(struct train_state *s, struct optim *o, const char *dir, struct err *e)
{
    struct buf b = BUF_INIT;
    struct st *st = NULL;
    int rc = -1;

    *s = (struct train_state){0};
    if (buf_printf(&b, e, "%s/state/state.json", dir) < 0 || load_counters(s, o, b.s, e) < 0)
        goto out;
    buf_clear(&b);
    if (buf_printf(&b, e, "%s/state/moments.safetensors", dir) < 0 || !(st = st_open(b.s, e)))
        goto out;
    if (model_read(o->m, st, avg, o->exp_avg, e) < 0 ||
        model_read(o->m, st, avg_sq, o->exp_avg_sq, e) < 0)
        goto out;
    rc = 0;
out:
    st_close(st);
    buf_release(&b);
    return rc;
}
