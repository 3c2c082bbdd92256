/* Documents from operands: see docs.h. */
#include "io/docs.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/jscan.h"
#include "io/out.h"

const char *const on_error_words[] = {"stop", "skip", "replace", NULL};

static const size_t max_line = (size_t)1 << 30, max_file = (size_t)1 << 40;

enum form { FORM_JSONL, FORM_LINES, FORM_WHOLE };

struct docs {
    struct docs_opt opt;
    char *const *operands; /* the caller's, or stdin's own list */
    int n, next;           /* next: index of the operand to be opened */
    struct in *in, *first; /* first: docs_take_first */
    const char *name;      /* of the input at hand: the operand itself or "stdin" */
    enum form form;
    uint64_t line, number;
    char *whole; /* the last whole file */
    struct buf scratch;
    struct out *rejects;
    struct docs_counts counts;
    bool failed;
    double total_bytes;        /* of all operands; 0: not known */
    uint64_t past_bytes;       /* of the inputs that are done with */
    _Atomic uint64_t at_bytes; /* read so far; another thread may ask for it */
};

static char *const stdin_operand[] = {(char *)"-"};

static bool is_stdin(const char *operand)
{
    return !strcmp(operand, "-");
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

static enum form form_of(const struct docs_opt *o, const char *operand)
{
    static const char *const names[] = {".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"};
    if (o->lines)
        return FORM_LINES;
    if (o->text)
        return FORM_WHOLE;
    if (o->jsonl || is_stdin(operand))
        return FORM_JSONL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (ends_with(operand, names[i]))
            return FORM_JSONL;
    }
    return FORM_WHOLE;
}

static double total_of(char *const *operands, int n)
{
    double total = 0;
    struct stat st;
    for (int i = 0; i < n; i++) {
        int rc = is_stdin(operands[i]) ? fstat(0, &st) : stat(operands[i], &st);
        if (rc < 0 || !S_ISREG(st.st_mode))
            return 0;
        total += (double)st.st_size;
    }
    return total;
}

const char *docs_given(struct opt *opts)
{
    static const char *const names[] = {"key", "jsonl", "text", "lines", "on-error", "rejected"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (opt_find(opts, names[i])->given)
            return names[i];
    return NULL;
}

int docs_check_key(struct opt *opts, const struct docs_opt *o, struct err *e)
{
    if (opt_find(opts, "key")->given && (o->text || o->lines))
        return err_usage(e, "--key names a field of records, and --%s reads plain text",
                         o->text ? "text" : "lines");
    return 0;
}

struct docs *docs_open(char *const *operands, int n, const struct docs_opt *o, struct err *e)
{
    int n_stdin = 0;
    if (o->jsonl + o->text + o->lines > 1) {
        err_usage(e, "--jsonl, --text and --lines exclude each other");
        return NULL;
    }
    for (int i = 0; i < n; i++)
        n_stdin += is_stdin(operands[i]);
    if (n_stdin > 1) {
        err_usage(e, "stdin ('-') can be read only once");
        return NULL;
    }
    struct docs *d = mem_new(1, sizeof *d, e);
    if (!d)
        return NULL;
    d->opt = *o;
    d->operands = n > 0 ? operands : stdin_operand;
    d->n = n > 0 ? n : 1;
    d->scratch = (struct buf)BUF_INIT;
    d->total_bytes = total_of(d->operands, d->n);
    if (o->rejected && !(d->rejects = out_open(o->rejected, 0, e))) {
        docs_abort(d);
        return NULL;
    }
    return d;
}

void docs_take_first(struct docs *d, struct in *in)
{
    d->first = in;
}

static void close_input(struct docs *d)
{
    d->past_bytes += in_raw_offset(d->in);
    in_close(d->in);
    d->in = NULL;
}

/* Opens the next operand: 1, 0 = none is left, -1. */
static int open_input(struct docs *d, struct err *e)
{
    if (d->next == d->n)
        return 0;
    const char *operand = d->operands[d->next++];
    d->name = is_stdin(operand) ? "stdin" : operand;
    d->form = form_of(&d->opt, operand);
    d->line = 0;
    d->in = d->first ? d->first : in_open(operand, 0, e);
    d->first = NULL;
    return d->in ? 1 : -1;
}

static bool is_blank(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && (s[i] == ' ' || s[i] == '\t' || s[i] == '\r'))
        i++;
    return i == n;
}

