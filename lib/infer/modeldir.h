/*
 * A model directory as a command is given it: a finished model, or a run that is still being
 * trained, of which the most advanced complete checkpoint is taken; with its tokenizer and its
 * special ids.
 *
 *     struct modeldir d;
 *     if (modeldir_open(&d, "run", 0, e) < 0) ...
 *     d.m, d.tok (NULL: the directory has none), d.ids
 *     modeldir_close(&d);
 */
#ifndef INFER_MODELDIR_H
#define INFER_MODELDIR_H

#include "base/buf.h"
#include "model/model.h"
#include "quern/shard.h"
#include "quern/tokenizer.h"

struct modeldir {
    char *path; /* of the model itself: RUN or RUN/checkpoint-N */
    struct model *m;
    struct tokenizer *tok;
    struct special_ids ids; /* bos, eos, pad; the config's where there is no tokenizer */
};
enum { MODELDIR_TOKENIZER = 1 /* a directory without one is an error */ };
int modeldir_open(struct modeldir *d, const char *path, int flags, struct err *e);
void modeldir_close(struct modeldir *d);

/* Every id that ends a text, each once: the tokenizer's EOS first, then those of config.json and of
 * generation_config.json. Their number, or -1. */
enum { MODELDIR_MAX_EOS = 2 * CONFIG_MAX_EOS + 1 };
int modeldir_eos(const struct modeldir *d, int64_t v[MODELDIR_MAX_EOS], struct err *e);

/* The directory that holds the model: path itself if it has config.json and weights, else its
 * newest checkpoint. */
int modeldir_find(const char *path, struct buf *out, struct err *e);

/* Whether a shard's ids are the model's: made with the same tokenizer, or without one as far as its
 * vocabulary goes. name is the shard's, for messages. */
int modeldir_accepts(const struct modeldir *d, const struct shard_head *h, const char *name,
                     struct err *e);

#endif
