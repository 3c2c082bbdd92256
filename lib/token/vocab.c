/* The strings of a vocabulary and their ids: see vocab.h. */
#include "token/vocab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/sys.h"

enum { LONG = 4095, LINE = 4 };

int vocab_add(struct vocab *v, const char *s, size_t len, int64_t id, struct err *e)
{
    if (id < 0 || id > TOKEN_MAX_ID)
        return err_set(e, "the id %lld of '%.*s' is not in 0 to %d", (long long)id,
                       (int)(len < 60 ? len : 60), s, (int)TOKEN_MAX_ID);
    if (len > UINT32_MAX || v->n > UINT32_MAX - 2)
        return err_set(e, "the vocabulary is too large");
    if (v->n == v->cap && mem_grow(&v->v, &v->cap, v->n + 1, sizeof *v->v, e) < 0)
        return -1;
    v->v[v->n++] = (struct token){s, (uint32_t)len, (uint32_t)id};
    if (v->id_bound <= (uint64_t)id)
        v->id_bound = (uint32_t)id + 1;
    return 0;
}

static ALWAYS_INLINE uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0x9fb21c651e98df25);
    return h ^ h >> 32;
}

static ALWAYS_INLINE uint64_t hash_of(const char *s, size_t n)
{
    uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15);
    const unsigned char *p = (const unsigned char *)s;
    for (; n > 8; p += 8, n -= 8)
        h = mix(h, le64_get(p));
    return n ? mix(h, le64_get(p) << (64 - 8 * n)) : h; /* what is behind the end is shifted out */
}

static bool is_token(const struct token *t, const char *s, size_t n)
{
    return t->len == n && memcmp(t->s, s, n) == 0;
}

static ALWAYS_INLINE bool may_be(const struct vocab_cell *c, uint64_t hash, size_t n)
{
    return (c->hash == hash) & ((c->id_len & LONG) == (n < LONG ? n : LONG)) & (c->place != 0);
}

/* By a hash's high bits: all bytes of a string reach those, whose last ones do not reach the low.
 */
static ALWAYS_INLINE size_t home_of(const struct vocab *v, uint64_t hash)
{
    return (size_t)(hash >> v->shift);
}

/* The string's cell, or the empty one where it would go. */
static struct vocab_cell *cell_of(const struct vocab *v, uint64_t hash, const char *s, size_t n)
{
    for (size_t i = home_of(v, hash), seen = 1;; seen++) {
        struct vocab_cell *c = &v->cells[i];
        if (!c->place || (may_be(c, hash, n) && (n <= 8 || is_token(&v->v[c->place - 1], s, n))))
            return c;
        i = seen % LINE ? (i & ~(size_t)(LINE - 1)) | ((i + 1) & (LINE - 1))
                        : (i + LINE) & (v->n_cells - 1);
    }
}

static ALWAYS_INLINE const struct vocab_cell *line_of(const struct vocab *v, uint64_t hash)
{
    return &v->cells[home_of(v, hash) & ~(size_t)(LINE - 1)];
}

int vocab_index(struct vocab *v, struct err *e)
{
    enum { AHEAD = 16 };
    int bits = 4;
    while ((size_t)1 << bits < v->n * 2 + 2)
        bits++;
    v->n_cells = (size_t)1 << bits;
    v->shift = 64 - bits;
    v->cells = sys_pages(v->n_cells * sizeof *v->cells, e);
    v->by_id = mem_new(v->id_bound, sizeof *v->by_id, e);
    uint64_t *hash = mem_new(v->n, sizeof *hash, e);
    if (!v->cells || !v->by_id || !hash) {
        free(hash);
        return -1;
    }
    for (size_t k = 0; k < v->n + AHEAD; k++) {
        if (k < v->n) {
            hash[k] = hash_of(v->v[k].s, v->v[k].len);
            PREFETCH(line_of(v, hash[k]));
        }
        if (k < AHEAD)
            continue;
        size_t i = k - AHEAD;
        const struct token *t = &v->v[i];
        struct vocab_cell *c = cell_of(v, hash[i], t->s, t->len);
        v->n_dropped +=
            c->place != 0; /* the later of two equal strings takes the earlier's place */
        *c = (struct vocab_cell){hash[i], (uint32_t)i + 1,
                                 t->id << 12 | (t->len < LONG ? t->len : LONG)};
        v->by_id[t->id] = (uint32_t)i + 1;
    }
    free(hash);
    if (v->n_dropped) {
        memset(v->by_id, 0, v->id_bound * sizeof *v->by_id);
        for (size_t i = 0; i < v->n; i++)
            if (vocab_place(v, v->v[i].s, v->v[i].len) == (int64_t)i)
                v->by_id[v->v[i].id] = (uint32_t)i + 1;
    }
    return 0;
}

