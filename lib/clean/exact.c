/* A growing set of 128-bit hashes in one array, ordered by hash. */
#include "clean/exact.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"

enum { FIRST_SLOTS = 64, OVERFLOW_SLOTS = 64, MAX_VALUES = 2 };

void exact_init(struct exact *x, unsigned n_values)
{
    if (n_values > MAX_VALUES)
        BUG("%u values", n_values);
    memset(x, 0, sizeof *x);
    x->width = 2 + n_values;
}

void exact_release(struct exact *x)
{
    free(x->slot);
    memset(x, 0, sizeof *x);
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

/* All entries to the end of the array, in order, without gaps. */
static void move_up(struct exact *x, size_t n_old)
{
    size_t to = x->n_slots, w = x->width;
    for (size_t i = n_old; i-- > 0;) {
        if (is_empty(x->slot + i * w))
            continue;
        to--;
        if (to != i)
            memcpy(x->slot + to * w, x->slot + i * w, w * sizeof *x->slot);
    }
}

/* The entries at the end of the array to their places. False: they do not fit into the overflow. */
static bool move_home(struct exact *x)
{
    size_t w = x->width, from = x->n_slots - x->n, next = 0;
    for (; from < x->n_slots; from++) {
        size_t to = home_of(x->slot[from * w], x->n_homes);
        if (to < next)
            to = next;
        if (to > from) {
            memset(x->slot + next * w, 0, (from - next) * w * sizeof *x->slot);
            return false;
        }
        memset(x->slot + next * w, 0, (to - next) * w * sizeof *x->slot);
        if (to != from)
            memcpy(x->slot + to * w, x->slot + from * w, w * sizeof *x->slot);
        next = to + 1;
    }
    memset(x->slot + next * w, 0, (x->n_slots - next) * w * sizeof *x->slot);
    return true;
}

/* To as many slots, or more where the overflow does not hold what falls into it. The array is one
 * block and realloc moves pages where it cannot extend it, so there is never a second copy of a
 * large one. */
static int resize(struct exact *x, size_t n_slots, struct err *e)
{
    do {
        size_t n_bytes, n_old = x->n_slots;
        if (size_mul(n_slots, x->width * sizeof *x->slot, &n_bytes, "table of documents", e) < 0)
            return -1;
        uint64_t *slot = realloc(x->slot, n_bytes);
        if (!slot)
            return err_nomem(e, "the table of documents", n_bytes);
        x->slot = slot;
        x->n_slots = n_slots;
        move_up(x, n_old);
        n_slots += OVERFLOW_SLOTS + (n_slots - x->n_homes) / 2;
    } while (!move_home(x));
    return 0;
}

/* The fewer bytes an entry has, the more empty slots it may be given. */
static int grow_homes(struct exact *x, struct err *e)
{
    static const struct {
        double load, step;
    } by_values[MAX_VALUES + 1] = {{0.60, 0.5}, {0.75, 0.25}, {0.89, 0.125}};
    double load = by_values[x->width - 2].load, step = by_values[x->width - 2].step;
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
        PREFETCH(x->slot + home_of(h.hi, x->n_homes) * x->width);
}

/* The first slot at or behind h's home that is empty or not before h. */
static size_t seek(const struct exact *x, uint64_t hi, uint64_t lo)
{
    size_t i = home_of(hi, x->n_homes), w = x->width;
    while (i < x->n_slots && !is_empty(x->slot + i * w) && is_before(x->slot + i * w, hi, lo))
        i++;
    return i;
}

uint64_t *exact_put(struct exact *x, struct hash128 h, bool *added, struct err *e)
{
    uint64_t hi = h.hi, lo = h.lo;
    size_t w = x->width;
    if (!(hi | lo))
        lo = 1; /* 0, 0 marks an empty slot */
    if (x->n >= x->n_max && grow_homes(x, e) < 0)
        return NULL;

    for (;;) {
        size_t at = seek(x, hi, lo), end = at;
        uint64_t *s = x->slot + at * w;
        if (at < x->n_slots && s[0] == hi && s[1] == lo) {
            *added = false;
            return s + 2;
        }
        while (end < x->n_slots && !is_empty(x->slot + end * w))
            end++;
        if (end < x->n_slots) {
            memmove(s + w, s, (end - at) * w * sizeof *s);
            memset(s, 0, w * sizeof *s);
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
    uint64_t *s = x->slot + at * x->width;
    return at < x->n_slots && s[0] == hi && s[1] == lo ? s + 2 : NULL;
}
