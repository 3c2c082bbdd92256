/*
 * Output that appears whole or not at all. With arguments it is a small program of its own, which
 * tests/cmd/io-errors.t runs while its system calls fail:
 *     out file|excl PATH N     writes N bytes of a pattern to PATH ("-": stdout)
 *     out dir PATH N           makes a directory of two such files
 *     out recover PATH         out_dir_recover
 */
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/signals.h"
#include "io/in.h"
#include "io/out.h"

static char *slurp(const char *path)
{
    struct err e = {0};
    size_t n;
    struct in *in = in_open(path, IN_RAW, &e);
    char *s = in ? in_all(in, 1 << 30, &n, &e) : NULL;
    in_close(in);
    return s ? s : strdup(e.msg);
}

static void holds(const char *path, const char *want, const char *name)
{
    char *s = slurp(path);
    is_str(s, want, "%s", name);
    free(s);
}

static void put(const char *path, const char *s)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(s, f) < 0 || fclose(f))
        bail_out("cannot write a scratch file");
}

static int n_entries(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

/* A fresh directory for one test, and names in it. */
static char dir[4096];

static void new_dir(const char *name)
{
    snprintf(dir, sizeof dir, "%s", scratch_path(name));
    mkdir(dir, 0777);
}

static const char *in_dir(const char *name)
{
    return tap_path(dir, name);
}

static int write_pattern(struct out *o, size_t n, struct err *e)
{
    char piece[1000];
    for (size_t i = 0; i < n; i += sizeof piece) {
        for (size_t k = 0; k < sizeof piece; k++)
            piece[k] = (char)('a' + (i + k) % 23);
        if (out_write(o, piece, n - i < sizeof piece ? n - i : sizeof piece, e) < 0)
            return -1;
    }
    return 0;
}

static int write_file(const char *path, int flags, size_t n, struct err *e)
{
    struct out *o = out_open(path, flags, e);
    if (!o)
        return -1;
    if (write_pattern(o, n, e) < 0) {
        out_abort(o);
        return -1;
    }
    return out_commit(o, e);
}

static int write_dir(const char *path, size_t n, struct err *e)
{
    char name[4200];
    char *tmp = out_dir_begin(path, e);
    int rc = tmp ? 0 : -1;
    for (int i = 0; i < 2 && rc == 0; i++) {
        snprintf(name, sizeof name, "%s/%d", tmp, i);
        rc = write_file(name, 0, n, e);
    }
    if (rc == 0)
        rc = out_dir_commit(tmp, path, e);
    if (rc < 0)
        out_dir_abort(tmp);
    else
        free(tmp);
    return rc;
}

static int driver(char **argv)
{
    struct err e = {0};
    size_t n = argv[3] ? strtoul(argv[3], NULL, 10) : 0;
    int rc = !strcmp(argv[1], "file")   ? write_file(argv[2], 0, n, &e)
             : !strcmp(argv[1], "excl") ? write_file(argv[2], OUT_EXCL, n, &e)
             : !strcmp(argv[1], "dir")  ? write_dir(argv[2], n, &e)
                                        : out_dir_recover(argv[2], &e);
    if (rc < 0)
        fprintf(stderr, "out: %s\n", e.msg);
    return rc < 0;
}

static void test_file(void)
{
    struct err e = {0};
    struct stat st;
    new_dir("file");
    struct out *o = out_open(in_dir("x"), 0, &e);
    is_str(out_name(o), in_dir("x"), "its name");
    is_int(out_write(o, "ab", 2, &e), 0, "write");
    is_int(out_printf(o, &e, "%d%s", 7, "c"), 0, "printf");
    is_int(out_printf(o, &e, "%0600d", 1), 0, "a long one");
    is_int(out_offset(o), 604, "the offset");
    ok(access(in_dir("x"), F_OK) < 0, "the file does not appear");
    is_int(n_entries(dir), 1, "but its temporary");
    is_int(out_flush(o, &e), 0, "flush");
    ok(access(in_dir("x"), F_OK) < 0, "nor does it then");
    is_int(out_commit(o, &e), 0, "commit");
    is_int(n_entries(dir), 1, "the temporary is gone");
    char want[605] = "ab7c";
    snprintf(want + 4, sizeof want - 4, "%0600d", 1);
    holds(in_dir("x"), want, "what was written");
    mode_t mask = umask(0);
    umask(mask);
    stat(in_dir("x"), &st);
    is_int(st.st_mode & 0777, 0666 & ~mask, "permissions by umask");

    chmod(in_dir("x"), 0640);
    is_int(out_file(in_dir("x"), "new", 3, &e), 0, "replaced");
    holds(in_dir("x"), "new", "what was written");
    stat(in_dir("x"), &st);
    is_int(st.st_mode & 0777, 0640, "permissions are kept");

    o = out_open(in_dir("x"), 0, &e);
    out_write(o, "newer", 5, &e);
    out_abort(o);
    holds(in_dir("x"), "new", "an abort leaves the old file");
    is_int(n_entries(dir), 1, "and no temporary");
    out_abort(NULL);

    struct out *two[2] = {out_open(in_dir("x"), 0, &e), out_open(in_dir("x"), 0, &e)};
    ok(two[0] && two[1], "two writers at once");
    out_write(two[0], "first", 5, &e);
    out_write(two[1], "second", 6, &e);
    is_int(out_commit(two[1], &e) | out_commit(two[0], &e), 0, "both commit");
    holds(in_dir("x"), "first", "the last one stays");
    is_int(out_file(in_dir("empty"), "", 0, &e), 0, "an empty file");
    holds(in_dir("empty"), "", "is there");
    is_int(n_entries(dir), 2, "no temporaries");

    char name[300];
    memset(name, 'n', 255);
    name[255] = 0;
    is_int(out_file(in_dir(name), "x", 1, &e), 0, "a name as long as may be: %s", e.msg);
    if (chdir(dir) == 0) {
        is_int(out_file("plain", "x", 1, &e), 0, "a name without a directory: %s", e.msg);
        holds("plain", "x", "what was written");
    }
}

/* Every way to cut the writes up gives the same file. */
static void test_sizes(void)
{
    static const size_t pieces[] = {1, 1000, 262143, 262144, 262145, 700000};
    struct err e = {0};
    size_t n = 1500000;
    char *p = malloc(n + 1);
    new_dir("sizes");
    for (size_t i = 0; i < n; i++)
        p[i] = (char)('a' + i % 23);
    p[n] = 0;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct out *o = out_open(in_dir("x"), 0, &e);
        for (size_t k = 0; k < n; k += pieces[i])
            out_write(o, p + k, n - k < pieces[i] ? n - k : pieces[i], &e);
        is_int(out_offset(o), n, "offset");
        is_int(out_commit(o, &e), 0, "pieces of %zu", pieces[i]);
        char *s = slurp(in_dir("x"));
        ok(!strcmp(s, p), "whole");
        free(s);
    }
    free(p);
}

