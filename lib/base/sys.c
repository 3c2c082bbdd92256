/* Pages, maps, locks and limits of the system. The build compiles this file alone with
 * -D_DEFAULT_SOURCE (banned.h is included before its first line, so it cannot say so itself). */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroup.h"

#ifndef _DEFAULT_SOURCE
#    error "compile lib/base/sys.c with -D_DEFAULT_SOURCE"
#endif

enum { HUGE_BYTES = 2 * 1024 * 1024 };

static size_t page_bytes(void)
{
    long n = sysconf(_SC_PAGESIZE);
    return n > 0 ? (size_t)n : 4096;
}

/* The length that is mapped for n_bytes; 0 if there is none. */
static size_t whole_pages(size_t n_bytes)
{
    size_t page = page_bytes();
    if (n_bytes > PTRDIFF_MAX - HUGE_BYTES)
        return 0;
    return n_bytes ? (n_bytes + page - 1) / page * page : page;
}

void *sys_pages(size_t n_bytes, struct err *e)
{
    size_t len = whole_pages(n_bytes), slack = len >= HUGE_BYTES ? HUGE_BYTES : 0;
    if (len == 0) {
        err_nomem(e, "pages", n_bytes);
        return NULL;
    }
    char *p = mmap(NULL, len + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        err_nomem(e, "pages", n_bytes);
        return NULL;
    }
    if (slack) { /* give back what lies before and behind the aligned part */
        size_t before = (HUGE_BYTES - (uintptr_t)p % HUGE_BYTES) % HUGE_BYTES;
        if (before)
            munmap(p, before);
        p += before;
        if (slack - before)
            munmap(p + len, slack - before);
#ifdef MADV_HUGEPAGE
        madvise(p, len, MADV_HUGEPAGE); /* only advice: a system without them goes on */
#endif
    }
    return p;
}

void sys_pages_sparse(void *p, size_t n_bytes)
{
#ifdef MADV_NOHUGEPAGE
    madvise(p, whole_pages(n_bytes), MADV_NOHUGEPAGE);
#else
    (void)p, (void)n_bytes;
#endif
}

void sys_pages_huge(void *p, size_t n_bytes)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t at = (uintptr_t)p, from = (at + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES,
                    to = (at + n_bytes) / HUGE_BYTES * HUGE_BYTES;
    if (from < to)
        madvise((char *)p + (from - at), to - from, MADV_HUGEPAGE);
#else
    (void)p, (void)n_bytes;
#endif
}

void sys_pages_free(void *p, size_t n_bytes)
{
    if (p)
        munmap(p, whole_pages(n_bytes));
}

int sys_map_file(struct sys_map *m, const char *path, struct err *e)
{
    struct stat st;
    int rc = -1;
    *m = (struct sys_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang here */
    if (fd < 0)
        return err_sys(e, "%s", path);
    if (fstat(fd, &st) < 0) {
        err_sys(e, "%s", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(e, "%s: %s", path,
                S_ISDIR(st.st_mode) ? "is a directory" : "not a regular file; save it as one");
        goto out;
    }
    if (st.st_size > 0) {
        if ((uintmax_t)st.st_size > PTRDIFF_MAX) {
            err_set(e, "%s: too large to be mapped", path);
            goto out;
        }
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            err_sys(e, "%s: cannot be mapped", path);
            goto out;
        }
        m->p = p;
        m->len = (size_t)st.st_size;
    }
    rc = 0;
out:
    close(fd);
    return rc;
}

void sys_unmap(struct sys_map *m)
{
    if (m->p)
        munmap((void *)(uintptr_t)m->p, m->len);
    *m = (struct sys_map){0};
}

int sys_lock(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), rc;
    if (fd < 0)
        return err_sys(e, "%s", path);
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return fd;
    if (errno == EWOULDBLOCK)
        err_set(e, "%s: another process holds this lock; wait until it ends", path);
    else
        err_sys(e, "%s: cannot be locked", path);
    close(fd);
    return -1;
}

