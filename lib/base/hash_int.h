/* Between hash.c and what it has for single instruction sets. */
#ifndef BASE_HASH_INT_H
#define BASE_HASH_INT_H

#include <stddef.h>
#include <stdint.h>

/* crc32_of for 64 bytes and more, but for the last n % 16, which are left out. */
uint32_t crc32_clmul(uint32_t crc, const unsigned char *p, size_t n);

#endif
