/* Shards: samples, writing and reading back in every shape, block borders, heads, sets. */
#include "tap.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <xxhash.h>
#include "base/buf.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/prog.h"
#include "quern/shard.h"
#include "shard/prov.h"
#include "shard/set.h"
#include "shard/shard_int.h"

enum { N_MAX = 1200000 };
static uint32_t *ids; /* N_MAX pseudo-random ids below 50000 */
static uint8_t *weights;

static void fill(void)
{
    uint32_t x = 1;
    ids = malloc(N_MAX * sizeof *ids);
    weights = malloc(N_MAX);
    for (size_t i = 0; i < N_MAX; i++) {
        x = x * 1664525u + 1013904223u;
        ids[i] = (x >> 8) % 50000;
        weights[i] = (uint8_t)(x >> 24);
    }
}

/* ---- ids to bytes and back */

/* At all small lengths, and the largest at each place. */
static void test_ids(void)
{
    enum { MOST = 90 };
    unsigned char bytes[4 * MOST + 8];
    uint32_t back[MOST + 1], some[MOST];
    int n_bad = 0;
    for (int width = 2; width <= 4; width += 2)
        for (size_t n = 0; n <= MOST; n++)
            for (size_t at = 0; at <= n; at++) {
                const uint32_t most = width == 2 ? 0xffff : 0xfffffffe;
                unsigned char *p = bytes + at % 4;
                for (size_t i = 0; i < n; i++)
                    some[i] = i == at ? most : ids[i] % 40000;
                memset(bytes, '~', sizeof bytes);
                uint32_t top = shard_ids_put(p, some, n, width);
                n_bad += top != shard_ids_max(some, n) || (at < n && top != most);
                for (size_t i = 0; i < n; i++)
                    n_bad += some[i] != (width == 2 ? le16_get(p + 2 * i) : le32_get(p + 4 * i)) ||
                             some[i] > top;
                n_bad += p[n * (size_t)width] != '~';
                memset(back, '~', sizeof back);
                n_bad += shard_ids_get(back, p, n, width) != top ||
                         memcmp(back, some, n * 4) != 0 || back[n] != 0x7e7e7e7e;
            }
    is_int(n_bad, 0, "ids to bytes and back");
}

/* ---- the samples */

static void test_good(void)
{
    glob_t g;
    char pattern[4096];
    snprintf(pattern, sizeof pattern, "%s", top_path("tests/files/good-*.tok"));
    if (!ok(glob(pattern, 0, NULL, &g) == 0 && g.gl_pathc > 10, "there are good samples"))
        return;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct err e = {0};
        struct shard_doc d;
        struct shard_totals t = {0}, footers;
        struct shard_head h;
        int r = -1;
        struct shard_in *s = shard_open(g.gl_pathv[i], &e);
        while (s && (r = shard_next(s, &d, &e)) > 0)
            ;
        if (s)
            shard_totals(s, &t);
        ok(r == 0, "%s reads: %s", strrchr(g.gl_pathv[i], '/') + 1, e.msg);
        is_int(shard_peek(g.gl_pathv[i], &h, &footers, &e), 0, "its footers can be peeked at");
        is_mem(&footers, &t, sizeof t, "and say the same");
        is_str(h.provenance, s ? shard_head(s)->provenance : NULL, "as does its head");
        shard_head_release(&h);
        shard_close(s);
    }
    globfree(&g);
}

static void test_bad(void)
{
    glob_t g;
    char pattern[4096];
    snprintf(pattern, sizeof pattern, "%s", top_path("tests/files/bad-*.tok"));
    if (!ok(glob(pattern, 0, NULL, &g) == 0 && g.gl_pathc > 50, "there are bad samples"))
        return;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct err e = {0}, again = {0};
        struct shard_doc d;
        int r = -1;
        struct shard_in *s = shard_open(g.gl_pathv[i], &e);
        while (s && (r = shard_next(s, &d, &e)) > 0)
            ;
        ok(r < 0 && !strncmp(e.msg, g.gl_pathv[i], strlen(g.gl_pathv[i])) &&
               (strstr(e.msg, ": at byte ") || strstr(e.msg, ": is empty")),
           "refused with name and place: %s", strrchr(e.msg, '/') ? strrchr(e.msg, '/') + 1 : "");
        if (s && (shard_next(s, &d, &again) >= 0 || strcmp(again.msg, e.msg) != 0))
            fail("and again when asked again");
        shard_close(s);
    }
    globfree(&g);
}

