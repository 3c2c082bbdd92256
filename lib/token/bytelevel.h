/*
 * The alphabet of byte-level BPE, as GPT-2 introduced it: each byte stands as one printable
 * character in tokenizer.json. Bytes 21-7E, A1-AC and AE-FF are the characters of these numbers,
 * the other 68, in ascending order, U+0100 to U+0143.
 */
#ifndef TOKEN_BYTELEVEL_H
#define TOKEN_BYTELEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BYTELEVEL_CHARS = 0x144 };

/* The character of a byte. */
uint32_t bytelevel_char(unsigned char byte);
/* The byte of a character, or -1. */
int bytelevel_byte(uint32_t cp);
/* Writes s[0..n) as characters in UTF-8: at most 2 * n bytes, no NUL. Returns how many. */
size_t bytelevel_spell(char *out, const char *s, size_t n);
/* The reverse, at most n bytes; -1 if a character is not of the alphabet. s is valid UTF-8. */
long bytelevel_bytes(char *out, const char *s, size_t n);

#endif
