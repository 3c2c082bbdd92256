/* Batches of documents through the ordered pipeline of pool.h. */
#include "io/docflow.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/utf8.h"

enum {
    BATCH_BYTES = 256 << 10, /* a batch is closed when it holds as much, or so many lines */
    BATCH_LINES = 4096,
    BATCH_PARTS = 256,     /* of as many inputs */
    KEEP_BYTES = 16 << 20, /* buffers that one huge record made larger are given back */
    ALIGN = 8,             /* of results */
};

/* A record as small as may be: what is put of it. */
struct item {
    size_t at, len; /* in bytes, or in fixed where they were repaired; of text where it is plain */
    uint32_t line;  /* in its part, from 0 */
    uint16_t part;
    bool skipped, replaced;
};

struct batch {
    struct docs_part *part;
    struct docs_lines lines;
    size_t n_parts, part_cap;
    struct item *item;
    size_t n, cap;
    bool is_first;
    struct docs_counts counts;
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
    docs_lines_release(&b->lines);
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
    b->counts = (struct docs_counts){0};
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
    return (sizeof(struct buf *) + f->result_size + ALIGN - 1) / ALIGN * ALIGN;
}

static void *result_of(const struct flow *w, const struct batch *b, size_t i)
{
    return w->f->result_size ? b->result + i * stride(w->f) + sizeof(struct buf *) : NULL;
}

struct buf *docflow_more(const void *result)
{
    struct buf *more;
    memcpy(&more, (const char *)result - sizeof more, sizeof more);
    return more;
}

/* An error waits until the documents before it have been handed on. */
static void fail_later(struct batch *b, const struct err *e)
{
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
            r = docs_next_part(w->docs, &b->bytes, &b->lines, BATCH_BYTES, BATCH_LINES,
                               &b->part[b->n_parts], &why);
        if (r < 0)
            fail_later(b, &why);
        if (r <= 0)
            w->ended = true;
        else if (b->part[b->n_parts++].line)
            break; /* lines enough, or the rest of an input's */
    }
    (void)e;
    return b->n_parts > 0 || b->failed;
}

/* Room for all records that the parts may hold. */
static int reserve(const struct flow *w, struct batch *b, struct err *e)
{
    size_t n = 0, n_bytes;
    for (size_t i = 0; i < b->n_parts; i++)
        n += b->part[i].n_lines;
    if (size_mul(n, stride(w->f), &n_bytes, "results of a batch", e) < 0 ||
        mem_grow(&b->item, &b->cap, n, sizeof *b->item, e) < 0)
        return -1;
    return w->f->result_size ? mem_grow(&b->result, &b->result_cap, n_bytes, 1, e) : 0;
}

static void *new_result(const struct flow *w, struct batch *b)
{
    unsigned char *result = result_of(w, b, b->n);
    const struct buf *more = &b->more;
    if (!result)
        return NULL;
    memcpy(result - sizeof more, &more, sizeof more);
    return memset(result, 0, w->f->result_size);
}

/* What is put of a record, now that it is parsed. Repaired bytes are kept: scratch is overwritten
 * by the next one. */
static int accept(struct batch *b, struct item *it, const struct doc *doc, bool replaced,
                  struct err *e)
{
    const char *s = doc->raw ? doc->raw : doc->text;
    b->counts.n_docs++;
    b->counts.n_bytes += doc->len;
    it->len = doc->raw ? doc->raw_len : doc->len;
    if (LIKELY(!replaced))
        return 0;
    b->counts.n_replaced++;
    it->at = b->fixed.len;
    it->replaced = true;
    return buf_add(&b->fixed, s, it->len, e);
}

/* Parses one record and works on it. */
static int work_item(struct flow *w, struct batch *b, size_t part, struct doc *doc, int thread,
                     struct err *e)
{
    struct item *it = &b->item[b->n];
    void *result = new_result(w, b);
    bool replaced;
    *it = (struct item){
        .at = (size_t)((doc->raw ? doc->raw : doc->text) - b->bytes.s),
        .len = doc->raw ? doc->raw_len : doc->len,
        .line = (uint32_t)(doc->line - b->part[part].line),
        .part = (uint16_t)part,
    };
    doc->number = !b->is_first || b->n > 0; /* all that is asked of it yet: is it the first? */
    int r = doc_parse(w->opt, doc, &w->scratch[thread].buf, &replaced, e);
    it->skipped = r == 0;
    if (r <= 0)
        return r;
    if (accept(b, it, doc, replaced, e) < 0)
        return -1;
    return w->f->work ? w->f->work(w->user, doc, thread, result, e) : 0;
}

/* A part's UTF-8 is looked at as a whole, since newlines never stand in a character; where
 * something is wrong, each record is looked at by itself. */
static int work_part(struct flow *w, struct batch *b, size_t i, int thread, struct err *e)
{
    const struct docs_part *part = &b->part[i];
    bool ok = utf8_valid(b->bytes.s + part->at, part->len) == part->len;
    struct doc doc;
    b->lines.next = 0;
    while (docs_part_next(&b->lines, part, b->bytes.s, &doc)) {
        doc.utf8_ok = ok;
        if (work_item(w, b, i, &doc, thread, e) < 0)
            return -1;
        b->n++;
    }
    return 0;
}

static int work_batch(void *user, void *batch, int thread, struct err *e)
{
    struct flow *w = user;
    struct batch *b = batch;
    struct err why;
    if (reserve(w, b, e) < 0)
        return -1;
    err_clear(&why);
    for (size_t i = 0; i < b->n_parts; i++)
        if (work_part(w, b, i, thread, &why) < 0) {
            fail_later(b, &why);
            break;
        }
    if (w->scratch[thread].buf.cap > KEEP_BYTES)
        buf_release(&w->scratch[thread].buf);
    return 0;
}

/* The record as it was read or, once it was repaired and kept, as it is now. */
static struct doc doc_of(const struct batch *b, const struct item *it, uint64_t number)
{
    const struct docs_part *part = &b->part[it->part];
    const char *s = (it->replaced ? b->fixed.s : b->bytes.s) + it->at;
    return (struct doc){
        .raw = part->jsonl ? s : NULL,
        .raw_len = part->jsonl ? it->len : 0,
        .text = part->jsonl ? NULL : s,
        .len = part->jsonl ? 0 : it->len,
        .file = part->file,
        .line = part->line + it->line,
        .number = number,
    };
}

static int settle_batch(void *user, void *batch, struct err *e)
{
    const struct flow *w = user;
    struct batch *b = batch;
    return b->n ? w->f->settle(w->user, result_of(w, b, 0), stride(w->f), b->n, e) : 0;
}

static int write_batch(void *user, void *batch, struct err *e)
{
    struct flow *w = user;
    struct batch *b = batch;
    if (w->f->ready && b->n > 0 &&
        w->f->ready(w->user, result_of(w, b, 0), stride(w->f), b->n, e) < 0)
        return -1;
    for (size_t i = 0; i < b->n; i++) {
        const struct item *it = &b->item[i];
        struct doc doc = doc_of(b, it, w->n_records + i);
        if (UNLIKELY(it->skipped)) {
            if (docs_reject(w->docs, &doc, e) < 0)
                return -1;
        } else if (w->f->put && w->f->put(w->user, &doc, result_of(w, b, i), e) < 0) {
            return -1;
        }
    }
    docs_accept_many(w->docs, &b->counts);
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
    const struct pool_ops ops = {
        .init = batch_init,
        .read = read_batch,
        .work = work_batch,
        .settle = f->settle ? settle_batch : NULL,
        .write = write_batch,
        .release = batch_release,
    };
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
