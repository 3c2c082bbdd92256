/* The directory of a training run. */
#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/sys.h"
#include "io/in.h"
#include "io/jtree.h"
#include "io/out.h"

char *run_path(const struct run *r, const char *name, struct err *e)
{
    struct buf b = BUF_INIT;

    if (buf_printf(&b, e, "%s/%s", r->dir, name) < 0)
        return NULL;
    return buf_take(&b, e);
}

/* 1 if the directory holds anything besides the lock. */
static int holds_files(const char *dir, struct err *e)
{
    int found = 0;
    struct dirent *d;
    DIR *h = opendir(dir);

    if (!h)
        return err_sys(e, "%s", dir);
    while (!found && (d = readdir(h)))
        found = strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
                strcmp(d->d_name, "lock") != 0;
    closedir(h);
    return found;
}

static int load_doc(struct run *r, struct err *e)
{
    char *path = run_path(r, "run.json", e);

    if (!path)
        return -1;
    if (access(path, F_OK) != 0)
        err_set(e, "%s: no run to resume: it has no run.json", r->dir);
    else
        r->doc = jtree_load(path, e);
    free(path);
    return r->doc ? 0 : -1;
}

/* Puts back and removes what writers that were killed left behind. */
static int recover(const struct run *r, struct err *e)
{
    struct dirent *d;
    DIR *h = opendir(r->dir);
    int rc = 0;

    if (!h)
        return err_sys(e, "%s", r->dir);
    while (rc == 0 && (d = readdir(h))) {
        size_t n = strlen(d->d_name);
        if (d->d_name[0] != '.' || n < 5 ||
            (strcmp(d->d_name + n - 4, ".tmp") != 0 && strcmp(d->d_name + n - 4, ".old") != 0))
            continue;
        char *path = run_path(r, d->d_name, e);
        rc = path ? out_rmtree(path, e) : -1;
        free(path);
    }
    closedir(h);
    return rc;
}

/* A process that was killed a moment ago may still be going: waits for a second. */
static int take_lock(const char *path, struct err *e)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    int lock;

    for (int i = 0; (lock = sys_lock(path, e)) < 0 && i < 20; i++)
        nanosleep(&pause, NULL);
    if (lock >= 0)
        err_clear(e);
    return lock;
}

int run_open(struct run *r, const char *dir, bool resume, struct err *e)
{
    char *lock = NULL;
    int full;

    *r = (struct run){.lock = -1, .dir = mem_strdup(dir, e)};
    if (!r->dir)
        return -1;
    if (resume && access(dir, F_OK) != 0) {
        err_sys(e, "%s: no run to resume", dir);
        goto fail;
    }
    if (!resume && mkdir(dir, 0777) != 0 && errno != EEXIST) {
        err_sys(e, "%s: cannot make the directory", dir);
        goto fail;
    }
    if (!(lock = run_path(r, "lock", e)) || (r->lock = take_lock(lock, e)) < 0)
        goto fail;
    if ((full = holds_files(dir, e)) < 0)
        goto fail;
    if (!resume && full) {
        err_set(e, "%s: not empty; --resume goes on with a run, or choose another -o", dir);
        goto fail;
    }
    if (resume && (load_doc(r, e) < 0 || recover(r, e) < 0))
        goto fail;
    free(lock);
    return 0;
fail:
    free(lock);
    run_close(r);
    return -1;
}

void run_close(struct run *r)
{
    if (r->lock >= 0)
        sys_unlock(r->lock);
    json_decref(r->doc);
    free(r->dir);
    *r = (struct run){.lock = -1};
}

/* Not a number outside of its own range, which stands for "not given". */
static bool holds_value(const struct opt *o)
{
    if (o->kind == OPT_INT && o->max >= o->min)
        return *(const int64_t *)o->dst >= o->min;
    return o->kind != OPT_REAL || *(const double *)o->dst >= o->rmin;
}

int run_put_options(json_t *doc, struct opt *opts, struct err *e)
{
    struct buf b = BUF_INIT;
    json_t *o = json_object();
    int rc = o ? 0 : err_nomem(e, "run.json", 0);

    for (; rc == 0 && (opts->name || opts->letter || opts->help); opts++) {
        buf_clear(&b);
        if (!opts->shapes_output || !holds_value(opts) || !opt_show(opts, &b))
            continue;
        if (json_object_set_new(o, opts->name, json_string(b.s)) != 0)
            rc = err_nomem(e, "run.json", b.len);
    }
    if (rc == 0 && json_object_set(doc, "options", o) != 0)
        rc = err_nomem(e, "run.json", 0);
    json_decref(o);
    buf_release(&b);
    return rc;
}

