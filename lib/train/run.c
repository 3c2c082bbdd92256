/* The directory of a training run. */
#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "io/jtree.h"
#include "io/out.h"

char *run_path(const struct run *r, const char *name, struct err *e)
{
    struct buf b = BUF_INIT;

    if (buf_printf(&b, e, "%s/%s", r->dir, name) < 0)
        return NULL;
    return buf_take(&b, e);
}

/* A writer at work, or one that was killed, has such names. */
static bool is_temporary(const char *name)
{
    size_t n = strlen(name);

    return name[0] == '.' && n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

/* 1 if the directory holds anything besides the lock and leftovers. */
static int holds_files(const char *dir, struct err *e)
{
    int found = 0;
    struct dirent *d;
    DIR *h = opendir(dir);

    if (!h)
        return err_sys(e, "%s", dir);
    while (!found && (d = readdir(h)))
        found = strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
                strcmp(d->d_name, "lock") != 0 && !is_temporary(d->d_name);
    closedir(h);
    return found;
}

/* Under these names, which a new run takes no notice of, wait the tokenizer until run.json stands,
 * and run.json of a run that was given up. */
static const char waiting[] = ".tokenizer.json.tmp";
static const char given_up[] = ".given-up.json.tmp";

static bool holds(const struct run *r, const char *name)
{
    struct err ignored = {0};
    char *path = run_path(r, name, &ignored);
    bool there = path && access(path, F_OK) == 0;

    free(path);
    return there;
}

/* Before anything is made in the directory. */
static int find_run(const struct run *r, struct err *e)
{
    if (access(r->dir, F_OK) != 0)
        return err_sys(e, "%s: no run to resume", r->dir);
    if (!holds(r, "run.json") && !holds(r, given_up))
        return err_set(e, "%s: no run to resume: it has no run.json", r->dir);
    return 0;
}

static int load_doc(struct run *r, struct err *e)
{
    char *path = run_path(r, "run.json", e);

    if (path)
        r->doc = jtree_load(path, e);
    free(path);
    return r->doc ? 0 : -1;
}

/* What is not there stays away. */
static int move(const struct run *r, const char *from_name, const char *to_name, struct err *e)
{
    char *from = run_path(r, from_name, e), *to = run_path(r, to_name, e);
    int rc = from && to ? 0 : -1;

    if (rc == 0 && rename(from, to) != 0 && errno != ENOENT)
        rc = err_sys(e, "%s", to);
    free(from);
    free(to);
    return rc;
}

static int place_tokenizer(const struct run *r, struct err *e)
{
    return move(r, waiting, "tokenizer.json", e);
}

/* Removes what writers that were killed left behind. */
static int sweep(const struct run *r, struct err *e)
{
    struct dirent *d;
    DIR *h = opendir(r->dir);
    int rc = 0;

    if (!h)
        return err_sys(e, "%s", r->dir);
    while (rc == 0 && (d = readdir(h))) {
        if (!is_temporary(d->d_name))
            continue;
        char *path = run_path(r, d->d_name, e);
        rc = path ? out_rmtree(path, e) : -1;
        free(path);
    }
    closedir(h);
    return rc;
}

/* The lock may have been removed between its opening and its locking, by a run that gave up. */
static bool still_there(int lock, const char *path)
{
    struct stat mine, now;

    return fstat(lock, &mine) == 0 && stat(path, &now) == 0 && mine.st_ino == now.st_ino &&
           mine.st_dev == now.st_dev;
}

/* A process that was killed a moment ago may still be going: waits for a second. */
static int take_lock(const char *path, struct err *e)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    int lock;

    for (int i = 0; i < 20; i++) {
        if ((lock = sys_lock(path, e)) >= 0 && still_there(lock, path)) {
            err_clear(e);
            return lock;
        }
        sys_unlock(lock);
        nanosleep(&pause, NULL);
    }
    return sys_lock(path, e);
}

static int refuse_full(const struct run *r, struct err *e)
{
    int full = holds_files(r->dir, e);

    if (full > 0)
        return err_set(e, "%s: not empty; --resume goes on with a run, or choose another -o",
                       r->dir);
    return full;
}