static void test_links(void)
{
    struct err e = {0};
    struct stat st;
    new_dir("links");
    mkdir(in_dir("sub"), 0777);
    put(in_dir("sub/target"), "old");
    if (symlink("sub/target", in_dir("link")) || symlink("link", in_dir("link2")) ||
        symlink("sub/none", in_dir("dangling")) || symlink("loop", in_dir("loop")))
        bail_out("no links");
    is_int(out_file(in_dir("link2"), "new", 3, &e), 0, "through two links: %s", e.msg);
    holds(in_dir("sub/target"), "new", "the target is replaced");
    ok(lstat(in_dir("link2"), &st) == 0 && S_ISLNK(st.st_mode), "the link stays");
    is_int(out_file(in_dir("dangling"), "new", 3, &e), 0, "a link to nothing: %s", e.msg);
    holds(in_dir("sub/none"), "new", "makes what it points to");
    is_int(out_file(in_dir("loop"), "new", 3, &e), -1, "a loop of links");
    is_like(e.msg, "/loop: ", "%s", e.msg);
    is_int(n_entries(in_dir("sub")), 2, "no temporaries there");
    is_int(n_entries(dir), 5, "nor here");
}

static void test_refusals(void)
{
    struct err e = {0};
    new_dir("refused");
    ok(!out_open(in_dir("no/x"), 0, &e), "no directory");
    is_like(e.msg, "/no/x: cannot create a temporary file beside it: No such file", "%s", e.msg);
    ok(!out_open(dir, 0, &e), "a directory");
    is_like(e.msg, "refused: is a directory, not a file", "%s", e.msg);
    ok(!out_open(in_dir("new/"), 0, &e), "a name with a slash behind");
    is_like(e.msg, "new/' does not name a file", "%s", e.msg);
    ok(!out_open("", 0, &e), "an empty name");
    is_like(e.msg, "'' does not name a file", "%s", e.msg);
    put(in_dir("x"), "old");
    ok(!out_open(in_dir("x/y"), 0, &e), "below a file");
    is_like(e.msg, "/x/y: cannot write: Not a directory", "%s", e.msg);
    ok(!out_open(in_dir("x"), OUT_EXCL, &e), "a file that exists");
    is_like(e.msg, "/x: exists already", "%s", e.msg);
    struct out *o = out_open(in_dir("y"), OUT_EXCL, &e);
    out_write(o, "mine", 4, &e);
    put(in_dir("y"), "theirs");
    is_int(out_commit(o, &e), -1, "a file that has come to exist");
    is_like(e.msg, "/y: exists already", "%s", e.msg);
    holds(in_dir("y"), "theirs", "is left alone");
    o = out_open(in_dir("z"), OUT_EXCL, &e);
    out_write(o, "mine", 4, &e);
    is_int(out_commit(o, &e), 0, "one that has not: %s", e.msg);
    holds(in_dir("z"), "mine", "is made");
    is_int(n_entries(dir), 3, "no temporaries");
    if (geteuid() != 0) {
        chmod(in_dir("x"), 0444);
        ok(!out_open(in_dir("x"), 0, &e), "a read-only file");
        is_like(e.msg, "/x: cannot write: Permission denied", "%s", e.msg);
        chmod(dir, 0555);
        ok(!out_open(in_dir("new"), 0, &e), "a read-only directory");
        is_like(e.msg, "Permission denied", "%s", e.msg);
        chmod(dir, 0777);
    }
}