static void drop_bom(const char **s, size_t *n)
{
    if (*n >= 3 && !memcmp(*s, "\xef\xbb\xbf", 3)) {
        *s += 3;
        *n -= 3;
    }
}

/* Whether line number `line`, s[0..n), is no record of JSONL; a BOM is taken off the first. */
static ALWAYS_INLINE bool pass_over(const char **s, size_t *n, uint64_t line, bool jsonl)
{
    if (UNLIKELY(line == 1))
        drop_bom(s, n);
    if (!jsonl)
        return false;
    return *n == 0 || (**s != '{' && is_blank(*s, *n));
}

static int next_line(struct docs *d, struct doc *rec, struct err *e)
{
    const char *s;
    size_t n;
    do {
        int r = in_line(d->in, &s, &n, max_line, e);
        if (r <= 0)
            return r;
        d->line++;
    } while (pass_over(&s, &n, d->line, d->form == FORM_JSONL));
    rec->line = d->line;
    if (d->form == FORM_JSONL) {
        rec->raw = s;
        rec->raw_len = n;
    } else {
        rec->text = s;
        rec->len = n;
    }
    return 1;
}

static int next_whole(struct docs *d, struct doc *rec, struct err *e)
{
    if (d->line > 0)
        return 0;
    d->line = 1;
    free(d->whole);
    d->whole = in_all(d->in, max_file, &rec->len, e);
    rec->text = d->whole;
    if (!d->whole)
        return -1;
    drop_bom(&rec->text, &rec->len);
    return rec->len > 0;
}

static void note_place(struct docs *d)
{
    atomic_store_explicit(&d->at_bytes, d->past_bytes + in_raw_offset(d->in), memory_order_relaxed);
}

/* What both ways of reading share: next() of each input in turn. */
static int next_of_inputs(struct docs *d, int (*next)(struct docs *d, void *arg, struct err *e),
                          void *arg, struct err *e)
{
    for (;;) {
        int r;
        if (!d->in) {
            r = open_input(d, e);
            if (r <= 0) {
                d->failed |= r < 0;
                return r;
            }
        }
        r = next(d, arg, e);
        note_place(d);
        if (r < 0)
            d->failed = true;
        if (r != 0)
            return r;
        close_input(d);
    }
}

static int next_record(struct docs *d, void *arg, struct err *e)
{
    struct doc *rec = arg;
    *rec = (struct doc){.file = d->name, .number = d->number};
    int r = d->form == FORM_WHOLE ? next_whole(d, rec, e) : next_line(d, rec, e);
    d->number += r > 0;
    return r;
}

int docs_next_raw(struct docs *d, struct doc *rec, struct err *e)
{
    return next_of_inputs(d, next_record, rec, e);
}

struct part_to {
    struct buf *to;
    struct docs_lines *lines;
    size_t want, max_lines;
    struct docs_part *part;
};

static int next_part(struct docs *d, void *arg, struct err *e)
{
    const struct part_to *p = arg;
    *p->part = (struct docs_part){.at = p->to->len, .file = d->name};
    if (d->form == FORM_WHOLE) {
        struct doc rec = {0};
        int r = next_whole(d, &rec, e);
        if (r > 0 && (buf_add(p->to, rec.text, rec.len, e) < 0 || buf_reserve(p->to, 64, e) < 0))
            r = -1;
        free(d->whole);
        d->whole = NULL;
        p->part->len = rec.len;
        p->part->n_lines = 1;
        return r;
    }
    long n = in_lines(d->in, p->to, &p->lines->ends, p->want, p->max_lines, max_line, e);
    if (n <= 0)
        return (int)n;
    p->part->len = p->to->len - p->part->at;
    p->part->line = d->line + 1;
    p->part->n_lines = (size_t)n;
    p->part->jsonl = d->form == FORM_JSONL;
    d->line += (uint64_t)n;
    return 1;
}

