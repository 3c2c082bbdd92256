/* Log-probabilities of token sequences. */
#include "infer/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "model/batchbuf.h"

struct part {
    int from, n; /* rows of the pass that belong to one sequence */
    double *nats;
};

struct scorer {
    struct scorer_options o;
    struct exec *x;
    struct batchbuf b;
    float *logp;
    struct part *parts;
    int n_parts;
};

struct scorer *scorer_new(struct model *m, const struct scorer_options *o, struct err *e)
{
    struct scorer *s = mem_new(1, sizeof *s, e);
    struct exec_opt x = {.max_tok = o->max_tok,
                         .max_seq = o->max_tok,
                         .dtype = o->dtype,
                         .gemm = o->gemm,
                         .n_threads = o->n_threads};

    if (!s)
        return NULL;
    s->o = *o;
    if ((s->x = exec_new(m, &x, e)) && batchbuf_init(&s->b, o->max_tok, e) == 0 &&
        (s->logp = mem_new((size_t)o->max_tok, sizeof *s->logp, e)) &&
        (s->parts = mem_new((size_t)o->max_tok, sizeof *s->parts, e)))
        return s;
    scorer_free(s);
    return NULL;
}

int scorer_flush(struct scorer *s, struct err *e)
{
    if (s->b.b.n_tok > 0 && exec_logp(s->x, &s->b.b, s->b.target, s->logp, e) < 0)
        return -1;
    for (int i = 0; i < s->n_parts; i++) {
        const struct part *p = &s->parts[i];
        for (int k = p->from; k < p->from + p->n; k++)
            if (s->b.target[k] != UINT32_MAX)
                *p->nats -= (double)s->logp[k];
        if (!isfinite(*p->nats))
            return err_set(e, "the model's logits are not finite: its weights are damaged, or it "
                              "diverged while it was trained");
    }
    batchbuf_clear(&s->b);
    s->n_parts = 0;
    return 0;
}

/* One window: inputs ids[0..n), of whose targets ids[1..n] the last n_new count. */
static int put_window(struct scorer *s, const uint32_t *ids, int n, int n_new, double *nats,
                      struct err *e)
{
    uint32_t *in, *target;
    float *weight;

    if (s->b.b.n_tok + n > s->o.max_tok && scorer_flush(s, e) < 0)
        return -1;
    s->parts[s->n_parts++] = (struct part){.from = s->b.b.n_tok, .n = n, .nats = nats};
    batchbuf_seq(&s->b, n, &in, &target, &weight);
    memcpy(in, ids, (size_t)n * sizeof *in);
    for (int i = 0; i < n; i++) {
        target[i] = i >= n - n_new ? ids[i + 1] : UINT32_MAX;
        weight[i] = 1;
    }
    return 0;
}

int scorer_put(struct scorer *s, const uint32_t *ids, size_t n_ids, double *nats, struct err *e)
{
    size_t n = n_ids > 0 ? n_ids - 1 : 0, done = 0, from = 0, n_ctx = (size_t)s->o.n_ctx;

    while (done < n) {
        size_t end = from + n_ctx < n ? from + n_ctx : n;
        if (put_window(s, ids + from, (int)(end - from), (int)(end - done), nats, e) < 0)
            return -1;
        done = end;
        from += (size_t)s->o.stride;
    }
    return 0;
}

void scorer_free(struct scorer *s)
{
    if (!s)
        return;
    exec_free(s->x);
    batchbuf_release(&s->b);
    free(s->logp);
    free(s->parts);
    free(s);
}
