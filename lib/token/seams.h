/*
 * Seams: where BPE over characters can be cut without changing its result: between two characters
 * that no token has side by side, since whatever merges make is a token. Texts that nothing else
 * cuts become short pieces so, which the cache knows. Characters that are no tokens themselves are
 * not cut off from each other: they may become one unknown token.
 */
#ifndef TOKEN_SEAMS_H
#define TOKEN_SEAMS_H

#include "token/pretok.h"
#include "token/vocab.h"

struct seams;
struct seams *seams_new(const struct vocab *v, struct err *e);
void seams_free(struct seams *j);
/* The pieces v[0..n) of s, cut, appended to out. */
int seams_cut(const struct seams *j, const char *s, const struct span32 *v, size_t n,
              struct pieces *out, struct err *e);

#endif