int docs_next_part(struct docs *d, struct buf *to, struct docs_lines *lines, size_t want,
                   size_t max_lines, struct docs_part *part, struct err *e)
{
    struct part_to p = {to, lines, want, max_lines, part};
    lines->next = 0;
    return next_of_inputs(d, next_part, &p, e);
}

bool docs_part_next(struct docs_lines *l, const struct docs_part *part, const char *p,
                    struct doc *rec)
{
    const char *s = p + part->at;
    if (part->line == 0) {
        *rec = (struct doc){.file = part->file, .text = s, .len = part->len};
        return part->len > 0 && l->next++ == 0;
    }
    while (l->next < l->ends.n) {
        const uint32_t *end = l->ends.at;
        size_t k = l->next++, from = k ? (size_t)end[k - 1] + 1 : 0, n = end[k] - from;
        uint64_t line = part->line + k;
        const char *at = s + from;
        if (pass_over(&at, &n, line, part->jsonl))
            continue;
        *rec = (struct doc){.file = part->file, .line = line};
        rec->raw = part->jsonl ? at : NULL;
        rec->raw_len = part->jsonl ? n : 0;
        rec->text = part->jsonl ? NULL : at;
        rec->len = part->jsonl ? 0 : n;
        return true;
    }
    return false;
}

void docs_lines_release(struct docs_lines *l)
{
    free(l->ends.at);
    *l = (struct docs_lines){0};
}

/* "file:17: " or "file: " before the message. */
static int blame(const struct doc *rec, struct err *e)
{
    return rec->line ? err_prefix(e, "%s:%" PRIu64 ": ", rec->file, rec->line)
                     : err_prefix(e, "%s: ", rec->file);
}

/* Makes p[0..n) valid UTF-8 by way of scratch, or says where it is not: 1 = it is, 0 = it is not
 * and was not to be replaced, -1. */
static int make_valid(const struct docs_opt *o, bool known, const char **p, size_t *n,
                      struct buf *scratch, bool *replaced, struct err *e)
{
    size_t good = known ? *n : utf8_valid(*p, *n);
    if (LIKELY(good == *n))
        return 1;
    if (o->on_error != ON_ERROR_REPLACE) {
        err_set(e, "invalid UTF-8 at byte %zu%s", good,
                o->on_error == ON_ERROR_STOP ? " (--on-error replace or skip goes on)" : "");
        return 0;
    }
    if (utf8_replace(scratch, *p, *n, e) < 0 || buf_reserve(scratch, 64, e) < 0)
        return -1;
    memset(scratch->s + scratch->len, 0, 64);
    *replaced = true;
    *p = scratch->s;
    *n = scratch->len;
    return 1;
}

static const char *type_name(enum jscan_type t)
{
    switch (t) {
    case JSCAN_OBJECT:
        return "an object";
    case JSCAN_ARRAY:
        return "an array";
    case JSCAN_STRING:
        return "a string";
    case JSCAN_NUMBER:
        return "a number";
    case JSCAN_NULL:
        return "null";
    default:
        return "true or false";
    }
}

static int not_json(const struct jscan *j, const char *hint, struct err *e)
{
    return err_set(e, "not JSON: at byte %zu: %s%s", j->pos, j->error, hint), 0;
}

/* Finds the value of key in the object j, the last where there are several; its place goes to
 * *text. 1, or 0 with what is wrong with the record. */
