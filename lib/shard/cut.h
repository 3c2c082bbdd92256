/*
 * A set in two: what lies before a cut and what lies behind it, in order. The cut is counted in
 * documents, tokens or bytes of text; by tokens or bytes it may fall into a document, which then
 * ends in the first part and goes on as a document of its own in the second. Where it falls into
 * a token, the token belongs to the second part. Neither part gets an empty document from a cut.
 */
#ifndef SHARD_CUT_H
#define SHARD_CUT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/progress.h"
#include "shard/set.h"

enum split_unit { SPLIT_DOC, SPLIT_BYTE, SPLIT_TOKEN };
extern const char *const split_unit_words[];

struct split_at {
    enum split_unit unit;
    bool percent;
    double share;   /* percent: 0 to 100 of the whole, rounded down */
    uint64_t count; /* else */
    /* SPLIT_BYTE: how many bytes of text each id stands for. */
    const uint32_t *id_bytes;
    size_t n_id_bytes;
};
/* "90%", "12.5%" or a count as num_int takes it. */
int split_parse(struct split_at *at, const char *word, struct err *e);

struct split_report {
    uint64_t cut, total; /* in the unit; total 0: was not needed */
    bool inside;         /* a document was cut in two */
};
/* in was opened with SHARD_SET_COUNTED where at->percent. */
int split_run(struct shard_set *in, const struct split_at *at, struct shard_out *first,
              struct shard_out *rest, struct progress *pr, struct split_report *rep, struct err *e);

#endif
