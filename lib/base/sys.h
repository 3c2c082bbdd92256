/*
 * What is asked of the system beyond POSIX's base: pages, maps, locks, memory and disk limits.
 * sys.c is the one file compiled with -D_DEFAULT_SOURCE.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

/* n_bytes of zeroed pages, advised as huge before first touch, at a 2 MiB boundary when that
 * large. Not touched: the first writer faults them in. Freed by sys_pages_free with the size. */
void *sys_pages(size_t n_bytes, struct err *e);
void sys_pages_free(void *p, size_t n_bytes);
/* Takes the advice back, before first touch: for what is written here and there. */
void sys_pages_sparse(void *p, size_t n_bytes);
/* Gives it to large memory of malloc's, before first touch. */
void sys_pages_huge(void *p, size_t n_bytes);

/* A whole regular file mapped read-only. An empty file gives p == NULL, len == 0 and success. */
struct sys_map {
    const unsigned char *p;
    size_t len;
};
int sys_map_file(struct sys_map *m, const char *path, struct err *e);
void sys_unmap(struct sys_map *m);

/* Takes an exclusive advisory lock on path (made if missing), without waiting; returns a
 * descriptor that holds it, or -1 with a message that another process has it. */
int sys_lock(const char *path, struct err *e);
void sys_unlock(int fd);

/* Bytes that this process may still take: the least of free memory, RLIMIT_AS and the limits of
 * its cgroup (v1 and v2). UINT64_MAX if not known. */
uint64_t sys_mem_available(void);
/* Bytes free for this user on the file system that holds path, or will hold it: path need not
 * exist. UINT64_MAX if not known. */
uint64_t sys_disk_available(const char *path);
/* The absolute path of an existing file without links in it; caller frees. */
char *sys_realpath(const char *path, struct err *e);
uint64_t sys_max_rss(void); /* peak resident bytes of this process */
int sys_n_cpu(void);        /* processors this process may run on (affinity, cgroup quota) */
/* Asks that every thread of this process may use AMX's tiles; -1: the system does not give them. */
int sys_allow_tiles(void);
double sys_time(void); /* seconds of a clock that never steps back */
/* Columns of the terminal at fd: $COLUMNS, else what the terminal says, else 80. */
int sys_term_width(int fd);

#endif