static void test_values(void)
{
    struct err e = {0};
    struct shard_doc d;
    struct shard_in *s = shard_open(top_path("tests/files/good-weights.tok"), &e);
    const uint8_t w[3] = {1, 2, 3};
    ok(s && shard_head(s)->vocab_size == 300 && shard_head(s)->has_weights &&
           shard_head(s)->eos == -1 && shard_head(s)->width == 2,
       "the head");
    ok(shard_next(s, &d, &e) == 1 && d.n == 3 && d.ids[0] == 1 && d.ids[2] == 3, "first document");
    is_mem(d.weights, w, 3, "its weights");
    ok(shard_next(s, &d, &e) == 1 && d.n == 0 && d.first && d.last, "an empty one");
    ok(shard_next(s, &d, &e) == 1 && d.n == 2 && d.ids[0] == 299, "the last one");
    is_int(shard_next(s, &d, &e), 0, "the end");
    is_int(shard_next(s, &d, &e), 0, "which stays");
    shard_close(s);
    s = shard_open(top_path("tests/files/good-continued.tok"), &e);
    int pieces = 0, docs = 0;
    while (shard_next_piece(s, &d, &e) > 0) {
        pieces++;
        docs += d.last;
    }
    ok(pieces == 6 && docs == 3, "six pieces make three documents");
    shard_close(s);
}

/* ---- writing and reading back */

struct shape {
    const char *name;
    uint64_t vocab_size;
    bool weighted;
    int flags, width; /* as created; width on disk afterwards */
};

static const size_t lengths[] = {0, 5, 1, 0, 100, 524288, 524286, 3, 1100000, 7, 0, 262144, 1, 0};

static struct shard_head head_of(const struct shape *s)
{
    return (struct shard_head){
        .vocab_size = s->vocab_size,
        .bos = -1,
        .eos = 49999,
        .pad = -1,
        .provenance = "test 1\n",
        .has_weights = s->weighted,
        .tokenizer = "{\"some\": \"json\"}",
        .tokenizer_len = 16,
    };
}

/* Document k begins at ids + k. step 0: one call a document; else pieces of 1, step, 2 step ... */
static int write_docs(const char *path, const struct shape *s, size_t step, struct shard_totals *t,
                      struct err *e)
{
    struct shard_head h = head_of(s);
    struct shard_out *o = shard_create(path, &h, s->flags, e);
    if (!o)
        return -1;
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        size_t n = lengths[k], done = 0;
        for (size_t now = step ? 1 : n; done < n; done += now, now += step) {
            now = now < n - done ? now : n - done;
            if (shard_part(o, ids + k + done, s->weighted ? weights + k + done : NULL, now, e) < 0)
                return -1;
        }
        if (shard_part_end(o, e) < 0)
            return -1;
    }
    return shard_commit(o, t, e);
}

static bool docs_equal(const char *path, const struct shape *s, struct shard_totals *t,
                       struct err *e)
{
    struct shard_doc d;
    size_t k = 0;
    int r;
    bool same = true;
    struct shard_in *in = shard_open(path, e);
    if (!in)
        return false;
    while ((r = shard_next(in, &d, e)) > 0 && k < sizeof lengths / sizeof *lengths) {
        same = same && d.n == lengths[k] && !memcmp(d.ids, ids + k, d.n * sizeof *ids) &&
               (d.n == 0 || s->weighted == (d.weights != NULL)) &&
               (!d.weights || !memcmp(d.weights, weights + k, d.n));
        k++;
    }
    shard_totals(in, t);
    shard_close(in);
    return same && r == 0 && k == sizeof lengths / sizeof *lengths;
}

