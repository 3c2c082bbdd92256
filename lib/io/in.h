/*
 * Input from a file or stdin ("-" or NULL), gzip undone by its magic (multi-member files too).
 * A truncated or corrupt gzip stream is an error with its position in the compressed bytes, after
 * what came before it has been given out; garbage after the last member is too. zstd, xz, bzip2,
 * lz4, zip and parquet are recognised by their magic and refused with the pipe that converts them
 * ("zstd -dc FILE | ..."): at once for a regular file, at the first read for others, since opening
 * never waits. A directory, a missing file and a file without permission are errors that name it.
 * Interrupted reads go on; an error stays.
 *
 *     struct in *in = in_open(path, 0, e);
 *     while ((n = in_read(in, p, cap, e)) > 0) ...        0 = end, -1 = error
 *     in_close(in);
 */
#ifndef IO_IN_H
#define IO_IN_H

#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/err.h"

struct in;
enum in_flags {
    IN_RAW = 1, /* take the bytes as they are: no magic is looked at */
};
struct in *in_open(const char *path, int flags, struct err *e);
/* At least 1 byte unless the input has ended: returns what is there, does not wait to fill p. */
long in_read(struct in *in, void *p, size_t cap, struct err *e);
/* All of n bytes, or fewer only at the end of input. */
long in_read_full(struct in *in, void *p, size_t n, struct err *e);
/* One line without its "\n" ("\r" is kept). *line is valid until the next call; it may be
 * followed by 64 readable bytes. 1 = a line, 0 = end, -1 = error, also for a line over max_bytes.
 * The last line may lack its "\n". NUL bytes are kept. */
int in_line(struct in *in, const char **line, size_t *len, size_t max_bytes, struct err *e);
/* Whole lines with their "\n" (the last of the input may lack it), appended to `to`: at least one,
 * and more until there are want bytes or max_lines lines; 64 zeros stand behind. Reads on until
 * then, also from a slow pipe. max_bytes: of a line, at least want; lines are less than 4 GiB
 * together. How many lines, 0 = end, -1 = error, which comes behind all whole lines before it.
 * ends->at, of which the caller frees the memory, tells where each ends, without its "\n", counted
 * from the first one's start. */
struct in_ends {
    uint32_t *at;
    size_t n, cap;
};
long in_lines(struct in *in, struct buf *to, struct in_ends *ends, size_t want, size_t max_lines,
              size_t max_bytes, struct err *e);
/* Everything, up to max_bytes; NUL-terminated with 64 readable bytes behind; caller frees. */
char *in_all(struct in *in, size_t max_bytes, size_t *len, struct err *e);
/* The next bytes without taking them, at most 64 KiB; fewer only at the end. */
long in_peek(struct in *in, const unsigned char **p, size_t want, struct err *e);
const char *in_name(const struct in *in);    /* path, or "stdin" */
uint64_t in_offset(const struct in *in);     /* bytes taken so far, after decompression */
uint64_t in_raw_offset(const struct in *in); /* bytes read from the file, for progress */
uint64_t in_raw_size(const struct in *in);   /* of a regular file, else 0 */
void in_close(struct in *in);                /* NULL is allowed */

#endif
