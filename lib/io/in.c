/* Input from a file or stdin, gzip undone: see in.h. */
#include "io/in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "io/fd_int.h"
#include "io/lines_int.h"

enum {
    READ_BYTES = 256 << 10,
    SLACK_BYTES = 64, /* readable behind a line */
    PEEK_BYTES = 64 << 10,
    STEP_BYTES = 16 << 10, /* which stay in the first cache while they are looked at */
};

enum kind { KIND_UNKNOWN, KIND_PLAIN, KIND_GZIP };

struct in {
    int fd;
    bool is_stdin, regular, ended;
    enum kind kind;
    char *name;
    /* Decoded bytes not yet taken are win[pos..end); cap counts the slack too. */
    char *win;
    size_t cap, pos, end;
    /* gzip: compressed bytes, and whether the stream stands between two members. */
    unsigned char *zin;
    z_stream z;
    bool z_on, between;
    uint64_t taken, raw_offset, raw_size, n_line;
    struct err failed; /* an error met behind bytes that were still given out; it stays */
};

/* What is recognised only to be refused. Each magic is long enough that no text begins with it. */
static const struct magic {
    const char *bytes;
    size_t n;
    const char *what, *before, *after; /* the pipe: before, the file's name, after */
} refused[] = {
    {"\x28\xb5\x2f\xfd", 4, "zstd data", "zstd -dc ", ""},
    {"\xfd\x37zXZ", 6, "xz data", "xz -dc ", ""},
    {"BZh\x31"
     "1AY&SY",
     10, "bzip2 data", "bzip2 -dc ", ""},
    {"\x04\x22\x4d\x18", 4, "lz4 data", "lz4 -dc ", ""},
    {"PK\3\4", 4, "a zip archive", "unzip -p ", ""},
    {"PAR1\x15", 5, "a parquet file", "duckdb -c \"copy (from '",
     "') to '/dev/stdout' (format json)\""},
};

static bool magic_matches(const struct magic *m, const char *p, size_t n)
{
    for (size_t i = 0; i < n && i < m->n; i++) {
        /* bzip2 writes its block size, 1 to 9, in the fourth byte */
        if (i == 3 && m->n == 10 ? p[i] < '1' || p[i] > '9' : p[i] != m->bytes[i])
            return false;
    }
    return true;
}

static long raw_read(struct in *in, void *p, size_t cap, struct err *e)
{
    long n = fd_read(in->fd, p, cap);
    if (n < 0 && errno == EINTR) {
        err_set(e, "%s: stopped at byte %llu", in->name, (unsigned long long)in->raw_offset);
        if (e)
            e->kind = ERR_SIGNAL;
        return -1;
    }
    if (n < 0)
        return err_sys(e, "%s: cannot read at byte %llu", in->name,
                       (unsigned long long)in->raw_offset);
    in->raw_offset += (uint64_t)n;
    return n;
}

static int gz_error(struct in *in, const char *what, struct err *e)
{
    return err_set(e, "%s: at byte %llu of the compressed data: %s", in->name,
                   (unsigned long long)(in->raw_offset - in->z.avail_in), what);
}

/* One inflate() call's worth of bytes into p: >0 bytes, 0 nothing yet, -1 error. */
static long gz_step(struct in *in, char *p, size_t cap, struct err *e)
{
    in->z.next_out = (unsigned char *)p;
    in->z.avail_out = cap > (1u << 30) ? 1u << 30 : (uInt)cap;
    int rc = inflate(&in->z, Z_NO_FLUSH);
    long n = (char *)in->z.next_out - p;
    switch (rc) {
    case Z_STREAM_END:
        in->between = true;
        return n;
    case Z_OK:
    case Z_BUF_ERROR:
        return n;
    case Z_MEM_ERROR:
        err_nomem(&in->failed, "inflate", 0);
        break;
    default: {
        char what[128];
        snprintf(what, sizeof what, "the gzip stream is corrupt (%s)",
                 rc == Z_NEED_DICT ? "preset dictionary"
                 : in->z.msg       ? in->z.msg
                                   : "bad data");
        gz_error(in, what, &in->failed);
    }
    }
    if (n > 0)
        return n; /* what came before the fault; the next call reports it */
    if (e)
        *e = in->failed;
    return -1;
}

