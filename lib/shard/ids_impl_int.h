/* The loops of ids_int.h, which compilers turn into vector code; compiled by each file of an
 * instruction set. */
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "shard/ids_int.h"

static uint32_t widen(void *RESTRICT to, const void *RESTRICT from, size_t n)
{
    unsigned char *dst = to;
    const unsigned char *src = from;
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, src + 2 * i, 2);
        uint32_t id = v;
        memcpy(dst + 4 * i, &id, 4);
        top = id > top ? id : top;
    }
    return top;
}

static uint32_t narrow(void *RESTRICT to, const void *RESTRICT from, size_t n)
{
    unsigned char *dst = to;
    const unsigned char *src = from;
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id;
        memcpy(&id, src + 4 * i, 4);
        uint16_t v = (uint16_t)id;
        memcpy(dst + 2 * i, &v, 2);
        top = id > top ? id : top;
    }
    return top;
}

static uint32_t copy(void *RESTRICT to, const void *RESTRICT from, size_t n)
{
    unsigned char *dst = to;
    const unsigned char *src = from;
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id;
        memcpy(&id, src + 4 * i, 4);
        memcpy(dst + 4 * i, &id, 4);
        top = id > top ? id : top;
    }
    return top;
}

static uint32_t most(const uint32_t *ids, size_t n)
{
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++)
        top = ids[i] > top ? ids[i] : top;
    return top;
}
