/*
 * Output that appears whole or not at all: written to a temporary file beside the target, then
 * flushed, fsynced, renamed, and the directory fsynced. "-" or NULL is stdout, which is written
 * through and checked. Existing targets are replaced, keeping their permission bits; a target that
 * is not a regular file (/dev/null, a fifo) is opened and written directly.
 *
 *     struct out *o = out_open(path, 0, e);
 *     out_write(o, p, n, e) ...
 *     if (out_commit(o, e) < 0) ...      always frees o
 *     out_abort(o);                      removes the temporary, frees o; NULL is allowed
 *
 * Every short write, ENOSPC and EIO is an error that names the file. Binary output to a terminal
 * is refused (OUT_BINARY). Signals that end the process remove temporaries (signals.h).
 */
#ifndef IO_OUT_H
#define IO_OUT_H

#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "quern/err.h"

struct out;
enum out_flags {
    OUT_BINARY = 1,
    OUT_EXCL = 2, /* an existing target is an error */
};
struct out *out_open(const char *path, int flags, struct err *e);
int out_write(struct out *o, const void *p, size_t n, struct err *e);
int out_printf(struct out *o, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
int out_flush(struct out *o, struct err *e); /* to the system, not to the disk: for slow pipes */
uint64_t out_offset(const struct out *o);
const char *out_name(const struct out *o);
int out_commit(struct out *o, struct err *e);
void out_abort(struct out *o);

/* A whole file from memory in one call. */
int out_file(const char *path, const void *p, size_t n, struct err *e);
/* A directory that appears whole or not at all: out_dir_begin makes an empty temporary beside
 * path and gives its name (caller frees); out_dir_commit fsyncs every file in it and renames it to
 * path, replacing what is there. out_dir_abort removes it. */
char *out_dir_begin(const char *path, struct err *e);
int out_dir_commit(const char *tmp, const char *path, struct err *e);
void out_dir_abort(char *tmp);
/* Removes a directory tree (model directories, spools); a missing one is success. */
int out_rmtree(const char *path, struct err *e);

#endif
