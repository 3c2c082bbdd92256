/*
 * Text without added tokens to ids: cut into pieces, or parts of them where a model has places that
 * it never joins (junctions.h), which go through the cache to the model.
 *
 *     struct piece_run *x = piece_run_new(t, NULL, e);     one a thread
 *     piece_run_text(x, s, n, &ids, e)               ids are appended; 64 readable bytes behind s
 *     piece_run_free(x);
 */
#ifndef TOKEN_ENCODE_PIECES_H
#define TOKEN_ENCODE_PIECES_H

#include "token/token_int.h"

struct piece_run;
/* beside: another one of t's, whose cache it shares, or NULL; not once any of them runs. */
struct piece_run *piece_run_new(const struct tokenizer *t, const struct piece_run *beside,
                                struct err *e);
void piece_run_free(struct piece_run *x);
int piece_run_text(struct piece_run *x, const char *s, size_t n, struct ids *out, struct err *e);
/* Bytes for which the vocabulary had nothing. */
uint64_t piece_run_lost(const struct piece_run *x);

#endif
