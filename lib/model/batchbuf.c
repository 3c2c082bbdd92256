/* A batch under construction. */
#include "model/batchbuf.h"

#include <stdlib.h>
#include "base/bug.h"
#include "base/mem.h"

int batchbuf_init(struct batchbuf *b, int max_tok, struct err *e)
{
    size_t n = (size_t)max_tok;

    *b = (struct batchbuf){.max_tok = max_tok};
    if ((b->ids = mem_new(n, sizeof *b->ids, e)) &&
        (b->target = mem_new(n, sizeof *b->target, e)) &&
        (b->weight = mem_new(n, sizeof *b->weight, e)) &&
        (b->pos = mem_new(n, sizeof *b->pos, e)) && (b->seq = mem_new(n, sizeof *b->seq, e)) &&
        (b->cu = mem_new(n + 1, sizeof *b->cu, e))) {
        batchbuf_clear(b);
        return 0;
    }
    batchbuf_release(b);
    return -1;
}

void batchbuf_clear(struct batchbuf *b)
{
    b->b = (struct batch){.ids = b->ids, .pos = b->pos, .seq = b->seq, .cu_seqlens = b->cu};
    b->cu[0] = 0;
    b->weight_sum = 0;
}

void batchbuf_seq(struct batchbuf *b, int n, uint32_t **ids, uint32_t **target, float **weight)
{
    int at = b->b.n_tok;

    if (n <= 0 || n > b->max_tok - at)
        BUG("a sequence of %d tokens in a batch with %d of %d taken", n, at, b->max_tok);
    for (int i = 0; i < n; i++) {
        b->pos[at + i] = i;
        b->seq[at + i] = b->b.n_seq;
    }
    *ids = b->ids + at;
    *target = b->target + at;
    *weight = b->weight + at;
    b->b.n_tok = at + n;
    b->b.n_seq++;
    b->cu[b->b.n_seq] = b->b.n_tok;
}

double batchbuf_sum(struct batchbuf *b)
{
    double s = 0;

    for (int i = 0; i < b->b.n_tok; i++)
        s += (double)b->weight[i];
    return b->weight_sum = s;
}

void batchbuf_release(struct batchbuf *b)
{
    free(b->ids);
    free(b->target);
    free(b->weight);
    free(b->pos);
    free(b->seq);
    free(b->cu);
    *b = (struct batchbuf){0};
}
