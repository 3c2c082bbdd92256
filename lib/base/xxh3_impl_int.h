/* XXH3 as <xxhash.h> has it, which comes before: the functions of hash_int.h. */
#include "base/bug.h"
#include "base/hash_int.h"

static uint64_t all64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

static struct hash128 of128(XXH128_hash_t h)
{
    return (struct hash128){.lo = h.low64, .hi = h.high64};
}

static struct hash128 all128(const void *p, size_t n)
{
    return of128(XXH3_128bits(p, n));
}

static void *new (void)
{
    XXH3_state_t *x = XXH3_createState();
    if (x && XXH3_128bits_reset(x) == XXH_OK)
        return x;
    XXH3_freeState(x);
    return NULL;
}

static void add(void *x, const void *p, size_t n)
{
    if (n > 0 && XXH3_128bits_update(x, p, n) != XXH_OK)
        BUG("XXH3 refused %zu bytes", n);
}

static uint64_t get64(const void *x)
{
    return XXH3_64bits_digest(x);
}

static struct hash128 get128(const void *x)
{
    return of128(XXH3_128bits_digest(x));
}

static void end(void *x)
{
    XXH3_freeState(x);
}
