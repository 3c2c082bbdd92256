/* Raw integers and lines of ids: see rawids.h. */
#include "shard/rawids.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/le.h"
#include "base/mem.h"
#include "io/in.h"
#include "shard/shard_int.h"

enum {
    STEP_TOKENS = 64 << 10,
    HEADER_BYTES = 1024,
    TEXT_BYTES = 256 << 10,
};

static const struct {
    uint32_t magic, version;
    int width;
} headers[] = {{20240520, 1, 2}, {20240801, 7, 4}};

static int form_width(enum raw_form f)
{
    return f == RAW_U16 ? 2 : 4;
}

/* ---- import */

struct importer {
    const struct raw_import *how;
    struct in *in;
    struct shard_out *out;
    struct progress *pr;
    struct raw_report *rep;
    uint64_t n_doc; /* tokens of the present document */
    bool begun;     /* a document is open (it may be empty) */
};

static int end_doc(struct importer *m, struct err *e)
{
    m->begun = false;
    m->n_doc = 0;
    m->rep->n_docs++;
    return shard_part_end(m->out, e);
}

static int put_ids(struct importer *m, const uint32_t *ids, size_t n, struct err *e)
{
    m->begun = m->begun || n > 0;
    m->n_doc += n;
    m->rep->n_tokens += n;
    return shard_part(m->out, ids, NULL, n, e);
}

static int put_by_len(struct importer *m, const uint32_t *ids, size_t n, struct err *e)
{
    while (n > 0) {
        uint64_t room = m->how->doc_len - m->n_doc;
        size_t now = n < room ? n : (size_t)room;
        if (put_ids(m, ids, now, e) < 0)
            return -1;
        ids += now;
        n -= now;
        if (m->n_doc == m->how->doc_len && end_doc(m, e) < 0)
            return -1;
    }
    return 0;
}

static int put_by_sep(struct importer *m, const uint32_t *ids, size_t n, struct err *e)
{
    const uint32_t sep = (uint32_t)m->how->sep;
    while (n > 0) {
        size_t k = 0;
        while (k < n && ids[k] != sep)
            k++;
        if (put_ids(m, ids, k, e) < 0)
            return -1;
        if (k == n)
            break;
        /* A separator at the very start ends nothing; any other one begins the next document. */
        bool at_start = !m->begun && m->rep->n_sep == 0;
        m->rep->n_sep++;
        if (!at_start && end_doc(m, e) < 0)
            return -1;
        ids += k + 1;
        n -= k + 1;
    }
    return 0;
}

static int put_integers(struct importer *m, const uint32_t *ids, size_t n, struct err *e)
{
    if (m->how->sep >= 0)
        return put_by_sep(m, ids, n, e);
    return m->how->doc_len ? put_by_len(m, ids, n, e) : put_ids(m, ids, n, e);
}

/* llm.c's header, if one is there, is taken: 1 and the tokens it announces, 0 = none, -1. */
static int take_header(struct importer *m, uint64_t *n_tokens, struct err *e)
{
    const unsigned char *p;
    unsigned char skipped[HEADER_BYTES];
    long n = in_peek(m->in, &p, HEADER_BYTES, e);
    if (n < HEADER_BYTES)
        return n < 0 ? -1 : 0;
    for (size_t i = 12; i < HEADER_BYTES; i++) {
        if (p[i])
            return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        if (le32_get(p) != headers[i].magic || le32_get(p + 4) != headers[i].version)
            continue;
        if (headers[i].width != form_width(m->how->form))
            return err_set(e, "%s: has llm.c's header for ids of %d bytes; use --%s",
                           in_name(m->in), headers[i].width, headers[i].width == 2 ? "u16" : "u32");
        *n_tokens = le32_get(p + 8);
        return in_read_full(m->in, skipped, sizeof skipped, e) < 0 ? -1 : 1;
    }
    return 0;
}

