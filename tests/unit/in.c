/* Input: plain, gzip and refused, by lines, whole and in pieces, from files and slow pipes. */
#include "tap.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <zlib.h>
#include "base/buf.h"
#include "io/in.h"

static void put(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f))
        bail_out("cannot write a scratch file");
}

/* Some gzip members holding p[0..n), each of its own level. */
static void put_gz(const char *path, const char *p, size_t n, int members)
{
    remove(path);
    for (int i = 0; i < members; i++) {
        size_t from = n * (size_t)i / (size_t)members, to = n * (size_t)(i + 1) / (size_t)members;
        char mode[4] = {'a', 'b', (char)('1' + i % 9), 0};
        gzFile g = gzopen(path, mode);
        if (!g || (to > from && gzwrite(g, p + from, (unsigned)(to - from)) <= 0) || gzclose(g))
            bail_out("cannot write a scratch file");
    }
}

/* Text of lines of very different lengths, the last without its newline. */
static char *make_text(size_t *n)
{
    struct buf b = BUF_INIT;
    uint32_t r = 1;
    for (int i = 0; i < 3000; i++) {
        r = r * 1664525u + 1013904223u;
        size_t len = i == 1500 ? 3000000 : i % 100 == 7 ? r >> 14 : (r >> 24) % 90;
        for (size_t k = 0; k < len; k++)
            buf_putc(&b, (int)(32 + (k * 7 + r) % 95), NULL);
        buf_putc(&b, i % 50 ? '\n' : '\0', NULL);
    }
    buf_puts(&b, "the end", NULL);
    *n = b.len;
    return buf_take(&b, NULL);
}

/* The lines that come out, joined by newlines, are the text; each has its slack. */
static bool lines_are(struct in *in, const char *text, size_t n)
{
    struct err e = {0};
    const char *s;
    size_t len, at = 0;
    volatile char sum = 0;
    int r;
    while ((r = in_line(in, &s, &len, SIZE_MAX, &e)) > 0) {
        if (len > n - at || memcmp(text + at, s, len) != 0)
            return false;
        for (size_t i = 0; i < 64; i++)
            sum = (char)(sum + s[len + i]);
        at += len;
        if (at < n && text[at++] != '\n')
            return false;
    }
    return r == 0 && at == n && in_offset(in) == n;
}

static bool pieces_are(struct in *in, const char *text, size_t n, size_t piece)
{
    struct err e = {0};
    char *p = malloc(piece);
    size_t at = 0;
    long r;
    while ((r = in_read(in, p, piece, &e)) > 0) {
        if ((size_t)r > n - at || memcmp(text + at, p, (size_t)r) != 0)
            break;
        at += (size_t)r;
    }
    free(p);
    return r == 0 && at == n && in_offset(in) == n && in_read(in, &r, 1, &e) == 0;
}

/* Blocks of whole lines: joined they are the text, none has more lines or, but for a line that is
 * longer by itself, more bytes than was asked for. */
static bool blocks_are(struct in *in, const char *text, size_t n, size_t want, size_t max_lines)
{
    struct err e = {0};
    struct buf b = BUF_INIT;
    struct in_ends ends = {0};
    size_t at = 0;
    long got = 0;
    bool good = in != NULL;
    while (good && (got = in_lines(in, &b, &ends, want, max_lines, SIZE_MAX, &e)) > 0) {
        long lines = 0;
        bool ends_are = ends.n == (size_t)got;
        for (size_t i = at; i < b.len; i++)
            if (b.s[i] == '\n' || i + 1 == n)
                ends_are = ends_are && lines < got && ends.at[lines++] == i - at + (b.s[i] != '\n');
        good = ends_are && lines == got && (size_t)got <= max_lines && b.len <= n && b.len > at &&
               (b.len == n || b.s[b.len - 1] == '\n') && in_offset(in) == b.len;
        for (size_t i = 0; i < 64; i++)
            good &= b.s[b.len + i] == 0;
        at = b.len;
    }
    good &= got == 0 && b.len == n && !memcmp(b.s, text, n);
    buf_release(&b);
    free(ends.at);
    return good;
}

