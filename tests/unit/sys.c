/* What is asked of the system; control groups from files made here; the processor. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cgroup.h"
#include "base/cpu.h"
#include "base/sys.h"

static void test_pages(void)
{
    static const size_t sizes[] = {0,      1, 4096, 100000, (2 << 20) - 1, 2 << 20, (2 << 20) + 1,
                                   9 << 20};
    struct err e = {0};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i];
        unsigned char *p = sys_pages(n, &e);
        bool zero = p != NULL;
        for (size_t k = 0; p && k < n; k += 511)
            zero = zero && p[k] == 0;
        ok(zero && (uintptr_t)p % (n >= 2 << 20 ? 2 << 20 : 4096) == 0,
           "%zu bytes of pages: aligned, zero", n);
        if (p && n) {
            p[0] = p[n - 1] = 1;
        }
        sys_pages_free(p, n);
    }
    sys_pages_free(NULL, 5);
    ok(!sys_pages(SIZE_MAX, &e) && e.kind == ERR_SYS, "everything cannot be had");
    ok(!sys_pages(PTRDIFF_MAX / 2, &e) && strstr(e.msg, "not enough memory"), "nor half of it");
}

/* With the directories above it. */
static void put_file(const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", scratch_path(name));
    for (char *p = path + strlen(path) - strlen(name); (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        mkdir(path, 0777);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        fail("cannot write %s", path);
}

static void test_map(void)
{
    struct sys_map m;
    struct err e = {0};
    put_file("text", "hello");
    put_file("empty", "");
    ok(sys_map_file(&m, scratch_path("text"), &e) == 0 && m.len == 5 && !memcmp(m.p, "hello", 5),
       "a file is mapped");
    sys_unmap(&m);
    ok(m.p == NULL && m.len == 0, "and unmapped");
    sys_unmap(&m);
    ok(sys_map_file(&m, scratch_path("empty"), &e) == 0 && !m.p && m.len == 0, "an empty one");
    sys_unmap(&m);
    ok(sys_map_file(&m, scratch_path("."), &e) < 0 && strstr(e.msg, "is a directory"),
       "a directory");
    ok(sys_map_file(&m, scratch_path("none"), &e) < 0 && e.sys_errno == ENOENT &&
           strstr(e.msg, "none"),
       "a missing file is named");
    ok(sys_map_file(&m, "/dev/null", &e) < 0 && strstr(e.msg, "not a regular file"), "a device");
    const char *fifo = scratch_path("fifo");
    ok(mkfifo(fifo, 0600) == 0 && sys_map_file(&m, fifo, &e) < 0 &&
           strstr(e.msg, "not a regular file"),
       "a fifo is refused without waiting");
}

/* In another process; 0: it got the lock. */
static int try_lock(const char *path)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        struct err e = {0};
        int fd = sys_lock(path, &e);
        _exit(fd >= 0 ? 0 : strstr(e.msg, "another process") ? 1 : 2);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void test_lock(void)
{
    struct err e = {0};
    const char *path = scratch_path("lock");
    int fd = sys_lock(path, &e);
    ok(fd >= 0, "a lock is taken, its file made");
    is_int(try_lock(path), 1, "another process is kept away");
    sys_unlock(fd);
    is_int(try_lock(path), 0, "until it is given back");
    sys_unlock(-1);
    ok(sys_lock(scratch_path("no/such/lock"), &e) < 0 && e.sys_errno == ENOENT,
       "no such directory");
}

static void test_limits(void)
{
    uint64_t mem = sys_mem_available(), disk = sys_disk_available(scratch_path("."));
    ok(mem > 1 << 20, "memory is there: %" PRIu64, mem);
    ok(disk > 0, "room on the disk: %" PRIu64, disk);
    uint64_t later = sys_disk_available(scratch_path("not/yet/made"));
    ok(later / 4 < disk && disk / 4 < later, "likewise where a directory is yet to be made");
    ok(sys_disk_available("not-yet-made") != UINT64_MAX &&
           sys_disk_available("/not-yet") != UINT64_MAX,
       "also beside this directory and at the root");
    ok(sys_max_rss() > 1 << 18, "the peak of memory");
    ok(sys_n_cpu() >= 1 && sys_n_cpu() <= 65536, "processors: %d", sys_n_cpu());
    double a = sys_time(), b = sys_time();
    ok(b >= a && b - a < 5, "time goes on");
    int status = -1;
    pid_t child = fork();
    if (child ==
        0) { /* AddressSanitizer has taken terabytes of addresses already: then nothing is left */
        struct rlimit r = {.rlim_cur = (rlim_t)1 << 30, .rlim_max = (rlim_t)1 << 30};
        if (setrlimit(RLIMIT_AS, &r) < 0)
            _exit(2);
        _exit(sys_mem_available() <= (uint64_t)1 << 30 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a limit of address space counts");
}

static void test_width(void)
{
    setenv("COLUMNS", "57", 1);
    is_int(sys_term_width(2), 57, "COLUMNS says how wide");
    setenv("COLUMNS", "nonsense", 1);
    int fd = open("/dev/null", O_RDONLY);
    is_int(sys_term_width(fd), 80, "80 where nothing is known");
    unsetenv("COLUMNS");
    close(fd);
}

static void test_cgroup_v2(void)
{
    put_file("v2/proc/self/cgroup", "0::/user/job\n");
    put_file("v2/proc/self/mountinfo",
             "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
             "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    put_file("v2/sys/fs/cgroup/user/job/memory.max", "max\n");
    put_file("v2/sys/fs/cgroup/user/job/memory.current", "1000000\n");
    put_file("v2/sys/fs/cgroup/user/memory.max", "5000000\n");
    put_file("v2/sys/fs/cgroup/user/memory.current", "3000000\n");
    put_file("v2/sys/fs/cgroup/user/memory.stat",
             "anon 2500000\nfile 500000\ninactive_file 400000\n");
    put_file("v2/sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
    put_file("v2/sys/fs/cgroup/user/cpu.max", "150000 100000\n");
    const char *root = scratch_path("v2");
    is_int(cgroup_mem_available(root), 2400000, "v2: the parent's limit, its droppable cache back");
    is_near(cgroup_cpu_quota(root), 1.5, 1e-9, "v2: one and a half processors");
    put_file("v2/sys/fs/cgroup/user/job/memory.max", "1500000\n");
    is_int(cgroup_mem_available(root), 500000, "v2: the tighter limit counts");
    put_file("v2/sys/fs/cgroup/user/job/memory.max", "900000\n");
    is_int(cgroup_mem_available(root), 0, "v2: a limit that was passed leaves nothing");
}

static void test_cgroup_v1(void)
{
    /* the mount point shows only a part of the tree, and our path is told from the top */
    put_file("v1/proc/self/cgroup",
             "9:name=systemd:/\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n");
    put_file("v1/proc/self/mountinfo",
             "30 22 0:26 /docker /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
             "31 22 0:27 /docker /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
             "not a line of the right kind\n");
    put_file("v1/sys/fs/cgroup/memory/abc/memory.limit_in_bytes", "8000000\n");
    put_file("v1/sys/fs/cgroup/memory/abc/memory.usage_in_bytes", "1000000\n");
    put_file("v1/sys/fs/cgroup/memory/abc/memory.stat",
             "inactive_file 1\ntotal_inactive_file 250000\n");
    put_file("v1/sys/fs/cgroup/cpu,cpuacct/abc/cpu.cfs_quota_us", "50000\n");
    put_file("v1/sys/fs/cgroup/cpu,cpuacct/abc/cpu.cfs_period_us", "100000\n");
    const char *root = scratch_path("v1");
    is_int(cgroup_mem_available(root), 7250000, "v1: in a container");
    is_near(cgroup_cpu_quota(root), 0.5, 1e-9, "v1: half a processor");
    put_file("v1/sys/fs/cgroup/cpu,cpuacct/abc/cpu.cfs_quota_us", "-1\n");
    put_file("v1/sys/fs/cgroup/memory/abc/memory.limit_in_bytes", "9223372036854771712\n");
    ok(cgroup_mem_available(root) == UINT64_MAX, "v1: no limit of memory");
    ok(cgroup_cpu_quota(root) == 0, "v1: no quota");
    ok(cgroup_mem_available(scratch_path("none")) == UINT64_MAX && cgroup_cpu_quota(root) == 0,
       "no control groups at all");
}

/* The choice is made once in a process, so each is asked for in a child. */
static int chosen(const char *name, char msg[1024])
{
    int fd[2], status = -1;
    if (pipe(fd) < 0)
        return -2;
    pid_t child = fork();
    if (child == 0) {
        enum isa i;
        struct err e = {0};
        setenv("QUERN_ISA", name, 1);
        int rc = cpu_isa(&i, &e);
        ssize_t n = write(fd[1], e.msg, strlen(e.msg) + 1);
        _exit(rc < 0 || n < 0 ? 100 : (int)i);
    }
    close(fd[1]);
    ssize_t n = read(fd[0], msg, 1023);
    msg[n > 0 ? n : 0] = '\0';
    close(fd[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_cpu(void)
{
    char msg[1024];
    enum isa i;
    struct err e = {0};
    for (int k = 0; k < ISA_N; k++) {
        int got = chosen(cpu_isa_name((enum isa)k), msg);
        if (cpu_has((enum isa)k))
            is_int(got, k, "%s can be forced", cpu_isa_name((enum isa)k));
        else
            ok(got == 100 && strstr(msg, "lacks it; it has portable"), "%s: %s",
               cpu_isa_name((enum isa)k), msg);
    }
    ok(chosen("avx3", msg) == 100 && strstr(msg, "there are portable, avx2, avx512"), "%s", msg);
    int best = chosen("", msg);
    ok(best >= 0 && best < ISA_N && cpu_has((enum isa)best), "left alone, it is %s",
       cpu_isa_name((enum isa)best));
    ok(!cpu_has(ISA_AMX) || cpu_has(ISA_AVX512BF16), "a larger set brings the smaller: avx512bf16");
    ok(cpu_isa_includes(ISA_AMX, ISA_AVX2) && cpu_isa_includes(ISA_NEON, ISA_PORTABLE) &&
           !cpu_isa_includes(ISA_NEON, ISA_AVX2) && !cpu_isa_includes(ISA_AVX2, ISA_AMX),
       "it includes the smaller");
    ok(!cpu_has(ISA_AVX512BF16) || cpu_has(ISA_AVX512), "and avx512");
    ok(!cpu_has(ISA_AVX512) || cpu_has(ISA_AVX2), "and avx2");
    unsetenv("QUERN_ISA");
    ok(cpu_isa(&i, &e) == 0 && (int)i == best, "here, too");
    setenv("QUERN_ISA", "portable", 1);
    ok(cpu_isa(&i, &e) == 0 && (int)i == best, "the choice is made once");
    ok(cpu_model()[0] != '\0' && cpu_model() == cpu_model(), "the processor is %s", cpu_model());
}

int main(void)
{
    test_pages();
    test_map();
    test_lock();
    test_limits();
    test_width();
    test_cgroup_v2();
    test_cgroup_v1();
    test_cpu();
    return done_testing();
}
