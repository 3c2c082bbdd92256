/* Between hash.c and what it has for single instruction sets. */
#ifndef BASE_HASH_INT_H
#define BASE_HASH_INT_H

#include <stddef.h>
#include <stdint.h>
#include "base/hash.h"

/* crc32_of for 64 bytes and more, but for the last n % 16, which are left out. */
uint32_t crc32_clmul(uint32_t crc, const unsigned char *p, size_t n);
uint32_t crc32_avx512vbmi(uint32_t crc, const unsigned char *p, size_t n); /* 256 and more */

/* hash64 and hash128, and a state: the same for 64 and 128 bits, which differ in the digest alone.
 * A state is of use to those functions alone that made it. */
struct xxh3 {
    uint64_t (*all64)(const void *p, size_t n, uint64_t seed);
    struct hash128 (*all128)(const void *p, size_t n);
    void *(*new)(void);
    void (*add)(void *x, const void *p, size_t n);
    uint64_t (*get64)(const void *x);
    struct hash128 (*get128)(const void *x);
    void (*end)(void *x);
};
extern const struct xxh3 xxh3_avx2;

#endif
