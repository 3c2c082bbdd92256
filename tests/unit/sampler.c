/* The sampler against a slow definition that sorts everything. */
#include "infer/sampler.h"
#include <stdlib.h>
#include "tap.h"

enum { MAX_VOCAB = 3000 };

static const struct sampler_options plain = {.temperature = 1, .top_p = 1, .repeat_penalty = 1};

static int falling(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->logit < y->logit || (x->logit == y->logit && x->id > y->id))
        return 1;
    return -1;
}

/* The definition: one cut after the other over the whole sorted list; returns how many are left,
 * with their probabilities. */
static size_t slow_list(const struct sampler *s, const float *logits, struct candidate *c,
                        double *p)
{
    const struct sampler_options *o = &s->o;
    size_t n = 0, keep;

    for (uint32_t i = 0; i < s->n_vocab; i++) {
        double v = logits[i];
        if (s->barred[i] || v == -INFINITY || v != v)
            continue;
        if (s->seen[i])
            v = v > 0 ? v / o->repeat_penalty : v * o->repeat_penalty;
        c[n++] = (struct candidate){.logit = v, .id = i};
    }
    qsort(c, n, sizeof *c, falling);
    if (o->top_k > 0 && (size_t)o->top_k < n)
        n = (size_t)o->top_k;
    if (o->top_p < 1) {
        double sum = 0, part = 0;
        for (size_t i = 0; i < n; i++)
            sum += exp(c[i].logit - c[0].logit);
        for (keep = 0; keep < n && (keep == 0 || part < o->top_p * sum); keep++)
            part += exp(c[keep].logit - c[0].logit);
        n = keep;
    }
    for (keep = 1; keep < n && exp(c[keep].logit - c[0].logit) >= o->min_p; keep++)
        ;
    n = keep;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((c[i].logit - c[0].logit) / o->temperature);
    for (size_t i = 0; i < n; i++)
        p[i] = exp((c[i].logit - c[0].logit) / o->temperature) / sum;
    return n;
}

static uint32_t next(struct sampler *s, const float *logits)
{
    struct err e = {0};
    uint32_t id = UINT32_MAX;

    if (sampler_next(s, logits, &id, &e) < 0)
        bail_out(e.msg);
    return id;
}

/* What the definition draws with the number that the sampler is about to take. */
static uint32_t slow_next(const struct sampler *s, const float *logits, double *margin)
{
    static struct candidate c[MAX_VOCAB];
    static double p[MAX_VOCAB];
    struct rng copy = s->rng;
    size_t n = slow_list(s, logits, c, p), i = 0;
    double at = rng_f64(&copy), sum = 0;

    for (; i + 1 < n && sum + p[i] <= at; i++)
        sum += p[i];
    *margin = fmin(fabs(at - sum), fabs(sum + p[i] - at));
    return c[i].id;
}

static void fill(float *logits, uint32_t n, uint64_t seed, int ties)
{
    struct rng r;

    rng_init(&r, seed, RNG_TEST, 0);
    for (uint32_t i = 0; i < n; i++) {
        double v = 12 * (rng_f64(&r) - .5);
        logits[i] = (float)(ties ? floor(v) : v);
    }
}

static void against_definition(void)
{
    static const int64_t ks[] = {0, 1, 2, 63, 64, 65, 256, 257, 2999, 5000};
    static const double tops[] = {1, .999, .9, .5, 0}, mins[] = {0, .02, .5, 1};
    static const uint32_t vocabs[] = {1, 2, 64, 65, 257, MAX_VOCAB};
    static float logits[MAX_VOCAB];
    struct err e = {0};
    int n_bad = 0, n_border = 0, n = 0;

    for (int i = 0; i < 1200; i++) {
        struct sampler s;
        struct sampler_options o = {.temperature = i % 3 ? .8 : 2.5,
                                    .top_k = ks[i % 10],
                                    .top_p = tops[i / 10 % 5],
                                    .min_p = mins[i / 50 % 4],
                                    .repeat_penalty = i % 7 ? 1 : 1.4,
                                    .seed = i};
        uint32_t n_vocab = vocabs[i / 200];
        double margin;
        if (sampler_init(&s, &o, n_vocab, &e) < 0)
            bail_out(e.msg);
        if (n_vocab > 2)
            sampler_bar(&s, 1);
        sampler_begin(&s, (uint64_t)i);
        fill(logits, n_vocab, (uint64_t)i, i % 2);
        for (uint32_t k = 0; k < n_vocab; k += 3)
            sampler_see(&s, k);
        for (int draw = 0; draw < 3; draw++, n++) {
            uint32_t want = slow_next(&s, logits, &margin);
            if (next(&s, logits) != want) {
                n_bad++;
                n_border += margin < 1e-9; /* sums taken in another order */
            }
        }
        sampler_release(&s);
    }
    ok(n_bad == n_border, "%d draws are those of the definition, %d at a border", n, n_border);
    ok(n_border < 5, "of which there are few");
}

