/* Files that appear whole or not at all: see out.h. */
#include "io/out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/signals.h"
#include "io/fd_int.h"
#include "io/out_int.h"

enum { BUF_BYTES = 256 << 10, MAX_LINKS = 40, MAX_TRIES = 1000 };

struct out {
    int fd, flags, slot;
    bool is_stdout;
    char *name;         /* as given, for messages */
    char *target, *tmp; /* NULL: written directly */
    char *buf;
    size_t len;
    uint64_t offset;
    struct err failed; /* the first write error; it stays */
};

const char *out_base_of(const char *target)
{
    const char *slash = strrchr(target, '/');
    return slash ? slash + 1 : target;
}

int out_base_len(const char *base)
{
    size_t n = strlen(base);
    return n < 200 ? (int)n : 200;
}

char *out_dir_of(const char *target, struct err *e)
{
    size_t n = (size_t)(out_base_of(target) - target);
    if (n == 0)
        return mem_strdup(".", e);
    while (n > 1 && target[n - 1] == '/')
        n--;
    return mem_dup(target, n, e);
}

char *out_beside(const char *target, int k, const char *what, struct err *e)
{
    struct buf b = BUF_INIT;
    const char *base = out_base_of(target);
    if (buf_add(&b, target, (size_t)(base - target), e) < 0 ||
        buf_printf(&b, e, ".%.*s.%ld", out_base_len(base), base, (long)getpid()) < 0 ||
        (k > 0 && buf_printf(&b, e, ".%d", k) < 0) || buf_printf(&b, e, ".%s", what) < 0) {
        buf_release(&b);
        return NULL;
    }
    return buf_take(&b, e);
}

/* One step: what the link at path points to, or NULL with errno (EINVAL: not a link). */
static char *follow(const char *path, struct err *e)
{
    char to[PATH_MAX];
    struct buf b = BUF_INIT;
    ssize_t n = readlink(path, to, sizeof to);
    if (n < 0)
        return NULL;
    if ((to[0] != '/' && buf_add(&b, path, (size_t)(out_base_of(path) - path), e) < 0) ||
        buf_add(&b, to, (size_t)n, e) < 0) {
        buf_release(&b);
        errno = ENOMEM;
        return NULL;
    }
    return buf_take(&b, e);
}

char *out_target(const char *path, struct err *e)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    char *now = mem_dup(path, n, e);
    for (int i = 0; now && i < MAX_LINKS; i++) {
        char *next = follow(now, e);
        if (!next) {
            if (errno == EINVAL || errno == ENOENT)
                return now;
            err_sys(e, "%s: cannot write", path);
            free(now);
            return NULL;
        }
        free(now);
        now = next;
    }
    if (now)
        err_set(e, "%s: too many symbolic links", path);
    free(now);
    return NULL;
}

static int open_stdout(struct out *o, struct err *e)
{
    fflush(stdout);
    int mode = fcntl(STDOUT_FILENO, F_GETFL);
    if (mode < 0)
        return err_sys(e, "stdout: cannot write");
    if ((mode & O_ACCMODE) == O_RDONLY)
        return err_set(e, "stdout: cannot write: it is open for reading only");
    o->fd = STDOUT_FILENO;
    return 0;
}

static int open_direct(struct out *o, struct err *e)
{
    o->fd = fd_open(o->name, O_WRONLY, 0);
    return o->fd < 0 ? err_sys(e, "%s: cannot write", o->name) : 0;
}

