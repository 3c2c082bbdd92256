/*
 * Tokens that came through a pipe, kept in the run's directory so that length, epochs, order,
 * validation and resume do not depend on the pipe.
 *
 *     spool/tokens     ids, 2 or 4 bytes each, little-endian
 *     spool/docs       tokens of each document, 8 bytes each
 *     spool/weights    a byte for each token, only where the data has weights
 *     spool/spool.json counts and XXH3-64 of each file; written last: without it the spool is
 *                      incomplete
 */
#ifndef TRAIN_SPOOL_H
#define TRAIN_SPOOL_H

#include <stdbool.h>
#include "train/corpus.h"

/*     struct spool *s = spool_create(dir, width, weights, e);   replaces what is at dir
 *     spool_piece(s, &piece, e) ...                  pieces of documents, as shard_next_piece gives
 *     spool_commit(s, e);                            always frees s; or spool_abort(s)
 * width: 2 or 4 bytes an id. */
struct spool;
struct spool *spool_create(const char *dir, int width, bool weights, struct err *e);
int spool_piece(struct spool *s, const struct shard_doc *d, struct err *e);
int spool_commit(struct spool *s, struct err *e);
void spool_abort(struct spool *s);

/* All of the inputs, to their end blocks. tick (may be NULL) is called now and then with the tokens
 * so far and returns nonzero to stop (ERR_SIGNAL). */
int spool_write(const char *dir, struct shard_in *const *in, int n_in, int width, bool weights,
                int (*tick)(void *user, uint64_t n_tok), void *user, struct err *e);
bool spool_complete(const char *dir);
/* Verifies the files and maps them. */
int spool_open(struct corpus *c, const char *dir, struct err *e);

#endif
