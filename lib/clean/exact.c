/* A growing set of 128-bit hashes in one array, ordered by hash. */
#include "clean/exact.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"

enum { FIRST_SLOTS = 64, OVERFLOW_SLOTS = 64, SEG_BYTES = 2 << 20 };

void exact_init(struct exact *x, unsigned n_values)
{
    if (n_values > 2)
        BUG("%u values", n_values);
    memset(x, 0, sizeof *x);
    x->width = n_values ? 4 : 2;
    x->seg_shift = n_values ? 16 : 17;
}

void exact_release(struct exact *x)
{
    for (size_t i = 0; i < x->n_seg; i++)
        sys_pages_free(x->seg[i], SEG_BYTES);
    free(x->seg);
    memset(x, 0, sizeof *x);
}

static ALWAYS_INLINE uint64_t *slot_at(const struct exact *x, size_t i)
{
    return x->seg[i >> x->seg_shift] + (i & (((size_t)1 << x->seg_shift) - 1)) * x->width;
}

/* floor(hi * n / 2^64): grows with hi, so that the order by hash is the order by place. */
static size_t home_of(uint64_t hi, uint64_t n)
{
    uint64_t a = hi >> 32, b = hi & 0xffffffffu, c = n >> 32, d = n & 0xffffffffu;
    uint64_t t = a * d + (b * d >> 32), u = b * c + (t & 0xffffffffu);
    return (size_t)(a * c + (t >> 32) + (u >> 32));
}

static bool is_empty(const uint64_t *s)
{
    return !(s[0] | s[1]);
}

static ALWAYS_INLINE void copy_slot(uint64_t *to, const uint64_t *from, unsigned width)
{
    to[0] = from[0];
    to[1] = from[1];
    if (width == 4) {
        to[2] = from[2];
        to[3] = from[3];
    }
}

/* Where the hash would like to be: the overflow lies before the homes. */
static ALWAYS_INLINE size_t place_of(const struct exact *x, uint64_t hi)
{
    return home_of(hi, x->n_homes) + (x->n_slots - x->n_homes);
}

/* Takes the entries of the slots [i, i + n), which lie in one segment, to `to`; how many. Which
 * slots are empty cannot be foretold, so nothing branches on it. */
static ALWAYS_INLINE size_t take(const struct exact *x, size_t i, size_t n, uint64_t *to,
                                 unsigned width)
{
    uint64_t *from = slot_at(x, i);
    size_t m = 0;
    for (size_t k = 0; k < n; k++) {
        copy_slot(to + m * width, from + k * width, width);
        m += !is_empty(from + k * width);
    }
    memset(from, 0, n * width * sizeof *from);
    return m;
}

/* Spreads the entries over the array, which has grown behind its first n_old slots: each goes to
 * its new place or, where those behind it need it, below. No place is below an old one, so going
 * down from the last entry overwrites none that is still to be moved. */
static ALWAYS_INLINE void spread(const struct exact *x, size_t n_old, unsigned width)
{
    enum { CHUNK = 128 };
    uint64_t entry[CHUNK * 4];
    size_t next = x->n_slots; /* what is at and behind it is done */
    while (n_old > 0) {
        size_t first = (n_old - 1) / CHUNK * CHUNK, m = take(x, first, n_old - first, entry, width);
        n_old = first;
        while (m-- > 0) {
            size_t to = place_of(x, entry[m * width]);
            next = to < next ? to : next - 1;
            copy_slot(slot_at(x, next), entry + m * width, width);
        }
    }
}

static int resize(struct exact *x, size_t n_homes, size_t n_overflow, struct err *e)
{
    size_t n_old = x->n_slots, n_slots = n_homes + n_overflow;
    size_t n_seg = ((n_slots - 1) >> x->seg_shift) + 1;
    if (mem_grow(&x->seg, &x->seg_cap, n_seg, sizeof *x->seg, e) < 0)
        return -1;
    while (x->n_seg < n_seg) {
        x->seg[x->n_seg] = sys_pages(SEG_BYTES, e);
        if (!x->seg[x->n_seg])
            return -1;
        x->n_seg++;
    }
    x->n_slots = n_slots;
    x->n_homes = n_homes;
    if (x->width == 2)
        spread(x, n_old, 2);
    else
        spread(x, n_old, 4);
    return 0;
}

