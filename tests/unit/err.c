/* Messages: kinds, what is shown of strange bytes, what is kept of long ones. */
#include "tap.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/bug.h"
#include "base/utf8.h"
#include "quern/err.h"

static void test_kinds(void)
{
    struct err e = {0};
    is_int(err_set(&e, "%s: %d", "a", 1), -1, "err_set returns -1");
    ok(e.kind == ERR_FAIL && e.sys_errno == 0, "and means a failure");
    is_str(e.msg, "a: 1", "with its message");
    err_usage(&e, "bad value");
    ok(e.kind == ERR_USAGE && strcmp(e.msg, "bad value") == 0, "err_usage");
    errno = ENOENT;
    is_int(err_sys(&e, "%s", "file"), -1, "err_sys returns -1");
    ok(e.kind == ERR_SYS && e.sys_errno == ENOENT, "and keeps errno");
    is_str(e.msg, "file: No such file or directory", "and says it");
    errno = EPIPE;
    err_sys(&e, "stdout");
    ok(e.kind == ERR_PIPE, "EPIPE is a kind of its own");
    err_prefix(&e, "%d: ", 17);
    ok(e.kind == ERR_PIPE && e.sys_errno == EPIPE, "err_prefix keeps the kind");
    is_str(e.msg, "17: stdout: Broken pipe", "and puts its text in front");
    err_set(&e, "again: %s", e.msg);
    is_str(e.msg, "again: 17: stdout: Broken pipe", "a message may be part of the next one");
    err_nomem(&e, "weights", 3u << 20);
    ok(e.kind == ERR_SYS && e.sys_errno == ENOMEM, "err_nomem is the system's refusal");
    is_str(e.msg, "not enough memory for weights (3.00 MiB)", "and says how much it was");
    err_clear(&e);
    ok(e.kind == ERR_NONE && e.msg[0] == '\0', "err_clear");
    ok(err_set(NULL, "x") == -1 && err_usage(NULL, "x") == -1 && err_sys(NULL, "x") == -1 &&
           err_prefix(NULL, "x") == -1 && err_nomem(NULL, "x", 1) == -1,
       "no err at all is allowed");
    err_clear(NULL);
}

static void test_bytes(void)
{
    struct err e = {0};
    err_set(&e, "%s", "a\nb\tc\x1b[31m\x7f\\");
    is_str(e.msg, "a\\x0ab\\x09c\\x1b[31m\\x7f\\", "controls are shown");
    err_set(&e, "%s", "\xff\xc3\xa9\xe4\xb8\xad\xe4\xb8 \xc2\x85");
    is_str(e.msg, "\\xff\xc3\xa9\xe4\xb8\xad\\xe4\\xb8 \\xc2\\x85",
           "ill-formed bytes are shown, letters stay");
    err_set(&e, "a\xe2\x80\xae"
                "b\xe2\x80\xa8"
                "c");
    is_str(e.msg, "a\\xe2\\x80\\xaeb\\xe2\\x80\\xa8c", "what turns or breaks the line is shown");
    err_prefix(&e, "%s: ", "\x01");
    is_str(e.msg, "\\x01: a\\xe2\\x80\\xaeb\\xe2\\x80\\xa8c", "in a prefix, too, and only once");
}

/* The message of a text of len bytes built from unit. */
static bool keeps_both_ends(size_t len, const char *unit)
{
    static char text[9000];
    struct err e = {0};
    size_t n = 0, u = strlen(unit);
    while (n + u <= len) {
        memcpy(text + n, unit, u);
        n += u;
    }
    text[n] = '\0';
    memcpy(text, "HEAD", 4);
    err_set(&e, "%s: TAIL", text);
    size_t m = strlen(e.msg);
    bool fits = n + 6 < sizeof e.msg;
    return m < sizeof e.msg && utf8_valid(e.msg, m) == m && strncmp(e.msg, "HEAD", 4) == 0 &&
           (n > 5000 || strcmp(e.msg + m - 4, "TAIL") == 0) &&
           (fits ? m == n + 6 : m > sizeof e.msg - 8 && strstr(e.msg, "...") != NULL);
}

static void test_length(void)
{
    int n_good = 0, n = 0;
    for (size_t len = 8; len < 6000; len += len < 1100 && len > 900 ? 1 : 97) {
        n += 3;
        n_good += keeps_both_ends(len, "x");
        n_good += keeps_both_ends(len, "\xc3\xa9\xc3\xa9");
        n_good += keeps_both_ends(len, "\xf0\x9f\x8c\xbe");
    }
    is_int(n_good, n, "long messages keep head and tail, and their letters whole");
    struct err e = {0};
    char prefix[1200];
    memset(prefix, 'p', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    err_set(&e, "the reason");
    err_prefix(&e, "%s: ", prefix);
    ok(strlen(e.msg) == sizeof e.msg - 1 && e.msg[0] == 'p' && strstr(e.msg, ": the reason"),
       "a long prefix leaves the reason");
}

static void test_bug(void)
{
    int fd[2], status;
    char said[200] = "";
    if (pipe(fd) < 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        dup2(fd[1], 2);
        BUG("seven is %d", 8);
    }
    close(fd[1]);
    ssize_t n = read(fd[0], said, sizeof said - 1);
    (void)n;
    close(fd[0]);
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status), "a bug aborts");
    is_like(said, "seven is 8", "and says what");
    is_like(said, "err.c:", "and where");
}

int main(void)
{
    test_kinds();
    test_bytes();
    test_length();
    test_bug();
    return done_testing();
}
