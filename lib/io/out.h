/*
 * Output that appears whole or not at all: written to a temporary file beside the target, then
 * flushed, fsynced, renamed, and the directory fsynced. "-", NULL and /dev/stdout are stdout, which
 * is written through and checked. Existing targets are replaced, keeping their permission bits; a
 * target that is not a regular file (/dev/null, a fifo) is opened and written directly.
 *
 *     struct out *o = out_open(path, 0, e);
 *     out_write(o, p, n, e) ...
 *     if (out_commit(o, e) < 0) ...      always frees o
 *     out_abort(o);                      removes the temporary, frees o; NULL is allowed
 *
 * Every short write, ENOSPC and EIO is an error that names the file; the first one stays, so that
 * a caller may check out_commit alone. Binary output to a terminal is refused (OUT_BINARY), as is
 * a target that may not be written although its directory may. Where path is a symbolic link, what
 * it points to is replaced, and the link stays. The temporary is called .NAME.PID.tmp; a signal
 * that ends the process removes it (signals.h). Only a failing fsync of the directory, the last
 * step, is reported when the new file is there already.
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
/* fsync of a directory after names in it were changed by other means (link, rename). */
int out_sync_dir(const char *dir, struct err *e);
/*
 * A directory that appears whole or not at all: out_dir_begin makes an empty temporary beside
 * path (.NAME.PID.tmp) and gives its name (caller frees); out_dir_commit fsyncs every file in it
 * and renames it to path, replacing what is there. After a commit that failed, and instead of one,
 * out_dir_abort removes the temporary and frees its name.
 *
 * A missing or empty directory at path is replaced in one step. One with files is first renamed to
 * .NAME.PID.old, then the new one to path, then the old one is removed: a reader that opens path
 * between the two renames finds nothing there for that instant, never a mixture, and a process
 * killed there leaves the old directory under its other name. out_dir_recover, called by whoever
 * alone may write path (it holds a lock), puts such a directory back and removes what killed
 * processes have left beside path.
 */
char *out_dir_begin(const char *path, struct err *e);
int out_dir_commit(const char *tmp, const char *path, struct err *e);
void out_dir_abort(char *tmp);
int out_dir_recover(const char *path, struct err *e);
/* Removes a directory tree (model directories, spools); a missing one is success. */
int out_rmtree(const char *path, struct err *e);

#endif
