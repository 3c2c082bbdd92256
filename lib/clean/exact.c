/* A growing set of 128-bit hashes in one array of buckets, roughly ordered by hash. */
#include "clean/exact.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"

/* A bucket without values is one line of the cache. Its slots are filled from the first; a high
 * word of 0 marks an empty one. */
enum { SLOTS = 4, LO = SLOTS, VALUES = 2 * SLOTS, SMALL = 2 * SLOTS, LARGE = 4 * SLOTS };
enum { FIRST_BUCKETS = 16, OVERFLOW_BUCKETS = 16, SEG_BYTES = 2 << 20 };

void exact_init(struct exact *x, unsigned n_values)
{
    if (n_values > 2)
        BUG("%u values", n_values);
    memset(x, 0, sizeof *x);
    x->width = n_values ? LARGE : SMALL;
    x->seg_shift = n_values ? 14 : 15;
}

void exact_release(struct exact *x)
{
    for (size_t i = 0; i < x->n_seg; i++)
        sys_pages_free(x->seg[i], SEG_BYTES);
    free(x->seg);
    memset(x, 0, sizeof *x);
}

size_t exact_bytes(const struct exact *x)
{
    return x->n_buckets * x->width * sizeof(uint64_t);
}

static ALWAYS_INLINE uint64_t *bucket_at(const struct exact *x, size_t i, unsigned width)
{
    return x->seg[i >> x->seg_shift] + (i & (((size_t)1 << x->seg_shift) - 1)) * width;
}

/* The bucket for a hash, the overflow lies before the homes. It grows with hi and with n_homes. */
static ALWAYS_INLINE size_t home_of(const struct exact *x, uint64_t hi)
{
    return (size_t)((hi >> 32) * x->n_homes >> 32) + (x->n_buckets - x->n_homes);
}

static ALWAYS_INLINE unsigned n_used(const uint64_t *b)
{
    return (unsigned)(b[0] != 0) + (b[1] != 0) + (b[2] != 0) + (b[3] != 0);
}

static ALWAYS_INLINE void copy_slot(uint64_t *to, unsigned k, const uint64_t *from, unsigned m,
                                    unsigned width)
{
    to[k] = from[m];
    to[LO + k] = from[LO + m];
    if (width == LARGE)
        memcpy(to + VALUES + 2 * k, from + VALUES + 2 * m, 2 * sizeof *to);
}

/* Takes all entries of the first n_old buckets and puts them where they belong now that homes have
 * moved. No home is below an old one, nor an entry above its home; so, going down from the last
 * bucket, an entry comes to those that are done or, past full ones, to one that is still to be
 * done, from which it is taken again. */
static ALWAYS_INLINE void spread(const struct exact *x, size_t n_old, unsigned width)
{
    while (n_old-- > 0) {
        uint64_t old[LARGE], *b = bucket_at(x, n_old, width);
        unsigned n = n_used(b);
        memcpy(old, b, width * sizeof *b);
        memset(b, 0, width * sizeof *b);
        for (unsigned m = 0; m < n; m++) {
            size_t to = home_of(x, old[m]);
            while (UNLIKELY((b = bucket_at(x, to, width))[SLOTS - 1] != 0))
                to--;
            copy_slot(b, n_used(b), old, m, width);
        }
    }
}

static int resize(struct exact *x, size_t n_homes, size_t n_overflow, struct err *e)
{
    size_t n_old = x->n_buckets, n = n_homes + n_overflow;
    size_t n_seg = ((n - 1) >> x->seg_shift) + 1;
    if (n_homes > UINT32_MAX)
        return err_nomem(e, "a table of hashes", n * x->width * sizeof(uint64_t));
    if (mem_grow(&x->seg, &x->seg_cap, n_seg, sizeof *x->seg, e) < 0)
        return -1;
    while (x->n_seg < n_seg) {
        x->seg[x->n_seg] = sys_pages(SEG_BYTES, e);
        if (!x->seg[x->n_seg])
            return -1;
        x->n_seg++;
    }
    x->n_buckets = n;
    x->n_homes = n_homes;
    if (x->width == SMALL)
        spread(x, n_old, SMALL);
    else
        spread(x, n_old, LARGE);
    return 0;
}