static int import_integers(struct importer *m, struct err *e)
{
    int width = form_width(m->how->form), rc = -1;
    uint64_t announced = 0, got = 0;
    long n;
    unsigned char *raw = mem_new(STEP_TOKENS, (size_t)width, e);
    uint32_t *ids = mem_new(STEP_TOKENS, sizeof *ids, e);
    int header = raw && ids ? take_header(m, &announced, e) : -1;
    if (header < 0)
        goto done;
    m->rep->n_header += (uint64_t)header;
    while ((n = in_read_full(m->in, raw, (size_t)STEP_TOKENS * (size_t)width, e)) > 0) {
        if (n % width) {
            err_set(e, "%s: ends within an id: %llu bytes are no multiple of %d", in_name(m->in),
                    (unsigned long long)in_offset(m->in), width);
            goto done;
        }
        size_t n_ids = (size_t)n / (size_t)width;
        shard_ids_get(ids, raw, n_ids, width);
        if (put_integers(m, ids, n_ids, e) < 0)
            goto done;
        got += n_ids;
        if (m->pr)
            progress_at(m->pr, (double)in_raw_offset(m->in), NULL);
    }
    if (n < 0)
        goto done;
    if (header && got != announced) {
        err_set(e,
                "%s: its header announces %llu tokens, but %llu follow: it is truncated or "
                "damaged",
                in_name(m->in), (unsigned long long)announced, (unsigned long long)got);
        goto done;
    }
    rc = 0;
done:
    free(raw);
    free(ids);
    return rc;
}

/* A file ends a document, except that a separator has done so before. */
static int end_integers(struct importer *m, struct err *e)
{
    return m->begun ? end_doc(m, e) : 0;
}

struct text_place {
    uint64_t line, column;
    uint64_t value;
    bool in_number;
    size_t n;
    uint32_t ids[4096];
};

static int text_flush(struct importer *m, struct text_place *t, struct err *e)
{
    size_t n = t->n;
    t->n = 0;
    return put_ids(m, t->ids, n, e);
}

static int text_byte(struct importer *m, struct text_place *t, unsigned char c, struct err *e)
{
    t->column++;
    if (c >= '0' && c <= '9') {
        t->value = t->value * 10 + (c - '0');
        t->in_number = m->begun = true;
        if (t->value >= SHARD_NO_ID)
            return err_set(e, "%s:%llu: column %llu: no id is that large", in_name(m->in),
                           (unsigned long long)t->line, (unsigned long long)t->column);
        return 0;
    }
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
        return err_set(e, "%s:%llu: column %llu: not a number; ids are decimal, a document a line",
                       in_name(m->in), (unsigned long long)t->line, (unsigned long long)t->column);
    if (t->in_number) {
        t->ids[t->n++] = (uint32_t)t->value;
        t->value = 0;
        t->in_number = false;
    }
    if (c == '\n') {
        t->line++;
        t->column = 0;
        if (text_flush(m, t, e) < 0 || end_doc(m, e) < 0)
            return -1;
    }
    return t->n == ARRAY_LEN(t->ids) ? text_flush(m, t, e) : 0;
}

static int import_text(struct importer *m, struct err *e)
{
    long n;
    int rc = -1;
    struct text_place *t = mem_new(1, sizeof *t, e);
    unsigned char *some = mem_new(TEXT_BYTES, 1, e);
    if (!t || !some)
        goto done;
    t->line = 1;
    while ((n = in_read(m->in, some, TEXT_BYTES, e)) > 0) {
        for (long i = 0; i < n; i++) {
            if (text_byte(m, t, some[i], e) < 0)
                goto done;
        }
        if (m->pr)
            progress_at(m->pr, (double)in_raw_offset(m->in), NULL);
    }
    if (n == 0)
        rc = t->column > 0 ? text_byte(m, t, '\n', e) : 0;
done:
    free(t);
    free(some);
    return rc;
}

int raw_import(const char *path, const struct raw_import *how, struct shard_out *out,
               struct progress *pr, struct raw_report *rep, struct err *e)
{
    struct raw_report one = {0};
    struct importer m = {.how = how, .out = out, .pr = pr, .rep = &one};
    int rc;
    /* Integers may begin with any bytes, so no magic is looked for in them. */
    m.in = in_open(path, how->form == RAW_TEXT ? 0 : IN_RAW, e);
    if (!m.in)
        return -1;
    if (how->form == RAW_TEXT) {
        rc = import_text(&m, e);
    } else {
        rc = import_integers(&m, e);
        if (rc == 0)
            rc = end_integers(&m, e);
    }
    rep->n_docs += one.n_docs;
    rep->n_tokens += one.n_tokens;
    rep->n_sep += one.n_sep;
    rep->n_header += one.n_header;
    in_close(m.in);
    return rc;
}

