/*
 * Temporary files in TMPDIR, else /tmp, for what does not fit memory.
 *     struct tmp t;
 *     tmp_open(&t, 0, e);
 *     tmp_write(&t, p, n, e) ...               appends; not buffered: write large pieces
 *     tmp_read(&t, offset, p, n, e) ...        exactly n bytes, anywhere in what was written
 *     tmp_close(&t);
 * The file has no name from the start, so it is gone when the process is, however that ends. With
 * TMP_NAMED it keeps its name (t.path) until tmp_unlink or tmp_close, or until a signal that the
 * handlers of signals.h see; for what must be opened by name.
 */
#ifndef IO_TMP_H
#define IO_TMP_H

#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

enum tmp_flags {
    TMP_NAMED = 1,
};
struct tmp {
    int fd, slot;
    uint64_t size; /* bytes written */
    char *path;    /* also where it has no name any more: for messages */
    int named;
};
int tmp_open(struct tmp *t, int flags, struct err *e);
int tmp_write(struct tmp *t, const void *p, size_t n, struct err *e);
int tmp_read(const struct tmp *t, uint64_t offset, void *p, size_t n, struct err *e);
/* Forgets what was written, to begin again; gives the space back. */
int tmp_rewind(struct tmp *t, struct err *e);
void tmp_unlink(struct tmp *t);
void tmp_close(struct tmp *t); /* also of one zeroed with .fd = -1, or that failed to open */

#endif
