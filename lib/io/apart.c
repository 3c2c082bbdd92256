/* Files of a command that must not be one and the same. */
#include "io/apart.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/out_int.h"

/* What tells files apart. */
struct key {
    enum file_role role;
    const char *option, *path; /* option NULL: an operand */
    bool is_stdout, there, named;
    struct stat file; /* there */
    struct stat dir;  /* named: of the directory that the name stands in */
    char *target;     /* named */
};

static bool writes(const struct key *k)
{
    return k->role == FILE_OUT || k->role == FILE_REPLACE;
}

static int look_name(struct key *k, struct err *e)
{
    struct err ignored = {0};
    k->target = out_target(k->path, &ignored);
    if (!k->target)
        return 0;
    char *dir = out_dir_of(k->target, e);
    if (!dir)
        return -1;
    k->named = stat(dir, &k->dir) == 0;
    free(dir);
    return 0;
}

static int look(struct key *k, struct err *e)
{
    if (writes(k))
        k->is_stdout = !strcmp(k->path, "-") || !strcmp(k->path, "/dev/stdout");
    if (k->is_stdout || !strcmp(k->path, "-")) {
        k->there = fstat(k->is_stdout ? STDOUT_FILENO : STDIN_FILENO, &k->file) == 0;
        return 0;
    }
    k->there = stat(k->path, &k->file) == 0;
    return writes(k) ? look_name(k, e) : 0;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same(const struct key *a, const struct key *b)
{
    if (a->is_stdout && b->is_stdout)
        return true;
    if (a->there && b->there)
        return S_ISREG(a->file.st_mode) && same_inode(&a->file, &b->file);
    return !a->there && !b->there && a->named && b->named && same_inode(&a->dir, &b->dir) &&
           !strcmp(out_base_of(a->target), out_base_of(b->target));
}

/* out would replace a file of the directory k. */
static bool lies_in(const struct key *out, const struct key *k)
{
    return k->role == FILE_KEEP && k->there && S_ISDIR(k->file.st_mode) && out->there &&
           S_ISREG(out->file.st_mode) && out->named && same_inode(&out->dir, &k->file);
}

static int clash(const struct key *out, const struct key *other, struct err *e)
{
    if (writes(other))
        return same(out, other) ? err_usage(e, "%s and %s would both write %s", out->option,
                                            other->option, out->is_stdout ? "stdout" : out->path)
                                : 0;
    if (out->role == FILE_REPLACE && !out->is_stdout && other->role == FILE_IN)
        return 0;
    if (!same(out, other) && !lies_in(out, other))
        return 0;
    if (out->is_stdout)
        return err_usage(e, "%s: is stdout as well, and would be lost", other->path);
    if (!other->option)
        return err_usage(e, "%s %s: is an input as well, and would be lost", out->option,
                         out->path);
    return err_usage(e, "%s %s: is read for %s as well, and would be lost", out->option, out->path,
                     other->option);
}

/* Against the first n of all. */
static int check(const struct key *k, const struct key *all, size_t n, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (writes(k))
            rc = clash(k, &all[i], e);
        else if (writes(&all[i]))
            rc = clash(&all[i], k, e);
    }
    return rc;
}

int files_apart(char *const *operands, int n, const struct file_use *use, size_t n_use,
                struct err *e)
{
    static char dash[] = "-";
    char *const only[] = {dash};
    size_t n_keys = 0;
    int rc = 0;
    struct key *k = mem_new(n_use, sizeof *k, e);
    if (!k)
        return -1;
    for (size_t i = 0; rc == 0 && i < n_use; i++) {
        if (!use[i].path)
            continue;
        k[n_keys] = (struct key){.role = use[i].role, .option = use[i].option, .path = use[i].path};
        rc = look(&k[n_keys], e);
        if (rc == 0)
            rc = check(&k[n_keys], k, n_keys, e);
        n_keys++;
    }
    if (operands && n == 0) {
        operands = only;
        n = 1;
    }
    for (int i = 0; rc == 0 && operands && i < n; i++) {
        struct key operand = {.role = FILE_IN, .path = operands[i]};
        rc = look(&operand, e);
        if (rc == 0)
            rc = check(&operand, k, n_keys, e);
    }
    for (size_t i = 0; i < n_keys; i++)
        free(k[i].target);
    free(k);
    return rc;
}