/* The smaller an entry, the more empty slots it may be given. */
static int grow_homes(struct exact *x, struct err *e)
{
    double load = x->width == SMALL ? 0.85 : 0.92, step = x->width == SMALL ? 1 : 0.08;
    size_t more = (size_t)((double)x->n_homes * step);
    size_t n_homes = x->n_homes + (more > FIRST_BUCKETS ? more : FIRST_BUCKETS);
    size_t overflow = x->n_buckets ? x->n_buckets - x->n_homes : OVERFLOW_BUCKETS;
    if (resize(x, n_homes, overflow, e) < 0)
        return -1;
    x->n_max = (size_t)((double)n_homes * load * SLOTS);
    return 0;
}

static int grow_overflow(struct exact *x, struct err *e)
{
    size_t overflow = x->n_buckets - x->n_homes;
    return resize(x, x->n_homes, overflow + OVERFLOW_BUCKETS + overflow / 2, e);
}

/* Inlined always: a call that does nothing but fetch is no call to some compilers. */
static ALWAYS_INLINE void fetch(const struct exact *x, struct hash128 h, unsigned width)
{
    if (LIKELY(x->n > 0))
        PREFETCH_WRITE(bucket_at(x, home_of(x, h.hi), width));
}

void exact_prefetch(const struct exact *x, struct hash128 h)
{
    fetch(x, h, x->width);
}

/* The slot of a hash in a bucket, SLOTS: it is not there. */
static ALWAYS_INLINE unsigned slot_of(const uint64_t *b, uint64_t hi, uint64_t lo)
{
    unsigned same = (unsigned)(b[0] == hi) | (unsigned)(b[1] == hi) << 1 |
                    (unsigned)(b[2] == hi) << 2 | (unsigned)(b[3] == hi) << 3;
    for (; same; same &= same - 1) {
        unsigned k = (unsigned)CTZ64(same);
        if (LIKELY(b[LO + k] == lo))
            return k;
    }
    return SLOTS;
}

static ALWAYS_INLINE uint64_t *put(struct exact *x, uint64_t hi, uint64_t lo, bool *added,
                                   unsigned width, struct err *e)
{
    for (;;) {
        size_t i = home_of(x, hi);
        do {
            uint64_t *b = bucket_at(x, i, width);
            unsigned k = slot_of(b, hi, lo);
            *added = k == SLOTS;
            if (k < SLOTS)
                return b + VALUES + 2 * k;
            if (b[SLOTS - 1] == 0) {
                k = n_used(b);
                b[k] = hi;
                b[LO + k] = lo;
                x->n++;
                return b + VALUES + 2 * k;
            }
        } while (i-- > 0);
        if (grow_overflow(x, e) < 0)
            return NULL;
    }
}

/* 0 marks an empty slot. */
static uint64_t not_zero(uint64_t hi)
{
    return hi ? hi : 1;
}

uint64_t *exact_put(struct exact *x, struct hash128 h, bool *added, struct err *e)
{
    if (UNLIKELY(x->n >= x->n_max) && grow_homes(x, e) < 0)
        return NULL;
    return x->width == SMALL ? put(x, not_zero(h.hi), h.lo, added, SMALL, e)
                             : put(x, not_zero(h.hi), h.lo, added, LARGE, e);
}

int exact_put_each(struct exact *x, struct exact_item *first, size_t stride, size_t n,
                   struct err *e)
{
    enum { AHEAD = 32 };
    for (size_t i = 0; i < n; i++) {
        struct exact_item *it = (void *)((char *)first + i * stride);
        const struct exact_item *later = (const void *)((const char *)it + AHEAD * stride);
        if (i + AHEAD < n)
            fetch(x, later->hash, SMALL);
        if (!it->wanted)
            continue;
        if (UNLIKELY(x->n >= x->n_max) && grow_homes(x, e) < 0)
            return -1;
        if (!put(x, not_zero(it->hash.hi), it->hash.lo, &it->added, SMALL, e))
            return -1;
    }
    return 0;
}

uint64_t *exact_get(const struct exact *x, struct hash128 h)
{
    uint64_t hi = not_zero(h.hi);
    for (size_t i = x->n ? home_of(x, hi) : SIZE_MAX; i != SIZE_MAX; i--) {
        uint64_t *b = bucket_at(x, i, x->width);
        unsigned k = slot_of(b, hi, h.lo);
        if (k < SLOTS)
            return b + VALUES + 2 * k;
        if (b[SLOTS - 1] == 0)
            break;
    }
    return NULL;
}
