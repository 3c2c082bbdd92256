/*
 * Descriptors as in.c and out.c use them: interrupted calls go on, a descriptor that does not
 * block is waited for, and no file ever lands on 0, 1 or 2 (where the caller's shell had closed
 * one of these, a later writer to stdout would take the file for it). errno tells why on failure.
 */
#ifndef IO_FD_INT_H
#define IO_FD_INT_H

#include <stddef.h>
#include <sys/types.h>

int fd_open(const char *path, int flags, mode_t mode); /* O_CLOEXEC and O_NOCTTY are added */
/* Where signals are caught (sig_catch), one ends a wait for data: -1, errno EINTR. */
long fd_read(int fd, void *p, size_t n);
int fd_write_all(int fd, const void *p, size_t n);
int fd_close(int fd);
/* fsync of a directory after a name in it has changed. File systems that cannot do this, and
 * directories that may not be read, are passed over; an I/O error is not. */
int fd_sync_dir(const char *dir);

#endif