/* Runs fn in a child with stdout replaced by fd (-1: closed) and gives its exit status. */
static int in_child(int fd, int (*fn)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (fd < 0)
            close(STDOUT_FILENO);
        else
            dup2(fd, STDOUT_FILENO);
        signal(SIGPIPE, SIG_IGN);
        _exit(fn());
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* 0 written, 1 refused at open, 2 failed, 3 failed as a closed pipe does */
static int write_stdout(void)
{
    struct err e = {0};
    struct out *o = out_open("-", 0, &e);
    if (!o)
        return 1;
    if (write_pattern(o, 1000000, &e) == 0 && out_commit(o, &e) == 0)
        return 0;
    return e.kind == ERR_PIPE ? 3 : 2;
}

static int binary_stdout(void)
{
    struct err e = {0};
    struct out *o = out_open("-", OUT_BINARY, &e);
    return o ? 0 : strstr(e.msg, "stdout: is a terminal") ? 1 : 2;
}

/* A file opened while stdout is closed does not become it. */
static int file_and_closed_stdout(void)
{
    struct err e = {0};
    struct out *o = out_open(in_dir("x"), 0, &e);
    return o && !out_open("-", 0, &e) && out_write(o, "x", 1, &e) == 0 && out_commit(o, &e) == 0;
}

static void test_stdout(void)
{
    int fd[2];
    new_dir("stdout");
    is_int(in_child(-1, write_stdout), 1, "a closed stdout is refused");
    is_int(in_child(-1, file_and_closed_stdout), 1, "no file takes its place");
    int reading = open(in_dir("x"), O_RDONLY);
    is_int(in_child(reading, write_stdout), 1, "so is one open for reading only");
    close(reading);
    int full = open("/dev/full", O_WRONLY);
    is_int(in_child(full, write_stdout), 2, "a full device is an error");
    close(full);
    if (pipe(fd) == 0) {
        close(fd[0]);
        is_int(in_child(fd[1], write_stdout), 3, "a closed pipe is ERR_PIPE");
        is_int(in_child(fd[1], binary_stdout), 0, "binary output to a pipe");
        close(fd[1]);
    }
    int file = open(in_dir("y"), O_WRONLY | O_CREAT, 0666);
    is_int(in_child(file, write_stdout), 0, "stdout to a file");
    close(file);
    struct stat st;
    stat(in_dir("y"), &st);
    is_int(st.st_size, 1000000, "all of it");
    int pty = posix_openpt(O_RDWR | O_NOCTTY);
    if (pty < 0 || grantpt(pty) < 0 || unlockpt(pty) < 0) {
        skip(1, "no terminal to be had");
    } else {
        int tty = open(ptsname(pty), O_RDWR | O_NOCTTY);
        is_int(in_child(tty, binary_stdout), 1, "binary output to a terminal is refused");
        close(tty);
        close(pty);
    }
}

static void test_devices(void)
{
    struct err e = {0};
    struct stat st;
    new_dir("devices");
    is_int(out_file("/dev/null", "x", 1, &e), 0, "/dev/null: %s", e.msg);
    ok(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode), "is not replaced");
    is_int(out_file("/dev/full", "x", 1, &e), -1, "/dev/full");
    is_like(e.msg, "/dev/full: cannot write: No space left on device", "%s", e.msg);
    mkfifo(in_dir("fifo"), 0666);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(out_file(in_dir("fifo"), "through", 7, &e) < 0);
    holds(in_dir("fifo"), "through", "a fifo is written directly");
    int status;
    waitpid(pid, &status, 0);
    is_int(status, 0, "and its writer ends well");
    /* the first error stays, so that only the commit need be asked */
    struct out *o = out_open("/dev/full", 0, &e);
    write_pattern(o, 300000, NULL);
    err_clear(&e);
    is_int(out_write(o, "x", 1, &e), -1, "a write after an error fails");
    err_clear(&e);
    is_int(out_commit(o, &e), -1, "and the commit");
    is_like(e.msg, "No space left", "%s", e.msg);
}