/* As shard(5) has it, in one call of the library. */
static uint64_t slow_checksum(void)
{
    struct buf b = BUF_INIT;
    unsigned char four[4];
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        for (size_t i = 0; i < lengths[k]; i++) {
            le32_put(four, ids[k + i]);
            buf_add(&b, four, 4, NULL);
        }
        buf_add(&b, "\xff\xff\xff\xff", 4, NULL);
    }
    uint64_t h = XXH3_64bits(b.s, b.len);
    buf_release(&b);
    return h;
}

static long long size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? -1 : (long long)st.st_size;
}

/* Cut after writing, since ext4 writes a file to the disk that was cut to nothing before. */
static void put_file(const char *path, const char *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    if (fd < 0 || pwrite(fd, p, n, 0) != (ssize_t)n || ftruncate(fd, (off_t)n) < 0)
        bail_out("cannot write");
    close(fd);
}

static bool files_equal(const char *a, const char *b)
{
    FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
    int x, y;
    do {
        x = getc(f);
        y = getc(g);
    } while (x == y && x != EOF);
    fclose(f);
    fclose(g);
    return x == y;
}

static void test_shapes(void)
{
    static const struct shape shapes[] = {
        {"16 bits", 50000, false, 0, 2},
        {"32 bits", 100000, false, 0, 4},
        {"vocabulary not known", 0, false, 0, 4},
        {"16 bits with weights", 65536, true, 0, 2},
        {"32 bits with weights", 65537, true, 0, 4},
        {"deflated", 50000, false, SHARD_DEFLATE, 2},
        {"deflated with weights", 70000, true, SHARD_DEFLATE, 4},
    };
    uint64_t checksum = slow_checksum();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *s = &shapes[i];
        struct err e = {0};
        struct shard_totals t, read, footers;
        struct shard_head h = {0};
        const char *a = scratch_path("a.tok"), *b = scratch_path("b.tok");
        is_int(write_docs(a, s, 0, &t, &e), 0, "%s: written", s->name);
        ok(docs_equal(a, s, &read, &e), "%s: read back: %s", s->name, e.msg);
        is_mem(&read, &t, sizeof t, "%s: with the writer's totals", s->name);
        ok(t.checksum == checksum, "%s: the checksum is that of shard(5)", s->name);
        is_int(t.n_bytes, size_of(a), "%s: as many bytes as the file has", s->name);
        is_int(shard_peek(a, &h, &footers, &e), 0, "%s: peeked at: %s", s->name, e.msg);
        is_mem(&footers, &t, sizeof t, "%s: with the same totals", s->name);
        is_int(h.width, s->width, "%s: the width that the vocabulary asks for", s->name);
        shard_head_release(&h);
        is_int(write_docs(b, s, 333, &t, &e), 0, "%s: written in pieces", s->name);
        ok(files_equal(a, b), "%s: gives the same bytes", s->name);
    }
}

/* Whether every block's columns are within the 1048576 bytes that shard(5) names. */
static bool blocks_fit(const char *path, size_t unit)
{
    static unsigned char bytes[4 << 20];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    bool fit = n >= 128 && n < sizeof bytes;
    if (f)
        fclose(f);
    for (size_t at = 128; fit && at + 64 <= n; at += 64 + (le32_get(bytes + at + 8) + 63) / 64 * 64)
        fit = le32_get(bytes + at + 16) * 4 + le32_get(bytes + at + 20) * unit <= 1 << 20;
    return fit;
}

