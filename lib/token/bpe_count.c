/*
 * Counting distinct pieces: per thread 64 open-addressing tables, chosen by hash. Pieces of up to
 * 15 bytes stand in the slot itself, longer ones in blocks of bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/pool.h"
#include "text/split.h"
#include "token/bpe_int.h"

enum {
    PARTS = 64,
    PART_SHIFT = 58, /* the hash's top bits choose the part */
    FIRST_CAP = 64,
    INLINE_MAX = 15,
    BATCH = 32, /* pieces whose slots are fetched ahead of the look-ups */
    BLOCK_BYTES = 1 << 20,
    LONG_TAG = 0xff,
    SLACK = 64,
    ALIGN = 64,
};

/*
 * A short piece: its bytes, padded with zeros, in k0 and the low 7 bytes of k1, its length in k1's
 * top byte. A long one: its hash in k0, and in k1 the tag, the block (24 bits) and the offset
 * (32 bits) of its length and bytes. k1 == 0: empty.
 */
struct slot {
    uint64_t k0, k1, count;
};

struct part {
    struct slot *slot;
    size_t cap, n;
};

struct counter {
    struct part part[PARTS];
    char **block; /* block i of thread t has the number i * n_threads + t */
    size_t n_blocks, blocks_cap;
    size_t used, size; /* of the last block */
    uint64_t n_pieces, n_bytes;
};

struct bpe_counts {
    struct counter **thread;
    int n_threads;
};

/* ---- life */

static void counter_clear(struct counter *t)
{
    for (int i = 0; i < PARTS; i++)
        free(t->part[i].slot);
    for (size_t i = 0; i < t->n_blocks; i++)
        free(t->block[i]);
    free(t->block);
    memset(t, 0, sizeof *t);
}

void bpe_counts_empty(struct bpe_counts *c)
{
    for (int i = 0; i < c->n_threads; i++) {
        if (c->thread[i])
            counter_clear(c->thread[i]);
    }
}

struct bpe_counts *bpe_counts_new(int n_threads, struct err *e)
{
    struct bpe_counts *c = mem_new(1, sizeof *c, e);
    if (!c)
        return NULL;
    c->n_threads = n_threads > 1 ? n_threads : 1;
    c->thread = mem_new((size_t)c->n_threads, sizeof(struct counter *), e);
    for (int i = 0; c->thread && i < c->n_threads; i++) {
        c->thread[i] = mem_new(1, sizeof(struct counter), e);
        if (!c->thread[i])
            goto fail;
    }
    if (c->thread)
        return c;
fail:
    bpe_counts_free(c);
    return NULL;
}

void bpe_counts_free(struct bpe_counts *c)
{
    if (!c)
        return;
    if (c->thread) {
        bpe_counts_empty(c);
        for (int i = 0; i < c->n_threads; i++)
            free(c->thread[i]);
    }
    free(c->thread);
    free(c);
}

void bpe_counts_stat(const struct bpe_counts *c, uint64_t *n_pieces, uint64_t *n_bytes)
{
    *n_pieces = *n_bytes = 0;
    for (int i = 0; i < c->n_threads; i++) {
        *n_pieces += c->thread[i]->n_pieces;
        *n_bytes += c->thread[i]->n_bytes;
    }
}

/* ---- slots */

static inline uint64_t hash_short(uint64_t k0, uint64_t k1)
{
    uint64_t h = k0 * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ k1) * 0xd6e8feb86659fd93u;
    return (h ^ h >> 32) * 0xd6e8feb86659fd93u;
}

static inline bool is_long(const struct slot *s)
{
    return s->k1 >> 56 == LONG_TAG;
}

static inline uint64_t slot_hash(const struct slot *s)
{
    return is_long(s) ? s->k0 : hash_short(s->k0, s->k1);
}

/* The low 58 bits of the hash, of which the upper ones vary best, spread over cap slots. */
static inline size_t home(uint64_t h, size_t cap)
{
    return (size_t)(h >> 20) & (cap - 1);
}

/* The bytes of a long piece; its length stands before them. */
static const char *long_bytes(const struct bpe_counts *c, const struct slot *s, size_t *len)
{
    size_t block = (size_t)(s->k1 >> 32 & 0xffffff), n = (size_t)c->n_threads;
    const char *p = c->thread[block % n]->block[block / n] + (uint32_t)s->k1;
    *len = le32_get((const unsigned char *)p);
    return p + 4;
}

