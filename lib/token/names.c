/* Strings by id and by their bytes: see names.h. */
#include "token/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

const char *names_get(const struct names *s, uint32_t id, size_t *n)
{
    size_t from = id ? s->end[id - 1] : 0;
    *n = s->end[id] - from;
    return s->bytes.s + from;
}

/* The string's cell, or the empty one where it would go. */
static uint32_t *cell_of(const struct names *s, const char *p, size_t n)
{
    uint64_t h = hash64(p, n, 0);
    for (size_t i = (size_t)h & (s->n_cells - 1);; i = (i + 1) & (s->n_cells - 1)) {
        size_t len;
        if (!s->cells[i])
            return &s->cells[i];
        const char *q = names_get(s, s->cells[i] - 1, &len);
        if (len == n && memcmp(q, p, n) == 0)
            return &s->cells[i];
    }
}

int64_t names_find(const struct names *s, const char *p, size_t n)
{
    return s->n_cells ? (int64_t)*cell_of(s, p, n) - 1 : -1;
}

static int more_cells(struct names *s, struct err *e)
{
    struct names bigger = *s;
    bigger.n_cells = s->n_cells ? s->n_cells * 2 : 1024;
    bigger.cells = mem_new(bigger.n_cells, sizeof *bigger.cells, e);
    if (!bigger.cells)
        return -1;
    for (uint32_t id = 0; id < s->n; id++) {
        size_t n;
        const char *p = names_get(s, id, &n);
        *cell_of(&bigger, p, n) = id + 1;
    }
    free(s->cells);
    *s = bigger;
    return 0;
}

int64_t names_add(struct names *s, const char *p, size_t n, struct err *e)
{
    if (!s->bytes.s)
        s->bytes = (struct buf)BUF_INIT;
    if (s->n >= s->n_cells / 2 && more_cells(s, e) < 0)
        return -1;
    uint32_t *cell = cell_of(s, p, n);
    if (*cell)
        return (int64_t)*cell - 1;
    if (s->n >= UINT32_MAX - 1)
        return err_set(e, "more than 4 Gi tokens");
    if (buf_add(&s->bytes, p, n, e) < 0 ||
        mem_grow(&s->end, &s->cap, s->n + 1, sizeof *s->end, e) < 0)
        return -1;
    s->end[s->n++] = s->bytes.len;
    *cell = (uint32_t)s->n;
    return (int64_t)s->n - 1;
}

void names_release(struct names *s)
{
    if (s->bytes.s)
        buf_release(&s->bytes);
    free(s->end);
    free(s->cells);
    *s = (struct names){0};
}