int run_get_options(const json_t *doc, struct opt *opts, struct err *e)
{
    struct buf b = BUF_INIT;
    const json_t *o = json_object_get(doc, "options");
    int rc = 0;

    for (; rc == 0 && (opts->name || opts->letter || opts->help); opts++) {
        const char *stored = opts->name ? json_string_value(json_object_get(o, opts->name)) : NULL;
        if (!opts->shapes_output)
            continue;
        buf_clear(&b);
        bool has = opt_show(opts, &b);
        if (!opts->given)
            rc = stored ? opt_set(opts, stored, e) : 0;
        else if (!stored || !has || strcmp(stored, b.s) != 0)
            rc = err_usage(e, "--%s cannot change on --resume: the run has %s", opts->name,
                           stored ? stored : "none");
    }
    buf_release(&b);
    return rc;
}

int run_store(struct run *r, json_t *doc, struct err *e)
{
    char *path = run_path(r, "run.json", e);
    int rc = path ? jtree_save(doc, path, e) : -1;

    free(path);
    if (doc != r->doc)
        json_decref(r->doc);
    r->doc = doc;
    return rc;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int run_checkpoints(const struct run *r, uint64_t **v, size_t *n, struct err *e)
{
    static const char stem[] = "checkpoint-";
    size_t cap = 0;
    struct dirent *d;
    DIR *h = opendir(r->dir);

    *v = NULL;
    *n = 0;
    if (!h)
        return err_sys(e, "%s", r->dir);
    while ((d = readdir(h))) {
        char *end;
        const char *digits = d->d_name + sizeof stem - 1;
        if (strncmp(d->d_name, stem, sizeof stem - 1) != 0 || *digits < '0' || *digits > '9')
            continue;
        uint64_t step = strtoull(digits, &end, 10);
        if (*end)
            continue;
        if (mem_grow(v, &cap, *n + 1, sizeof **v, e) < 0) {
            closedir(h);
            return -1;
        }
        (*v)[(*n)++] = step;
    }
    closedir(h);
    if (*n)
        qsort(*v, *n, sizeof **v, by_number);
    return 0;
}

static int remove_checkpoint(const struct run *r, uint64_t step, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = -1;

    if (buf_printf(&b, e, "%s/checkpoint-%llu", r->dir, (unsigned long long)step) == 0)
        rc = out_rmtree(b.s, e);
    buf_release(&b);
    return rc;
}

int run_prune(const struct run *r, size_t n_keep, uint64_t also_keep, struct err *e)
{
    uint64_t *v;
    size_t n;
    int rc = run_checkpoints(r, &v, &n, e);

    for (size_t i = 0; rc == 0 && i + n_keep < n; i++)
        if (v[i] != also_keep)
            rc = remove_checkpoint(r, v[i], e);
    free(v);
    return rc;
}

bool run_finished(const struct run *r)
{
    struct err ignored = {0};
    char *path = run_path(r, "model.safetensors", &ignored);
    bool there = path && access(path, F_OK) == 0;

    free(path);
    return there;
}

int run_set_best(const struct run *r, uint64_t step, struct err *e)
{
    struct buf target = BUF_INIT;
    char *tmp = run_path(r, ".best.tmp", e), *best = run_path(r, "best", e);
    int rc = -1;

    if (tmp && best && buf_printf(&target, e, "checkpoint-%llu", (unsigned long long)step) == 0) {
        unlink(tmp);
        if (symlink(target.s, tmp) != 0 || rename(tmp, best) != 0)
            err_sys(e, "%s", best);
        else
            rc = 0;
    }
    buf_release(&target);
    free(tmp);
    free(best);
    return rc;
}

/* Gives the file a second name; a copy where the file system has no links. */
static int link_file(const char *from, const char *tmp, const char *to, struct err *e)
{
    unlink(tmp);
    if (link(from, tmp) == 0) {
        if (rename(tmp, to) == 0)
            return 0;
        return err_sys(e, "%s", to);
    }
    struct sys_map m;
    if (sys_map_file(&m, from, e) < 0)
        return -1;
    int rc = out_file(to, m.p, m.len, e);
    sys_unmap(&m);
    return rc;
}

static int publish(const struct run *r, uint64_t step, const char *name, struct err *e)
{
    struct buf from = BUF_INIT;
    char *tmp = run_path(r, ".link.tmp", e), *to = run_path(r, name, e);
    int rc = -1;

    if (tmp && to &&
        buf_printf(&from, e, "%s/checkpoint-%llu/%s", r->dir, (unsigned long long)step, name) == 0)
        rc = access(from.s, F_OK) == 0 ? link_file(from.s, tmp, to, e) : 0;
    buf_release(&from);
    free(tmp);
    free(to);
    return rc;
}

int run_finish(const struct run *r, uint64_t step, struct err *e)
{
    static const char *const names[] = {"config.json", "generation_config.json",
                                        "tokenizer_config.json", "tokenizer.json",
                                        "model.safetensors"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (publish(r, step, names[i], e) < 0)
            return -1;
    return 0;
}