static long gz_read(struct in *in, char *p, size_t cap, struct err *e)
{
    for (;;) {
        if (in->z.avail_in == 0) {
            long n = raw_read(in, in->zin, READ_BYTES, e);
            if (n < 0)
                return -1;
            if (n == 0)
                return in->between ? 0
                                   : gz_error(in,
                                              "the gzip stream ends too early: the file is "
                                              "truncated",
                                              e);
            in->z.next_in = in->zin;
            in->z.avail_in = (uInt)n;
        }
        if (in->between) {
            if (in->z.next_in[0] != 0x1f)
                return gz_error(in, "garbage after the end of the gzip stream", e);
            inflateReset(&in->z);
            in->between = false;
        }
        long n = gz_step(in, p, cap, e);
        if (n != 0)
            return n;
    }
}

/* The next decoded bytes, at least one, straight into p; 0 at the end, for good. */
static long decode(struct in *in, char *p, size_t cap, struct err *e)
{
    if (in->failed.kind) {
        if (e)
            *e = in->failed;
        return -1;
    }
    if (in->ended)
        return 0;
    struct err local = {0};
    long n = in->kind == KIND_GZIP ? gz_read(in, p, cap, &local) : raw_read(in, p, cap, &local);
    if (n < 0) {
        in->failed = local;
        if (e)
            *e = local;
    }
    if (n == 0)
        in->ended = true;
    return n;
}

static int begin_gzip(struct in *in, struct err *e)
{
    in->zin = mem_new(READ_BYTES, 1, e);
    if (!in->zin)
        return -1;
    if (inflateInit2(&in->z, 15 + 16) != Z_OK)
        return err_nomem(e, "inflate", 0);
    in->z_on = true;
    memcpy(in->zin, in->win, in->end);
    in->z.next_in = in->zin;
    in->z.avail_in = (uInt)in->end;
    in->end = 0;
    in->kind = KIND_GZIP;
    return 0;
}

static int refuse(struct in *in, const struct magic *m, struct err *e)
{
    return err_set(e, "%s: this is %s, which is not read directly; use a pipe: %s%s%s | ...",
                   in->name, m->what, m->before, in->is_stdin ? "FILE" : in->name, m->after);
}

/* Looks at the first bytes; reads on only while they may still become one of the magics, so that
 * a slow pipe or a terminal is not waited for. */
static int sniff(struct in *in, struct err *e)
{
    if (in->kind != KIND_UNKNOWN)
        return 0;
    for (;;) {
        const struct magic *full = NULL;
        bool maybe = in->end < 2 && (in->end == 0 || (unsigned char)in->win[0] == 0x1f);
        if (in->end >= 2 && !memcmp(in->win, "\x1f\x8b", 2))
            return begin_gzip(in, e);
        for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
            if (!magic_matches(&refused[i], in->win, in->end))
                continue;
            if (in->end >= refused[i].n)
                full = &refused[i];
            else
                maybe = true;
        }
        if (full)
            return refuse(in, full, e);
        if (!maybe)
            break;
        long n = raw_read(in, in->win + in->end, READ_BYTES - in->end, e);
        if (n < 0)
            return -1;
        if (n == 0) {
            in->ended = true;
            break;
        }
        in->end += (size_t)n;
    }
    in->kind = KIND_PLAIN;
    return 0;
}

static int ready(struct in *in, struct err *e)
{
    if (LIKELY(in->kind != KIND_UNKNOWN) || in->failed.kind)
        return 0;
    if (sniff(in, &in->failed) < 0) {
        in->end = 0;
        if (e)
            *e = in->failed;
        return -1;
    }
    return 0;
}

