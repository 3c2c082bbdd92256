/* Between normalize.c and what it has for single instruction sets. */
#ifndef TEXT_NORMALIZE_INT_H
#define TEXT_NORMALIZE_INT_H

#include <stddef.h>

/* The first character with UNI_NFC in s[p..n), or n. p may stand within a character, whose rest is
 * passed over. */
size_t nfc_skip_portable(const unsigned char *s, size_t p, size_t n);
size_t nfc_skip_avx2(const unsigned char *s, size_t p, size_t n);
size_t nfc_skip_avx512(const unsigned char *s, size_t p, size_t n);

#endif
