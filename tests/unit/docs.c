/* Documents: samples good and bad, kinds of input, what happens to bad records, counts. */
#include "tap.h"

#include <fcntl.h>
#include "base/utf8.h"
#include "io/docs.h"
#include "io/lines_int.h"
#include "io/in.h"

static void put(const char *path, const char *s, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(s, 1, n, f) != n || fclose(f))
        bail_out("cannot write a scratch file");
}

static char *slurp(const char *path, size_t *n)
{
    struct err e = {0};
    struct in *in = in_open(path, IN_RAW, &e);
    char *s = in ? in_all(in, 1 << 30, n, &e) : NULL;
    in_close(in);
    return s;
}

/* All texts of the operands, each behind its length and file:line#number; the error, if any, last.
 */
static char *read_all(char *const *operands, int n, const struct docs_opt *o,
                      struct docs_counts *counts)
{
    struct err e = {0};
    struct buf b = BUF_INIT;
    struct doc doc;
    int r = -1;
    volatile char sum = 0;
    struct docs *d = docs_open(operands, n, o, &e);
    *counts = (struct docs_counts){0};
    while (d && (r = docs_next(d, &doc, &e)) > 0) {
        const char *slash = strrchr(doc.file, '/');
        buf_printf(&b, NULL, "%s:%" PRIu64 "#%" PRIu64 " %zu ", slash ? slash + 1 : doc.file,
                   doc.line, doc.number, doc.len);
        buf_add(&b, doc.text, doc.len, NULL);
        buf_puts(&b, "\n", NULL);
        for (int i = 0; i < 64; i++)
            sum = (char)(sum + doc.text[doc.len + (size_t)i]);
        if (utf8_valid(doc.text, doc.len) != doc.len)
            buf_puts(&b, "NOT UTF-8\n", NULL);
    }
    if (d && docs_close(d, counts, &e) < 0)
        r = -1;
    if (r < 0) {
        const char *slash = strrchr(e.msg, '/');
        buf_printf(&b, NULL, "! %s\n", slash ? slash + 1 : e.msg);
    }
    return buf_take(&b, NULL);
}

static char *read_file(const char *path, const struct docs_opt *o, struct docs_counts *c)
{
    char *operands[] = {(char *)path};
    return read_all(operands, 1, o, c);
}

static const char *sample(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "tests/files/%s", name);
    return top_path(path);
}

static void test_good(void)
{
    static const char *const same[] = {
        "good-plain.jsonl",       "good-crlf.jsonl",      "good-bom.jsonl",
        "good-blank-lines.jsonl", "good-ascii.jsonl",     "good-spaced.jsonl",
        "good-no-newline.jsonl",  "good-twice.jsonl",     "good-one.jsonl.gz",
        "good-name.jsonl.gz",     "good-members.jsonl.gz"};
    struct docs_opt o = DOCS_OPT_INIT;
    struct docs_counts c;
    char want[512];
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        bool blank = strstr(same[i], "blank");
        snprintf(want, sizeof want,
                 "%s:%d#0 15 The mill turns.\n"
                 "%s:%d#1 31 Grain\nand \"flour\", caf\xc3\xa9 \xe7\xa3\xa8\xe5\x9d\x8a\n"
                 "%s:%d#2 0 \n",
                 same[i], blank ? 3 : 1, same[i], blank ? 6 : 2, same[i], blank ? 9 : 3);
        char *got = read_file(sample(same[i]), &o, &c);
        is_str(got, want, "%s", same[i]);
        ok(c.n_docs == 3 && c.n_bytes == 46 && c.n_skipped + c.n_replaced == 0, "its counts");
        free(got);
    }
    char *got = read_file(sample("good-surrogates.jsonl"), &o, &c);
    is_str(got,
           "good-surrogates.jsonl:1#0 15 \xf0\x9f\x98\x80 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\n",
           "lone surrogates become U+FFFD");
    free(got);
    got = read_file(sample("good-nul.jsonl"), &o, &c);
    ok(c.n_bytes == 3 && !memcmp(strstr(got, " 3 ") + 3, "a\0b", 3), "a text may hold NUL");
    free(got);
    got = read_file(sample("good-empty.jsonl"), &o, &c);
    is_str(got, "", "an empty file has no documents");
    free(got);
    got = read_file(sample("good-empty.jsonl.gz"), &o, &c);
    is_str(got, "", "a packed empty file neither");
    free(got);
}

