/* Signals and the progress line, each in a child process with its own terminal or pipe. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/progress.h"
#include "base/signals.h"
#include "base/sys.h"
#include "base/utf8.h"

static char temp[4096];

static void make_temp(void)
{
    FILE *f = fopen(temp, "w");
    if (f)
        fclose(f);
}

static void doze(long ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* How body ends in a process of its own: its exit status, or minus the signal. */
static int in_child(int (*body)(void))
{
    int status = 0;
    make_temp();
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int first_signal(void)
{
    sig_catch();
    sig_guard(temp);
    raise(SIGTERM);
    return sig_pending() == SIGTERM && access(temp, F_OK) == 0 ? 0 : 1;
}

static int second_signal(void)
{
    sig_catch();
    sig_guard(temp);
    raise(SIGINT);
    if (sig_pending() != SIGINT)
        return 1;
    raise(SIGTERM);
    return 2;
}

static int ignored(void)
{
    signal(SIGHUP, SIG_IGN);
    sig_catch();
    raise(SIGHUP);
    raise(SIGHUP);
    return sig_pending() == 0 ? 0 : 1;
}

static int cleanup(void)
{
    sig_cleanup();
    sig_guard(temp);
    raise(SIGTERM);
    return 1;
}

static int unguarded(void)
{
    sig_cleanup();
    sig_unguard(sig_guard(temp));
    raise(SIGTERM);
    return 1;
}

static int no_reader(void)
{
    int fd[2];
    sig_cleanup();
    sig_guard(temp);
    if (pipe(fd) == 0 && close(fd[0]) == 0 && write(fd[1], "x", 1) == 1)
        return 2;
    return 1;
}

static int pipe_while_caught(void)
{
    int fd[2];
    sig_catch();
    if (pipe(fd) < 0 || close(fd[0]) < 0)
        return 1;
    return write(fd[1], "x", 1) == -1 && errno == EPIPE ? 0 : 2;
}

static int reraise(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    sig_reraise(SIGPIPE);
    return 1;
}

static int status_wanted(void)
{
    sig_status_catch();
    bool before = sig_status_wanted();
    raise(SIGUSR1);
    raise(SIGUSR1);
    bool one = sig_status_wanted(), two = sig_status_wanted(), three = sig_status_wanted();
    return !before && one && two && !three ? 0 : 1;
}

static void test_signals(void)
{
    is_int(in_child(first_signal), 0, "the first signal is only noted");
    is_int(in_child(second_signal), -SIGTERM, "the second one ends the process");
    ok(access(temp, F_OK) < 0, "and removes what was guarded");
    is_int(in_child(ignored), 0, "what the parent ignored stays ignored");
    is_int(in_child(cleanup), -SIGTERM, "sig_cleanup: the default action");
    ok(access(temp, F_OK) < 0, "after removing the file");
    is_int(in_child(unguarded), -SIGTERM, "a file no longer guarded");
    ok(access(temp, F_OK) == 0, "stays");
    is_int(in_child(no_reader), -SIGPIPE, "sig_cleanup: a pipe without reader");
    ok(access(temp, F_OK) < 0, "removes the file, too");
    is_int(in_child(pipe_while_caught), 0, "sig_catch: a write to such a pipe fails with EPIPE");
    is_int(in_child(reraise), -SIGPIPE, "a signal blocked and ignored is raised all the same");
    is_int(in_child(status_wanted), 0, "each SIGUSR1 counts once");
}

static void test_slots(void)
{
    char long_path[5000];
    int n = 0, slot[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    is_int(sig_guard(long_path), -1, "a path that is too long is not guarded");
    while (n < 200 && (slot[n] = sig_guard("no-such-file")) >= 0)
        n++;
    ok(n >= 16 && n < 200, "%d files are", n);
    sig_unguard(slot[3]);
    is_int(sig_guard("no-such-file"), slot[3], "a slot given back is used again");
    for (int i = 0; i < n; i++)
        sig_unguard(slot[i]);
    sig_unguard(-1);
}

static char said[1 << 16];

/* What body writes to stderr: a terminal if tty, else a pipe. */
static const char *stderr_of(void (*body)(void), bool tty)
{
    int fd[2];
    size_t n = 0;
    if (tty) {
        fd[0] = posix_openpt(O_RDWR | O_NOCTTY);
        fd[1] = grantpt(fd[0]) < 0 || unlockpt(fd[0]) < 0 ? -1
                                                          : open(ptsname(fd[0]), O_RDWR | O_NOCTTY);
    } else if (pipe(fd) < 0) {
        fd[1] = -1;
    }
    if (fd[1] < 0)
        bail_out("no terminal to be had");
    pid_t child = fork();
    if (child == 0) {
        dup2(fd[1], 2);
        close(fd[0]);
        close(fd[1]);
        setenv("TERM", "xterm", 1);
        setenv("COLUMNS", "60", 1);
        body();
        _exit(0);
    }
    close(fd[1]);
    for (ssize_t k; n < sizeof said - 1; n += (size_t)k)
        if ((k = read(fd[0], said + n, sizeof said - 1 - n)) <= 0)
            break;
    said[n] = '\0';
    close(fd[0]);
    waitpid(child, NULL, 0);
    return said;
}

static void count_up(struct progress *p, int n)
{
    for (int i = 1; i <= n; i++) {
        doze(10);
        progress_at(p, i * 1000,
                    "some long words "
                    "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87");
    }
}

static void on_terminal(void)
{
    struct progress p;
    progress_start(&p, "demo", "tok", 200000, false, false);
    count_up(&p, 50);
    progress_clear();
    fputs("MESSAGE\n", stderr);
    count_up(&p, 15);
    progress_finish(&p);
    progress_clear();
}

static void quiet_terminal(void)
{
    struct progress p;
    progress_start(&p, "demo", "tok", 0, true, true);
    count_up(&p, 15);
    progress_finish(&p);
}

static void dumb_terminal(void)
{
    struct progress p;
    setenv("TERM", "dumb", 1);
    progress_start(&p, "demo", "tok", 0, false, false);
    count_up(&p, 15);
    progress_finish(&p);
}

static void no_terminal(void)
{
    struct progress p;
    progress_start(&p, "demo", "tok", 0, false, false);
    count_up(&p, 15);
    progress_finish(&p);
}

static void forced(void)
{
    struct progress p;
    progress_start(&p, "demo", "B", 1 << 20, true, false);
    p.base = 1 << 19;
    count_up(&p, 5);
    progress_at(&p, 1 << 19, "half");
    progress_finish(&p);
}

static void asked(void)
{
    struct progress p;
    progress_start(&p, "demo", "docs", 0, false, true);
    count_up(&p, 2);
    raise(SIGUSR1);
    progress_at(&p, 12345, "x");
    progress_at(&p, 12346, "x");
    progress_finish(&p);
}

static int columns(const char *s, size_t n)
{
    int w = 0;
    for (size_t i = 0; i < n;) {
        int len;
        w += utf8_get(s + i, n - i, &len) >= 0x1100 ? 2 : 1;
        i += (size_t)len;
    }
    return w;
}

static bool have_terminal(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    bool had = fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0;
    if (fd >= 0)
        close(fd);
    return had;
}

static void test_on_terminal(void)
{
    double start_s = sys_time();
    stderr_of(on_terminal, true);
    double time_s = sys_time() - start_s; /* 0.65 and more where the machine is busy */
    int n_lines = 0, widest = 0;
    for (const char *p = said; (p = strstr(p, "\rdemo: ")) != NULL; p++) {
        const char *end = strstr(p, "\033[K");
        int w = end ? columns(p + 1, (size_t)(end - p - 1)) : 999;
        widest = w > widest ? w : widest;
        n_lines++;
    }
    ok(n_lines >= 3 && n_lines <= 10 * time_s + 2, "about ten lines a second: %d in %g s", n_lines,
       time_s);
    ok(widest <= 59 && widest >= 57, "as wide as the terminal at most: %d", widest);
    is_like(said, "\r\033[KMESSAGE", "cleared before a message");
    is_like(said, "of 200k tok  ", "done and total");
    size_t n = strlen(said);
    ok(n > 4 && strcmp(said + n - 4, "\r\033[K") == 0 && said[n - 5] == 'K',
       "cleared at the end, once");
    is_str(stderr_of(quiet_terminal, true), "", "nothing when quiet");
    is_str(stderr_of(dumb_terminal, true), "", "nothing on a dumb terminal");
}

static void test_progress(void)
{
    is_str(stderr_of(no_terminal, false), "", "nothing into a pipe");
    stderr_of(forced, false);
    is_like(said, "demo: 512 KiB of 1.00 MiB  50%  0 B/s  half  ",
            "a plain line where forced; what a resumed run had is not in the rate");
    ok(strchr(said, '\r') == NULL && strchr(said, '\n') == said + strlen(said) - 1, "just one");
    stderr_of(asked, false);
    is_like(said, "demo: 12.3k docs  ", "a plain line on SIGUSR1, quiet or not");
    ok(strchr(said, '\n') == said + strlen(said) - 1, "just one");
}

int main(void)
{
    snprintf(temp, sizeof temp, "%s", scratch_path("guarded"));
    test_signals();
    test_slots();
    if (have_terminal())
        test_on_terminal();
    else
        skip(7, "no terminal to be had");
    test_progress();
    return done_testing();
}
