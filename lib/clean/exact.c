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

static bool is_before(const uint64_t *s, uint64_t hi, uint64_t lo)
{
    return s[0] < hi || (s[0] == hi && s[1] < lo);
}

/* A slot and where its segment begins and ends, for going through the array. */
struct cursor {
    size_t seg;
    uint64_t *p, *first, *end;
};

static void cursor_set(struct cursor *c, const struct exact *x, size_t i)
{
    c->seg = i >> x->seg_shift;
    c->p = slot_at(x, i);
    c->first = x->seg[c->seg];
    c->end = c->first + ((size_t)x->width << x->seg_shift);
}

static ALWAYS_INLINE void cursor_on(struct cursor *c, const struct exact *x)
{
    c->p += x->width;
    if (UNLIKELY(c->p == c->end) && c->seg + 1 < x->n_seg) {
        c->p = c->first = x->seg[++c->seg];
        c->end = c->first + ((size_t)x->width << x->seg_shift);
    }
}

static ALWAYS_INLINE void cursor_back(struct cursor *c, const struct exact *x)
{
    if (UNLIKELY(c->p == c->first)) {
        c->first = x->seg[--c->seg];
        c->p = c->end = c->first + ((size_t)x->width << x->seg_shift);
    }
    c->p -= x->width;
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

static ALWAYS_INLINE void clear_slot(uint64_t *s, unsigned width)
{
    memset(s, 0, width * sizeof *s);
}

/* All entries to the end of the array, in order, without gaps. */
static void move_up(const struct exact *x, size_t n_old)
{
    if (n_old == 0)
        return;
    struct cursor from, to;
    cursor_set(&from, x, n_old - 1);
    cursor_set(&to, x, x->n_slots - 1);
    for (size_t i = n_old; i-- > 0;) {
        if (!is_empty(from.p)) {
            if (to.p != from.p)
                copy_slot(to.p, from.p, x->width);
            if (i > 0)
                cursor_back(&to, x);
        }
        if (i > 0)
            cursor_back(&from, x);
    }
}

/* The entries at the end of the array to their places. False: they do not fit into the overflow. */
static bool move_home(const struct exact *x)
{
    size_t next = 0; /* index of the slot at out */
    struct cursor in, out;
    cursor_set(&out, x, 0);
    if (x->n > 0)
        cursor_set(&in, x, x->n_slots - x->n);
    for (size_t i = x->n_slots - x->n; i < x->n_slots; i++) {
        size_t to = home_of(in.p[0], x->n_homes);
        bool fits = to <= i && next <= i;
        for (size_t stop = fits ? to : i; next < stop; next++) {
            clear_slot(out.p, x->width);
            cursor_on(&out, x);
        }
        if (!fits)
            return false;
        if (out.p != in.p)
            copy_slot(out.p, in.p, x->width);
        next++;
        cursor_on(&out, x);
        cursor_on(&in, x);
    }
    for (; next < x->n_slots; next++) {
        clear_slot(out.p, x->width);
        cursor_on(&out, x);
    }
    return true;
}

/* To as many slots, or more where the overflow does not hold what falls into it. */
static int resize(struct exact *x, size_t n_slots, struct err *e)
{
    do {
        size_t n_old = x->n_slots, n_seg = ((n_slots - 1) >> x->seg_shift) + 1;
        if (mem_grow(&x->seg, &x->seg_cap, n_seg, sizeof *x->seg, e) < 0)
            return -1;
        while (x->n_seg < n_seg) {
            x->seg[x->n_seg] = sys_pages(SEG_BYTES, e);
            if (!x->seg[x->n_seg])
                return -1;
            x->n_seg++;
        }
        x->n_slots = n_slots;
        move_up(x, n_old);
        n_slots += OVERFLOW_SLOTS + (n_slots - x->n_homes) / 2;
    } while (!move_home(x));
    return 0;
}

/* The smaller an entry, the more empty slots it may be given. */
static int grow_homes(struct exact *x, struct err *e)
{
    double load = x->width == 2 ? 0.6 : 0.89, step = x->width == 2 ? 0.5 : 0.125;
    size_t more = (size_t)((double)x->n_homes * step);
    size_t overflow = x->n_slots ? x->n_slots - x->n_homes : OVERFLOW_SLOTS;
    x->n_homes += more > FIRST_SLOTS ? more : FIRST_SLOTS;
    x->n_max = (size_t)((double)x->n_homes * load);
    return resize(x, x->n_homes + overflow, e);
}

static int grow_overflow(struct exact *x, struct err *e)
{
    return resize(x, x->n_slots + OVERFLOW_SLOTS + (x->n_slots - x->n_homes) / 2, e);
}

void exact_prefetch(const struct exact *x, struct hash128 h)
{
    if (x->n)
        PREFETCH(slot_at(x, home_of(h.hi, x->n_homes)));
}

/* The first slot at or behind h's home that is empty or not before h. */
static size_t seek(const struct exact *x, uint64_t hi, uint64_t lo)
{
    size_t i = home_of(hi, x->n_homes);
    while (i < x->n_slots && !is_empty(slot_at(x, i)) && is_before(slot_at(x, i), hi, lo))
        i++;
    return i;
}

/* Moves the slots [at, end) on by one. */
static void make_gap(struct exact *x, size_t at, size_t end)
{
    size_t slot_bytes = x->width * sizeof(uint64_t);
    if (at >> x->seg_shift == end >> x->seg_shift) {
        memmove(slot_at(x, at) + x->width, slot_at(x, at), (end - at) * slot_bytes);
        return;
    }
    for (size_t i = end; i > at; i--)
        copy_slot(slot_at(x, i), slot_at(x, i - 1), x->width);
}

uint64_t *exact_put(struct exact *x, struct hash128 h, bool *added, struct err *e)
{
    uint64_t hi = h.hi, lo = h.lo;
    if (!(hi | lo))
        lo = 1; /* 0, 0 marks an empty slot */
    if (x->n >= x->n_max && grow_homes(x, e) < 0)
        return NULL;

    for (;;) {
        size_t at = seek(x, hi, lo), end = at;
        uint64_t *s = at < x->n_slots ? slot_at(x, at) : NULL;
        if (s && s[0] == hi && s[1] == lo) {
            *added = false;
            return s + 2;
        }
        while (end < x->n_slots && !is_empty(slot_at(x, end)))
            end++;
        if (end < x->n_slots) {
            make_gap(x, at, end);
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
    if (at == x->n_slots)
        return NULL;
    uint64_t *s = slot_at(x, at);
    return s[0] == hi && s[1] == lo ? s + 2 : NULL;
}