static void test_bad(void)
{
    static const struct {
        const char *name, *why;
        int n_before;
    } c[] = {
        {"bad-words.jsonl", ":4: not JSON: at byte 0: not a JSON value\n", 3},
        {"bad-truncated.jsonl",
         ":3: not JSON: at byte 8: the text ends within an object or array\n", 2},
        {"bad-two-in-line.jsonl", ":3: not JSON: at byte 12: text follows the value\n", 2},
        {"bad-array.jsonl", ":4: the record is an array, not an object\n", 3},
        {"bad-no-key.jsonl", ":4: the record has no \"text\" (--key K names another field)\n", 3},
        {"bad-type.jsonl", ":4: \"text\" is an array, not a string\n", 3},
        {"bad-null.jsonl", ":4: \"text\" is null, not a string\n", 3},
        {"bad-last-wins.jsonl", ":4: \"text\" is a number, not a string\n", 3},
        {"bad-control.jsonl", ":4: not JSON: at byte 10: control character in a string\n", 3},
        {"bad-escape.jsonl", ":4: not JSON: at byte 10: bad escape in a string\n", 3},
        {"bad-utf8.jsonl", ":4: invalid UTF-8 at byte 12 (--on-error replace or skip goes on)\n",
         3},
        {"bad-utf8-elsewhere.jsonl",
         ":4: invalid UTF-8 at byte 18 (--on-error replace or skip goes on)\n", 3},
        {"bad-comma.jsonl", ":4: not JSON: at byte 12: a key in quotes is missing\n", 3},
    };
    struct docs_counts n;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct docs_opt o = DOCS_OPT_INIT;
        char want[256];
        snprintf(want, sizeof want, "! %s%s", c[i].name, c[i].why);
        char *got = read_file(sample(c[i].name), &o, &n);
        const char *bang = got ? strstr(got, "! ") : NULL;
        is_str(bang, want, "%s", c[i].name);
        is_int(n.n_docs, c[i].n_before, "documents before it");
        free(got);
        o.on_error = ON_ERROR_SKIP;
        got = read_file(sample(c[i].name), &o, &n);
        ok(!strstr(got, "! ") && n.n_docs == (uint64_t)c[i].n_before && n.n_skipped == 1,
           "skipped");
        free(got);
        o.on_error = ON_ERROR_REPLACE;
        bool utf8 = strstr(c[i].name, "utf8");
        got = read_file(sample(c[i].name), &o, &n);
        ok(!strstr(got, "! ") && n.n_docs == (uint64_t)c[i].n_before + utf8 &&
               n.n_skipped == !utf8 && n.n_replaced == utf8,
           "replaced or skipped");
        if (!strcmp(c[i].name, "bad-utf8.jsonl"))
            is_like(got, ":4#3 6 caf\xef\xbf\xbd\n", "by U+FFFD");
        free(got);
    }
    struct docs_opt o = DOCS_OPT_INIT;
    char *got = read_file(sample("bad-crc.jsonl.gz"), &o, &n);
    is_like(got, "corrupt", "a broken gzip file: %s", strstr(got, "! "));
    free(got);
    o.on_error = ON_ERROR_SKIP;
    got = read_file(sample("bad-truncated.jsonl.gz"), &o, &n);
    is_like(got, "truncated", "which no --on-error forgives");
    free(got);
}