/* More bytes into the window behind what is there: 1, 0 at the end, -1. */
static int more(struct in *in, struct err *e)
{
    if (in->pos == in->end)
        in->pos = in->end = 0;
    if (in->cap - in->end < PEEK_BYTES + SLACK_BYTES && in->pos > 0) {
        memmove(in->win, in->win + in->pos, in->end - in->pos);
        in->end -= in->pos;
        in->pos = 0;
    }
    if (in->cap - in->end < PEEK_BYTES + SLACK_BYTES &&
        mem_grow(&in->win, &in->cap, in->cap * 2, 1, e) < 0)
        return -1;
    long n = decode(in, in->win + in->end, in->cap - SLACK_BYTES - in->end, e);
    if (n <= 0)
        return (int)n;
    in->end += (size_t)n;
    return 1;
}

static int open_fd(struct in *in, const char *path, struct err *e)
{
    struct stat st;
    in->fd = in->is_stdin ? STDIN_FILENO : fd_open(path, O_RDONLY, 0);
    if (in->fd < 0)
        return err_sys(e, "%s: cannot open", in->name);
    if (fstat(in->fd, &st) < 0)
        return err_sys(e, "%s: cannot read", in->name);
    if (S_ISDIR(st.st_mode))
        return err_set(e, "%s: is a directory, not a file", in->name);
    in->regular = S_ISREG(st.st_mode);
    if (in->regular) {
        off_t at = in->is_stdin ? lseek(in->fd, 0, SEEK_CUR) : 0;
        in->raw_size = at >= 0 && st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
#ifdef POSIX_FADV_SEQUENTIAL /* macOS has none */
        posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
    }
    return 0;
}

struct in *in_open(const char *path, int flags, struct err *e)
{
    struct in *in = mem_new(1, sizeof *in, e);
    if (!in)
        return NULL;
    in->fd = -1;
    in->is_stdin = !path || !strcmp(path, "-");
    in->kind = flags & IN_RAW ? KIND_PLAIN : KIND_UNKNOWN;
    in->name = mem_strdup(in->is_stdin ? "stdin" : path, e);
    if (!in->name || open_fd(in, path, e) < 0 ||
        mem_grow(&in->win, &in->cap, READ_BYTES + SLACK_BYTES, 1, e) < 0)
        goto fail;
    /* Pipes and terminals are looked at when first read, so that opening never waits. */
    if (in->regular && ready(in, e) < 0)
        goto fail;
    return in;
fail:
    in_close(in);
    return NULL;
}

long in_read(struct in *in, void *p, size_t cap, struct err *e)
{
    if (cap == 0)
        return 0;
    if (ready(in, e) < 0)
        return -1;
    if (in->pos == in->end) {
        if (cap >= PEEK_BYTES) {
            long n = decode(in, p, cap, e);
            if (n > 0)
                in->taken += (uint64_t)n;
            return n;
        }
        int r = more(in, e);
        if (r <= 0)
            return r;
    }
    size_t n = in->end - in->pos;
    if (n > cap)
        n = cap;
    memcpy(p, in->win + in->pos, n);
    in->pos += n;
    in->taken += n;
    return (long)n;
}

long in_read_full(struct in *in, void *p, size_t n, struct err *e)
{
    size_t got = 0;
    while (got < n) {
        long r = in_read(in, (char *)p + got, n - got, e);
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        got += (size_t)r;
    }
    return (long)got;
}

