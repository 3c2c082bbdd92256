/*
 * The general path: any normalizer, pre-tokenizer, model and decoder that tokenizer.json files
 * name.
 *
 * A tokenizer takes it where general_wanted() says so; the others, byte-level BPE with what usually
 * goes with it, run over bytes (encode.c), which gives the same ids several times as fast. Offsets
 * are always made here.
 *
 *     struct general *g = general_new(t, e);             when model and settings of t are read
 *     struct general_run *x = general_run_new(g, e);     one a thread
 *     general_encode(x, text, n, flags, literal, n_literal, &ids, NULL, e);
 *     general_run_free(x); general_free(g);
 */
#ifndef TOKEN_GENERAL_H
#define TOKEN_GENERAL_H

#include "token/decoders.h"
#include "token/seams.h"
#include "token/normalizer.h"
#include "token/pretok.h"
#include "token/word_model.h"

struct general {
    const struct tokenizer *t;
    struct normalizer normalizer;
    struct pretok pretok;
    struct word_model *model;
    struct seams *seams; /* NULL: they would change the result, or nothing */
    struct decoders decoders;
    bool *trim; /* for each trimming of offsets by the post-processor: add_prefix_space */
    size_t n_trims;
};

/* 1: byte-level BPE does not do what t's parts ask for; 0: it does; -1: err, a part is malformed.
 */
int general_wanted(const struct tokenizer *t, struct err *e);
struct general *general_new(const struct tokenizer *t, struct err *e);
void general_free(struct general *g);
int general_describe(const struct general *g, struct buf *out, struct err *e);

struct general_run;
/* beside: as in encode_pieces.h. */
struct general_run *general_run_new(const struct general *g, const struct general_run *beside,
                                    struct err *e);
void general_run_free(struct general_run *x);
/* As encoder_run; with off as encoder_offsets. */
int general_encode(struct general_run *x, const char *text, size_t n, int flags,
                   const struct text_span *literal, size_t n_literal, struct ids *out,
                   struct offsets *off, struct err *e);
uint64_t general_lost(const struct general_run *x);

/* Where the tokenizer's part stands, as a tree; *o is NULL where the file has none or null. */
int part_load(const struct tokenizer *t, struct value v, const char *name, json_t **o,
              struct err *e);

#endif