static void test_rejects(void)
{
    struct docs_opt o = DOCS_OPT_INIT;
    struct docs_counts n;
    size_t len;
    static const char text[] = "{\"text\":\"a\"}\r\n  nonsense \r\n{\"text\":\"\xff\"}\n[]";
    const char *in = scratch_path("mixed.jsonl"), *path = scratch_path("rejects");
    put(in, text, sizeof text - 1);
    o.rejected = path;
    o.on_error = ON_ERROR_SKIP;
    char *got = read_file(in, &o, &n);
    is_str(got, "mixed.jsonl:1#0 1 a\n", "the good record");
    is_int(n.n_skipped, 3, "three are not");
    free(got);
    got = slurp(path, &len);
    is_str(got, "  nonsense \r\n{\"text\":\"\xff\"}\n[]\n", "they are kept byte for byte");
    free(got);
    o.on_error = ON_ERROR_REPLACE;
    got = read_file(in, &o, &n);
    is_str(got, "mixed.jsonl:1#0 1 a\nmixed.jsonl:3#2 3 \xef\xbf\xbd\n", "one can be repaired");
    ok(n.n_docs == 2 && n.n_skipped == 2 && n.n_replaced == 1 && n.n_bytes == 4, "the counts");
    free(got);
    got = slurp(path, &len);
    is_str(got, "  nonsense \r\n[]\n", "and is not rejected");
    free(got);
    remove(path);
    o.on_error = ON_ERROR_STOP;
    got = read_file(in, &o, &n);
    ok(access(path, F_OK) < 0, "no rejects after an error");
    free(got);
    struct err e = {0};
    o.on_error = ON_ERROR_SKIP;
    struct doc doc;
    char *operands[] = {(char *)in};
    struct docs *d = docs_open(operands, 1, &o, &e);
    docs_next(d, &doc, &e);
    docs_next(d, &doc, &e);
    docs_abort(d);
    ok(access(path, F_OK) < 0, "nor after an abort");
    docs_abort(NULL);
    is_int(docs_close(NULL, NULL, &e), 0, "closing nothing");
    o.rejected = "/dev/full";
    got = read_file(in, &o, &n);
    is_like(got, "full: cannot write: No space left on device", "a full disk: %s", got);
    free(got);
    o.rejected = scratch_path("no/dir");
    got = read_file(in, &o, &n);
    is_like(got, "! dir: ", "rejects that cannot be made: %s", got);
    free(got);
}

static void test_kinds(void)
{
    struct docs_opt o = DOCS_OPT_INIT;
    struct docs_counts n;
    static const char text[] = "\xef\xbb\xbfone\r\n\ntwo {\"text\":0}\nthree";
    const char *path = scratch_path("plain.txt"), *odd = scratch_path("odd.jsonl");
    put(path, text, sizeof text - 1);
    char *got = read_file(path, &o, &n);
    is_str(got, "plain.txt:0#0 26 one\r\n\ntwo {\"text\":0}\nthree\n",
           "a named file is one document, byte for byte");
    free(got);
    o.lines = true;
    got = read_file(path, &o, &n);
    is_str(got,
           "plain.txt:1#0 3 one\nplain.txt:2#1 0 \nplain.txt:3#2 14 two {\"text\":0}\n"
           "plain.txt:4#3 5 three\n",
           "--lines: a line each, the empty one too");
    free(got);
    o = (struct docs_opt){.key = "text", .text = true};
    put(odd, "{\"text\":1}\n", 11);
    got = read_file(odd, &o, &n);
    is_str(got, "odd.jsonl:0#0 11 {\"text\":1}\n\n", "--text: one document whatever its name");
    free(got);
    o = (struct docs_opt){.key = "body", .jsonl = true};
    put(path, "{\"body\":\"x\",\"text\":0}", 21);
    got = read_file(path, &o, &n);
    is_str(got, "plain.txt:1#0 1 x\n", "--jsonl whatever its name, and another key");
    free(got);
    o = (struct docs_opt){.key = "text"};
    put(path, "", 0);
    got = read_file(path, &o, &n);
    is_str(got, "", "an empty file is no document");
    free(got);
    put(path, "a\xe2\x82", 3);
    got = read_file(path, &o, &n);
    is_str(got, "! plain.txt: invalid UTF-8 at byte 1 (--on-error replace or skip goes on)\n",
           "bad UTF-8 in a text");
    free(got);
    o.on_error = ON_ERROR_REPLACE;
    got = read_file(path, &o, &n);
    is_str(got, "plain.txt:0#0 4 a\xef\xbf\xbd\n", "replaced");
    free(got);
    o = (struct docs_opt){.key = "text", .lines = true, .on_error = ON_ERROR_SKIP};
    o.rejected = scratch_path("rejects");
    put(path, "a\r\n\xff\r\nb", 7);
    got = read_file(path, &o, &n);
    is_str(got, "plain.txt:1#0 1 a\nplain.txt:3#2 1 b\n", "bad UTF-8 in a line");
    free(got);
    size_t len;
    got = slurp(o.rejected, &len);
    is_str(got, "\xff\r\n", "is rejected with its carriage return");
    free(got);
}