static int killed_while_writing(void)
{
    struct err e = {0};
    sig_cleanup();
    struct out *o = out_open(in_dir("x"), 0, &e);
    write_pattern(o, 1000000, &e);
    raise(SIGTERM);
    return 0;
}

static void test_signal(void)
{
    new_dir("signal");
    put(in_dir("x"), "old");
    is_int(in_child(1, killed_while_writing), 128 + SIGTERM, "ended by a signal while writing");
    holds(in_dir("x"), "old", "the old file stays");
    is_int(n_entries(dir), 1, "the temporary does not");
}

static void test_dir(void)
{
    struct err e = {0};
    char path[4200], dead[4300];
    new_dir("dirs");
    snprintf(path, sizeof path, "%s", in_dir("run"));
    is_int(write_dir(path, 5, &e), 0, "a new directory: %s", e.msg);
    holds(in_dir("run/1"), "abcde", "its file");
    is_int(n_entries(path), 2, "and no other");
    put(in_dir("run/extra"), "old");
    mkdir(in_dir("run/deep"), 0777);
    put(in_dir("run/deep/er"), "old");
    is_int(write_dir(path, 6, &e), 0, "replaced: %s", e.msg);
    holds(in_dir("run/1"), "abcdef", "its file is new");
    is_int(n_entries(path), 2, "nothing is left of the old one");
    is_int(n_entries(dir), 1, "and nothing beside it");
    is_int(out_rmtree(path, &e), 0, "removed");
    mkdir(path, 0777);
    snprintf(dead, sizeof dead, "%s/", path);
    is_int(write_dir(dead, 7, &e), 0, "an empty one, with a slash behind: %s", e.msg);
    holds(in_dir("run/0"), "abcdefg", "its file");
    char *tmp = out_dir_begin(path, &e);
    snprintf(dead, sizeof dead, "%s/x", tmp);
    put(dead, "x");
    out_dir_abort(tmp);
    out_dir_abort(NULL);
    is_int(n_entries(dir), 1, "an abort leaves nothing");
    holds(in_dir("run/0"), "abcdefg", "but the old one");
    put(in_dir("file"), "x");
    ok(!out_dir_begin(in_dir("file"), &e), "a file in the way");
    is_like(e.msg, "/file: exists and is not a directory", "%s", e.msg);
    ok(!out_dir_begin(in_dir("no/run"), &e), "no directory to be in");
    is_like(e.msg, "/no/run: cannot create a temporary directory beside it", "%s", e.msg);
    ok(!out_dir_begin(in_dir(".."), &e) && !out_dir_begin("/", &e) && !out_dir_begin("", &e),
       "names that cannot be replaced");
    if (symlink("run", in_dir("link")) == 0) {
        is_int(write_dir(in_dir("link"), 3, &e), 0, "through a link: %s", e.msg);
        holds(in_dir("run/0"), "abc", "its target is replaced");
    }
}

