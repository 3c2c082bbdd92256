/* Ids to bytes of shard(5) and back. */
#include <stdatomic.h>
#include <stdbool.h>

#include "base/cpu.h"
#include "base/le.h"
#include "shard/ids_impl_int.h"
#include "shard/shard_int.h"

/* Chooses for this processor, once. */
static const struct ids_loops *loops(void)
{
    static const struct ids_loops portable = {widen, narrow, copy, most};
    static const struct ids_loops *_Atomic chosen;
    const struct ids_loops *l = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (LIKELY(l != NULL))
        return l;
    l = &portable;
#if defined(__x86_64__)
    enum isa isa;
    if (cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE)
        l = &ids_loops_avx2;
#endif
    atomic_store(&chosen, l);
    return l;
}

bool shard_host_is_le(void)
{
    const union {
        uint16_t number;
        unsigned char byte[2];
    } one = {1};
    return one.byte[0];
}

uint32_t shard_ids_max(const uint32_t *ids, size_t n)
{
    return loops()->most(ids, n);
}

uint32_t shard_ids_get(uint32_t *dst, const unsigned char *src, size_t n, int width)
{
    uint32_t top = 0;
    if (n == 0) /* dst and src may be NULL then */
        return 0;
    if (shard_host_is_le())
        return (width == 2 ? loops()->widen : loops()->copy)(dst, src, n);
    for (size_t i = 0; i < n; i++) {
        dst[i] = width == 2 ? le16_get(src + 2 * i) : le32_get(src + 4 * i);
        top = dst[i] > top ? dst[i] : top;
    }
    return top;
}

uint32_t shard_ids_put(unsigned char *dst, const uint32_t *src, size_t n, int width)
{
    uint32_t top = 0;
    if (n == 0)
        return 0;
    if (shard_host_is_le())
        return (width == 2 ? loops()->narrow : loops()->copy)(dst, src, n);
    for (size_t i = 0; i < n; i++) {
        top = src[i] > top ? src[i] : top;
        if (width == 2)
            le16_put(dst + 2 * i, (uint16_t)src[i]);
        else
            le32_put(dst + 4 * i, src[i]);
    }
    return top;
}
