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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/err.h"

/* The first place from which on the text may not be in form C: the beginning of a stretch as above.
 * s is valid UTF-8. */
size_t nfc_check(const char *s, size_t n);
int nfc_append(struct buf *out, const char *s, size_t n, struct err *e);

/*
 * All four forms, a stretch at a time, for a caller who keeps account of where characters come
 * from:
 *
 *     struct norm_scratch x = {0};
 *     while (norm_find(form, s, p, n, &from, &to))       [p, from) is in the form, then a stretch
 *         norm_stretch(&x, form, s + from, to - from, e) and x.n of the stretch's new characters
 *     norm_scratch_release(&x);
 *
 * A new character says what it replaces: change 0 the next old one, -k that and k more, 1 none.
 */
enum norm_form { NORM_NFC, NORM_NFD, NORM_NFKC, NORM_NFKD };
struct norm_char {
    int32_t cp;
    int change, class;
};
struct norm_scratch {
    struct norm_char *v, *spare;
    size_t n, cap, cap_spare;
};
/* false: from p on all is in the form. */
bool norm_find(enum norm_form form, const char *s, size_t p, size_t n, size_t *from, size_t *to);
int norm_stretch(struct norm_scratch *x, enum norm_form form, const char *s, size_t n,
                 struct err *e);
void norm_scratch_release(struct norm_scratch *x);

#endif
