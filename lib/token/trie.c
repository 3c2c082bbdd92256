/* Tries: see trie.h. */
#include "token/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_NODES = 1 << 24 };

static int new_node(struct trie *t, struct err *e)
{
    if (t->n == MAX_NODES)
        return err_set(e, "the vocabulary's strings are too long in all");
    if (mem_grow(&t->value, &t->cap, t->n + 1, sizeof *t->value, e) < 0)
        return -1;
    t->value[t->n++] = TRIE_NONE;
    return 0;
}

struct trie *trie_new(struct err *e)
{
    struct trie *t = mem_new(1, sizeof *t, e);
    if (!t)
        return NULL;
    t->n_cells = 1 << 10;
    t->shift = 54;
    t->cells = mem_new(t->n_cells, sizeof *t->cells, e);
    memset(t->first, 0xff, sizeof t->first);
    if (!t->cells || new_node(t, e) < 0) {
        trie_free(t);
        return NULL;
    }
    return t;
}

void trie_free(struct trie *t)
{
    if (!t)
        return;
    free(t->cells);
    free(t->value);
    free(t);
}

static void put_cell(struct trie *t, uint64_t cell)
{
    size_t i = (size_t)((cell >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> t->shift);
    while (t->cells[i & (t->n_cells - 1)])
        i++;
    t->cells[i & (t->n_cells - 1)] = cell;
}

static int grow(struct trie *t, struct err *e)
{
    uint64_t *old = t->cells;
    size_t n = t->n_cells;
    uint64_t *cells = mem_new(2 * n, sizeof *cells, e);
    if (!cells)
        return -1;
    t->cells = cells;
    t->n_cells = 2 * n;
    t->shift--;
    for (size_t i = 0; i < n; i++)
        if (old[i])
            put_cell(t, old[i]);
    free(old);
    return 0;
}

int trie_add(struct trie *t, const char *s, size_t n, uint32_t value, struct err *e)
{
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        uint32_t child = trie_child(t, at, c);
        if (child == TRIE_NONE) {
            child = (uint32_t)t->n;
            if ((2 * t->n >= t->n_cells && grow(t, e) < 0) || new_node(t, e) < 0)
                return -1;
            if (at == 0)
                t->first[c] = child;
            else
                put_cell(t, (uint64_t)(at << 8 | c) << 32 | child);
        }
        at = child;
    }
    if (n)
        t->value[at] = value;
    return 0;
}
