/* Base64 with its padding, RFC 4648, section 4; no line breaks. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include "base/buf.h"

/* s[0..n) decoded to out, which has room for n / 4 * 3 bytes. Returns how many, -1: no base64. */
long base64_decode(void *out, const char *s, size_t n);
/* Appends the encoding of p[0..n). */
int base64_encode(struct buf *out, const void *p, size_t n, struct err *e);

#endif
