/*
 * Documents from operands: JSONL records with a text field, whole files, or lines, as DESIGN
 * (point 5) says: a named file is JSONL by its name (.jsonl, .jsonl.gz, .ndjson) or with --jsonl,
 * else one document, or a document a line with --lines; stdin (no operand, or "-") is JSONL unless
 * --text or --lines says otherwise. A first record on stdin that is not JSON is an error that names
 * these options. No operands at all: stdin.
 *
 *     struct docs_opt o = DOCS_OPT_INIT;  ... DOCS_OPTIONS(&o) in the command's option table
 *     struct docs *d = docs_open(operands, n, &o, e);
 *     while ((r = docs_next(d, &doc, e)) > 0) ...       1 = a document, 0 = end, -1 = error
 *     if (docs_close(d, &counts, e) < 0) ...            or docs_abort(d) after an error
 *
 * A byte order mark at the start of an input is passed over and no part of its text.
 * JSONL: blank lines are passed over; CRLF is accepted; the last newline may be missing; a line
 * over 1 GiB is an error. Of several fields of the wanted name the last counts. --on-error says
 * what happens to a record that is not an object, lacks the key, has it with another type, or holds
 * invalid UTF-8 in any field: stop (exit 1 with file:line), skip (counted), replace (invalid UTF-8
 * becomes U+FFFD, in the raw record too; the rest as skip). Skipped records go, byte for byte, to
 * --rejected FILE, which appears when all has gone well.
 * Plain text: invalid UTF-8 likewise; otherwise byte for byte. --lines: a line ends with "\n" or
 * "\r\n", and an empty line is an empty document. An empty input has no documents.
 * A token shard or a safetensors file is an error whatever --on-error says.
 * Texts may hold NUL bytes. Byte positions in messages count from 0 within the line.
 */
#ifndef IO_DOCS_H
#define IO_DOCS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/opt.h"
#include "io/in.h"
#include "quern/err.h"

enum on_error { ON_ERROR_STOP, ON_ERROR_SKIP, ON_ERROR_REPLACE };
extern const char *const on_error_words[];

struct docs_opt {
    const char *key; /* default "text" */
    bool jsonl, text, lines;
    int on_error;         /* enum on_error */
    const char *rejected; /* path, or NULL */
};
#define DOCS_OPT_INIT \
    {                 \
        .key = "text" \
    }
/* The entries for a table: --key --jsonl --text --lines --on-error --rejected. */
#define DOCS_OPTIONS(o)                                                                   \
    {.kind = OPT_STR,                                                                     \
     .name = "key",                                                                       \
     .dst = &(o)->key,                                                                    \
     .arg = "K",                                                                          \
     .shapes_output = true,                                                               \
     .utf8 = true,                                                                        \
     .help = "JSONL field that holds the text (default {})"},                             \
        {.kind = OPT_FLAG,                                                                \
         .name = "jsonl",                                                                 \
         .dst = &(o)->jsonl,                                                              \
         .help = "named files are JSONL whatever their names"},                           \
        {.kind = OPT_FLAG,                                                                \
         .name = "text",                                                                  \
         .dst = &(o)->text,                                                               \
         .help = "each input is one document of plain text, stdin and .jsonl files too"}, \
        {.kind = OPT_FLAG,                                                                \
         .name = "lines",                                                                 \
         .dst = &(o)->lines,                                                              \
         .help = "each line of an input is one document of plain text"},                  \
        {.kind = OPT_CHOICE,                                                              \
         .name = "on-error",                                                              \
         .dst = &(o)->on_error,                                                           \
         .arg = "stop|skip|replace",                                                      \
         .choices = on_error_words,                                                       \
         .shapes_output = true,                                                           \
         .help = "what to do with a bad record (default {})"},                            \
    {                                                                                     \
        .kind = OPT_STR, .name = "rejected", .dst = &(o)->rejected, .arg = "FILE",        \
        .help = "write the records that were skipped to FILE"                             \
    }

/* The first of these that the command line gives, or NULL: for commands that read no documents at
 * times, where such an option is a mistake. */
