/* Choosing the next token. */
#include "infer/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

int sampler_init(struct sampler *s, const struct sampler_options *o, uint32_t n_vocab,
                 struct err *e)
{
    *s = (struct sampler){.o = *o, .n_vocab = n_vocab};
    if ((s->c = mem_new(n_vocab, sizeof *s->c, e)) && (s->barred = mem_new(n_vocab, 1, e)) &&
        (s->seen = mem_new(n_vocab, 1, e)))
        return 0;
    sampler_release(s);
    return -1;
}

void sampler_begin(struct sampler *s, uint64_t prompt_number)
{
    rng_init(&s->rng, (uint64_t)s->o.seed, RNG_SAMPLE, prompt_number);
    memset(s->seen, 0, s->n_vocab);
}

void sampler_bar(struct sampler *s, uint32_t id)
{
    if (id < s->n_vocab)
        s->barred[id] = 1;
}

void sampler_see(struct sampler *s, uint32_t id)
{
    if (id < s->n_vocab)
        s->seen[id] = 1;
}

static int better_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static bool better(const struct candidate *x, const struct candidate *y)
{
    return x->logit > y->logit || (x->logit == y->logit && x->id < y->id);
}

static double penalised(const struct sampler *s, double v)
{
    return v > 0 ? v / s->o.repeat_penalty : v * s->o.repeat_penalty;
}

/* Candidates that may be chosen, with the penalty taken off; returns how many. *best is the one
 * with the highest logit, of equal ones that with the smallest id. */
static size_t gather(struct sampler *s, const float *logits, struct candidate *best)
{
    size_t n = 0;

    *best = (struct candidate){.logit = -INFINITY};
    for (uint32_t id = 0; id < s->n_vocab; id++) {
        double v = logits[id];
        if (s->barred[id] || !(v > -INFINITY)) /* NaN neither */
            continue;
        if (s->seen[id])
            v = penalised(s, v);
        s->c[n] = (struct candidate){.logit = v, .id = id};
        if (v > best->logit)
            *best = s->c[n];
        n++;
    }
    return n;
}

/* Moves the k best to the front, in any order (Hoare's quickselect). */
static void select_best(struct candidate *c, size_t n, size_t k)
{
    size_t lo = 0, hi = n;

    while (hi - lo > 1) {
        struct candidate pivot = c[lo + (hi - lo - 1) / 2];
        size_t i = lo, j = hi - 1;
        for (;;) {
            while (better(&c[i], &pivot))
                i++;
            while (better(&pivot, &c[j]))
                j--;
            if (i >= j)
                break;
            struct candidate t = c[i];
            c[i++] = c[j];
            c[j--] = t;
        }
        if (k <= j + 1)
            hi = j + 1;
        else
            lo = j + 1;
        if (lo >= k || hi <= k)
            break;
    }
}

/* The candidates, of which a growing part stands sorted at the front. */
struct ranked {
    struct candidate *c;
    size_t n, n_sorted;
};

static const struct candidate *ranked_at(struct ranked *r, size_t i)
{
    while (i >= r->n_sorted) {
        size_t left = r->n - r->n_sorted, more = r->n_sorted ? 3 * r->n_sorted : 64;
        struct candidate *rest = r->c + r->n_sorted;
        if (more < left)
            select_best(rest, left, more);
        else
            more = left;
        qsort(rest, more, sizeof *rest, better_first);
        r->n_sorted += more;
    }
    return &r->c[i];
}

/* How many of the candidates are left by top-p, then by min-p: both keep the likeliest. */
static size_t cut(const struct sampler *s, struct ranked *r, double best)
{
    double sum = 0, part = 0;
    size_t keep = 0;

    if (s->o.top_p >= 1 && s->o.min_p <= 0)
        return r->n;
    for (size_t i = 0; i < r->n; i++)
        sum += exp(r->c[i].logit - best);
    while (keep < r->n && (s->o.top_p >= 1 || part < s->o.top_p * sum)) {
        double w = exp(ranked_at(r, keep)->logit - best);
        if (w < s->o.min_p)
            break;
        part += w;
        keep++;
    }
    return keep ? keep : 1;
}

static uint32_t draw(struct sampler *s, struct ranked *r, size_t n, double best)
{
    double sum = 0, at;

    if (n < r->n) /* else any order will do for the sum */
        ranked_at(r, n - 1);
    for (size_t i = 0; i < n; i++)
        sum += exp((r->c[i].logit - best) / s->o.temperature);
    at = rng_f64(&s->rng) * sum;
    for (size_t i = 0; i < n; i++) {
        const struct candidate *c = ranked_at(r, i);
        at -= exp((c->logit - best) / s->o.temperature);
        if (at < 0)
            return c->id;
    }
    return r->c[n - 1].id;
}

int sampler_next(struct sampler *s, const float *logits, uint32_t *id, struct err *e)
{
    struct candidate best;
    struct ranked r = {.c = s->c, .n = gather(s, logits, &best)};

    if (r.n == 0 || best.logit == INFINITY)
        return err_set(e, "no token can be chosen: the model's logits are not finite");
    if (s->o.temperature == 0) {
        *id = best.id;
        return 0;
    }
    if (s->o.top_k > 0 && (uint64_t)s->o.top_k < r.n) {
        select_best(s->c, r.n, (size_t)s->o.top_k);
        r.n = (size_t)s->o.top_k;
    }
    *id = draw(s, &r, cut(s, &r, best.logit), best.logit);
    return 0;
}

void sampler_release(struct sampler *s)
{
    free(s->c);
    free(s->barred);
    free(s->seen);
    *s = (struct sampler){0};
}
