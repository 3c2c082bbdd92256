/*
 * Speed of writing and reading shards, "name figure unit": tokens a second in documents of 30 and
 * of 1000, ids of 16 and 32 bits, beside what copying the same bytes by cat-like reads and writes
 * takes. CPU time is what is counted, since the disk is the machine's: with TMPDIR in memory the
 * two agree.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "io/tmp.h"
#include "quern/shard.h"

enum { N_TOKENS = 100000000, POOL = 1 << 20 };
static uint32_t ids[POOL];

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const struct err *e)
{
    fprintf(stderr, "%s\n", e->msg);
    exit(1);
}

static void report(const char *what, uint64_t vocab, size_t doc_len, double figure)
{
    printf("shard-%s-%s-docs-of-%zu %.0f Mtok/s\n", what, vocab > 65536 ? "u32" : "u16", doc_len,
           figure / 1e6);
}

/* To /dev/null, then to path. */
static void bench_write(const char *path, uint64_t vocab, size_t doc_len, int flags)
{
    struct err e = {0};
    struct shard_head h = {.vocab_size = vocab, .bos = -1, .eos = -1, .pad = -1, .provenance = ""};
    for (int to_file = 0; to_file < 2; to_file++) {
        double t0 = cpu_s();
        struct shard_out *o = shard_create(to_file ? path : "/dev/null", &h, flags, &e);
        for (size_t i = 0; o && i < N_TOKENS; i += doc_len) {
            if (shard_put(o, ids + i % (POOL / 2), NULL, doc_len, &e) < 0)
                die(&e);
        }
        if (!o || shard_commit(o, NULL, &e) < 0)
            die(&e);
        if (!to_file)
            report("write", vocab, doc_len, N_TOKENS / (cpu_s() - t0));
    }
}

static void bench_read(const char *path, uint64_t vocab, size_t doc_len)
{
    struct err e = {0};
    struct shard_doc d;
    int r = -1;
    double t0 = cpu_s();
    struct shard_in *s = shard_open(path, &e);
    while (s && (r = shard_next(s, &d, &e)) > 0)
        ;
    if (r < 0)
        die(&e);
    shard_close(s);
    report("read", vocab, doc_len, N_TOKENS / (cpu_s() - t0));
}

static void bench_plain(const char *path)
{
    static char some[1 << 20];
    double t0 = cpu_s(), n = 0;
    int fd = open(path, O_RDONLY);
    for (ssize_t r; (r = read(fd, some, sizeof some)) > 0;)
        n += (double)r;
    close(fd);
    printf("read-of-a-file %.0f MB/s\n", n / (cpu_s() - t0) / 1e6);
}

int main(void)
{
    struct tmp t;
    struct err e = {0};
    uint32_t x = 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < POOL; i++) {
        x = x * 1664525u + 1013904223u;
        ids[i] = (x >> 8) % 50000;
    }
    if (tmp_open(&t, TMP_NAMED, &e) < 0)
        die(&e);
    for (int wide = 0; wide < 2; wide++) {
        for (size_t doc_len = 30; doc_len <= 1000; doc_len += 970) {
            bench_write(t.path, wide ? 100000 : 50000, doc_len, 0);
            bench_read(t.path, wide ? 100000 : 50000, doc_len);
        }
    }
    bench_plain(t.path);
    tmp_close(&t);
    return 0;
}