static void test_greedy(void)
{
    float logits[6] = {1, 3, -2, 3, NAN, -INFINITY};
    struct sampler_options o = plain;
    struct sampler s;
    struct err e = {0};
    uint32_t id;

    o.temperature = 0;
    o.top_k = 1;
    o.repeat_penalty = 2;
    sampler_init(&s, &o, 6, &e);
    sampler_begin(&s, 0);
    is_int(next(&s, logits), 1, "greedy: of equal ones the smallest id");
    sampler_see(&s, 1);
    is_int(next(&s, logits), 3, "the penalty divides a logit above 0");
    sampler_see(&s, 3);
    logits[0] = 1.6f;
    is_int(next(&s, logits), 0, "of every seen token");
    logits[0] = logits[1] = logits[3] = -1;
    is_int(next(&s, logits), 0, "and multiplies one that is not");
    sampler_begin(&s, 0);
    is_int(next(&s, logits), 0, "a new prompt has seen nothing");
    sampler_see(&s, 77);
    sampler_bar(&s, 77);
    sampler_bar(&s, 0);
    sampler_bar(&s, 1);
    is_int(next(&s, logits), 3, "barred ones are never chosen");
    sampler_bar(&s, 2);
    sampler_bar(&s, 3);
    is_int(sampler_next(&s, logits, &id, &e), -1, "NaN and -inf alone cannot be chosen");
    is_like(e.msg, "not finite", "and that is said");
    sampler_release(&s);
    sampler_init(&s, &o, 6, &e);
    logits[2] = INFINITY;
    is_int(sampler_next(&s, logits, &id, &e), -1, "+inf is an error");
    sampler_release(&s);
}

static void test_borders(void)
{
    /* probabilities 1/2 1/4 1/8 1/8 */
    float logits[4] = {0, (float)log(2), (float)log(4), 0};
    static const struct {
        double top_p, min_p;
        int64_t top_k;
        unsigned may; /* bit for each id */
    } t[] = {{1, 0, 0, 15},   {.49, 0, 0, 4}, {.51, 0, 0, 6},  {.76, 0, 0, 7},
             {.88, 0, 0, 15}, {1, .26, 0, 6}, {1, .24, 0, 15}, {1, .51, 0, 4},
             {1, 0, 3, 7},    {.9, 0, 2, 6},  {.6, 0, 2, 4},   {0, 0, 0, 4}};
    struct err e = {0};

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct sampler_options o = plain;
        struct sampler s;
        unsigned seen = 0;
        o.top_p = t[i].top_p;
        o.min_p = t[i].min_p;
        o.top_k = t[i].top_k;
        sampler_init(&s, &o, 4, &e);
        sampler_begin(&s, i);
        for (int k = 0; k < 300; k++)
            seen |= 1u << next(&s, logits);
        is_int(seen, t[i].may, "top-p %g, min-p %g, top-k %d", t[i].top_p, t[i].min_p,
               (int)t[i].top_k);
        sampler_release(&s);
    }
}

static void test_distribution(void)
{
    enum { N = 12, DRAWS = 40000 };
    float logits[N];
    struct candidate c[N];
    double p[N], chi = 0;
    int count[N] = {0};
    struct sampler_options o = plain;
    struct sampler s;
    struct err e = {0};

    o.temperature = 1.7;
    fill(logits, N, 3, 0);
    sampler_init(&s, &o, N, &e);
    sampler_begin(&s, 1);
    for (int i = 0; i < DRAWS; i++)
        count[next(&s, logits)]++;
    size_t n = slow_list(&s, logits, c, p);
    for (size_t i = 0; i < n; i++)
        chi += pow(count[c[i].id] - DRAWS * p[i], 2) / (DRAWS * p[i]);
    ok(n == N && chi < 31.3, "chi-square of 11 degrees %.1f (0.1 %%: 31.3)", chi);
    sampler_release(&s);
}

static void test_seeds(void)
{
    uint32_t a[3][40];
    float logits[200];
    struct err e = {0};

    fill(logits, 200, 9, 0);
    for (int k = 0; k < 3; k++) {
        struct sampler_options o = plain;
        struct sampler s;
        o.seed = k == 1 ? 5 : 4;
        sampler_init(&s, &o, 200, &e);
        sampler_begin(&s, k == 2 ? 8 : 7);
        for (int i = 0; i < 20; i++)
            a[k][i] = next(&s, logits);
        sampler_begin(&s, k == 2 ? 8 : 7);
        for (int i = 20; i < 40; i++)
            a[k][i] = next(&s, logits);
        sampler_release(&s);
    }
    is_mem(a[0], a[0] + 20, 80, "a prompt's draws begin anew");
    ok(memcmp(a[0], a[1], 80) != 0, "another seed, other draws");
    ok(memcmp(a[0], a[2], 80) != 0, "another prompt, other draws");
}

int main(void)
{
    against_definition();
    test_greedy();
    test_borders();
    test_distribution();
    test_seeds();
    return done_testing();
}
