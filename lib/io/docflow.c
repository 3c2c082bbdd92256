/* Batches of documents through the ordered pipeline of pool.h. */
#include "io/docflow.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/utf8.h"

enum {
    BATCH_BYTES = 256 << 10, /* a batch is closed when it holds as much, or so many lines */
    BATCH_LINES = 4096,
    BATCH_PARTS = 256,     /* of as many inputs */
    KEEP_BYTES = 16 << 20, /* buffers that one huge record made larger are given back */
    AHEAD = 32,
    ALIGN = 16, /* of results */
};

/* A record as small as may be: what struct doc says of it, with the place of its bytes. */
struct item {
    size_t at, len;  /* in bytes, or in fixed where they were repaired */
    size_t text_len; /* once parsed */
    uint64_t line;
    const char *file;
    bool has_raw, parsed, skipped, replaced, utf8_ok;
};

struct batch {
    struct docs_part *part;
    size_t n_parts, part_cap;
    struct item *item;
    size_t n, cap;
    bool is_first;
    struct buf bytes, fixed, more;
    unsigned char *result; /* a pointer to more before each one */
    size_t result_cap;
    bool failed; /* with error, behind its n documents */
    struct err error;
};

/* What a thread has to itself, and apart from the others': it writes there for each record. */
struct scratch {
    struct buf buf;
    char apart[128];
};

struct flow {
    const struct docflow *f;
    void *user;
    struct docs *docs;
    const struct docs_opt *opt;
    struct scratch *scratch; /* one per thread */
    bool began, ended;       /* of the reader */
    uint64_t n_records;      /* of the writer: those of the batches before */
};

static int batch_init(void *user, void *batch, struct err *e)
{
    struct batch *b = batch;
    (void)user;
    (void)e;
    b->bytes = b->fixed = b->more = (struct buf)BUF_INIT;
    return 0;
}

static void batch_release(void *user, void *batch)
{
    struct batch *b = batch;
    (void)user;
    free(b->part);
    free(b->item);
    free(b->result);
    buf_release(&b->bytes);
    buf_release(&b->fixed);
    buf_release(&b->more);
}

static void batch_clear(struct batch *b)
{
    b->n = b->n_parts = 0;
    b->failed = false;
    if (b->bytes.cap > KEEP_BYTES)
        buf_release(&b->bytes);
    if (b->fixed.cap > KEEP_BYTES)
        buf_release(&b->fixed);
    if (b->more.cap > KEEP_BYTES)
        buf_release(&b->more);
    buf_clear(&b->bytes);
    buf_clear(&b->fixed);
    buf_clear(&b->more);
}

/* Bytes from one result to the next, with the pointer before it. */
static size_t stride(const struct docflow *f)
{
    return (f->result_size + 2 * ALIGN - 1) / ALIGN * ALIGN;
}

static void *result_of(const struct flow *w, const struct batch *b, size_t i)
{
    return w->f->result_size ? b->result + i * stride(w->f) + ALIGN : NULL;
}

struct buf *docflow_more(const void *result)
{
    struct buf *more;
    memcpy(&more, (const char *)result - ALIGN, sizeof more);
    return more;
}

/* An error waits until the documents before it have been handed on. */
static void fail_later(struct batch *b, size_t n, const struct err *e)
{
    b->n = n;
    b->failed = true;
    b->error = *e;
}

static int read_batch(void *user, void *batch, struct err *e)
{
    struct flow *w = user;
    struct batch *b = batch;
    batch_clear(b);
    b->is_first = !w->began;
    w->began = true;
    while (!w->ended && b->bytes.len < BATCH_BYTES && b->n_parts < BATCH_PARTS) {
        struct err why = {0};
        int r = mem_grow(&b->part, &b->part_cap, b->n_parts + 1, sizeof *b->part, &why);
        if (r == 0)
            r = docs_next_part(w->docs, &b->bytes, BATCH_BYTES, BATCH_LINES, &b->part[b->n_parts],
                               &why);
        if (r < 0)
            fail_later(b, 0, &why);
        if (r <= 0)
            w->ended = true;
        else if (b->part[b->n_parts++].line)
            break; /* lines enough, or the rest of an input's */
    }
    (void)e;
    return b->n_parts > 0 || b->failed;
}

static int add_item(struct batch *b, const struct doc *rec, struct err *e)
{
    if (b->n == b->cap && mem_grow(&b->item, &b->cap, b->n + 1, sizeof *b->item, e) < 0)
        return -1;
    b->item[b->n++] = (struct item){
        .at = (size_t)((rec->raw ? rec->raw : rec->text) - b->bytes.s),
        .len = rec->raw ? rec->raw_len : rec->len,
        .line = rec->line,
        .file = rec->file,
        .has_raw = rec->raw != NULL,
        .utf8_ok = rec->utf8_ok,
    };
    return 0;
}

/* Finds the records. Their UTF-8 is looked at together, since newlines never stand in a character;
 * where something is wrong, each is looked at by itself. */
