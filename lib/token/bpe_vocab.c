/* A trained vocabulary: the byte alphabet, tokens as bytes and as visible characters. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "token/bpe_train.h"
#include "token/bytelevel.h"

void bpe_alphabet(uint8_t order[256])
{
    int n = 0;
    for (uint32_t cp = 0; cp < BYTELEVEL_CHARS; cp++) {
        int byte = bytelevel_byte(cp);
        if (byte >= 0)
            order[n++] = (uint8_t)byte;
    }
}

static int add_leaf(const struct bpe_vocab *v, uint32_t id, struct buf *out, struct err *e)
{
    if (id < v->n_special)
        return buf_puts(out, v->special[id], e);
    char c[2];
    return buf_add(out, c, bytelevel_spell(c, (const char *)&v->first_byte[id], 1), e);
}

/* Merges are undone from the left; what is still to come waits on a stack. */
int bpe_token_visible(const struct bpe_vocab *v, uint32_t id, struct buf *out, struct err *e)
{
    uint32_t *stack = NULL;
    size_t n = 0, cap = 0;
    int rc;
    for (;;) {
        while (id >= v->n_first) {
            const struct bpe_merge *m = &v->merge[v->merge_of[id]];
            rc = mem_grow(&stack, &cap, n + 1, sizeof *stack, e);
            if (rc < 0)
                goto end;
            stack[n++] = m->right;
            id = m->left;
        }
        rc = add_leaf(v, id, out, e);
        if (rc < 0 || n == 0)
            break;
        id = stack[--n];
    }
end:
    free(stack);
    return rc;
}

void bpe_vocab_free(struct bpe_vocab *v)
{
    if (!v)
        return;
    for (uint32_t i = 0; v->special && i < v->n_special; i++)
        free(v->special[i]);
    free(v->special);
    free(v->first_byte);
    free(v->merge);
    free(v->merge_of);
    free(v);
}