const char *docs_given(struct opt *opts);
/* --key where --text or --lines leaves no record to find it in is a mistake. */
int docs_check_key(struct opt *opts, const struct docs_opt *o, struct err *e);

struct doc {
    const char *text; /* valid UTF-8, not NUL-terminated, 64 readable bytes behind */
    size_t len;
    const char *raw; /* the record's line as it was, without its newline; NULL for plain text */
    size_t raw_len;
    const char *file; /* for messages; valid as long as the operands */
    uint64_t line;    /* of the record in its file, from 1; 0 for a whole file */
    uint64_t number;  /* of the record in the whole input, skipped ones included, from 0 */
    bool utf8_ok;     /* the record is known to be valid: doc_parse need not look */
};                    /* text and raw are valid until the next docs_next */

struct docs_counts {
    uint64_t n_docs, n_bytes; /* given out: documents, bytes of text */
    uint64_t n_skipped, n_replaced;
};

struct docs;
struct docs *docs_open(char *const *operands, int n, const struct docs_opt *o, struct err *e);
/* The first operand, open already, of which nothing was taken; it is d's from now on. */
void docs_take_first(struct docs *d, struct in *in);
int docs_next(struct docs *d, struct doc *doc, struct err *e);
/*
 * Reading without parsing, for pipelines that parse in several threads: docs_next_raw gives the
 * next record (raw is a JSONL line; else text is a line or a whole file), valid until the next
 * call: the reading side copies it, with 64 readable bytes behind. Then, in any thread, doc_parse
 * sets text (and with replaced bytes raw) to a part of the record or of scratch, which it clears
 * first. It returns 1 = a document, 0 = to be skipped (why in *e, the record as it was), -1 =
 * error. The writing side, in order, tells docs_accept or docs_reject of each; docs_next does all
 * this itself. One thread may read while another writes or asks for progress.
 *
 * Where the threads are to find the records too, docs_next_part appends a part of one input, whole
 * lines (about want bytes, at most max_lines) or a whole file, to a buffer, with 64 readable bytes
 * behind (zeros where it is lines): 1, 0 = end, -1. docs_part_next gives the records of it, all but
 * their numbers, from the one that lines->next counts: 0 at first. A reader uses either this or
 * docs_next_raw.
 */
int docs_next_raw(struct docs *d, struct doc *rec, struct err *e);
struct docs_part {
    size_t at, len; /* in bytes, of the buffer */
    const char *file;
    uint64_t line;  /* of the first line; 0: a whole file */
    size_t n_lines; /* or 1: there are at most as many records */
    bool jsonl;
};
struct docs_lines {      /* zeroed before the first part */
    struct in_ends ends; /* of the last part that is lines; the memory serves for further ones */
    size_t next;
};
int docs_next_part(struct docs *d, struct buf *to, struct docs_lines *lines, size_t want,
                   size_t max_lines, struct docs_part *part, struct err *e);
/* p: the buffer's bytes. */
bool docs_part_next(struct docs_lines *lines, const struct docs_part *part, const char *p,
                    struct doc *rec);
void docs_lines_release(struct docs_lines *l);
int doc_parse(const struct docs_opt *o, struct doc *rec, struct buf *scratch, bool *replaced,
              struct err *e);
/* -1 where a file's first record tells that it is a shard or weights; doc_parse looks itself. */
int doc_check_kind(const struct doc *rec, struct err *e);
void docs_accept(struct docs *d, const struct doc *doc, bool replaced);
void docs_accept_many(struct docs *d, const struct docs_counts *more); /* none skipped */
int docs_reject(struct docs *d, const struct doc *rec, struct err *e);
/* Bytes of the files read so far (compressed where they are), and of all; 0: not known. */
void docs_progress(const struct docs *d, double *done_bytes, double *total_bytes);
/* Commits the rejects file (unless docs_next failed) and frees. Counts and d may be NULL. */
int docs_close(struct docs *d, struct docs_counts *counts, struct err *e);
void docs_abort(struct docs *d); /* frees, and leaves no rejects file; NULL is allowed */

#endif