static int part_grow(struct counter *t, struct part *p, struct err *e)
{
    size_t cap = p->cap ? p->cap * 2 : FIRST_CAP, n_bytes;
    if (size_mul(cap, sizeof(struct slot), &n_bytes, "table of pieces", e) < 0)
        return -1;
    struct slot *slot = aligned_alloc(ALIGN, n_bytes);
    if (!slot)
        return err_nomem(e, "the table of pieces", n_bytes);
    /* not calloc, which compilers make of malloc and this: a page that is read before it is written
     * faults twice, the second time with a word to every processor that runs a thread */
    memset(slot, 0, n_bytes);
    for (size_t i = 0; i < p->cap; i++) {
        if (!p->slot[i].k1)
            continue;
        size_t j = home(slot_hash(&p->slot[i]), cap);
        while (slot[j].k1)
            j = (j + 1) & (cap - 1);
        slot[j] = p->slot[i];
    }
    t->n_bytes += (cap - p->cap) * sizeof *slot;
    free(p->slot);
    p->slot = slot;
    p->cap = cap;
    return 0;
}

static int part_room(struct counter *t, struct part *p, struct err *e)
{
    return LIKELY(p->n < p->cap - p->cap / 4) ? 0 : part_grow(t, p, e);
}

static int add_short(struct counter *t, uint64_t h, uint64_t k0, uint64_t k1, uint64_t count,
                     struct err *e)
{
    struct part *p = &t->part[h >> PART_SHIFT];
    if (part_room(t, p, e) < 0)
        return -1;
    size_t mask = p->cap - 1, i = home(h, p->cap);
    for (;; i = (i + 1) & mask) {
        struct slot *s = &p->slot[i];
        if (s->k0 == k0 && s->k1 == k1) {
            s->count += count;
            return 0;
        }
        if (!s->k1) {
            *s = (struct slot){k0, k1, count};
            p->n++;
            return 0;
        }
    }
}

/* Keeps a long piece's bytes: the low 56 bits of its k1, or 0 and err. */
static uint64_t keep_bytes(struct bpe_counts *c, int thread, const char *s, size_t len,
                           struct err *e)
{
    struct counter *t = c->thread[thread];
    size_t need = 4 + len + SLACK;
    if (t->size - t->used < need) {
        uint64_t number = (uint64_t)t->n_blocks * (uint64_t)c->n_threads + (uint64_t)thread;
        if (number >> 24) {
            err_set(e, "the distinct pieces of the text take more than 16 TiB");
            return 0;
        }
        size_t size = need > BLOCK_BYTES ? need : BLOCK_BYTES;
        if (mem_grow(&t->block, &t->blocks_cap, t->n_blocks + 1, sizeof *t->block, e) < 0)
            return 0;
        char *b = malloc(size);
        if (!b) {
            err_nomem(e, "pieces of text", size);
            return 0;
        }
        memset(b + size - SLACK, 0, SLACK);
        t->block[t->n_blocks++] = b;
        t->n_bytes += size;
        t->size = size;
        t->used = 0;
    }
    uint64_t number = (uint64_t)(t->n_blocks - 1) * (uint64_t)c->n_threads + (uint64_t)thread;
    uint64_t at = number << 32 | t->used;
    char *p = t->block[t->n_blocks - 1] + t->used;
    le32_put((unsigned char *)p, (uint32_t)len);
    memcpy(p + 4, s, len);
    t->used += 4 + len;
    return (uint64_t)LONG_TAG << 56 | at;
}

/* kept: the k1 of bytes that are kept already, or 0. */
static int add_long(struct bpe_counts *c, int thread, uint64_t h, const char *s, size_t len,
                    uint64_t kept, uint64_t count, struct err *e)
{
    struct counter *t = c->thread[thread];
    struct part *p = &t->part[h >> PART_SHIFT];
    if (part_room(t, p, e) < 0)
        return -1;
    size_t mask = p->cap - 1, i = home(h, p->cap);
    for (;; i = (i + 1) & mask) {
        struct slot *slot = &p->slot[i];
        if (!slot->k1) {
            uint64_t k1 = kept ? kept : keep_bytes(c, thread, s, len, e);
            if (!k1)
                return -1;
            *slot = (struct slot){h, k1, count};
            p->n++;
            return 0;
        }
        if (slot->k0 != h || !is_long(slot))
            continue;
        size_t n;
        const char *bytes = long_bytes(c, slot, &n);
        if (n == len && !memcmp(bytes, s, len)) {
            slot->count += count;
            return 0;
        }
    }
}

/* ---- counting */

static inline void short_key(const char *s, size_t len, uint64_t *k0, uint64_t *k1)
{
    static const uint64_t mask[9] = {0,
                                     0xff,
                                     0xffff,
                                     0xffffff,
                                     0xffffffff,
                                     0xffffffffff,
                                     0xffffffffffff,
                                     0xffffffffffffff,
                                     0xffffffffffffffff};
    const unsigned char *p = (const unsigned char *)s;
    *k0 = le64_get(p) & mask[len < 8 ? len : 8];
    *k1 = (le64_get(p + 8) & mask[len < 8 ? 0 : len - 8]) | (uint64_t)len << 56;
}

