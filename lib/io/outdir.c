/* Directories that appear whole or not at all, and the removal of trees: see out.h. */
#include "io/out.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/fd_int.h"
#include "io/out_int.h"

enum { MAX_TRIES = 1000, MAX_DEPTH = 64 };

/* Called for every entry, a directory's own after those in it. 0, or -1 with errno. */
typedef int visit_fn(int parent, const char *name, bool is_dir);

static int walk(int parent, const char *name, int depth, visit_fn *visit);

static int walk_entries(int fd, int depth, visit_fn *visit)
{
    DIR *d = fdopendir(fd);
    struct dirent *entry;
    int rc = 0;
    if (!d) {
        close(fd);
        return -1;
    }
    for (errno = 0; rc == 0 && (entry = readdir(d)); errno = 0) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            rc = walk(dirfd(d), entry->d_name, depth + 1, visit);
    }
    if (errno)
        rc = -1;
    int why = errno;
    closedir(d);
    errno = why;
    return rc;
}

/* Links are visited, never followed. */
static int walk(int parent, const char *name, int depth, visit_fn *visit)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!S_ISDIR(st.st_mode))
        return visit(parent, name, false);
    if (depth >= MAX_DEPTH) {
        errno = ELOOP;
        return -1;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || walk_entries(fd, depth, visit) < 0)
        return -1;
    return visit(parent, name, true);
}

static int visit_remove(int parent, const char *name, bool is_dir)
{
    return unlinkat(parent, name, is_dir ? AT_REMOVEDIR : 0);
}

static int visit_sync(int parent, const char *name, bool is_dir)
{
    struct stat st;
    if (!is_dir && (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)))
        return 0;
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    if (rc < 0 && is_dir && (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS))
        rc = 0;
    int why = errno;
    close(fd);
    errno = why;
    return rc;
}

int out_rmtree(const char *path, struct err *e)
{
    if (walk(AT_FDCWD, path, 0, visit_remove) < 0 && errno != ENOENT)
        return err_sys(e, "%s: cannot remove", path);
    return 0;
}

int out_sync_dir(const char *dir, struct err *e)
{
    return fd_sync_dir(dir) < 0 ? err_sys(e, "%s: cannot write the directory to the disk", dir) : 0;
}

char *out_dir_begin(const char *path, struct err *e)
{
    struct stat st;
    char *target = out_target(path, e);
    char *tmp = NULL;
    if (!target)
        return NULL;
    if (!*out_base_of(target) || !strcmp(out_base_of(target), ".") ||
        !strcmp(out_base_of(target), "..")) {
        err_set(e, "'%s' does not name a directory that can be replaced", path);
        goto done;
    }
    if (stat(target, &st) == 0 && !S_ISDIR(st.st_mode)) {
        err_set(e, "%s: exists and is not a directory", path);
        goto done;
    }
    for (int k = 0; k < MAX_TRIES; k++) {
        tmp = out_beside(target, k, "tmp", e);
        if (!tmp || mkdir(tmp, 0777) == 0)
            goto done;
        int why = errno;
        free(tmp);
        tmp = NULL;
        errno = why;
        if (errno != EEXIST)
            break;
    }
    err_sys(e, "%s: cannot create a temporary directory beside it", path);
done:
    free(target);
    return tmp;
}

/* Puts the old directory aside, the new one in its place, and the old one back if that fails. */
static int replace_dir(const char *tmp, const char *target, const char *path, struct err *e)
{
    char *aside = out_beside(target, 0, "old", e);
    int rc = -1;
    if (!aside || out_rmtree(aside, e) < 0)
        goto done;
    if (rename(target, aside) < 0) {
        err_sys(e, "%s: cannot put the old directory aside", path);
        goto done;
    }
    if (rename(tmp, target) < 0) {
        err_sys(e, "%s: cannot rename the finished directory to it", path);
        if (rename(aside, target) < 0)
            err_prefix(e, "%s: the old directory is now %s: ", path, aside);
        goto done;
    }
    rc = out_rmtree(aside, e);
done:
    free(aside);
    return rc;
}

int out_dir_commit(const char *tmp, const char *path, struct err *e)
{
    int rc = -1;
    char *target = out_target(path, e);
    char *dir = target ? out_dir_of(target, e) : NULL;
    if (!dir)
        goto done;
    if (walk(AT_FDCWD, tmp, 0, visit_sync) < 0) {
        err_sys(e, "%s: cannot write to the disk", path);
        goto done;
    }
    /* A missing or an empty directory is replaced in one step. */
    if (rename(tmp, target) == 0)
        rc = 0;
    else if (errno == ENOTEMPTY || errno == EEXIST)
        rc = replace_dir(tmp, target, path, e);
    else
        err_sys(e, "%s: cannot rename the finished directory to it", path);
    if (rc == 0 && (rc = fd_sync_dir(dir)) < 0)
        err_sys(e, "%s: cannot write its directory to the disk", path);
done:
    free(dir);
    free(target);
    return rc;
}

void out_dir_abort(char *tmp)
{
    struct err ignored = {0};
    if (tmp)
        out_rmtree(tmp, &ignored);
    free(tmp);
}

/* Whether name is what out_beside makes of base: 't' for a temporary, 'o' for an old directory. */
static int leftover_kind(const char *name, const char *base)
{
    size_t n = (size_t)out_base_len(base);
    if (name[0] != '.' || strncmp(name + 1, base, n) != 0 || name[n + 1] != '.')
        return 0;
    const char *s = name + n + 2;
    if (!isdigit((unsigned char)*s))
        return 0;
    s += strspn(s, "0123456789");
    if (s[0] == '.' && isdigit((unsigned char)s[1]))
        s += 1 + strspn(s + 1, "0123456789");
    return !strcmp(s, ".tmp") ? 't' : !strcmp(s, ".old") ? 'o' : 0;
}

static int recover_one(const char *target, const char *name, int kind, struct err *e)
{
    struct buf b = BUF_INIT;
    struct stat st;
    int rc = -1;
    if (buf_add(&b, target, (size_t)(out_base_of(target) - target), e) < 0 ||
        buf_puts(&b, name, e) < 0)
        goto done;
    if (kind == 'o' && lstat(target, &st) < 0 && errno == ENOENT) {
        rc = rename(b.s, target);
        if (rc < 0)
            err_sys(e, "%s: cannot rename it back to %s", b.s, target);
    } else {
        rc = out_rmtree(b.s, e);
    }
done:
    buf_release(&b);
    return rc;
}

int out_dir_recover(const char *path, struct err *e)
{
    int rc = -1;
    struct dirent *entry;
    DIR *d = NULL;
    char *target = out_target(path, e);
    char *dir = target ? out_dir_of(target, e) : NULL;
    if (!dir)
        goto done;
    d = opendir(dir);
    if (!d) {
        rc = errno == ENOENT ? 0 : err_sys(e, "%s: cannot read the directory", dir);
        goto done;
    }
    rc = 0;
    while (rc == 0 && (entry = readdir(d))) {
        int kind = leftover_kind(entry->d_name, out_base_of(target));
        if (kind)
            rc = recover_one(target, entry->d_name, kind, e);
    }
done:
    if (d)
        closedir(d);
    free(dir);
    free(target);
    return rc;
}
