/*
 * Windows of training pairs. A document of tokens t1 … tn is the pairs (input, target)
 *     (BOS,t1) (t1,t2) … (tn,EOS)
 * with EOS in BOS's place where there is no BOS, without the first and last where there is neither,
 * and without the last where there is no EOS. The pairs of the chosen documents lie end to end and
 * are cut every n_ctx; a document that crosses a cut goes on in the next window as a piece whose
 * positions restart. Each token is predicted exactly once; the last window may be short.
 *
 * Held-out data (--val P%): by documents, those whose keyed hash of (seed, number) falls in P %; or
 * by tails, the last P % of every document's pairs. windows_split() decides.
 */
#ifndef TRAIN_WINDOWS_H
#define TRAIN_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>
#include "model/batchbuf.h"
#include "train/corpus.h"

enum part { PART_ALL, PART_TRAIN_DOCS, PART_VAL_DOCS, PART_TRAIN_HEADS, PART_VAL_TAILS };

struct windows {
    const struct corpus *c;
    int n_ctx;
    int64_t bos, eos; /* -1: none; bos already has eos in its place */
    enum part part;
    double share;        /* of the held-out part */
    uint64_t *doc, *cum; /* pieces: document and pairs before it; cum has one more */
    size_t n_pieces;
    uint64_t n_pairs, n_windows;
    uint32_t *scratch; /* n_ctx + 2 ids */
};
int windows_init(struct windows *w, const struct corpus *c, int n_ctx, int64_t bos, int64_t eos,
                 enum part part, double share, uint64_t seed, struct err *e);
/* Appends window i to the batch, a sequence for each piece. Not thread-safe (scratch). */
int windows_fill(struct windows *w, uint64_t i, struct batchbuf *b, struct err *e);
/* Most pieces in one window. */
int windows_max_pieces(const struct windows *w);
void windows_release(struct windows *w);

/* Whether document number i is held out by documents at this share: the same for a stream. */
bool windows_held_out(uint64_t seed, uint64_t doc, double share);
/* PART_TRAIN_DOCS if the documents chosen hold between half and twice share of the tokens, else
 * PART_TRAIN_HEADS. */
enum part windows_split(const struct corpus *c, double share, uint64_t seed);

#endif