/* A cell of the line that is the string's but for a wonder, else an empty one; NULL: it may stand
 * in another line. Without branches: whether a string is there cannot be foretold. */
static ALWAYS_INLINE const struct vocab_cell *likely_cell(const struct vocab *v, uint64_t hash,
                                                          size_t n)
{
    const struct vocab_cell *line = line_of(v, hash);
    unsigned same = 0, empty = 0;
    for (unsigned i = 0; i < LINE; i++) {
        same |= (unsigned)may_be(&line[i], hash, n) << i;
        empty |= (unsigned)(line[i].place == 0) << i;
    }
    const unsigned first = same | empty << LINE;
    return LIKELY(first != 0) ? &line[CTZ64(first) % LINE] : NULL;
}

static ALWAYS_INLINE int64_t id_in(const struct vocab_cell *c)
{
    return (int64_t)(c->id_len >> 12) - (c->place == 0); /* an empty cell is all zeroes */
}

enum { TOGETHER = 32 };

static void find_some(const struct vocab *v, struct vocab_query *q, size_t n)
{
    struct {
        struct vocab_query *q;
        const struct token *t;
    } check[TOGETHER]; /* what a hash alone does not say */
    size_t n_check = 0;
    for (size_t i = 0; i < n; i++) {
        q[i].hash = hash_of(q[i].s, q[i].n);
        PREFETCH(line_of(v, q[i].hash));
    }
    for (size_t i = 0; i < n; i++) {
        const struct vocab_cell *c = likely_cell(v, q[i].hash, q[i].n);
        if (UNLIKELY(!c))
            c = cell_of(v, q[i].hash, q[i].s, q[i].n);
        const struct token *t = &v->v[c->place - (c->place != 0)];
        PREFETCH(t);
        q[i].id = id_in(c);
        check[n_check].q = &q[i];
        check[n_check].t = t;
        n_check += (c->place != 0) & (q[i].n > 8);
    }
    for (size_t i = 0; i < n_check; i++)
        PREFETCH(check[i].t->s);
    for (size_t i = 0; i < n_check; i++) {
        struct vocab_query *k = check[i].q;
        if (UNLIKELY(!is_token(check[i].t, k->s, k->n)))
            k->id = id_in(cell_of(v, k->hash, k->s, k->n));
    }
}

void vocab_find_many(const struct vocab *v, struct vocab_query *q, size_t n)
{
    for (size_t i = 0; v->n == 0 && i < n; i++)
        q[i].id = -1;
    for (size_t i = 0; v->n && i < n; i += TOGETHER)
        find_some(v, q + i, n - i < TOGETHER ? n - i : TOGETHER);
}

int64_t vocab_place(const struct vocab *v, const char *s, size_t n)
{
    return (int64_t)cell_of(v, hash_of(s, n), s, n)->place - 1;
}

int64_t vocab_id(const struct vocab *v, const char *s, size_t n)
{
    return v->cells ? id_in(cell_of(v, hash_of(s, n), s, n)) : -1;
}

const struct token *vocab_token(const struct vocab *v, uint32_t id)
{
    return id < v->id_bound && v->by_id[id] ? &v->v[v->by_id[id] - 1] : NULL;
}

void vocab_release(struct vocab *v)
{
    free(v->v);
    free(v->by_id);
    sys_pages_free(v->cells, v->n_cells * sizeof *v->cells);
    *v = (struct vocab){0};
}
