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
}

void sampler_bar(struct sampler *s, uint32_t id)
{
    if (id < s->n_vocab)
        s->barred[id] = 1;
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

/* Candidates that may be chosen, with the penalty taken off; returns how many. */
static size_t gather(struct sampler *s, const float *logits, const uint32_t *seen, size_t n_seen)
{
    size_t n = 0;
    bool penalise = s->o.repeat_penalty != 1;

    for (size_t i = 0; penalise && i < n_seen; i++)
        if (seen[i] < s->n_vocab)
            s->seen[seen[i]] = 1;
    for (uint32_t id = 0; id < s->n_vocab; id++) {
        double v = logits[id];
        if (s->barred[id] || isnan(v))
            continue;
        if (penalise && s->seen[id])
            v = v > 0 ? v / s->o.repeat_penalty : v * s->o.repeat_penalty;
        s->c[n++] = (struct candidate){.logit = v, .id = id};
    }
    for (size_t i = 0; penalise && i < n_seen; i++)
        if (seen[i] < s->n_vocab)
            s->seen[seen[i]] = 0;
    return n;
}

static uint32_t greedy(const struct candidate *c, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (better(&c[i], &c[best]))
            best = i;
    return c[best].id;
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

/* How many of the n sorted candidates are left by top-p, then by min-p. */
static size_t cut(const struct sampler *s, const struct candidate *c, size_t n)
{
    double sum = 0, part = 0;
    size_t keep = 0;

    for (size_t i = 0; i < n; i++)
        sum += exp(c[i].logit - c[0].logit);
    while (keep < n && (keep == 0 || part < s->o.top_p * sum))
        part += exp(c[keep++].logit - c[0].logit);
    while (keep > 1 && exp(c[keep - 1].logit - c[0].logit) < s->o.min_p)
        keep--;
    return keep;
}

static uint32_t draw(struct sampler *s, const struct candidate *c, size_t n)
{
    double sum = 0, at;

    for (size_t i = 0; i < n; i++)
        sum += exp((c[i].logit - c[0].logit) / s->o.temperature);
    at = rng_f64(&s->rng) * sum;
    for (size_t i = 0; i < n; i++) {
        at -= exp((c[i].logit - c[0].logit) / s->o.temperature);
        if (at < 0)
            return c[i].id;
    }
    return c[n - 1].id;
}

uint32_t sampler_next(struct sampler *s, const float *logits, const uint32_t *seen, size_t n_seen)
{
    size_t n = gather(s, logits, seen, n_seen), k = n;

    if (n == 0)
        return 0;
    if (s->o.temperature == 0)
        return greedy(s->c, n);
    if (s->o.top_k > 0 && (uint64_t)s->o.top_k < n) {
        k = (size_t)s->o.top_k;
        select_best(s->c, n, k);
    }
    qsort(s->c, k, sizeof *s->c, better_first);
    return draw(s, s->c, cut(s, s->c, k));
}

void sampler_release(struct sampler *s)
{
    free(s->c);
    free(s->barred);
    free(s->seen);
    *s = (struct sampler){0};
}