int in_line(struct in *in, const char **line, size_t *len, size_t max_bytes, struct err *e)
{
    size_t scanned = 0;
    const char *nl;
    if (ready(in, e) < 0)
        return -1;
    for (;;) {
        size_t have = in->end - in->pos;
        nl = memchr(in->win + in->pos + scanned, '\n', have - scanned);
        if (nl)
            break;
        scanned = have;
        if (scanned > max_bytes)
            break;
        int r = more(in, e);
        if (r < 0)
            return -1;
        if (r == 0) {
            if (scanned == 0)
                return 0;
            break;
        }
    }
    size_t n = nl ? (size_t)(nl - (in->win + in->pos)) : in->end - in->pos;
    in->n_line++;
    if (n > max_bytes)
        return err_set(e, "%s:%llu: the line is longer than %zu bytes", in->name,
                       (unsigned long long)in->n_line, max_bytes);
    *line = in->win + in->pos;
    *len = n;
    in->pos += n + (nl != NULL);
    in->taken += n + (nl != NULL);
    return 1;
}

/* Adds the ends of lines in `to` behind `from` until there are max. */
static int find_ends(struct in_ends *ends, const struct buf *to, size_t begin, size_t from,
                     size_t max, struct err *e)
{
    while (from < to->len && ends->n < max) {
        size_t n = to->len - from < STEP_BYTES ? to->len - from : STEP_BYTES;
        if (mem_grow(&ends->at, &ends->cap, ends->n + n + LINES_OVER, sizeof *ends->at, e) < 0)
            return -1;
        ends->n += lines_find(to->s + from, n, from - begin, ends->at + ends->n);
        from += n;
    }
    if (ends->n > max)
        ends->n = max;
    return 0;
}

/* Lines that the window holds already, one at least if there is one; else all it holds. */
static int window_lines(struct in *in, struct buf *to, struct in_ends *ends, size_t want,
                        size_t max_lines, struct err *e)
{
    const char *s = in->win + in->pos;
    const size_t begin = to->len, have = in->end - in->pos;
    size_t given = 0;
    while (given < have && ends->n < max_lines && (given < want || ends->n == 0)) {
        size_t n = have - given < STEP_BYTES ? have - given : STEP_BYTES;
        if (given < want && n > want - given)
            n = want - given;
        if (buf_add(to, s + given, n, e) < 0 ||
            find_ends(ends, to, begin, begin + given, max_lines, e) < 0)
            return -1;
        given += n;
    }
    if (ends->n > 0)
        given = (size_t)ends->at[ends->n - 1] + 1;
    to->len = begin + given;
    in->pos += given;
    return 0;
}

/* Reads straight to to's end, behind the part of a line that the window held, until there are
 * lines enough, or want bytes with an end of line among them, the line is too long, or the input
 * has no more. */
static int fill(struct in *in, struct buf *to, struct in_ends *ends, size_t begin, size_t want,
                size_t max_lines, size_t max_bytes, struct err *e)
{
    for (;;) {
        const size_t got = to->len - begin, from = to->len;
        if (ends->n >= max_lines || (ends->n > 0 && got >= want) || got > max_bytes)
            return 0;
        size_t now = got < want ? want - got : 0; /* of a long line, little behind its end */
        if (now < PEEK_BYTES)
            now = PEEK_BYTES;
        if (buf_reserve(to, now + SLACK_BYTES, e) < 0)
            return -1;
        struct err why; /* a failure stays, and is told once the lines before it are given out */
        long n = decode(in, to->s + from, now, &why);
        if (n <= 0)
            return 0;
        to->len += (size_t)n;
        if (find_ends(ends, to, begin, from, max_lines, e) < 0)
            return -1;
    }
}

/* Of what fill() read behind `begin`, the lines that are wanted stay; the rest goes to the window,
 * which is empty. */
static int keep_lines(struct in *in, struct buf *to, struct in_ends *ends, size_t begin,
                      struct err *e)
{
    const size_t got = to->len - begin;
    size_t len = got;
    if (ends->n > 0) {
        len = (size_t)ends->at[ends->n - 1] + 1;
    } else if (in->failed.kind) { /* in the middle of a line */
        return (int)decode(in, NULL, 0, e);
    } else if (got > 0) { /* the last line, or one that is too long */
        if (mem_grow(&ends->at, &ends->cap, 1, sizeof *ends->at, e) < 0)
            return -1;
        ends->at[ends->n++] = (uint32_t)got;
    }
    if (mem_grow(&in->win, &in->cap, got - len + PEEK_BYTES + SLACK_BYTES, 1, e) < 0)
        return -1;
    memcpy(in->win, to->s + begin + len, got - len);
    in->pos = 0;
    in->end = got - len;
    to->len = begin + len;
    return 0;
}