/* Documents that end a few bytes before a block is full, and what comes behind them. */
static void test_borders(void)
{
    static const size_t behind[] = {1, 0, 0, 2, 0};
    const char *a = scratch_path("a.tok");
    for (size_t left = 0; left < 24; left++) {
        struct err e = {0};
        struct shard_head h = {.vocab_size = left & 1 ? 50000 : 70000,
                               .bos = -1,
                               .eos = -1,
                               .pad = -1,
                               .provenance = "",
                               .has_weights = left & 2};
        size_t unit = (left & 1 ? 2 : 4) + (left & 2 ? 1 : 0), n = ((1 << 20) - 4 - left) / unit;
        struct shard_out *o = shard_create(a, &h, 0, &e);
        int rc = shard_put(o, ids, NULL, n, &e);
        for (size_t i = 0; i < sizeof behind / sizeof *behind; i++)
            rc |= shard_put(o, ids, NULL, behind[i], &e);
        rc |= shard_commit(o, NULL, &e);
        struct shard_doc d;
        struct shard_in *s = shard_open(a, &e);
        bool same = s && shard_next(s, &d, &e) > 0 && d.n == n && !memcmp(d.ids, ids, n * 4);
        for (size_t i = 0; same && i < sizeof behind / sizeof *behind; i++)
            same = shard_next(s, &d, &e) > 0 && d.n == behind[i];
        same = same && shard_next(s, &d, &e) == 0;
        same = same && blocks_fit(a, unit);
        ok(rc == 0 && same, "%zu bytes left in a block: %s", left, e.msg);
        shard_close(s);
    }
}

/* Truncation anywhere is seen, and what came before it is given out. */
static void test_truncation(void)
{
    struct err e = {0};
    const char *a = scratch_path("a.tok"), *b = scratch_path("b.tok");
    struct shard_head h = {.vocab_size = 300, .bos = -1, .eos = -1, .pad = -1, .provenance = ""};
    struct shard_out *o = shard_create(a, &h, 0, &e);
    const uint32_t doc[3] = {1, 2, 3};
    for (int i = 0; i < 100; i++)
        shard_put(o, doc, NULL, 3, &e);
    is_int(shard_commit(o, NULL, &e), 0, "a small shard");
    enum { n = 1472 }; /* header, two blocks, footer */
    is_int(size_of(a), n, "its size");
    char *bytes = malloc(n);
    FILE *f = fopen(a, "rb");
    ok(fread(bytes, 1, n, f) == n, "its bytes");
    fclose(f);
    size_t n_seen = 0;
    for (size_t len = 0; len < n; len++) {
        struct shard_doc d;
        int r = -1;
        put_file(b, bytes, len);
        err_clear(&e);
        struct shard_in *s = shard_open(b, &e);
        while (s && (r = shard_next(s, &d, &e)) > 0)
            ;
        shard_close(s);
        n_seen += r < 0 && e.msg[0];
        n_seen += shard_peek(b, NULL, NULL, &e) < 0;
    }
    is_int(n_seen, 2 * n, "cut after any byte it is refused, also by its footer");
    size_t n_flips = 0, n_caught = 0;
    for (size_t at = 0; at < n; at++) {
        struct shard_doc d;
        int r = -1;
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
        put_file(b, bytes, n);
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
        struct shard_in *s = shard_open(b, &e);
        while (s && (r = shard_next(s, &d, &e)) > 0)
            ;
        shard_close(s);
        n_flips++;
        n_caught += r < 0;
    }
    is_int(n_caught, n_flips, "with any byte changed it is refused");
    free(bytes);
}