static void test_reading(const char *path, const char *text, size_t n, const char *what)
{
    static const size_t pieces[] = {1000, 65535, 65536, 1 << 20};
    struct err e = {0};
    struct in *in = in_open(path, 0, &e);
    ok(in && lines_are(in, text, n), "%s by lines %s", what, e.msg);
    ok(in && in_raw_offset(in) == in_raw_size(in) && in_raw_size(in) > 0, "%s read to its end",
       what);
    in_close(in);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        in = in_open(path, 0, &e);
        ok(in && pieces_are(in, text, n, pieces[i]), "%s in pieces of %zu", what, pieces[i]);
        in_close(in);
    }
    static const size_t wants[] = {1, 5000, 300000, 5000000}, max[] = {1, 50, SIZE_MAX};
    for (size_t i = 0; i < ARRAY_LEN(wants) * ARRAY_LEN(max); i++) {
        size_t want = wants[i / ARRAY_LEN(max)], most = max[i % ARRAY_LEN(max)];
        in = in_open(path, 0, &e);
        ok(blocks_are(in, text, n, want, most), "%s in blocks of %zu bytes or %zu lines", what,
           want, most);
        in_close(in);
    }
    in = in_open(path, 0, &e);
    size_t len = 0;
    char *all = in_all(in, n, &len, &e);
    ok(all && len == n && !memcmp(all, text, n) && all[n] == 0 && all[n + 63] == 0, "%s whole",
       what);
    free(all);
    in_close(in);
    in = in_open(path, 0, &e);
    ok(!in_all(in, n - 1, &len, &e), "%s is over the limit", what);
    is_like(e.msg, "is larger than", "%s", e.msg);
    in_close(in);
    in = in_open(path, 0, &e);
    char *p = malloc(n + 10);
    bool full = in_read_full(in, p, 100, &e) == 100 &&
                in_read_full(in, p + 100, n, &e) == (long)n - 100 &&
                in_read_full(in, p, 5, &e) == 0;
    ok(full && !memcmp(p, text, n), "%s in full reads", what);
    free(p);
    in_close(in);
}

static void test_peek(const char *path, const char *text, size_t n)
{
    struct err e = {0};
    const unsigned char *p;
    const char *line;
    size_t len, at = 0;
    struct in *in = in_open(path, 0, &e);
    bool same = true;
    for (int i = 0; i < 200; i++) {
        long have = in_peek(in, &p, 65536, &e);
        size_t want = n - at < 65536 ? n - at : 65536;
        same &= have == (long)want && !memcmp(p, text + at, want);
        same &= in_offset(in) == at;
        in_line(in, &line, &len, SIZE_MAX, &e);
        at += len + 1;
    }
    ok(same, "peeking takes nothing");
    is_int(in_peek(in, &p, 1 << 20, &e), 65536, "and gives 64 KiB at most");
    while (in_line(in, &line, &len, SIZE_MAX, &e) > 0)
        continue;
    is_int(in_peek(in, &p, 1, &e), 0, "nothing at the end");
    in_close(in);
}

static void test_limits(void)
{
    struct err e = {0};
    const char *path = scratch_path("lines"), *s;
    size_t len;
    put(path, "ab\nabc\nabcd\n", 12);
    struct in *in = in_open(path, 0, &e);
    ok(in_line(in, &s, &len, 3, &e) == 1 && len == 2, "a line");
    ok(in_line(in, &s, &len, 3, &e) == 1 && len == 3, "a line as long as the limit");
    is_int(in_line(in, &s, &len, 3, &e), -1, "a longer one");
    is_like(e.msg, "/lines:3: the line is longer than 3 bytes", "%s", e.msg);
    in_close(in);
    struct buf b = BUF_INIT;
    struct in_ends ends = {0};
    in = in_open(path, 0, &e);
    ok(in_lines(in, &b, &ends, 3, 1, 3, &e) == 1 && b.len == 3, "a block of a line");
    ok(in_lines(in, &b, &ends, 3, 1, 3, &e) == 1 && b.len == 7, "another");
    is_int(in_lines(in, &b, &ends, 3, 1, 3, &e), -1, "a line that is too long for a block");
    is_like(e.msg, "/lines:3: the line is longer than 3 bytes", "%s", e.msg);
    in_close(in);
    buf_release(&b);
    free(ends.at);
    put(path, "\r\n\n\nx\r", 6);
    in = in_open(path, 0, &e);
    ok(in_line(in, &s, &len, 9, &e) == 1 && len == 1 && *s == '\r', "a carriage return is kept");
    ok(in_line(in, &s, &len, 9, &e) == 1 && len == 0, "an empty line");
    ok(in_line(in, &s, &len, 9, &e) == 1 && len == 0, "another");
    ok(in_line(in, &s, &len, 9, &e) == 1 && len == 2, "a last line without newline");
    is_int(in_line(in, &s, &len, 9, &e), 0, "the end");
    is_int(in_line(in, &s, &len, 9, &e), 0, "stays the end");
    in_close(in);
}

/* What in_all says of a sample: NULL and the error, or the text. */
static char *sample(const char *name, size_t *n, struct err *e)
{
    char path[128];
    snprintf(path, sizeof path, "tests/files/%s", name);
    struct in *in = in_open(top_path(path), 0, e);
    char *all = in ? in_all(in, 1 << 20, n, e) : NULL;
    in_close(in);
    return all;
}