/* The smaller an entry, the more empty slots it may be given. */
static int grow_homes(struct exact *x, struct err *e)
{
    double load = x->width == 2 ? 0.55 : 0.89, step = x->width == 2 ? 0.25 : 0.125;
    size_t more = (size_t)((double)x->n_homes * step);
    size_t n_homes = x->n_homes + (more > FIRST_SLOTS ? more : FIRST_SLOTS);
    size_t overflow = x->n_slots ? x->n_slots - x->n_homes : OVERFLOW_SLOTS;
    if (resize(x, n_homes, overflow, e) < 0)
        return -1;
    x->n_max = (size_t)((double)n_homes * load);
    return 0;
}

static int grow_overflow(struct exact *x, struct err *e)
{
    size_t overflow = x->n_slots - x->n_homes;
    return resize(x, x->n_homes, overflow + OVERFLOW_SLOTS + overflow / 2, e);
}

void exact_prefetch(const struct exact *x, struct hash128 h)
{
    if (x->n)
        PREFETCH(slot_at(x, place_of(x, h.hi)));
}

static ALWAYS_INLINE const uint64_t *slot_below(const struct exact *x, const uint64_t *s, size_t i)
{
    size_t mask = ((size_t)1 << x->seg_shift) - 1;
    return LIKELY(((i + 1) & mask) != 0) ? s - x->width : slot_at(x, i);
}

/* From h's place down to the first slot that is empty or not behind h; SIZE_MAX: there is none.
 * An empty slot is not behind any hash. */
static ALWAYS_INLINE size_t seek(const struct exact *x, uint64_t hi, uint64_t lo)
{
    size_t i = place_of(x, hi);
    const uint64_t *s = slot_at(x, i);
    while (s[0] > hi || UNLIKELY(s[0] == hi && s[1] > lo)) {
        if (UNLIKELY(i-- == 0))
            return SIZE_MAX;
        s = slot_below(x, s, i);
    }
    return i;
}

/* Moves the slots (empty, at] down by one. */
static void make_gap(struct exact *x, size_t empty, size_t at)
{
    size_t slot_bytes = x->width * sizeof(uint64_t);
    if (at >> x->seg_shift == empty >> x->seg_shift) {
        memmove(slot_at(x, empty), slot_at(x, empty) + x->width, (at - empty) * slot_bytes);
        return;
    }
    for (size_t i = empty; i < at; i++)
        copy_slot(slot_at(x, i), slot_at(x, i + 1), x->width);
}

uint64_t *exact_put(struct exact *x, struct hash128 h, bool *added, struct err *e)
{
    uint64_t hi = h.hi, lo = h.lo;
    if (!(hi | lo))
        lo = 1; /* 0, 0 marks an empty slot */
    if (x->n >= x->n_max && grow_homes(x, e) < 0)
        return NULL;

    for (;;) {
        size_t at = seek(x, hi, lo), empty = at;
        uint64_t *s = at != SIZE_MAX ? slot_at(x, at) : NULL;
        if (s && s[0] == hi && s[1] == lo) {
            *added = false;
            return s + 2;
        }
        while (empty != SIZE_MAX && !is_empty(slot_at(x, empty)))
            empty--; /* below 0 stands SIZE_MAX */
        if (empty != SIZE_MAX) {
            make_gap(x, empty, at);
            memset(s, 0, x->width * sizeof *s);
            s[0] = hi;
            s[1] = lo;
            x->n++;
            *added = true;
            return s + 2;
        }
        if (grow_overflow(x, e) < 0)
            return NULL;
    }
}

uint64_t *exact_get(const struct exact *x, struct hash128 h)
{
    if (!x->n)
        return NULL;
    uint64_t hi = h.hi, lo = h.hi | h.lo ? h.lo : 1;
    size_t at = seek(x, hi, lo);
    if (at == SIZE_MAX)
        return NULL;
    uint64_t *s = slot_at(x, at);
    return s[0] == hi && s[1] == lo ? s + 2 : NULL;
}
