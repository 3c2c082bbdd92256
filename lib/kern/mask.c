/* Which keys a query sees; see mask.h. */
#include "kern/mask.h"

/* The keys that query q sees are [*lo, *hi). */
static void range(const struct mask *m, int q, int64_t *lo, int64_t *hi)
{
    *lo = m->window && q >= m->window ? (int64_t)q - m->window + 1 : 0;
    *hi = m->causal ? (int64_t)q + 1 : INT64_MAX;
}

enum mask_block mask_block(const struct mask *m, int q0, int q1, int k0, int k1)
{
    int64_t lo_first, hi_first, lo_last, hi_last;
    range(m, q0, &lo_first, &hi_first);
    range(m, q1 - 1, &lo_last, &hi_last);
    if (k0 >= hi_last || k1 <= lo_first)
        return MASK_SKIP;
    return k0 >= lo_last && k1 <= hi_first ? MASK_ALL : MASK_SOME;
}

/* Bits [0, n). */
static uint64_t below(int64_t n)
{
    return n <= 0 ? 0 : n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

uint64_t mask_bits(const struct mask *m, int q, int k0)
{
    int64_t lo, hi;
    range(m, q, &lo, &hi);
    return below(hi - k0) & ~below(lo - k0);
}
