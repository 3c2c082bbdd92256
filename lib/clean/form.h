/*
 * Normal forms of a text: two documents are the same where their forms are.
 *
 *   FORM_NONE   the bytes themselves
 *   FORM_SPACE  every run of white space (Unicode White_Space) is one space; none at the ends
 *   FORM_TEXT   white space, punctuation (categories P*), controls and format characters left out;
 *               the rest case-folded in full (ß = ss, final sigma = sigma). Symbols (S*: + = $,
 *               emoji) stay, and so do marks and the difference between composed and decomposed.
 *               A text of which nothing would be left takes FORM_SPACE: "!!!" is not "???".
 *
 * Classes and foldings are those of the utf8proc library in use.
 */
#ifndef CLEAN_FORM_H
#define CLEAN_FORM_H

#include <stddef.h>
#include "base/buf.h"
#include "base/hash.h"
#include "quern/err.h"

enum text_form { FORM_NONE, FORM_SPACE, FORM_TEXT };
extern const char *const form_words[]; /* none, space, text; then NULL */

/* Appends the form of s[0..n), valid UTF-8, to out. */
int form_add(struct buf *out, const char *s, size_t n, enum text_form form, struct err *e);
/* XXH3-128 of the form; scratch is overwritten. */
int form_hash(const char *s, size_t n, enum text_form form, struct buf *scratch,
              struct hash128 *out, struct err *e);

#endif
