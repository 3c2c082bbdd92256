/* The strings of a vocabulary and their ids: see vocab.h. */
#include "token/vocab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/sys.h"

enum { LONG = 4095 };

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

uint64_t vocab_hash(const char *s, size_t n)
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

/* The string's cell, or the empty one where it would go. s == NULL: the first with this hash and
 * length, which is very likely it. */
static ALWAYS_INLINE struct vocab_cell *cell_of(const struct vocab *v, uint64_t hash, const char *s,
                                                size_t n)
{
    for (size_t i = hash;; i++) {
        struct vocab_cell *c = &v->cells[i & (v->n_cells - 1)];
        if (!c->place)
            return c;
        if (c->hash == hash && (c->id_len & LONG) == (n < LONG ? n : LONG) &&
            (n <= 8 || !s || is_token(&v->v[c->place - 1], s, n)))
            return c;
    }
}

void vocab_prefetch(const struct vocab *v, int stage, uint64_t hash, size_t n)
{
    if (stage == 0) {
        PREFETCH(&v->cells[hash & (v->n_cells - 1)]);
        return;
    }
    uint32_t place = n > 8 ? cell_of(v, hash, NULL, n)->place : 0;
    if (place && stage == 1)
        PREFETCH(&v->v[place - 1]);
    else if (place)
        PREFETCH(v->v[place - 1].s);
}

int vocab_index(struct vocab *v, struct err *e)
{
    enum { AHEAD = 16 };
    size_t size = 16;
    while (size < v->n * 2 + 2)
        size *= 2;
    v->n_cells = size;
    v->cells = sys_pages(size * sizeof *v->cells, e);
    v->by_id = mem_new(v->id_bound, sizeof *v->by_id, e);
    uint64_t *hash = mem_new(v->n, sizeof *hash, e);
    if (!v->cells || !v->by_id || !hash) {
        free(hash);
        return -1;
    }
    for (size_t k = 0; k < v->n + AHEAD; k++) {
        if (k < v->n) {
            hash[k] = vocab_hash(v->v[k].s, v->v[k].len);
            vocab_prefetch(v, 0, hash[k], 0);
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

int64_t vocab_find(const struct vocab *v, uint64_t hash, const char *s, size_t n)
{
    if (!v->cells)
        return -1;
    const struct vocab_cell *c = cell_of(v, hash, s, n);
    return c->place ? (int64_t)(c->id_len >> 12) : -1;
}

int64_t vocab_place(const struct vocab *v, const char *s, size_t n)
{
    return (int64_t)cell_of(v, vocab_hash(s, n), s, n)->place - 1;
}

int64_t vocab_id(const struct vocab *v, const char *s, size_t n)
{
    return vocab_find(v, vocab_hash(s, n), s, n);
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