static void test_operands(void)
{
    struct docs_opt o = DOCS_OPT_INIT;
    struct docs_counts n;
    char *two[] = {(char *)sample("good-one.jsonl.gz"), (char *)sample("good-empty.jsonl"),
                   (char *)sample("good-no-newline.jsonl"), (char *)"absent.jsonl"};
    char *got = read_all(two, 3, &o, &n);
    is_like(got, "good-no-newline.jsonl:3#5 0 \n", "documents are numbered through");
    is_int(n.n_docs, 6, "six of them");
    free(got);
    got = read_all(two, 4, &o, &n);
    is_like(got, "! absent.jsonl: cannot open", "a missing file after good ones");
    is_int(n.n_docs, 6, "which were read");
    free(got);

    struct err e = {0};
    char *twice[] = {(char *)"-", (char *)"-"};
    ok(!docs_open(twice, 2, &o, &e) && e.kind == ERR_USAGE, "stdin twice: %s", e.msg);
    o.jsonl = o.lines = true;
    ok(!docs_open(two, 1, &o, &e) && e.kind == ERR_USAGE, "two kinds at once: %s", e.msg);
    o = (struct docs_opt){.key = "text"};
    double done, total;
    struct doc doc;
    struct docs *d = docs_open(two, 3, &o, &e);
    while (docs_next(d, &doc, &e) > 0)
        continue;
    docs_progress(d, &done, &total);
    ok(done == total && total == 113 + 110, "progress: %g of %g bytes", done, total);
    docs_close(d, NULL, &e);
    d = docs_open(two, 4, &o, &e);
    docs_progress(d, &done, &total);
    ok(done == 0 && total == 0, "total not known");
    docs_abort(d);
}

/* Runs read_all on stdin that holds s. */
static char *read_stdin(const char *s, const struct docs_opt *o, struct docs_counts *n)
{
    int was = dup(0);
    const char *path = scratch_path("stdin");
    put(path, s, strlen(s));
    int fd = open(path, O_RDONLY);
    dup2(fd, 0);
    close(fd);
    char *got = read_all(NULL, 0, o, n);
    dup2(was, 0);
    close(was);
    return got;
}

static void test_stdin(void)
{
    static const char hint[] =
        "; for plain text give --text (one document) or --lines (a line each)\n";
    struct docs_opt o = DOCS_OPT_INIT;
    struct docs_counts n;
    char *got = read_stdin("{\"text\":\"x\"}\n", &o, &n);
    is_str(got, "stdin:1#0 1 x\n", "stdin is JSONL");
    free(got);
    got = read_stdin("\n\nplain text\n", &o, &n);
    is_like(got, "! stdin:3: not JSON: at byte 0: not a JSON value", "plain text on it");
    is_like(got, hint, "is an error that names the options");
    free(got);
    got = read_stdin("12 apples\n", &o, &n);
    is_like(got, hint, "text that begins like JSON too");
    free(got);
    got = read_stdin("\"Well\", he said\n", &o, &n);
    is_like(got, hint, "quoted text too");
    free(got);
    got = read_stdin("{\"text\":\"x\"}\nplain\n", &o, &n);
    ok(!strstr(got, hint) && strstr(got, "stdin:2: not JSON"), "a later record has no hint");
    free(got);
    o.text = true;
    got = read_stdin("plain\ntext\n", &o, &n);
    is_str(got, "stdin:0#0 11 plain\ntext\n\n", "--text");
    free(got);
    o = (struct docs_opt){.key = "text", .lines = true};
    got = read_stdin("plain\ntext\n", &o, &n);
    is_str(got, "stdin:1#0 5 plain\nstdin:2#1 4 text\n", "--lines");
    free(got);
    got = read_stdin("", &o, &n);
    is_str(got, "", "empty stdin");
    free(got);
}