struct key {
    uint64_t hash, k0, k1;
};

static int add_batch(struct bpe_counts *c, int thread, const char *base, size_t from,
                     const uint32_t *ends, size_t n, struct err *e)
{
    struct counter *t = c->thread[thread];
    struct key key[BATCH];
    size_t at = from;
    for (size_t i = 0; i < n; at = ends[i++]) {
        size_t len = ends[i] - at;
        struct key *k = &key[i];
        if (len <= INLINE_MAX) {
            short_key(base + at, len, &k->k0, &k->k1);
            k->hash = hash_short(k->k0, k->k1);
        } else {
            k->hash = hash64(base + at, len, 0);
            k->k1 = 0;
        }
        const struct part *p = &t->part[k->hash >> PART_SHIFT];
        if (LIKELY(p->cap))
            PREFETCH(&p->slot[home(k->hash, p->cap)]);
    }
    at = from;
    for (size_t i = 0; i < n; at = ends[i++]) {
        struct key *k = &key[i];
        int rc = LIKELY(k->k1) ? add_short(t, k->hash, k->k0, k->k1, 1, e)
                               : add_long(c, thread, k->hash, base + at, ends[i] - at, 0, 1, e);
        if (UNLIKELY(rc < 0))
            return -1;
    }
    t->n_pieces += n;
    return 0;
}

int bpe_count_text(struct bpe_counts *c, int thread, struct cutter *cut, const char *text, size_t n,
                   struct err *e)
{
    uint32_t ends[64 * BATCH];
    long k;
    cut_begin(cut, text, n);
    while ((k = cut_next(cut, ends, ARRAY_LEN(ends), e)) > 0) {
        const char *base = text + cut_from(cut);
        for (size_t i = 0; i < (size_t)k; i += BATCH) {
            size_t m = (size_t)k - i < BATCH ? (size_t)k - i : BATCH;
            if (add_batch(c, thread, base, i ? ends[i - 1] : 0, ends + i, m, e) < 0)
                return -1;
        }
    }
    return k < 0 ? -1 : 0;
}

int bpe_count_piece(struct bpe_counts *c, int thread, const char *piece, size_t len, uint64_t n,
                    struct err *e)
{
    c->thread[thread]->n_pieces += n;
    if (len > INLINE_MAX)
        return add_long(c, thread, hash64(piece, len, 0), piece, len, 0, n, e);
    uint64_t k0, k1;
    short_key(piece, len, &k0, &k1);
    return add_short(c->thread[thread], hash_short(k0, k1), k0, k1, n, e);
}

/* ---- folding, and the order by count */

/* One part of all threads into the first thread's; the bytes of long pieces stay where they are. */
static int fold_part(void *user, size_t i, int thread, struct err *e)
{
    struct bpe_counts *c = user;
    (void)thread;
    for (int t = 1; t < c->n_threads; t++) {
        struct part *p = &c->thread[t]->part[i];
        for (size_t k = 0; k < p->cap; k++) {
            const struct slot *s = &p->slot[k];
            int rc = 0;
            if (s->k1 && is_long(s)) {
                size_t len;
                const char *bytes = long_bytes(c, s, &len);
                rc = add_long(c, 0, s->k0, bytes, len, s->k1, s->count, e);
            } else if (s->k1) {
                rc = add_short(c->thread[0], slot_hash(s), s->k0, s->k1, s->count, e);
            }
            if (rc < 0)
                return -1;
        }
        free(p->slot);
        *p = (struct part){0};
    }
    return 0;
}

int bpe_counts_fold(struct bpe_counts *c, int n_threads, struct err *e)
{
    return pool_for(n_threads, PARTS, fold_part, c, e);
}

static size_t slot_len(const struct bpe_counts *c, const struct slot *s)
{
    size_t len = (size_t)(s->k1 >> 56);
    if (len == LONG_TAG)
        long_bytes(c, s, &len);
    return len;
}

void bpe_counts_size(const struct bpe_counts *c, uint64_t *n_words, uint64_t *n_bytes)
{
    *n_words = *n_bytes = 0;
    for (int i = 0; i < PARTS; i++) {
        const struct part *p = &c->thread[0]->part[i];
        for (size_t k = 0; k < p->cap; k++) {
            size_t len = p->slot[k].k1 ? slot_len(c, &p->slot[k]) : 0;
            *n_words += len > 1;
            *n_bytes += len > 1 ? len : 0;
        }
    }
}

