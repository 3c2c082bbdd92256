/*
 * Memory with checked sizes. Every function that can fail fills err (where given) and returns
 * NULL or -1; nothing here aborts. free() releases what mem_new and mem_grow gave.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

/* n * size zeroed bytes; never NULL for n == 0. */
void *mem_new(size_t n, size_t size, struct err *e);
/* A copy of n bytes with a NUL behind them. */
char *mem_dup(const void *p, size_t n, struct err *e);
/* A copy of a C string. */
char *mem_strdup(const char *s, struct err *e);
/* Makes room for at least need elements of the given size at *p (cap elements now), growing by
 * half; *p and *cap are updated. The new part is not cleared.
 *     if (mem_grow((void **)&v, &cap, n + 1, sizeof *v, e) < 0)
 * What comes to 512 KiB is 2 MiB at once, as mem_resize() gives it, and all of it takes memory from
 * the first write on, where the system has huge pages. That is for a few arrays that go on growing;
 * where there are many at a time (one for each document, say) that stay between 512 KiB and 2 MiB,
 * they cost up to four times what they hold: take mem_new(), an arena, or one array for all. */
int mem_grow(void *p_ptr, size_t *cap, size_t need, size_t size, struct err *e);

/* As realloc, but *n_bytes from 512 KiB to 2 MiB become one huge page, for which there is one fault
 * instead of hundreds. The first kept bytes of p, at most *n_bytes, stay what they are. NULL
 * without a message, and p as it was, where there is no memory. */
void *mem_resize(void *p, size_t kept, size_t *n_bytes);

/* *out = a * b or a + b; -1 and a message that names `what` if that does not fit a size_t. */
int size_mul(size_t a, size_t b, size_t *out, const char *what, struct err *e);
int size_add(size_t a, size_t b, size_t *out, const char *what, struct err *e);

/*
 * Arena: one lifetime, one allocation call, freed as a whole. arena_init reserves nothing; blocks
 * are taken from the system as needed (at least block_bytes each, 0 = 64 KiB) and are aligned to
 * 64 bytes. arena_reset keeps the blocks for the next document. Not thread-safe.
 */
struct arena_block;
struct arena {
    struct arena_block *first, *now;
    size_t block_bytes;
    size_t used_bytes; /* given out since the last reset */
};
void arena_init(struct arena *a, size_t block_bytes);
void *arena_new(struct arena *a, size_t n, size_t size,
                struct err *e); /* zeroed, 64-byte aligned */
char *arena_dup(struct arena *a, const void *p, size_t n, struct err *e); /* NUL-terminated copy */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

#endif