long in_lines(struct in *in, struct buf *to, struct in_ends *ends, size_t want, size_t max_lines,
              size_t max_bytes, struct err *e)
{
    const size_t begin = to->len;
    ends->n = 0;
    if (ready(in, e) < 0 || window_lines(in, to, ends, want, max_lines, e) < 0)
        return -1;
    if (ends->n == 0 && (fill(in, to, ends, begin, want, max_lines, max_bytes, e) < 0 ||
                         keep_lines(in, to, ends, begin, e) < 0))
        return -1;
    if (ends->n > 0 && ends->at[0] > max_bytes)
        return err_set(e, "%s:%llu: the line is longer than %zu bytes", in->name,
                       (unsigned long long)in->n_line + 1, max_bytes);
    if (to->len - begin > UINT32_MAX)
        BUG("lines of %zu bytes", to->len - begin);
    if (buf_reserve(to, SLACK_BYTES, e) < 0)
        return -1;
    memset(to->s + to->len, 0, SLACK_BYTES);
    in->n_line += ends->n;
    in->taken += to->len - begin;
    return (long)ends->n;
}

char *in_all(struct in *in, size_t max_bytes, size_t *len, struct err *e)
{
    char *all = NULL;
    size_t cap = 0, n = 0;
    size_t guess = READ_BYTES;
    if (ready(in, e) < 0)
        return NULL;
    /* one byte over, so that the read which finds the end needs no second allocation */
    if (in->kind == KIND_PLAIN && in->raw_size > guess)
        guess = in->raw_size < max_bytes ? (size_t)in->raw_size + 1 : max_bytes;
    for (;;) {
        if (cap < n + 2 + SLACK_BYTES &&
            mem_grow(&all, &cap, (n == 0 ? guess : n + 1) + 1 + SLACK_BYTES, 1, e) < 0)
            goto fail;
        if (n == 0)
            sys_pages_huge(all, cap);
        long r = in_read(in, all + n, cap - 1 - SLACK_BYTES - n, e);
        if (r < 0)
            goto fail;
        if (r == 0)
            break;
        n += (size_t)r;
        if (n > max_bytes) {
            err_set(e, "%s: is larger than %zu bytes", in->name, max_bytes);
            goto fail;
        }
    }
    memset(all + n, 0, SLACK_BYTES);
    *len = n;
    return all;
fail:
    free(all);
    return NULL;
}

long in_peek(struct in *in, const unsigned char **p, size_t want, struct err *e)
{
    if (want > PEEK_BYTES)
        want = PEEK_BYTES;
    if (ready(in, e) < 0)
        return -1;
    while (in->end - in->pos < want) {
        int r = more(in, e);
        if (r < 0)
            return -1;
        if (r == 0)
            break;
    }
    size_t have = in->end - in->pos;
    *p = (const unsigned char *)in->win + in->pos;
    return (long)(have < want ? have : want);
}

const char *in_name(const struct in *in)
{
    return in->name;
}

uint64_t in_offset(const struct in *in)
{
    return in->taken;
}

uint64_t in_raw_offset(const struct in *in)
{
    return in->raw_offset;
}

uint64_t in_raw_size(const struct in *in)
{
    return in->raw_size;
}

void in_close(struct in *in)
{
    if (!in)
        return;
    if (in->z_on)
        inflateEnd(&in->z);
    if (!in->is_stdin && in->fd >= 0)
        close(in->fd);
    free(in->zin);
    free(in->win);
    free(in->name);
    free(in);
}
