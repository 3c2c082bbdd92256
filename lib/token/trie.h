/* A trie of byte strings: nodes are numbers, 0 the root; the children are one hash table. */
#ifndef TOKEN_TRIE_H
#define TOKEN_TRIE_H

#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "quern/err.h"

#define TRIE_NONE UINT32_MAX
struct trie {
    uint64_t *cells; /* node << 8 | byte, above, and the child; 0: empty */
    size_t n_cells;
    int shift;       /* 64 - log2(n_cells) */
    uint32_t *value; /* by node: of the string that ends there, TRIE_NONE: none */
    size_t n, cap;
    uint32_t first[256]; /* the root's children; TRIE_NONE */
};

struct trie *trie_new(struct err *e);
void trie_free(struct trie *t);
/* Of equal strings the last value counts. An empty one is ignored. */
int trie_add(struct trie *t, const char *s, size_t n, uint32_t value, struct err *e);

static ALWAYS_INLINE uint32_t trie_child(const struct trie *t, uint32_t node, unsigned char byte)
{
    uint32_t key = node << 8 | byte;
    if (node == 0)
        return t->first[byte];
    for (size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> t->shift);; i++) {
        uint64_t cell = t->cells[i & (t->n_cells - 1)];
        if (!cell)
            return TRIE_NONE;
        if (cell >> 32 == key)
            return (uint32_t)cell;
    }
}

#endif