static int make_fresh(struct run *r, struct err *e)
{
    r->made = mkdir(r->dir, 0777) == 0;
    if (!r->made && errno != EEXIST)
        return err_sys(e, "%s: cannot make the directory", r->dir);
    return r->made ? 0 : refuse_full(r, e);
}

static int open_resumed(struct run *r, struct err *e)
{
    r->given_up = !holds(r, "run.json");
    if (r->given_up && move(r, given_up, "run.json", e) < 0)
        return -1;
    return load_doc(r, e) < 0 ? -1 : place_tokenizer(r, e);
}

int run_open(struct run *r, const char *dir, bool resume, struct err *e)
{
    char *lock = NULL;

    *r = (struct run){.lock = -1, .dir = mem_strdup(dir, e), .fresh = !resume};
    if (!r->dir)
        return -1;
    if ((resume ? find_run(r, e) : make_fresh(r, e)) < 0)
        goto fail;
    if (!(lock = run_path(r, "lock", e)) || (r->lock = take_lock(lock, e)) < 0 ||
        (resume ? open_resumed(r, e) : refuse_full(r, e)) < 0 || sweep(r, e) < 0)
        goto fail;
    free(lock);
    return 0;
fail:
    free(lock);
    run_close(r);
    return -1;
}

/* While the lock is held. */
static void leave_nothing(const struct run *r)
{
    struct err ignored = {0};
    char *lock = run_path(r, "lock", &ignored);

    if (lock && sweep(r, &ignored) == 0 && holds_files(r->dir, &ignored) == 0) {
        unlink(lock);
        if (r->made)
            rmdir(r->dir);
    }
    free(lock);
}

void run_close(struct run *r)
{
    if (r->lock >= 0 && r->fresh && !r->doc)
        leave_nothing(r);
    if (r->lock >= 0)
        sys_unlock(r->lock);
    json_decref(r->doc);
    free(r->dir);
    *r = (struct run){.lock = -1};
}

/* ---- run.json */

/* Not a number outside of its own range, which stands for "not given". */
static bool holds_value(const struct opt *o)
{
    if (o->kind == OPT_INT && o->max >= o->min)
        return *(const int64_t *)o->dst >= o->min;
    return o->kind != OPT_REAL || *(const double *)o->dst >= o->rmin;
}

/* Options that a run keeps although they may change on resuming. */
static bool may_change(const struct opt *o)
{
    static const char *const names[] = {"log", "save-every", "keep-last", "skip-nonfinite"};

    for (size_t i = 0; o->name && i < ARRAY_LEN(names); i++)
        if (strcmp(o->name, names[i]) == 0)
            return true;
    return false;
}

static bool is_end(const struct opt *o)
{
    return !o->name && !o->letter && !o->help;
}