static void test_recover(void)
{
    struct err e = {0};
    new_dir("recover");
    mkdir(in_dir(".run.123.old"), 0777);
    put(in_dir(".run.123.old/x"), "old");
    mkdir(in_dir(".run.123.tmp"), 0777);
    mkdir(in_dir(".run.123.4.tmp"), 0777);
    put(in_dir(".run.123.4.tmp/x"), "new");
    mkdir(in_dir(".run2.1.tmp"), 0777);
    mkdir(in_dir(".run.x.tmp"), 0777);
    mkdir(in_dir(".run.1.txt"), 0777);
    is_int(out_dir_recover(in_dir("run"), &e), 0, "recover %s", e.msg);
    holds(in_dir("run/x"), "old", "the old directory is back");
    is_int(n_entries(dir), 4, "its leftovers are gone, other files are not");
    mkdir(in_dir(".run.77.old"), 0777);
    put(in_dir(".run.77.old/x"), "older");
    is_int(out_dir_recover(in_dir("run"), &e), 0, "again");
    holds(in_dir("run/x"), "old", "a directory that is there stays");
    is_int(n_entries(dir), 4, "and the one put aside goes");
    is_int(out_dir_recover(in_dir("none"), &e), 0, "nothing to recover");
    is_int(out_dir_recover(in_dir("no/none"), &e), 0, "nowhere");
}

static void test_rmtree(void)
{
    struct err e = {0};
    new_dir("trees");
    mkdir(in_dir("a"), 0777);
    mkdir(in_dir("a/b"), 0777);
    mkdir(in_dir("kept"), 0777);
    put(in_dir("a/b/c"), "x");
    put(in_dir("kept/x"), "x");
    if (symlink("../kept", in_dir("a/link")) || symlink("nothing", in_dir("a/b/dangling")))
        bail_out("no links");
    is_int(out_rmtree(in_dir("a"), &e), 0, "a tree %s", e.msg);
    ok(access(in_dir("a"), F_OK) < 0, "is gone");
    holds(in_dir("kept/x"), "x", "what its links point to is not");
    is_int(out_rmtree(in_dir("a"), &e), 0, "a missing one is no error");
    is_int(out_rmtree(in_dir("kept/x"), &e), 0, "a file");
    is_int(n_entries(dir), 1, "goes too");
    is_int(out_rmtree(in_dir("kept/x/y"), &e), 0, "below what is missing");
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return driver(argv);
    test_file();
    test_sizes();
    test_links();
    test_refusals();
    test_stdout();
    test_devices();
    test_signal();
    test_dir();
    test_recover();
    test_rmtree();
    return done_testing();
}