/* Reading raw records and parsing them elsewhere gives what docs_next gives. */
static void test_raw(void)
{
    static const char text[] =
        "{\"text\":\"a\\nb\",\"id\":\"\xff\"}\n{\"text\":\"\xc3(\\u00e9\"}\n7\n"
        "{\"text\":\"plain\"}\n";
    struct docs_opt o = {.key = "text", .on_error = ON_ERROR_REPLACE};
    struct err e = {0};
    struct buf scratch = BUF_INIT, got = BUF_INIT;
    struct doc rec;
    struct docs_counts n;
    bool replaced;
    const char *path = scratch_path("raw.jsonl");
    o.rejected = scratch_path("raw.rejects");
    put(path, text, sizeof text - 1);
    char *operands[] = {(char *)path};
    struct docs *d = docs_open(operands, 1, &o, &e);
    while (docs_next_raw(d, &rec, &e) > 0) {
        /* exactly the record and 64 bytes, so that sanitizers see a read beyond them */
        char *copy = calloc(rec.raw_len + 64, 1);
        memcpy(copy, rec.raw, rec.raw_len);
        rec.raw = copy;
        int r = doc_parse(&o, &rec, &scratch, &replaced, &e);
        if (r > 0)
            docs_accept(d, &rec, replaced);
        else
            docs_reject(d, &rec, &e);
        buf_printf(&got, NULL, "%d%s %.*s|%.*s\n", r, replaced ? "!" : "", r > 0 ? (int)rec.len : 0,
                   r > 0 ? rec.text : "", (int)rec.raw_len, rec.raw);
        free(copy);
    }
    docs_close(d, &n, &e);
    is_str(got.s,
           "1! a\nb|{\"text\":\"a\\nb\",\"id\":\"\xef\xbf\xbd\"}\n"
           "1! \xef\xbf\xbd(\xc3\xa9|{\"text\":\"\xef\xbf\xbd(\\u00e9\"}\n"
           "0 |7\n"
           "1 plain|{\"text\":\"plain\"}\n",
           "texts and raw records, repaired where they must be");
    ok(n.n_docs == 3 && n.n_skipped == 1 && n.n_replaced == 2 && n.n_bytes == 3 + 6 + 5,
       "the counts");
    is_like(e.msg, "raw.jsonl:3: the record is a number, not an object", "why one was skipped");
    buf_release(&scratch);
    buf_release(&got);
}

static void add_record(struct buf *b, const struct doc *rec)
{
    const char *name = strrchr(rec->file, '/');
    buf_printf(b, NULL, "%s:%" PRIu64 " %s ", name ? name + 1 : rec->file, rec->line,
               rec->raw ? "raw" : "text");
    buf_add(b, rec->raw ? rec->raw : rec->text, rec->raw ? rec->raw_len : rec->len, NULL);
    buf_putc(b, '\n', NULL);
}

/* Ends of lines, few and many, at all lengths. */
static void test_ends(void)
{
    enum { MOST = 300 };
    static char s[MOST];
    uint32_t end[MOST + LINES_OVER];
    size_t n_bad = 0;
    for (size_t n = 0; n <= MOST; n++)
        for (unsigned every = 1; every < 80; every += every) {
            size_t k = 0;
            for (size_t i = 0; i < n; i++)
                s[i] = (i * 2654435761u >> 7 & 0xffff) % every ? 'x' : '\n';
            size_t got = lines_find(s, n, 1000, end);
            for (size_t i = 0; i < n; i++)
                if (s[i] == '\n')
                    n_bad += k >= got || end[k++] != 1000 + i;
            n_bad += k != got;
        }
    is_int(n_bad, 0, "ends of lines");
}

