/*
 * Preloaded into a program, makes one system call fail:
 *
 *     SHIM_FAIL=CALL:N:HOW    the Nth call (from 1) of CALL fails; with N+ every one from there on
 *     SHIM_HIT=FILE           is made when it comes to that
 *
 * CALL is write (also pwrite; any descriptor but stderr), read, open (of a file that is created),
 * fsync, rename, link, symlink, unlink, mkdir, close, mmap. HOW is the name of an error, or
 * "short": half of what was asked for is read or written, or a signal ("kill", "term", "int") that
 * the process gets before the call is made as usual. What stdio calls itself is not seen. injected
 * in tests/lib.sh is the way to use it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    int code;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EINTR", EINTR},
              {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"ENOMEM", ENOMEM},
              {"EMFILE", EMFILE}, {"EROFS", EROFS},   {"EPERM", EPERM}};

static const struct {
    const char *name;
    int number;
} signals[] = {{"kill", SIGKILL}, {"term", SIGTERM}, {"int", SIGINT}};

/* ISO C has no cast from an object pointer to a function's. */
#define REAL(type, name)                      \
    type;                                     \
    static real_fn *real;                     \
    if (!real) {                              \
        void *found = dlsym(RTLD_NEXT, name); \
        memcpy(&real, &found, sizeof real);   \
    }

static int real_open(const char *path, int flags, mode_t mode)
{
    REAL(typedef int real_fn(const char *, int, ...), "open")
    return real(path, flags, mode);
}

static void tell_hit(void)
{
    const char *path = getenv("SHIM_HIT");
    if (path) {
        int fd = real_open(path, O_WRONLY | O_CREAT, 0666);
        (void)fd; /* stays open: close may be the call that is watched */
    }
}

/* 0: go on; -1: fail with errno set; 1: do half of it */
static int trigger(const char *call)
{
    static int n_calls;
    const char *spec = getenv("SHIM_FAIL");
    size_t len = strlen(call);
    if (!spec || strncmp(spec, call, len) != 0 || spec[len] != ':')
        return 0;
    char *end;
    long at = strtol(spec + len + 1, &end, 10);
    bool from_there_on = *end == '+';
    end += from_there_on;
    int n = __atomic_add_fetch(&n_calls, 1, __ATOMIC_SEQ_CST);
    if (n < at || (n > at && !from_there_on) || *end != ':')
        return 0;
    tell_hit();
    if (strcmp(end + 1, "short") == 0)
        return 1;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcmp(signals[i].name, end + 1) == 0) {
            kill(getpid(), signals[i].number);
            return 0;
        }
    errno = EIO;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (strcmp(errors[i].name, end + 1) == 0)
            errno = errors[i].code;
    }
    return -1;
}

static size_t half(size_t n)
{
    return n > 1 ? n / 2 : n;
}

ssize_t write(int fd, const void *p, size_t n)
{
    REAL(typedef ssize_t real_fn(int, const void *, size_t), "write")
    int t = fd == STDERR_FILENO ? 0 : trigger("write");
    return t < 0 ? -1 : real(fd, p, t ? half(n) : n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    REAL(typedef ssize_t real_fn(int, const void *, size_t, off_t), "pwrite")
    int t = trigger("write");
    return t < 0 ? -1 : real(fd, p, t ? half(n) : n, at);
}

ssize_t read(int fd, void *p, size_t n)
{
    REAL(typedef ssize_t real_fn(int, void *, size_t), "read")
    int t = trigger("read");
    return t < 0 ? -1 : real(fd, p, t ? half(n) : n);
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (flags & O_CREAT && trigger("open"))
        return -1;
    return real_open(path, flags, mode);
}

int fsync(int fd)
{
    REAL(typedef int real_fn(int), "fsync")
    return trigger("fsync") ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    REAL(typedef int real_fn(const char *, const char *), "rename")
    return trigger("rename") ? -1 : real(from, to);
}

int unlink(const char *path)
{
    REAL(typedef int real_fn(const char *), "unlink")
    return trigger("unlink") ? -1 : real(path);
}

int link(const char *from, const char *to)
{
    REAL(typedef int real_fn(const char *, const char *), "link")
    return trigger("link") ? -1 : real(from, to);
}

int symlink(const char *target, const char *path)
{
    REAL(typedef int real_fn(const char *, const char *), "symlink")
    return trigger("symlink") ? -1 : real(target, path);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(typedef int real_fn(const char *, mode_t), "mkdir")
    return trigger("mkdir") ? -1 : real(path, mode);
}

/* As on Linux, the descriptor is gone although close failed. */
int close(int fd)
{
    REAL(typedef int real_fn(int), "close")
    int t = trigger("close"), code = errno, rc = real(fd);
    errno = t ? code : errno;
    return t ? -1 : rc;
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    REAL(typedef void *real_fn(void *, size_t, int, int, int, off_t), "mmap")
    return trigger("mmap") ? MAP_FAILED : real(at, n, prot, flags, fd, offset);
}