static int split_batch(struct batch *b, struct err *e)
{
    for (size_t i = 0; i < b->n_parts; i++) {
        struct docs_part *part = &b->part[i];
        bool ok = utf8_valid(b->bytes.s + part->at, part->len) == part->len;
        struct doc rec;
        while (docs_part_next(part, b->bytes.s, &rec)) {
            rec.utf8_ok = ok;
            if (add_item(b, &rec, e) < 0)
                return -1;
        }
    }
    return 0;
}

/* The record as it was read or, once it was repaired and kept, as it is now. */
static struct doc doc_of(const struct batch *b, size_t i, uint64_t number)
{
    const struct item *it = &b->item[i];
    const char *s = (it->replaced ? b->fixed.s : b->bytes.s) + it->at;
    struct doc doc = {.len = it->text_len,
                      .file = it->file,
                      .line = it->line,
                      .number = number,
                      .utf8_ok = it->utf8_ok};
    if (it->has_raw) {
        doc.raw = s;
        doc.raw_len = it->len;
    } else {
        doc.text = s;
        if (!it->parsed)
            doc.len = it->len;
    }
    return doc;
}

/* Keeps the repaired bytes of a record, 64 readable bytes behind them: scratch is overwritten by
 * the next one. */
static int keep_fixed(struct batch *b, struct item *it, const struct doc *parsed, struct err *e)
{
    it->at = b->fixed.len;
    it->len = parsed->raw ? parsed->raw_len : parsed->len;
    it->replaced = true;
    if (buf_add(&b->fixed, parsed->raw ? parsed->raw : parsed->text, it->len, e) < 0)
        return -1;
    return buf_reserve(&b->fixed, 64, e);
}

/* Parses one record and works on it. */
static int work_item(struct flow *w, struct batch *b, size_t i, int thread, struct err *e)
{
    struct item *it = &b->item[i];
    bool replaced;
    struct doc doc = doc_of(b, i, !b->is_first || i > 0);
    int r = doc_parse(w->opt, &doc, &w->scratch[thread].buf, &replaced, e);
    it->skipped = r == 0;
    if (r <= 0)
        return r;
    it->parsed = true;
    it->text_len = doc.len;
    if (replaced && keep_fixed(b, it, &doc, e) < 0)
        return -1;
    return w->f->work ? w->f->work(w->user, &doc, thread, result_of(w, b, i), e) : 0;
}

static int work_batch(void *user, void *batch, int thread, struct err *e)
{
    struct flow *w = user;
    struct batch *b = batch;
    size_t n_bytes;
    const struct buf *more = &b->more;

    if (split_batch(b, e) < 0)
        return -1;
    if (size_mul(b->n, w->f->result_size ? stride(w->f) : 0, &n_bytes, "results of a batch", e) <
            0 ||
        mem_grow(&b->result, &b->result_cap, n_bytes, 1, e) < 0)
        return -1;
    if (n_bytes)
        memset(b->result, 0, n_bytes);
    for (size_t i = 0; i < b->n && n_bytes; i++)
        memcpy((char *)result_of(w, b, i) - ALIGN, &more, sizeof more);
    for (size_t i = 0; i < b->n; i++) {
        struct err why;
        err_clear(&why);
        if (work_item(w, b, i, thread, &why) < 0)
            fail_later(b, i, &why);
    }
    if (w->scratch[thread].buf.cap > KEEP_BYTES)
        buf_release(&w->scratch[thread].buf);
    return 0;
}

static int write_batch(void *user, void *batch, struct err *e)
{
    struct flow *w = user;
    struct batch *b = batch;
    for (size_t i = 0; i < b->n; i++) {
        const struct item *it = &b->item[i];
        struct doc doc = doc_of(b, i, w->n_records + i);
        if (w->f->ahead && i + AHEAD < b->n)
            w->f->ahead(w->user, result_of(w, b, i + AHEAD));
        if (it->skipped) {
            if (docs_reject(w->docs, &doc, e) < 0)
                return -1;
            continue;
        }
        docs_accept(w->docs, &doc, it->replaced);
        if (w->f->put && w->f->put(w->user, &doc, result_of(w, b, i), e) < 0)
            return -1;
    }
    w->n_records += b->n;
    if (w->f->done && w->f->done(w->user, e) < 0)
        return -1;
    if (b->failed) {
        *e = b->error;
        return -1;
    }
    return 0;
}

int docflow_run(const struct docflow *f, void *user, struct docs *d, const struct docs_opt *o,
                int n_threads, struct err *e)
{
    static const struct pool_ops ops = {batch_init, read_batch, work_batch, write_batch,
                                        batch_release};
    if (n_threads < 1)
        n_threads = 1;
    struct flow w = {.f = f, .user = user, .docs = d, .opt = o};
    w.scratch = mem_new((size_t)n_threads, sizeof *w.scratch, e);
    if (!w.scratch)
        return -1;
    for (int i = 0; i < n_threads; i++)
        w.scratch[i].buf = (struct buf)BUF_INIT;
    int rc = pool_run(&ops, &w, n_threads, 0, sizeof(struct batch), e);
    for (int i = 0; i < n_threads; i++)
        buf_release(&w.scratch[i].buf);
    free(w.scratch);
    return rc;
}