static int find_text(struct jscan *j, const char *key, const char *hint, struct jscan *text,
                     struct err *e)
{
    enum jscan_type found = JSCAN_EOF, t = jscan_next(j);
    if (t < 0)
        return not_json(j, hint, e);
    if (t != JSCAN_OBJECT)
        return err_set(e, "the record is %s, not an object%s", type_name(t), hint), 0;
    while ((t = jscan_next(j)) == JSCAN_KEY) {
        bool wanted = jscan_key_is(j, key);
        t = jscan_next(j);
        if (t < 0)
            break;
        if (wanted) {
            found = t;
            text->str = j->str;
            text->len = j->len;
            text->escaped = j->escaped;
        }
        if (jscan_skip(j) < 0)
            break;
    }
    if (j->error || jscan_next(j) != JSCAN_EOF)
        return not_json(j, hint, e);
    if (found == JSCAN_EOF)
        return err_set(e, "the record has no \"%s\" (--key K names another field)", key), 0;
    if (found != JSCAN_STRING)
        return err_set(e, "\"%s\" is %s, not a string", key, type_name(found)), 0;
    return 1;
}

/* Room in scratch, in which the record may stand already: the reservation may move it. */
static int reserve_behind(struct buf *scratch, struct doc *rec, size_t n, struct err *e)
{
    const bool here = scratch->len > 0;
    const size_t at = here ? (size_t)(rec->raw - scratch->s) : 0;
    if (buf_reserve(scratch, n, e) < 0)
        return -1;
    if (here)
        rec->raw = scratch->s + at;
    return 0;
}

/* As parse_record, where the record is not as most are; scratch has room for it already. */
static int parse_slowly(const struct docs_opt *o, struct doc *rec, struct buf *scratch,
                        struct err *e)
{
    struct jscan j, text; /* of text the string alone */
    jscan_init(&j, rec->raw, rec->raw_len);
    j.utf8_ok = text.utf8_ok = true;
    bool first = rec->number == 0 && !strcmp(rec->file, "stdin");
    const char *hint =
        first ? "; for plain text give --text (one document) or --lines (a line each)" : "";
    if (find_text(&j, o->key, hint, &text, e) == 0)
        return 0;
    rec->text = text.str;
    rec->len = text.len;
    if (!text.escaped)
        return 1;
    size_t at = scratch->len;
    if (jscan_string(&text, false, scratch, e) < 0 || buf_reserve(scratch, 64, e) < 0)
        return -1;
    rec->text = scratch->s + at;
    rec->len = scratch->len - at;
    return 1;
}

/* The text of the record rec->raw. Where bytes were replaced, raw becomes the repaired line, so
 * that what is passed on is valid too. */
static int parse_record(const struct docs_opt *o, struct doc *rec, struct buf *scratch,
                        bool *replaced, struct err *e)
{
    struct jscan_text text;
    int r = make_valid(o, rec->utf8_ok, &rec->raw, &rec->raw_len, scratch, replaced, e);
    if (r <= 0)
        return r;
    if (reserve_behind(scratch, rec, rec->raw_len + 128, e) < 0)
        return -1;
    if (UNLIKELY(
            !jscan_plain_field(rec->raw, rec->raw_len, o->key, scratch->s + scratch->len, &text)))
        return parse_slowly(o, rec, scratch, e);
    rec->text = text.s;
    rec->len = text.len;
    return 1;
}

static ALWAYS_INLINE void cut_return(struct doc *rec)
{
    if (!rec->raw && rec->line && rec->len > 0 && rec->text[rec->len - 1] == '\r')
        rec->len--;
}

/* Files of quern's own world that are no text, by their first bytes; else NULL. */
static const char *other_kind(const char *p, size_t n)
{
    if (n >= 4 && !memcmp(p, "\x89TOK", 4))
        return "a token shard, not text; detokenize makes text of it, and perplexity and pretrain "
               "read it as it is";
    /* the header's length in 8 bytes, of which the high ones are 0, and its JSON */
    if (n >= 10 && !memcmp(p + 5, "\0\0\0{\"", 5))
        return "a model's weights (safetensors), not text; model info tells what is in them";
    return NULL;
}