static void test_gzip(void)
{
    static const char *const good[] = {"good-one", "good-members", "good-name"};
    static const struct {
        const char *name, *why;
    } bad[] = {
        {"bad-truncated", "at byte 83 of the compressed data: the gzip stream ends too early"},
        {"bad-no-trailer", "at byte 105 of the compressed data: the gzip stream ends too early"},
        {"bad-header-only", "at byte 6 of the compressed data: the gzip stream ends too early"},
        {"bad-second-truncated", "at byte 223 of the compressed data: the gzip stream ends"},
        {"bad-crc", "(incorrect data check)"},
        {"bad-length", "(incorrect length check)"},
        {"bad-garbage", "at byte 113 of the compressed data: garbage after the end"},
        {"bad-zeros", "at byte 113 of the compressed data: garbage after the end"},
        {"bad-method", "(unknown compression method)"},
        {"bad-data", "the gzip stream is corrupt (invalid"},
    };
    struct err e = {0};
    char name[64];
    size_t n, plain_n;
    char *plain = sample("good-plain.jsonl", &plain_n, &e);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        snprintf(name, sizeof name, "%s.jsonl.gz", good[i]);
        char *s = sample(name, &n, &e);
        ok(s && n == plain_n && !memcmp(s, plain, n), "%s %s", name, e.msg);
        free(s);
    }
    free(plain);
    char *s = sample("good-empty.jsonl.gz", &n, &e);
    ok(s && n == 0, "nothing, compressed");
    free(s);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(name, sizeof name, "%s.jsonl.gz", bad[i].name);
        s = sample(name, &n, &e);
        ok(!s, "%s is refused", name);
        is_like(e.msg, bad[i].why, "%s", e.msg);
        free(s);
    }
    /* what came before the fault is given out, and the error stays */
    struct in *in = in_open(top_path("tests/files/bad-crc.jsonl.gz"), 0, &e);
    const char *line;
    size_t len;
    int n_line = 0;
    while (in_line(in, &line, &len, 1000, &e) > 0)
        n_line++;
    is_int(n_line, 3, "lines before a wrong checksum");
    is_int(in_line(in, &line, &len, 1000, &e), -1, "then the error");
    is_int(in_read(in, name, 1, &e), -1, "again");
    in_close(in);
    struct buf b = BUF_INIT;
    struct in_ends ends = {0};
    in = in_open(top_path("tests/files/bad-crc.jsonl.gz"), 0, &e);
    is_int(in_lines(in, &b, &ends, 1000, 1000, 1000, &e), 3, "the lines before it in a block");
    is_int(in_lines(in, &b, &ends, 1000, 1000, 1000, &e), -1, "then the error");
    in_close(in);
    buf_release(&b);
    free(ends.at);
    in = in_open(top_path("tests/files/good-one.jsonl.gz"), IN_RAW, &e);
    ok(in_read(in, name, 2, &e) == 2 && !memcmp(name, "\x1f\x8b", 2), "raw, the bytes as they are");
    in_close(in);
}

static void test_refused(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *pipe;
    } c[] = {
        {"\x28\xb5\x2f\xfd....", 8, "zstd -dc %s | ..."},
        {"\xfd\x37zXZ\0...", 9, "xz -dc %s | ..."},
        {"BZh91AY&SY...", 13, "bzip2 -dc %s | ..."},
        {"\x04\x22\x4d\x18...", 7, "lz4 -dc %s | ..."},
        {"PK\3\4...", 7, "unzip -p %s | ..."},
        {"PAR1\x15...", 8, "duckdb -c \"copy (from '%s') to '/dev/stdout' (format json)\" | ..."},
    };
    static const char *const texts[] = {"BZh, a town", "PAR10",        "PK",   "BZh91AY&S",
                                        "\xfd\x37zX",  "\x28\xb5\x2f", "\x1f", "P"};
    const char *path = scratch_path("packed");
    char want[4300];
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct err e = {0};
        put(path, c[i].bytes, c[i].n);
        ok(!in_open(path, 0, &e), "refused: %s", c[i].pipe);
        snprintf(want, sizeof want, c[i].pipe, path);
        is_like(e.msg, want, "with the pipe that converts it");
        struct in *in = in_open(path, IN_RAW, &e);
        ok(in != NULL, "but not where bytes are taken as they are");
        in_close(in);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        size_t n = 0;
        put(path, texts[i], strlen(texts[i]));
        struct in *in = in_open(path, 0, &e);
        char *all = in ? in_all(in, 100, &n, &e) : NULL;
        ok(all && n == strlen(texts[i]) && !memcmp(all, texts[i], n), "a text like a magic: %zu",
           i);
        free(all);
        in_close(in);
    }
}