/* ---- export */

struct exporter {
    const struct raw_export *how;
    struct out *out;
    uint64_t n_docs; /* begun */
    bool line_begun;
    unsigned char *buf;
};

static int write_header(struct exporter *x, struct shard_set *in, struct err *e)
{
    unsigned char p[HEADER_BYTES] = {0};
    size_t i = x->how->form == RAW_U16 ? 0 : 1;
    struct shard_totals t;
    if (shard_set_totals(in, &t, e) < 0)
        return -1;
    uint64_t n_tokens = t.n_tokens + (x->how->sep >= 0 && t.n_docs > 1 ? t.n_docs - 1 : 0);
    if (n_tokens > INT32_MAX)
        return err_set(e, "%llu tokens are too many for llm.c's header (limit %ld); split first",
                       (unsigned long long)n_tokens, (long)INT32_MAX);
    le32_put(p, headers[i].magic);
    le32_put(p + 4, headers[i].version);
    le32_put(p + 8, (uint32_t)n_tokens);
    return out_write(x->out, p, sizeof p, e);
}

static size_t put_decimal(unsigned char *to, uint32_t v)
{
    unsigned char digits[10];
    size_t n = 0;
    do
        digits[n++] = (unsigned char)('0' + v % 10);
    while (v /= 10);
    for (size_t i = 0; i < n; i++)
        to[i] = digits[n - 1 - i];
    return n;
}

static int write_ids(struct exporter *x, const uint32_t *ids, size_t n, struct err *e)
{
    int width = form_width(x->how->form);
    while (n > 0) {
        size_t now = n < STEP_TOKENS ? n : STEP_TOKENS, bytes = 0;
        if (x->how->form != RAW_TEXT) {
            uint32_t top = shard_ids_put(x->buf, ids, now, width);
            if (width == 2 && top > UINT16_MAX)
                return err_set(e, "%s: id %lu does not fit 16 bits; use --u32", out_name(x->out),
                               (unsigned long)top);
            bytes = now * (size_t)width;
        }
        for (size_t i = 0; x->how->form == RAW_TEXT && i < now; i++) {
            if (x->line_begun)
                x->buf[bytes++] = ' ';
            bytes += put_decimal(x->buf + bytes, ids[i]);
            x->line_begun = true;
        }
        if (out_write(x->out, x->buf, bytes, e) < 0)
            return -1;
        ids += now;
        n -= now;
    }
    return 0;
}

static int export_piece(struct exporter *x, const struct shard_doc *d, struct raw_report *rep,
                        struct err *e)
{
    if (d->first && x->n_docs++ > 0 && x->how->sep >= 0) {
        const uint32_t sep = (uint32_t)x->how->sep;
        rep->n_sep++;
        if (write_ids(x, &sep, 1, e) < 0)
            return -1;
    }
    if (write_ids(x, d->ids, d->n, e) < 0)
        return -1;
    rep->n_tokens += d->n;
    rep->n_docs += d->last;
    if (!d->last || x->how->form != RAW_TEXT)
        return 0;
    x->line_begun = false;
    return out_write(x->out, "\n", 1, e);
}

int raw_export(struct shard_set *in, const struct raw_export *how, struct out *out,
               struct progress *pr, struct raw_report *rep, struct err *e)
{
    struct exporter x = {.how = how, .out = out};
    struct shard_doc d;
    double done, total;
    int r = -1;
    *rep = (struct raw_report){0};
    x.buf = mem_new(STEP_TOKENS, 11, e);
    if (!x.buf || (how->header && write_header(&x, in, e) < 0))
        goto done;
    while ((r = shard_set_next_piece(in, &d, e)) > 0) {
        if ((r = export_piece(&x, &d, rep, e)) < 0)
            break;
        shard_set_progress(in, &done, &total);
        if (pr)
            progress_at(pr, done, NULL);
    }
done:
    free(x.buf);
    return r;
}
