/*
 * One merge over cells of type CELL: included by bpe_merge16.c and bpe_merge32.c, which define
 * CELL and MERGE. SEPARATOR and DEAD are the two largest values of a cell.
 */
#include <string.h>

#include "base/compiler.h"
#include "token/bpe_int.h"

#define SEPARATOR ((CELL)-1)
#define DEAD      ((CELL)-2)

enum { AHEAD = 16 }; /* places whose cells are fetched in advance */

static ALWAYS_INLINE void add_neighbour(struct side *s, uint32_t id, uint32_t at, uint64_t weight)
{
    if (!s->count[id])
        s->id[s->n_ids++] = id;
    s->count[id]++;
    s->weight[id] += weight;
    s->item_id[s->n_items] = id;
    s->item_at[s->n_items++] = at;
}

void MERGE(const struct trainer *t, struct scan *s, uint32_t a, uint32_t b, uint32_t id,
           const struct places *pl, size_t from, size_t to)
{
    CELL *RESTRICT cell = t->words.cell;
    const uint32_t *len = t->len;
    const uint32_t len_a = len[a], len_b = len[b];
    const struct weight_class *cls = t->words.cls;
    size_t k = 0;

    for (size_t i = from; i < to; i++) {
        if (i + AHEAD < to)
            PREFETCH(&cell[pl->at[i + AHEAD]]);
        uint32_t p = pl->at[i], q = p + len_a;
        if (cell[p] != a || cell[q] != b)
            continue;
        if (p >= cls[k + 1].from) {
            uint32_t c = t->words.cls_at[p >> CLASS_SHIFT];
            k = c > k ? c : k;
            while (p >= cls[k + 1].from)
                k++;
        }
        uint64_t weight = cls[k].count;
        uint32_t x = cell[p - 1], y = cell[q + len_b];
        cell[q - 1] = cell[q] = DEAD;
        cell[p] = cell[q + len_b - 1] = (CELL)id;

        if (x == id) {
            /* the place before this one counted (id, a), which is now (id, id) */
            s->right.item_id[s->right.n_items - 1] = id;
            s->self_weight += weight;
            s->self_count++;
        } else if (x != SEPARATOR) {
            add_neighbour(&s->left, x, p - len[x], weight);
        }
        if (y != SEPARATOR)
            add_neighbour(&s->right, y, p, weight);
    }
}
