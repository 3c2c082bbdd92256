/*
 * Speed of reading, on one thread by the processor's clock: "name figure unit".
 *
 *     obj/tests/bench/io
 *
 * scan: the loop over a string without escapes, in the caches. The others read a file of 64 MB of
 * documents of 4 KB each: English-like text with an escape every 70 bytes, or Chinese-like; lines
 * alone, documents from JSONL, the same gzipped, and a tensor of 64 MB as f32.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include "base/buf.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "io/docs.h"
#include "io/in.h"
#include "io/jscan.h"
#include "io/safetensors.h"

enum { FILE_BYTES = 64 << 20, DOC_BYTES = 4096, N_TIMES = 5 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int die(const struct err *e)
{
    fprintf(stderr, "io: %s\n", e->msg);
    exit(1);
}

static void show(const char *name, double n_bytes, double time_s)
{
    printf("%s %.2f GB/s\n", name, n_bytes / time_s / 1e9);
}

static void bench_scan(void)
{
    enum { N = 16384 };
    char text[N];
    bool escaped = false;
    double best = 1e9;
    size_t sum = 0;
    memset(text, 'x', sizeof text);
    for (int i = 0; i < N_TIMES; i++) {
        double t = now();
        for (int k = 0; k < 10000; k++) {
            text[k % N] ^= 1; /* so that no call is like the one before */
            sum += jscan_scan_string(text, N, &escaped);
        }
        t = now() - t;
        best = t < best ? t : best;
    }
    if (sum == 0)
        exit(1);
    show("jscan-string", 1e4 * N, best);
}

static char *make_docs(bool chinese, size_t *n)
{
    struct err e = {0};
    struct buf b = BUF_INIT;
    struct rng r;
    rng_init(&r, 1, RNG_TEST, chinese);
    if (buf_reserve(&b, FILE_BYTES + 2 * DOC_BYTES, &e) < 0)
        die(&e);
    while (b.len < FILE_BYTES) {
        size_t from = b.len;
        buf_printf(&b, &e, "{\"id\": %zu, \"text\": \"", from);
        for (size_t line = 0; b.len - from < DOC_BYTES; line++) {
            char c[8];
            uint32_t x = rng_u32(&r);
            if (chinese) {
                int len = utf8_put(c, 0x4e00 + x % 3000);
                buf_add(&b, c, (size_t)len, &e);
            } else {
                buf_putc(&b, x % 6 == 0 ? ' ' : (int)('a' + (x >> 8) % 26), &e);
            }
            if (line % 70 == 69)
                buf_puts(&b, "\\n", &e);
        }
        buf_puts(&b, "\"}\n", &e);
    }
    *n = b.len;
    return buf_take(&b, &e);
}

static void write_docs(const char *path, const char *p, size_t n)
{
    /* mode T: as it is; else gzip at its usual level */
    gzFile g = gzopen(path, strstr(path, ".gz") ? "wb" : "wbT");
    if (!g || gzwrite(g, p, (unsigned)n) != (int)n || gzclose(g))
        exit(1);
}

static double read_lines(const char *path)
{
    struct err e = {0};
    struct in *in = in_open(path, 0, &e);
    const char *s;
    size_t len;
    double t = now();
    while (in && in_line(in, &s, &len, SIZE_MAX, &e) > 0)
        continue;
    in_close(in);
    return now() - t;
}

static double read_docs(const char *path)
{
    struct err e = {0};
    struct docs_opt o = DOCS_OPT_INIT;
    struct doc doc;
    char *operands[] = {(char *)path};
    double t = now();
    int r;
    struct docs *d = docs_open(operands, 1, &o, &e);
    while (d && (r = docs_next(d, &doc, &e)) > 0)
        continue;
    if (docs_close(d, NULL, &e) < 0 || e.kind)
        die(&e);
    return now() - t;
}

static void bench_file(const char *name, const char *path, size_t n, double (*fn)(const char *))
{
    double best = 1e9;
    for (int i = 0; i < N_TIMES; i++) {
        double t = fn(path);
        best = t < best ? t : best;
    }
    show(name, (double)n, best);
}

static void bench_tensor(const char *path, enum st_dtype t, const char *name)
{
    enum { N = FILE_BYTES / 4, PIECE = 1 << 16 };
    struct err e = {0};
    uint64_t shape[] = {N};
    float *v = calloc(PIECE, sizeof *v);
    struct st_writer *w = st_create(path, &e);
    if (!v || !w || st_plan(w, "w", t, 1, shape, &e) < 0 || st_begin(w, &e) < 0)
        die(&e);
    for (int i = 0; i < N; i += PIECE)
        st_write_f32(w, v, PIECE, &e);
    if (st_commit(w, &e) < 0)
        die(&e);
    double best = 1e9;
    struct st *s = st_open(path, &e);
    for (int i = 0; s && i < N_TIMES; i++) {
        double begin = now();
        for (uint64_t k = 0; k < N; k += PIECE)
            st_get_f32(st_at(s, 0), k, PIECE, v, &e);
        begin = now() - begin;
        best = begin < best ? begin : best;
    }
    show(name, (double)N * (double)st_dtype_bytes(t), best);
    st_close(s);
    free(v);
}

int main(void)
{
    static const char *const names[2][4] = {
        {"lines-en", "docs-en", "docs-en-gz"},
        {"lines-zh", "docs-zh", "docs-zh-gz"},
    };
    const char *tmp = getenv("TMPDIR");
    char path[2][4096];
    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%s/quern-bench.%ld.jsonl%s", tmp ? tmp : "/tmp",
                 (long)getpid(), i ? ".gz" : "");
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_scan();
    for (int zh = 0; zh < 2; zh++) {
        size_t n;
        char *p = make_docs(zh, &n);
        write_docs(path[0], p, n);
        write_docs(path[1], p, n);
        free(p);
        bench_file(names[zh][0], path[0], n, read_lines);
        bench_file(names[zh][1], path[0], n, read_docs);
        bench_file(names[zh][2], path[1], n, read_docs);
    }
    bench_tensor(path[0], ST_F32, "tensor-f32");
    bench_tensor(path[0], ST_BF16, "tensor-bf16");
    bench_tensor(path[0], ST_F16, "tensor-f16");
    remove(path[0]);
    remove(path[1]);
    return 0;
}