/* Reading by parts gives the records that reading one by one gives. */
static void test_parts(void)
{
    static const char text[] = "\xef\xbb\xbf{\"text\":1}\n\n \t\r\n{\"text\":2}\r\nx\n\n\n7";
    struct err e = {0};
    const char *name[] = {"a.jsonl", "b.txt", "none.jsonl", "none.txt", "c.jsonl"};
    char *operands[ARRAY_LEN(name)];
    for (size_t i = 0; i < ARRAY_LEN(name); i++) {
        operands[i] = strdup(scratch_path(name[i]));
        put(operands[i], text, i == 2 || i == 3 ? 0 : sizeof text - 1);
    }
    for (int as_lines = 0; as_lines < 2; as_lines++)
        for (size_t max = 1; max < 4; max++) {
            struct docs_opt o = {.key = "text", .lines = as_lines};
            struct buf want = BUF_INIT, got = BUF_INIT, bytes = BUF_INIT;
            struct doc rec;
            struct docs_part part;
            struct docs_lines lines = {0};
            struct docs *d = docs_open(operands, ARRAY_LEN(name), &o, &e);
            while (docs_next_raw(d, &rec, &e) > 0)
                add_record(&want, &rec);
            docs_abort(d);
            d = docs_open(operands, ARRAY_LEN(name), &o, &e);
            while (docs_next_part(d, &bytes, &lines, 20, max, &part, &e) > 0) {
                while (docs_part_next(&lines, &part, bytes.s, &rec))
                    add_record(&got, &rec);
            }
            docs_lines_release(&lines);
            docs_abort(d);
            ok(want.len > 100, "records %s", as_lines ? "of lines" : "of several kinds");
            is_str(got.s, want.s, "in parts of %zu lines they are the same", max);
            buf_release(&want);
            buf_release(&got);
            buf_release(&bytes);
        }
    for (size_t i = 0; i < ARRAY_LEN(name); i++)
        free(operands[i]);
}

/* A large record that is repaired and unescaped: its text follows the repaired line in one buffer.
 */
static void test_large_repair(void)
{
    enum { N = 300000 };
    struct docs_opt o = {.key = "text", .on_error = ON_ERROR_REPLACE};
    struct buf line = BUF_INIT, scratch = BUF_INIT;
    struct err e = {0};
    bool replaced, same = true;
    for (size_t n = 100; n < N; n *= 3) {
        buf_clear(&line);
        buf_release(&scratch);
        scratch = (struct buf)BUF_INIT;
        buf_puts(&line, "{\"text\":\"\xff\\n", NULL);
        for (size_t i = 0; i < n; i++)
            buf_putc(&line, (int)('a' + i % 26), NULL);
        buf_puts(&line, "\"}", NULL);
        buf_reserve(&line, 64, NULL);
        struct doc rec = {.raw = line.s, .raw_len = line.len, .file = "x", .line = 1};
        same &= doc_parse(&o, &rec, &scratch, &replaced, &e) == 1 && replaced && rec.len == n + 4 &&
                !memcmp(rec.text, "\xef\xbf\xbd\n", 4) && rec.raw_len == line.len + 2;
        for (size_t i = 0; same && i < n; i++)
            same = rec.text[4 + i] == (char)('a' + i % 26);
    }
    ok(same, "repaired and unescaped, of any size");
    buf_release(&line);
    buf_release(&scratch);
}

static void test_bom(void)
{
    struct docs_opt o = DOCS_OPT_INIT;
    struct err e = {0};
    struct doc doc;
    char *operands[] = {(char *)sample("good-bom.jsonl")};
    struct docs *d = docs_open(operands, 1, &o, &e);
    docs_next(d, &doc, &e);
    ok(doc.raw_len == 26 && doc.raw[0] == '{', "the raw record has no BOM");
    docs_abort(d);
}

int main(void)
{
    test_large_repair();
    test_bom();
    test_good();
    test_bad();
    test_rejects();
    test_kinds();
    test_operands();
    test_stdin();
    test_raw();
    test_ends();
    test_parts();
    return done_testing();
}
