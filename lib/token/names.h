/*
 * Strings with the ids 0, 1, 2 ..., found by their bytes; a vocabulary that grows.
 *
 *     struct names s = {0};
 *     names_add(&s, "the", 3, e)            the id, also of one that is there; -1: err
 *     names_find(&s, "the", 3)              -1: none
 *     names_get(&s, 0, &n)                  valid until the next names_add
 *     names_release(&s);
 */
#ifndef TOKEN_NAMES_H
#define TOKEN_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

struct names {
    struct buf bytes;
    size_t *end; /* of each string, in bytes */
    size_t n, cap;
    uint32_t *cells; /* id + 1, 0: empty */
    size_t n_cells;  /* a power of two */
};
int64_t names_add(struct names *s, const char *p, size_t n, struct err *e);
int64_t names_find(const struct names *s, const char *p, size_t n);
const char *names_get(const struct names *s, uint32_t id, size_t *n);
void names_release(struct names *s);

#endif