static void test_errors(void)
{
    struct err e = {0};
    struct shard_head h = {.vocab_size = 300, .bos = -1, .eos = -1, .pad = -1, .provenance = ""};
    const char *a = scratch_path("e.tok");
    const uint32_t bad[2] = {299, 300};
    struct shard_out *o = shard_create(a, &h, 0, &e);
    is_int(shard_put(o, bad, NULL, 2, &e), -1, "an id beyond the vocabulary");
    is_like(e.msg, "document 1: id 300 is not below the vocabulary size 300", "is named");
    err_clear(&e);
    is_int(shard_put(o, bad, NULL, 1, &e), -1, "and nothing is written behind it");
    is_int(shard_commit(o, NULL, &e), -1, "nor committed");
    is_like(e.msg, "id 300", "with the same message");
    ok(access(a, F_OK) < 0, "there is no file");

    o = shard_create(a, &h, 0, &e);
    is_int(shard_put(o, bad, (const uint8_t *)"x", 1, &e), -1, "weights where there are none");
    shard_abort(o);
    o = shard_create(a, &h, 0, &e);
    shard_part(o, bad, NULL, 1, &e);
    is_int(shard_commit(o, NULL, &e), -1, "a document that was not ended");
    is_like(e.msg, "not complete", "is named");
    h.eos = 300;
    ok(!shard_create(a, &h, 0, &e), "a special id beyond the vocabulary");
    is_like(e.msg, "EOS id 300", "is named");
    h.eos = -1;
    h.vocab_size = UINT64_C(1) << 32;
    ok(!shard_create(a, &h, 0, &e), "a vocabulary of 2^32");
    ok(!shard_open("/nonexistent/x.tok", &e), "a missing file");
    is_like(e.msg, "/nonexistent/x.tok: ", "is named");
    ok(!shard_open("/", &e), "a directory");
    is_int(shard_peek("/dev/null", NULL, NULL, &e), -1, "no regular file has no footer");
}

static void test_tokenizer(void)
{
    struct err e = {0};
    struct shard_head h, h2;
    size_t n;
    char *json;
    is_int(shard_peek(top_path("tests/files/good-tokenizer.tok"), &h, NULL, &e), 0, "raw");
    is_int(shard_peek(top_path("tests/files/good-tokenizer-deflated.tok"), &h2, NULL, &e), 0,
           "deflated");
    json = shard_tokenizer(&h, "x", &n, &e);
    is_str(json, "{\"version\":\"1.0\"}", "the raw tokenizer");
    is_int(n, 17, "its length");
    free(json);
    json = shard_tokenizer(&h2, "x", &n, &e);
    is_str(json, "{\"version\":\"1.0\"}", "the deflated one");
    free(json);
    is_int(shard_same_tokenizer(&h, "a", &h2, "b", &e), 0, "made with the same");
    h2.fingerprint[15] ^= 0x80;
    is_int(shard_same_tokenizer(&h, "a.tok", &h2, "b.tok", &e), -1, "made with another");
    is_like(e.msg,
            "a.tok and b.tok were made with different tokenizers "
            "(fingerprints 01010101010101010101010101010101 and "
            "81010101010101010101010101010101)",
            "both are named");
    h2.tokenizer_len = 16 << 20;
    ok(!shard_tokenizer(&h2, "x.tok", &n, &e), "a length that no deflated data can have");
    is_like(e.msg, "x.tok: the embedded tokenizer is corrupt", "is refused without memory");
    h2.tokenizer_len = 16;
    ok(!shard_tokenizer(&h2, "x.tok", &n, &e), "a length that is not that of the data");
    shard_head_release(&h);
    shard_head_release(&h2);
}

static int count_segments(void *user, const struct shard_head *h, struct err *e)
{
    int *n = user;
    if (++*n == 4)
        return err_set(e, "the fourth of width %d", h->width);
    return 0;
}

static void test_segments(void)
{
    struct err e = {0};
    struct shard_doc d;
    int n = 0, r;
    struct shard_in *s = shard_open(top_path("tests/files/good-segments.tok"), &e);
    is_int(shard_each_segment(s, count_segments, &n, &e), 0, "the first segment at once");
    while ((r = shard_next(s, &d, &e)) > 0)
        ;
    is_int(r, -1, "what the function refuses is an error");
    is_str(e.msg, "the fourth of width 2", "its own");
    is_int(n, 4, "all segments are seen, empty ones too");
    shard_close(s);
}

