/*
 * Files of a command that must not be one and the same: looked at before any is opened for writing,
 * since an output that is also an input, or two that are one, lose data without a word.
 *
 *     const struct file_use use[] = {{FILE_KEEP, "-t", tokenizer},
 *                                    {FILE_OUT, "--rejected", rejected},
 *                                    {FILE_REPLACE, "-o", out ? out : "-"}};
 *     if (files_apart(operands, n_operands, use, ARRAY_LEN(use), e) < 0) ...
 *
 * Files are the same by device and inode, whatever they are called; names of files that are not
 * there yet by directory and last part, links followed. Devices, pipes and sockets may serve twice.
 * "-" and /dev/stdout are stdout where something is written (which two outputs may not share), "-"
 * is stdin where something is read.
 */
#ifndef IO_APART_H
#define IO_APART_H

#include <stddef.h>
#include "quern/err.h"

enum file_role {
    FILE_IN,      /* read; all operands are */
    FILE_KEEP,    /* read, and nothing may replace it; of a directory: no file that is in it */
    FILE_OUT,     /* written; may be nothing else */
    FILE_REPLACE, /* likewise, but may take the place of a FILE_IN: it appears when all is read */
};
struct file_use {
    enum file_role role;
    const char *option; /* for messages */
    const char *path;   /* NULL: not given */
};
/* operands: NULL where the command reads none; n 0: it reads stdin. ERR_USAGE names what clashes.
 * What cannot be looked at is left to whoever opens it. */
int files_apart(char *const *operands, int n, const struct file_use *use, size_t n_use,
                struct err *e);

#endif
