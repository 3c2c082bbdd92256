/* Hashes: XXH3 (libxxhash) for content, CRC-32 (zlib's polynomial) for blocks of a file. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t lo, hi;
};
uint64_t hash64(const void *p, size_t n, uint64_t seed);
struct hash128 hash128(const void *p, size_t n);
uint32_t crc32_of(uint32_t crc, const void *p, size_t n); /* start with 0 */

/* Incremental. new may return NULL (no memory); free(NULL) is allowed. */
struct hash_state;
struct hash_state *hash_new(void);
void hash_add(struct hash_state *h, const void *p, size_t n);
uint64_t hash_get64(const struct hash_state *h);
struct hash128 hash_get128(const struct hash_state *h);
void hash_free(struct hash_state *h);
void hash128_hex(char out[33], struct hash128 h); /* hi first, lower case */

#endif