static void test_open_errors(void)
{
    struct err e = {0};
    ok(!in_open(scratch_path("absent"), 0, &e), "a missing file");
    is_like(e.msg, "/absent: cannot open: No such file or directory", "%s", e.msg);
    ok(!in_open(top_path("tests"), 0, &e), "a directory");
    is_like(e.msg, "tests: is a directory, not a file", "%s", e.msg);
    if (geteuid() != 0) {
        put(scratch_path("secret"), "x", 1);
        chmod(scratch_path("secret"), 0);
        ok(!in_open(scratch_path("secret"), 0, &e), "a file without permission");
        is_like(e.msg, "/secret: cannot open: Permission denied", "%s", e.msg);
    }
    put(scratch_path("empty"), "", 0);
    struct in *in = in_open(scratch_path("empty"), 0, &e);
    char c;
    ok(in && in_read(in, &c, 1, &e) == 0 && in_raw_size(in) == 0, "an empty file is none");
    in_close(in);
    in_close(NULL);
}

/* A child writes text into a pipe a few bytes at a time; the pipe is opened as /dev/fd/N would
 * be, by way of stdin. */
static void test_pipe(const char *path, const char *text, size_t n, bool nonblocking)
{
    int fd[2], status, was = dup(0);
    struct err e = {0};
    char *packed = NULL;
    size_t n_packed = 0;
    struct in *in = in_open(path, IN_RAW, &e);
    packed = in_all(in, SIZE_MAX / 2, &n_packed, &e);
    in_close(in);
    if (pipe(fd) < 0)
        bail_out("no pipe");
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        for (size_t i = 0, k = 1; i < n_packed; i += k) {
            k = i < 20 ? 1 : 5000;
            k = k < n_packed - i ? k : n_packed - i;
            if (write(fd[1], packed + i, k) < 0)
                _exit(1);
            if (i < 40)
                nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
        _exit(0);
    }
    close(fd[1]);
    dup2(fd[0], 0);
    close(fd[0]);
    if (nonblocking)
        fcntl(0, F_SETFL, O_NONBLOCK);
    in = in_open("-", 0, &e);
    is_str(in_name(in), "stdin", "the name of stdin");
    ok(lines_are(in, text, n), "a slow pipe%s", nonblocking ? " that does not block" : "");
    is_int(in_raw_size(in), 0, "its size is not known");
    in_close(in);
    dup2(was, 0); /* closes the pipe, so that a reader which gave up does not leave it waiting */
    close(was);
    waitpid(pid, &status, 0);
    is_int(status, 0, "the writer is content");
    free(packed);
}

/* One line in a pipe that stays open is given out before more arrives. */
static void test_interactive(void)
{
    static const char *const lines[] = {"hi\n", "P\n", "\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        int fd[2], was = dup(0);
        struct err e = {0};
        const char *s;
        size_t len;
        if (pipe(fd) < 0 || write(fd[1], lines[i], strlen(lines[i])) < 0)
            bail_out("no pipe");
        dup2(fd[0], 0);
        struct in *in = in_open(NULL, 0, &e);
        alarm(20);
        ok(in_line(in, &s, &len, 100, &e) == 1 && len == strlen(lines[i]) - 1,
           "a line is not waited behind");
        alarm(0);
        in_close(in);
        ok(fcntl(0, F_GETFD) >= 0, "stdin is left open");
        close(fd[0]);
        close(fd[1]);
        dup2(was, 0);
        close(was);
    }
}

/* A file never takes the place of a standard descriptor that was closed. */
static void test_low_descriptors(void)
{
    struct err e = {0};
    int was = dup(0);
    char c;
    put(scratch_path("file"), "x", 1);
    close(0);
    struct in *in = in_open(scratch_path("file"), 0, &e);
    ok(in && fcntl(0, F_GETFD) < 0, "descriptor 0 stays closed");
    struct in *std = in_open("-", 0, &e);
    ok(!std || in_read(std, &c, 1, &e) < 0, "and reading stdin is an error");
    is_like(e.msg, "stdin: cannot", "%s", e.msg);
    in_close(std);
    in_close(in);
    dup2(was, 0);
    close(was);
}

int main(void)
{
    size_t n;
    char *text = make_text(&n);
    char *plain = strdup(scratch_path("text")), *packed = strdup(scratch_path("text.gz"));
    put(plain, text, n);
    put_gz(packed, text, n, 5);
    test_reading(plain, text, n, "a plain file");
    test_reading(packed, text, n, "a gzip file of five members");
    test_peek(plain, text, n);
    test_peek(packed, text, n);
    test_limits();
    test_gzip();
    test_refused();
    test_open_errors();
    test_pipe(plain, text, n, false);
    test_pipe(packed, text, n, false);
    test_pipe(plain, text, n, true);
    test_interactive();
    test_low_descriptors();
    free(text);
    free(plain);
    free(packed);
    return done_testing();
}