static void test_join(void)
{
    struct err e = {0};
    struct shard_head to = {0};
    struct buf prov = BUF_INIT;
    struct shard_head none = {
        .vocab_size = 100, .bos = 1, .eos = 2, .pad = 3, .provenance = "a 1\n", .width = 2};
    struct shard_head made = {.vocab_size = 70000,
                              .bos = -1,
                              .eos = 9,
                              .pad = -1,
                              .provenance = "b 1\n",
                              .width = 4,
                              .has_weights = true,
                              .fingerprint = {1}};
    is_int(shard_head_join(&to, &prov, "a", &none, "a", &e), 0, "the first head");
    ok(to.vocab_size == 100 && to.bos == 1 && to.width == 2, "is taken");
    none.vocab_size = 200;
    is_int(shard_head_join(&to, &prov, "a", &none, "c", &e), 0, "one without a tokenizer");
    ok(to.vocab_size == 200, "the larger vocabulary");
    is_int(shard_head_join(&to, &prov, "a", &made, "b", &e), 0, "one with a tokenizer");
    ok(to.vocab_size == 70000 && to.eos == 9 && to.bos == -1 && to.has_weights && to.width == 4 &&
           to.fingerprint[0] == 1,
       "its vocabulary and ids");
    none.vocab_size = 0;
    is_int(shard_head_join(&to, &prov, "a", &none, "c", &e), 0, "again one without");
    ok(to.vocab_size == 70000 && to.eos == 9, "changes nothing");
    is_str(prov.s, "a 1\nb 1\n", "each provenance once");
    made.fingerprint[0] = 2;
    is_int(shard_head_join(&to, &prov, "a", &made, "d.tok", &e), -1, "another tokenizer");
    is_like(e.msg, "a and d.tok were made with different", "is refused");
    buf_release(&prov);
}

static void test_provenance(void)
{
    struct err e = {0};
    struct buf b = BUF_INIT;
    bool on = true, off = false;
    const char *odd = "a \"b\"\n\xff", *none = NULL, *path = "/etc/passwd";
    int64_t seed = 7;
    struct opt opts[] = {
        {.kind = OPT_INT, .name = "seed", .dst = &seed, .shapes_output = true, .help = ""},
        {.kind = OPT_FLAG, .name = "on", .dst = &on, .shapes_output = true, .help = ""},
        {.kind = OPT_FLAG, .name = "off", .dst = &off, .shapes_output = true, .help = ""},
        {.kind = OPT_STR, .name = "odd", .dst = &odd, .shapes_output = true, .help = ""},
        {.kind = OPT_STR, .name = "none", .dst = &none, .shapes_output = true, .help = ""},
        {.kind = OPT_STR, .name = "output", .dst = &path, .help = ""},
        OPT_END,
    };
    char want[200];
    is_int(prov_add(&b, "prog", opts, &e), 0, "a line");
    snprintf(want, sizeof want, "prog %s seed=7 on=true odd=\"a \\\"b\\\"\\n\xef\xbf\xbd\"\n",
             prog_version());
    is_str(b.s, want, "has what shapes the output");
    is_int(prov_value(&b, "weight", "0.5", &e), 0, "a value");
    is_like(b.s, "\" weight=0.5\n", "is added to it");
    buf_release(&b);

    /* More than a header holds: the oldest lines go. */
    struct buf many = BUF_INIT;
    for (int i = 0; i < 30000; i++)
        buf_printf(&many, &e, "line %d of the long provenance, which goes on\n", i);
    struct shard_head h = {.bos = -1, .eos = -1, .pad = -1, .provenance = many.s}, r;
    const char *a = scratch_path("p.tok");
    struct shard_out *o = shard_create(a, &h, 0, &e);
    ok(o && shard_commit(o, NULL, &e) == 0, "a long provenance is cut: %s", e.msg);
    is_int(shard_peek(a, &r, NULL, &e), 0, "and read: %s", e.msg);
    size_t n = strlen(r.provenance);
    ok(n > 1000000 && n < (1 << 20) && !strncmp(r.provenance, "line ", 5) &&
           !strcmp(r.provenance + n - 24, "ovenance, which goes on\n"),
       "to its last lines");
    shard_head_release(&r);
    buf_release(&many);
}

int main(void)
{
    fill();
    test_ids();
    test_good();
    test_bad();
    test_values();
    test_shapes();
    test_borders();
    test_truncation();
    test_errors();
    test_tokenizer();
    test_segments();
    test_join();
    test_provenance();
    free(ids);
    free(weights);
    return done_testing();
}
