/* Strings of vocabularies against a look at all of them, also such whose hashes are alike. */
#include "token/vocab.h"

#include "base/rng.h"
#include "tap.h"

enum { MOST = 3000, ROOM = 24 };

static char bytes[2 * MOST][ROOM + 16]; /* the first half goes into the vocabulary */
static struct vocab_query query[2 * MOST];

static int64_t slow_place(const struct vocab *v, const char *s, size_t n)
{
    for (size_t i = v->n; i-- > 0;)
        if (v->v[i].len == n && memcmp(v->v[i].s, s, n) == 0)
            return (int64_t)i;
    return -1;
}

static size_t wrong_answers(const struct vocab *v, size_t n_queries)
{
    size_t wrong = 0;
    vocab_find_many(v, query, n_queries);
    for (size_t i = 0; i < n_queries; i++) {
        const struct vocab_query *q = &query[i];
        const int64_t place = slow_place(v, q->s, q->n);
        const int64_t id = place < 0 ? -1 : (int64_t)v->v[place].id;
        wrong +=
            q->id != id || vocab_id(v, q->s, q->n) != id || vocab_place(v, q->s, q->n) != place;
    }
    return wrong;
}

/* Few letters and lengths, so that strings come again, are parts of others and fill lines. */
static void try_random(struct rng *r, size_t n)
{
    struct vocab v = {0};
    struct err e = {0};
    for (size_t i = 0; i < 2 * n; i++) {
        const size_t len = rng_below(r, 4) ? 1 + rng_below(r, 3) : rng_below(r, ROOM);
        for (size_t k = 0; k < len; k++)
            bytes[i][k] = (char)('a' + rng_below(r, len < 6 ? 12 : 2));
        query[i] = (struct vocab_query){.s = bytes[i], .n = len, .id = -7};
        if (i < n)
            vocab_add(&v, bytes[i], len, (int64_t)(n - i), &e);
    }
    is_int(vocab_index(&v, &e), 0, "an index of %zu strings", n);
    is_int(wrong_answers(&v, 2 * n), 0, "and each is found, and no other one");
    vocab_release(&v);
}

/* The state after eight bytes, for strings of sixteen. */
static uint64_t half_hash(uint64_t word)
{
    const uint64_t h = (16 * UINT64_C(0x9e3779b97f4a7c15) ^ word) * UINT64_C(0x9fb21c651e98df25);
    return h ^ h >> 32;
}

/* Strings of one hash: the last eight bytes undo what differs after the first. */
static void try_alike(struct rng *r, size_t n, size_t n_known)
{
    struct vocab v = {0};
    struct err e = {0};
    const uint64_t same = rng_u64(r);
    for (size_t i = 0; i < n; i++) {
        const uint64_t word[2] = {i, same ^ half_hash(i)};
        for (size_t k = 0; k < 16; k++)
            bytes[i][k] = (char)(word[k / 8] >> 8 * (k % 8));
        query[i] = (struct vocab_query){.s = bytes[i], .n = 16};
        if (i < n_known)
            vocab_add(&v, bytes[i], 16, (int64_t)i, &e);
    }
    is_int(vocab_index(&v, &e), 0, "an index of %zu strings of one hash", n_known);
    is_int(wrong_answers(&v, n), 0, "and each of %zu such is found, or not", n);
    size_t alike = 0;
    for (size_t i = 1; i < n; i++)
        alike += query[i].hash == query[0].hash;
    is_int(alike, n - 1, "their hashes are alike indeed");
    vocab_release(&v);
}

int main(void)
{
    struct rng r;
    rng_init(&r, 5, RNG_TEST, 0);
    for (size_t n = 0; n < 70; n += 1 + n / 3)
        try_random(&r, n);
    try_random(&r, 1000);
    try_random(&r, MOST);
    struct vocab none = {0};
    struct err e = {0};
    is_int(vocab_index(&none, &e), 0, "an index of nothing");
    is_int(wrong_answers(&none, 40), 0, "has nothing");
    vocab_release(&none);
    for (size_t n = 1; n < 10; n += 1 + n / 4)
        try_alike(&r, 11, n);
    return done_testing();
}