int doc_check_kind(const struct doc *rec, struct err *e)
{
    const char *other = rec->line > 1 ? NULL
                        : rec->raw    ? other_kind(rec->raw, rec->raw_len)
                                      : other_kind(rec->text, rec->len);
    return UNLIKELY(other != NULL) ? err_set(e, "%s: this is %s", rec->file, other) : 0;
}

/* As doc_parse, of what may be wrong. */
static int parse_any(const struct docs_opt *o, struct doc *rec, struct buf *scratch, bool *replaced,
                     struct err *e)
{
    struct err why; /* not zeroed as a whole: it is a KiB, for each record */
    err_clear(&why);
    struct doc before = *rec;
    buf_clear(scratch);
    int r;
    if (doc_check_kind(rec, e) < 0)
        return -1;
    cut_return(rec);
    r = rec->raw ? parse_record(o, rec, scratch, replaced, &why)
                 : make_valid(o, rec->utf8_ok, &rec->text, &rec->len, scratch, replaced, &why);
    if (LIKELY(r > 0))
        return 1;
    *rec = before;
    *replaced = false;
    if (o->on_error == ON_ERROR_STOP)
        r = -1;
    blame(rec, &why);
    if (e)
        *e = why;
    return r;
}

int doc_parse(const struct docs_opt *o, struct doc *rec, struct buf *scratch, bool *replaced,
              struct err *e)
{
    *replaced = false;
    if (rec->raw || !rec->utf8_ok || rec->line <= 1) /* the first tells another kind of file */
        return parse_any(o, rec, scratch, replaced, e);
    cut_return(rec);
    return 1;
}

int docs_reject(struct docs *d, const struct doc *rec, struct err *e)
{
    d->counts.n_skipped++;
    if (!d->rejects)
        return 0;
    if (out_write(d->rejects, rec->raw ? rec->raw : rec->text, rec->raw ? rec->raw_len : rec->len,
                  e) < 0)
        return -1;
    return rec->line ? out_write(d->rejects, "\n", 1, e) : 0;
}

void docs_accept(struct docs *d, const struct doc *doc, bool replaced)
{
    d->counts.n_docs++;
    d->counts.n_bytes += doc->len;
    d->counts.n_replaced += replaced;
}

void docs_accept_many(struct docs *d, const struct docs_counts *more)
{
    d->counts.n_docs += more->n_docs;
    d->counts.n_bytes += more->n_bytes;
    d->counts.n_replaced += more->n_replaced;
}

int docs_next(struct docs *d, struct doc *doc, struct err *e)
{
    for (;;) {
        bool replaced;
        int r = docs_next_raw(d, doc, e);
        if (r <= 0)
            return r;
        r = doc_parse(&d->opt, doc, &d->scratch, &replaced, e);
        if (r > 0) {
            docs_accept(d, doc, replaced);
            return 1;
        }
        if (r < 0 || docs_reject(d, doc, e) < 0) {
            d->failed = true;
            return -1;
        }
    }
}

void docs_progress(const struct docs *d, double *done_bytes, double *total_bytes)
{
    *done_bytes = (double)atomic_load_explicit(&d->at_bytes, memory_order_relaxed);
    *total_bytes = d->total_bytes;
}

int docs_close(struct docs *d, struct docs_counts *counts, struct err *e)
{
    int rc = 0;
    if (!d)
        return 0;
    if (counts)
        *counts = d->counts;
    if (d->rejects && !d->failed) {
        rc = out_commit(d->rejects, e);
        d->rejects = NULL;
    }
    docs_abort(d);
    return rc;
}

void docs_abort(struct docs *d)
{
    if (!d)
        return;
    out_abort(d->rejects);
    in_close(d->in);
    in_close(d->first);
    free(d->whole);
    buf_release(&d->scratch);
    free(d);
}