/* The piece in a slot; short ones are spelled out in bytes. */
static struct bpe_piece slot_piece(const struct bpe_counts *c, const struct slot *s,
                                   unsigned char bytes[16 + SLACK])
{
    struct bpe_piece piece = {.count = s->count};
    if (is_long(s)) {
        piece.s = long_bytes(c, s, &piece.len);
    } else {
        le64_put(bytes, s->k0);
        le64_put(bytes + 8, s->k1);
        piece.s = (const char *)bytes;
        piece.len = (size_t)(s->k1 >> 56);
    }
    return piece;
}

int bpe_counts_scan(const struct bpe_counts *c,
                    int (*each)(void *user, const char *s, size_t n, uint64_t count), void *user)
{
    int rc = 0;
    for (int i = 0; i < PARTS && rc == 0; i++) {
        const struct part *p = &c->thread[0]->part[i];
        for (size_t k = 0; k < p->cap && rc == 0; k++) {
            unsigned char bytes[16 + SLACK] = {0};
            if (!p->slot[k].k1)
                continue;
            struct bpe_piece piece = slot_piece(c, &p->slot[k], bytes);
            rc = each(user, piece.s, piece.len, piece.count);
        }
    }
    return rc;
}

struct dropping {
    struct bpe_counts *to;
    uint64_t min_count, *n_dropped;
    struct err *e;
};

static int keep_frequent(void *user, const char *s, size_t n, uint64_t count)
{
    struct dropping *d = user;
    if (count >= d->min_count)
        return bpe_count_piece(d->to, 0, s, n, count, d->e);
    *d->n_dropped += count;
    return 0;
}

int bpe_counts_drop(struct bpe_counts *c, uint64_t min_count, uint64_t *n_dropped, struct err *e)
{
    if (c->n_threads != 1)
        BUG("counts of several threads");
    struct counter was = *c->thread[0], *old = &was;
    struct dropping d = {c, min_count, n_dropped, e};
    const struct bpe_counts from = {&old, 1};
    memset(c->thread[0], 0, sizeof was);
    int rc = bpe_counts_scan(&from, keep_frequent, &d);
    c->thread[0]->n_pieces = was.n_pieces;
    counter_clear(&was);
    return rc;
}

uint64_t bpe_counts_need(const struct bpe_counts *c, uint32_t vocab_size)
{
    uint64_t n_words, n_bytes;
    bpe_counts_size(c, &n_words, &n_bytes);
    return (n_words + n_bytes) * ((vocab_size > BPE_MAX_NARROW ? 4 : 2) + 8) +
           (uint64_t)vocab_size * 80;
}

static int by_falling_count(const void *a, const void *b)
{
    const struct slot *x = *(const struct slot *const *)a, *y = *(const struct slot *const *)b;
    return (x->count < y->count) - (x->count > y->count);
}

/* The slots of words in the order of falling count: by counting, as most counts are small. */
static const struct slot **sorted_slots(const struct bpe_counts *c, size_t *n, struct err *e)
{
    enum { SMALL = 1 << 12 };
    size_t *at = mem_new(SMALL + 1, sizeof *at, e);
    const struct slot **list = NULL;
    if (!at)
        return NULL;
    /* place i: how many come before a count of SMALL - i; the large ones are the first */
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < PARTS; i++) {
            const struct part *p = &c->thread[0]->part[i];
            for (size_t k = 0; k < p->cap; k++) {
                const struct slot *s = &p->slot[k];
                if (!s->k1 || s->k1 >> 56 == 1)
                    continue;
                size_t class = s->count < SMALL ? SMALL - (size_t)s->count : 0;
                if (pass == 0)
                    at[class]++;
                else
                    list[at[class]++] = s;
            }
        }
        if (pass == 1)
            break;
        *n = 0;
        for (size_t i = 0; i <= SMALL; i++) {
            size_t m = at[i];
            at[i] = *n;
            *n += m;
        }
        list = mem_new(*n, sizeof(struct slot *), e);
        if (!list)
            goto end;
    }
    qsort(list, at[0], sizeof(struct slot *), by_falling_count);
end:
    free(at);
    return list;
}

int bpe_counts_each(const struct bpe_counts *c,
                    void (*each)(void *user, const struct bpe_piece *piece), void *user,
                    struct err *e)
{
    size_t n;
    const struct slot **list = sorted_slots(c, &n, e);
    if (!list)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (i + 16 < n)
            PREFETCH(list[i + 16]);
        if (i + 8 < n && is_long(list[i + 8])) {
            size_t len;
            PREFETCH(long_bytes(c, list[i + 8], &len));
        }
        const struct slot *s = list[i];
        unsigned char bytes[16 + SLACK] = {0};
        struct bpe_piece piece = slot_piece(c, s, bytes);
        each(user, &piece);
    }
    free(list);
    return 0;
}
