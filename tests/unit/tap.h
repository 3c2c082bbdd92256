/*
 * Test Anything Protocol for unit tests, each a program of one file:
 *
 *     int main(void)
 *     {
 *         is_int(num(), 3, "num counts");
 *         ok(near(x, 0.5, 1e-6), "x is a half, not %g", x);
 *         return done_testing();
 *     }
 *
 * Every check returns whether it held, prints one line, and on failure says on stderr where it
 * stands and what it got. plan() is not needed: done_testing() prints the count and returns the
 * exit status. Files come from top_path() (of the project) and shared_path() (of ../shared; NULL
 * where that is absent: then skip() or skip_all()); a scratch directory from scratch_path().
 */
#ifndef TAP_H
#define TAP_H

#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/compiler.h"

static struct {
    int n, n_failed, planned;
    char scratch[4096];
} tap;

#define ok(cond, ...)        tap_ok((cond), #cond, __FILE__, __LINE__, __VA_ARGS__)
#define pass(...)            tap_ok(true, "", __FILE__, __LINE__, __VA_ARGS__)
#define fail(...)            tap_ok(false, "fail", __FILE__, __LINE__, __VA_ARGS__)
#define is_int(a, b, ...)    tap_int((intmax_t)(a), (intmax_t)(b), #a, __FILE__, __LINE__, __VA_ARGS__)
#define is_str(a, b, ...)    tap_str((a), (b), #a, __FILE__, __LINE__, __VA_ARGS__)
#define is_mem(a, b, n, ...) tap_mem((a), (b), (n), #a, __FILE__, __LINE__, __VA_ARGS__)
/* |a - b| <= tol, in double */
#define is_near(a, b, tol, ...) tap_near((a), (b), (tol), #a, __FILE__, __LINE__, __VA_ARGS__)
/* the text holds the part */
#define is_like(text, part, ...) tap_like((text), (part), #text, __FILE__, __LINE__, __VA_ARGS__)

static inline void tap_vline(bool held, const char *fmt, va_list ap)
{
    printf("%sok %d - ", held ? "" : "not ", ++tap.n);
    vprintf(fmt, ap);
    putchar('\n');
    fflush(stdout);
    tap.n_failed += !held;
}

static inline void PRINTF_LIKE(1, 2) note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("# ", stdout);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
}

static inline void PRINTF_LIKE(1, 2) diag(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("#   ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static inline bool PRINTF_LIKE(5, 6)
    tap_ok(bool held, const char *expr, const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tap_vline(held, fmt, ap);
    va_end(ap);
    if (!held)
        diag("%s:%d: failed: %s", file, line, expr);
    return held;
}

static inline bool PRINTF_LIKE(6, 7) tap_int(intmax_t a, intmax_t b, const char *expr,
                                             const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tap_vline(a == b, fmt, ap);
    va_end(ap);
    if (a != b)
        diag("%s:%d: %s is %" PRIdMAX ", expected %" PRIdMAX, file, line, expr, a, b);
    return a == b;
}

static inline bool PRINTF_LIKE(6, 7) tap_str(const char *a, const char *b, const char *expr,
                                             const char *file, int line, const char *fmt, ...)
{
    bool held = a && b ? strcmp(a, b) == 0 : a == b;
    va_list ap;
    va_start(ap, fmt);
    tap_vline(held, fmt, ap);
    va_end(ap);
    if (!held)
        diag("%s:%d: %s is \"%s\", expected \"%s\"", file, line, expr, a ? a : "(NULL)",
             b ? b : "(NULL)");
    return held;
}

static inline bool PRINTF_LIKE(6, 7) tap_like(const char *text, const char *part, const char *expr,
                                              const char *file, int line, const char *fmt, ...)
{
    bool held = text && strstr(text, part);
    va_list ap;
    va_start(ap, fmt);
    tap_vline(held, fmt, ap);
    va_end(ap);
    if (!held)
        diag("%s:%d: %s is \"%s\", lacks \"%s\"", file, line, expr, text ? text : "(NULL)", part);
    return held;
}

static inline bool PRINTF_LIKE(7, 8)
    tap_mem(const void *a, const void *b, size_t n, const char *expr, const char *file, int line,
            const char *fmt, ...)
{
    const unsigned char *x = a, *y = b;
    size_t i = 0;
    while (i < n && x[i] == y[i])
        i++;
    va_list ap;
    va_start(ap, fmt);
    tap_vline(i == n, fmt, ap);
    va_end(ap);
    if (i < n)
        diag("%s:%d: %s at byte %zu is 0x%02x, expected 0x%02x", file, line, expr, i, x[i], y[i]);
    return i == n;
}

static inline bool PRINTF_LIKE(7, 8) tap_near(double a, double b, double tol, const char *expr,
                                              const char *file, int line, const char *fmt, ...)
{
    bool held = a == b || fabs(a - b) <= tol;
    va_list ap;
    va_start(ap, fmt);
    tap_vline(held, fmt, ap);
    va_end(ap);
    if (!held)
        diag("%s:%d: %s is %.9g, expected %.9g within %g", file, line, expr, a, b, tol);
    return held;
}

/* n checks that cannot be made here */
static inline void skip(int n, const char *why)
{
    while (n-- > 0)
        printf("ok %d # SKIP %s\n", ++tap.n, why);
}

static inline NORETURN void skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}

static inline NORETURN void bail_out(const char *why)
{
    printf("Bail out! %s\n", why);
    exit(255);
}

static inline void plan(int n)
{
    printf("1..%d\n", tap.planned = n);
}

static inline int done_testing(void)
{
    if (!tap.planned)
        printf("1..%d\n", tap.n);
    else if (tap.n != tap.planned)
        diag("%d checks were planned, %d made", tap.planned, tap.n);
    return tap.n_failed || (tap.planned && tap.n != tap.planned);
}

/* The results are valid until the eighth call after. */
static inline char *tap_path(const char *dir, const char *name)
{
    static char path[8][4096];
    static int i;
    char *p = path[i++ % 8];
    if (snprintf(p, sizeof path[0], "%s/%s", dir, name) >= (int)sizeof path[0])
        bail_out("a path is too long");
    return p;
}

static inline const char *top_path(const char *name)
{
    const char *top = getenv("TOP");
    return tap_path(top ? top : ".", name);
}

static inline const char *shared_path(const char *name)
{
    const char *shared = getenv("SHARED");
    char *p = shared ? tap_path(shared, name) : tap_path("../shared", name);
    return access(p, R_OK) == 0 ? p : NULL;
}

static inline int tap_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void tap_clean(void)
{
    nftw(tap.scratch, tap_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* NAME in a directory of this test's own, which goes away at exit */
static inline const char *scratch_path(const char *name)
{
    if (!tap.scratch[0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(tap.scratch, sizeof tap.scratch, "%s/quern-test.XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(tap.scratch))
            bail_out("cannot make a scratch directory");
        atexit(tap_clean);
    }
    return tap_path(tap.scratch, name);
}

#endif