void sys_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* The number behind `key` in a file of "key: value" lines; UINT64_MAX if there is none. */
static uint64_t proc_number(const char *path, const char *key)
{
    char line[256];
    uint64_t v = UINT64_MAX;
    FILE *f = fopen(path, "r");
    while (f && v == UINT64_MAX && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            v = strtoull(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return v;
}

static uint64_t address_space_left(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_AS, &r) < 0 || r.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    uint64_t used_kib = proc_number("/proc/self/status", "VmSize:");
    if (used_kib == UINT64_MAX)
        return r.rlim_cur;
    return r.rlim_cur > used_kib * 1024 ? r.rlim_cur - used_kib * 1024 : 0;
}

uint64_t sys_mem_available(void)
{
    uint64_t kib = proc_number("/proc/meminfo", "MemAvailable:");
    uint64_t least = kib == UINT64_MAX ? kib : kib * 1024;
    uint64_t more[] = {address_space_left(), cgroup_mem_available("")};
    for (int i = 0; i < 2; i++)
        if (more[i] < least)
            least = more[i];
    return least;
}

uint64_t sys_disk_available(const char *path)
{
    struct statvfs s;
    char up[4096];
    if ((size_t)snprintf(up, sizeof up, "%s", path) >= sizeof up)
        return UINT64_MAX;
    while (statvfs(up, &s) < 0) { /* what is to be made: ask where it will lie */
        char *slash = strrchr(up, '/');
        if (errno != ENOENT || strcmp(up, ".") == 0)
            return UINT64_MAX;
        if (!slash)
            memcpy(up, ".", 2);
        else
            slash[slash == up && slash[1] != '\0'] = '\0';
    }
    return (uint64_t)s.f_bavail * (s.f_frsize ? s.f_frsize : s.f_bsize);
}

uint64_t sys_max_rss(void)
{
    struct rusage r;
    return getrusage(RUSAGE_SELF, &r) < 0 ? 0 : (uint64_t)r.ru_maxrss * 1024;
}

/* Counts the processors of a list such as "0-3,8". */
static int count_list(const char *s)
{
    int n = 0;
    while (*s >= '0' && *s <= '9') {
        char *end;
        long from = strtol(s, &end, 10), to = from;
        if (*end == '-')
            to = strtol(end + 1, &end, 10);
        n += (int)(to - from) + 1;
        s = *end == ',' ? end + 1 : end;
    }
    return n;
}

static int affinity(void)
{
    static const char key[] = "Cpus_allowed_list:";
    char line[4096];
    int n = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && n == 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, sizeof key - 1) == 0)
            n = count_list(line + sizeof key - 1 + strspn(line + sizeof key - 1, " \t"));
    if (f)
        fclose(f);
    return n;
}

int sys_n_cpu(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int n = affinity();
    if (n <= 0)
        n = online > 0 ? (int)online : 1;
    double quota = cgroup_cpu_quota("");
    if (quota > 0 && quota < n)
        n = quota <= 1 ? 1 : (int)(quota + 0.999); /* 1.5 processors' worth keep two busy */
    return n;
}

/* Documentation/arch/x86/xstate.rst of Linux: state that must be asked for, 18 is the tiles' data.
 */
int sys_allow_tiles(void)
{
#if defined(__x86_64__) && defined(SYS_arch_prctl)
    enum { REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQ_XCOMP_PERM, TILE_DATA) == 0 ? 0 : -1;
#else
    return -1;
#endif
}

double sys_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int sys_term_width(int fd)
{
    struct winsize w;
    const char *s = getenv("COLUMNS");
    int64_t n = s ? strtoll(s, NULL, 10) : 0;
    if (n < 1 && ioctl(fd, TIOCGWINSZ, &w) == 0)
        n = w.ws_col;
    return n < 1 || n > 10000 ? 80 : (int)n;
}

char *sys_realpath(const char *path, struct err *e)
{
    char *full = realpath(path, NULL);

    if (!full)
        err_sys(e, "%s", path);
    return full;
}
