/* Documents from JSONL, plain or gzipped: what comes out is valid UTF-8, and every record counts.
 */
#include "fuzz.h"
#include "base/utf8.h"
#include "io/docs.h"

static void read_all(const char *path, struct docs_opt o)
{
    struct err e = {0};
    char *operands[] = {(char *)path};
    struct doc doc;
    struct docs_counts counts;
    uint64_t n = 0;
    int rc;
    struct docs *d = docs_open(operands, 1, &o, &e);
    if (!d)
        return;
    while ((rc = docs_next(d, &doc, &e)) > 0) {
        n++;
        assert(doc.number >= n - 1);
        assert(utf8_valid(doc.text, doc.len) == doc.len);
        assert(!doc.raw || utf8_valid(doc.raw, doc.raw_len) == doc.raw_len);
    }
    assert(rc == 0 || e.msg[0]);
    if (rc < 0) {
        docs_abort(d);
        return;
    }
    assert(docs_close(d, &counts, &e) == 0);
    assert(counts.n_docs == n);
}

int fuzz_one(const uint8_t *p, size_t n)
{
    const char *path = fuzz_file(p, n);
    read_all(path, (struct docs_opt){.key = "text", .jsonl = true});
    read_all(path, (struct docs_opt){.key = "text", .jsonl = true, .on_error = ON_ERROR_REPLACE});
    read_all(path, (struct docs_opt){.key = "text", .lines = true, .on_error = ON_ERROR_SKIP});
    return 0;
}
