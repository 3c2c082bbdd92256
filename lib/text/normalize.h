/*
 * Normalisation form C, as tokenizers that ask for it have it: that of Unicode 9.0 (unicode.h says
 * why). Most text is in it already, which a quick check finds; only the stretches that may not be,
 * from the character before a combining or decomposable one to the next that is neither, go through
 * libutf8proc. Code points assigned since Unicode 9.0 pass through, whatever the library knows.
 *
 *     size_t at = nfc_check(s, n);                  n: it is in form C
 *     if (at < n) nfc_append(&out, s, n, e);        the text in form C, appended to out
 */
#ifndef TEXT_NORMALIZE_H
#define TEXT_NORMALIZE_H

#include <stddef.h>
#include "base/buf.h"
#include "quern/err.h"

/* The first place from which on the text may not be in form C: the beginning of a stretch as above.
 * s is valid UTF-8. */
size_t nfc_check(const char *s, size_t n);
int nfc_append(struct buf *out, const char *s, size_t n, struct err *e);

#endif