static int open_temporary(struct out *o, const struct stat *old, struct err *e)
{
    for (int k = 0; k < MAX_TRIES; k++) {
        free(o->tmp);
        o->tmp = out_beside(o->target, k, "tmp", e);
        if (!o->tmp)
            return -1;
        o->fd = fd_open(o->tmp, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (o->fd >= 0) {
            o->slot = sig_guard(o->tmp);
            if (old && fchmod(o->fd, old->st_mode & 0777) < 0)
                return err_sys(e, "%s: cannot set the permissions of the old file", o->name);
            return 0;
        }
        if (errno != EEXIST)
            break;
    }
    err_sys(e, "%s: cannot create a temporary file beside it", o->name);
    free(o->tmp);
    o->tmp = NULL;
    return -1;
}

static int open_path(struct out *o, struct err *e)
{
    struct stat st;
    bool exists = stat(o->name, &st) == 0;
    if (!exists && errno != ENOENT)
        return err_sys(e, "%s: cannot write", o->name);
    if (exists && S_ISDIR(st.st_mode))
        return err_set(e, "%s: is a directory, not a file", o->name);
    if (!exists && (!*o->name || o->name[strlen(o->name) - 1] == '/'))
        return err_set(e, "'%s' does not name a file", o->name);
    if (exists && !S_ISREG(st.st_mode))
        return open_direct(o, e);
    if (exists && o->flags & OUT_EXCL)
        return err_set(e, "%s: exists already", o->name);
    /* The rename would replace a file that its owner made read-only. */
    if (exists && access(o->name, W_OK) < 0)
        return err_sys(e, "%s: cannot write", o->name);
    o->target = out_target(o->name, e);
    if (!o->target)
        return -1;
    return open_temporary(o, exists ? &st : NULL, e);
}

struct out *out_open(const char *path, int flags, struct err *e)
{
    struct out *o = mem_new(1, sizeof *o, e);
    if (!o)
        return NULL;
    o->fd = o->slot = -1;
    o->flags = flags;
    o->is_stdout = !path || !strcmp(path, "-") || !strcmp(path, "/dev/stdout");
    o->name = mem_strdup(o->is_stdout ? "stdout" : path, e);
    o->buf = mem_new(BUF_BYTES, 1, e);
    if (!o->name || !o->buf || (o->is_stdout ? open_stdout(o, e) : open_path(o, e)) < 0)
        goto fail;
    if (flags & OUT_BINARY && !o->tmp && isatty(o->fd)) {
        err_set(e, "%s: is a terminal, and the output is binary; use -o FILE or a pipe", o->name);
        goto fail;
    }
    return o;
fail:
    out_abort(o);
    return NULL;
}

static int fail_with(struct out *o, struct err *e)
{
    if (e)
        *e = o->failed;
    return -1;
}

static int put(struct out *o, const void *p, size_t n, struct err *e)
{
    if (fd_write_all(o->fd, p, n) == 0)
        return 0;
    err_sys(&o->failed, "%s: cannot write", o->name);
    return fail_with(o, e);
}

int out_flush(struct out *o, struct err *e)
{
    if (o->failed.kind)
        return fail_with(o, e);
    size_t n = o->len;
    o->len = 0;
    return n > 0 ? put(o, o->buf, n, e) : 0;
}

int out_write(struct out *o, const void *p, size_t n, struct err *e)
{
    if (UNLIKELY(o->failed.kind))
        return fail_with(o, e);
    o->offset += n;
    if (LIKELY(n <= BUF_BYTES - o->len)) {
        if (n > 0)
            memcpy(o->buf + o->len, p, n);
        o->len += n;
        return 0;
    }
    if (out_flush(o, e) < 0)
        return -1;
    if (n >= BUF_BYTES)
        return put(o, p, n, e);
    memcpy(o->buf, p, n);
    o->len = n;
    return 0;
}

int out_printf(struct out *o, struct err *e, const char *fmt, ...)
{
    char small[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0)
        return err_sys(e, "%s: cannot format", o->name);
    if ((size_t)n < sizeof small)
        return out_write(o, small, (size_t)n, e);
    char *large = mem_new((size_t)n + 1, 1, e);
    if (!large)
        return -1;
    va_start(ap, fmt);
    vsnprintf(large, (size_t)n + 1, fmt, ap);
    va_end(ap);
    int rc = out_write(o, large, (size_t)n, e);
    free(large);
    return rc;
}

uint64_t out_offset(const struct out *o)
{
    return o->offset;
}

const char *out_name(const struct out *o)
{
    return o->name;
}

/* The temporary takes the target's name. With OUT_EXCL a link is made instead, since it fails
 * where the target has come to exist meanwhile; file systems without links get a look first. */
static int take_name(struct out *o, struct err *e)
{
    struct stat st;
    if (o->flags & OUT_EXCL) {
        if (link(o->tmp, o->target) == 0)
            return unlink(o->tmp) < 0 ? err_sys(e, "%s: cannot remove", o->tmp) : 0;
        if (errno == EEXIST || lstat(o->target, &st) == 0)
            return err_set(e, "%s: exists already", o->name);
    }
    if (rename(o->tmp, o->target) < 0)
        return err_sys(e, "%s: cannot rename the finished file to it", o->name);
    return 0;
}

static int commit_temporary(struct out *o, struct err *e)
{
    if (fsync(o->fd) < 0)
        return err_sys(e, "%s: cannot write to the disk", o->name);
    int fd = o->fd;
    o->fd = -1;
    if (fd_close(fd) < 0)
        return err_sys(e, "%s: cannot write", o->name);
    if (take_name(o, e) < 0)
        return -1;
    sig_unguard(o->slot);
    o->slot = -1;
    free(o->tmp);
    o->tmp = NULL;
    char *dir = out_dir_of(o->target, e);
    if (!dir)
        return -1;
    int rc = fd_sync_dir(dir);
    if (rc < 0)
        err_sys(e, "%s: cannot write its directory to the disk", o->name);
    free(dir);
    return rc;
}

int out_commit(struct out *o, struct err *e)
{
    int rc = out_flush(o, e);
    if (rc == 0 && o->tmp)
        rc = commit_temporary(o, e);
    else if (rc == 0 && !o->is_stdout) {
        int fd = o->fd;
        o->fd = -1;
        if (fd_close(fd) < 0)
            rc = err_sys(e, "%s: cannot write", o->name);
    }
    out_abort(o);
    return rc;
}

void out_abort(struct out *o)
{
    if (!o)
        return;
    if (o->fd >= 0 && !o->is_stdout)
        close(o->fd);
    if (o->tmp)
        unlink(o->tmp);
    if (o->slot >= 0)
        sig_unguard(o->slot);
    free(o->name);
    free(o->target);
    free(o->tmp);
    free(o->buf);
    free(o);
}

int out_file(const char *path, const void *p, size_t n, struct err *e)
{
    struct out *o = out_open(path, 0, e);
    if (!o)
        return -1;
    if (out_write(o, p, n, e) < 0) {
        out_abort(o);
        return -1;
    }
    return out_commit(o, e);
}