int run_put_options(json_t *doc, struct opt *opts, struct err *e)
{
    struct buf b = BUF_INIT;
    json_t *o = json_object();
    int rc = o ? 0 : err_nomem(e, "run.json", 0);

    for (; rc == 0 && !is_end(opts); opts++) {
        buf_clear(&b);
        if (!(opts->shapes_output || may_change(opts)) || !holds_value(opts) || !opt_show(opts, &b))
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

    for (; rc == 0 && !is_end(opts); opts++) {
        const char *stored = opts->name ? json_string_value(json_object_get(o, opts->name)) : NULL;
        if (!opts->given && stored && (opts->shapes_output || may_change(opts)))
            rc = opt_set(opts, stored, e);
        if (!opts->given || !opts->shapes_output)
            continue;
        buf_clear(&b);
        if (!opt_show(opts, &b) || !stored || strcmp(stored, b.s) != 0)
            rc = err_usage(e, "--%s cannot change on --resume: the run has %s", opts->name,
                           stored ? stored : "none");
    }
    buf_release(&b);
    return rc;
}

static int save_doc(const struct run *r, const json_t *doc, struct err *e)
{
    char *path = run_path(r, "run.json", e);
    int rc = path ? jtree_save(doc, path, e) : -1;

    free(path);
    return rc;
}

int run_store(struct run *r, json_t *doc, const char *tokenizer, size_t tokenizer_len,
              struct err *e)
{
    char *path = run_path(r, waiting, e);
    int rc = path ? 0 : -1;

    if (rc == 0 && tokenizer)
        rc = out_file(path, tokenizer, tokenizer_len, e);
    if (rc == 0)
        rc = save_doc(r, doc, e);
    free(path);
    if (rc < 0) {
        json_decref(doc);
        return -1;
    }
    r->doc = doc;
    return tokenizer ? place_tokenizer(r, e) : 0;
}

void run_give_up(const struct run *r)
{
    static const char *const data[] = {"spool", "spool-val", "log.tsv"};
    struct err ignored = {0};

    if (!r->doc || !(r->fresh || r->given_up))
        return;
    for (size_t i = 0; i < ARRAY_LEN(data); i++) {
        char *path = run_path(r, data[i], &ignored);
        if (path)
            out_rmtree(path, &ignored);
        free(path);
    }
    if (move(r, "run.json", given_up, &ignored) == 0)
        move(r, "tokenizer.json", waiting, &ignored);
}

int run_update(struct run *r, struct err *e)
{
    return save_doc(r, r->doc, e);
}

/* ---- checkpoints */

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

int run_newest(const struct run *r, char **path, struct err *e)
{
    struct buf b = BUF_INIT;
    uint64_t *v;
    size_t n;
    int rc = run_checkpoints(r, &v, &n, e);

    *path = NULL;
    if (rc == 0 && n > 0) {
        rc = -1;
        if (buf_printf(&b, e, "%s/checkpoint-%" PRIu64, r->dir, v[n - 1]) == 0 &&
            (*path = buf_take(&b, e)))
            rc = 1;
    }
    buf_release(&b);
    free(v);
    return rc;
}

/* It goes by a rename, so that nobody takes what is left of it for a checkpoint. */
static int remove_checkpoint(const struct run *r, uint64_t step, struct err *e)
{
    struct buf from = BUF_INIT, to = BUF_INIT;
    int rc = -1;

    if (buf_printf(&from, e, "%s/checkpoint-%" PRIu64, r->dir, step) == 0 &&
        buf_printf(&to, e, "%s/.checkpoint-%" PRIu64 ".tmp", r->dir, step) == 0 &&
        out_rmtree(to.s, e) == 0)
        rc = rename(from.s, to.s) != 0 ? err_sys(e, "%s: cannot remove", from.s)
                                       : out_rmtree(to.s, e);
    buf_release(&from);
    buf_release(&to);
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
    return holds(r, "model.safetensors");
}

/* Whether a file system refuses links as such. */
static bool has_no_links(int no)
{
    return no == EPERM || no == ENOSYS || no == ENOTSUP || no == EOPNOTSUPP || no == EMLINK ||
           no == EXDEV;
}

static int write_best(const char *best, const struct buf *target, struct err *e)
{
    struct buf line = BUF_INIT;
    int rc = buf_printf(&line, e, "%s\n", target->s);

    if (rc == 0)
        rc = out_file(best, line.s, line.len, e);
    buf_release(&line);
    return rc;
}

int run_set_best(const struct run *r, uint64_t step, struct err *e)
{
    struct buf target = BUF_INIT;
    char *tmp = run_path(r, ".best.tmp", e), *best = run_path(r, "best", e);
    int rc = -1;

    if (tmp && best && buf_printf(&target, e, "checkpoint-%" PRIu64, step) == 0) {
        unlink(tmp);
        if (symlink(target.s, tmp) == 0)
            rc = rename(tmp, best) == 0 ? 0 : err_sys(e, "%s", best);
        else
            rc = has_no_links(errno) ? write_best(best, &target, e) : err_sys(e, "%s", best);
    }
    buf_release(&target);
    free(tmp);
    free(best);
    return rc;
}

/* Gives the file a second name; a copy where the file system has no links. */
static int link_file(const char *from, const char *tmp, const char *to, struct err *e)
{
    struct sys_map m;

    unlink(tmp);
    if (link(from, tmp) == 0) {
        if (rename(tmp, to) != 0)
            return err_sys(e, "%s", to);
        unlink(tmp); /* rename leaves it where both were the same file already */
        return 0;
    }
    if (!has_no_links(errno))
        return err_sys(e, "%s", to);
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

    if (tmp && to && buf_printf(&from, e, "%s/checkpoint-%" PRIu64 "/%s", r->dir, step, name) == 0)
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
    return out_sync_dir(r->dir, e);
}
