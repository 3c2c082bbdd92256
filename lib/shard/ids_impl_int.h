/* The loops of ids_int.h, which compilers turn into vector code; compiled by each file of an
 * instruction set. */
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "shard/ids_int.h"

/* Ids of some bytes each to ids of others, on a processor that stores the lowest byte first. */
static ALWAYS_INLINE uint32_t convert(unsigned char *RESTRICT to, const size_t to_bytes,
                                      const unsigned char *RESTRICT from, const size_t from_bytes,
                                      size_t n)
{
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t id;
        memcpy(from_bytes == 2 ? (void *)&half : &id, from + from_bytes * i, from_bytes);
        id = from_bytes == 2 ? half : id;
        half = (uint16_t)id;
        memcpy(to + to_bytes * i, to_bytes == 2 ? (void *)&half : &id, to_bytes);
        top = id > top ? id : top;
    }
    return top;
}

static uint32_t widen(void *RESTRICT to, const void *RESTRICT from, size_t n)
{
    return convert(to, 4, from, 2, n);
}

static uint32_t narrow(void *RESTRICT to, const void *RESTRICT from, size_t n)
{
    return convert(to, 2, from, 4, n);
}

static uint32_t copy(void *RESTRICT to, const void *RESTRICT from, size_t n)
{
    return convert(to, 4, from, 4, n);
}

static uint32_t most(const uint32_t *ids, size_t n)
{
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++)
        top = ids[i] > top ? ids[i] : top;
    return top;
}
