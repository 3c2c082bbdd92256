/* The strings of a vocabulary and their ids: see vocab.h. */
#include "token/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/le.h"
#include "base/mem.h"

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

void vocab_prefetch(const struct vocab *v, uint64_t hash)
{
    PREFETCH(&v->slots[hash & v->mask]);
}

/* A cell holds the place + 1 in 32 bits; the strings decide. */
static uint32_t *cell_of(const struct vocab *v, uint64_t hash, const char *s, size_t n)
{
    for (size_t i = hash & v->mask;; i = (i + 1) & v->mask) {
        uint32_t k = v->slots[i];
        if (!k || (v->v[k - 1].len == n && memcmp(v->v[k - 1].s, s, n) == 0))
            return &v->slots[i];
    }
}

int vocab_index(struct vocab *v, struct err *e)
{
    size_t size = 16;
    while (size < v->n * 2 + 2)
        size *= 2;
    v->slots = mem_new(size, sizeof *v->slots, e);
    v->by_id = mem_new(v->id_bound, sizeof *v->by_id, e);
    if (!v->slots || !v->by_id)
        return -1;
    v->mask = size - 1;
    for (size_t i = 0; i < v->n; i++) {
        const struct token *t = &v->v[i];
        uint32_t *cell = cell_of(v, vocab_hash(t->s, t->len), t->s, t->len);
        if (*cell) { /* the later of two equal strings takes the earlier one's place */
            uint32_t *old = &v->by_id[v->v[*cell - 1].id];
            if (*old == *cell)
                *old = 0;
            v->n_dropped++;
        }
        *cell = (uint32_t)i + 1;
        v->by_id[t->id] = (uint32_t)i + 1;
    }
    return 0;
}

int64_t vocab_find(const struct vocab *v, uint64_t hash, const char *s, size_t n)
{
    if (!v->slots)
        return -1;
    uint32_t k = *cell_of(v, hash, s, n);
    return k ? (int64_t)v->v[k - 1].id : -1;
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
    free(v->slots);
    *v = (struct vocab){0};
}
