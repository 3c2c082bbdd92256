/*
 * The data of a pretraining run: which shards, mapped or spooled or streamed, and what part is held
 * out.
 *
 *     sources_open(&d, operands, n, stream, e)  opens every input and reads its header
 *     json = sources_describe(&d, val, e)       for run.json
 *     sources_reopen(&d, json, operands, n, val, &where, e)   the same from run.json on --resume
 *     sources_load(&d, &plan, e)                maps or spools; windows
 *     sources_close(&d)
 *
 * Complete plain files are mapped where they lie. What cannot be (pipes, gzipped or deflated
 * shards) is spooled into the run.
 */
#ifndef TRAIN_SOURCES_H
#define TRAIN_SOURCES_H

#include <jansson.h>
#include "train/corpus.h"
#include "train/feed.h"
#include "train/stream.h"
#include "train/windows.h"

enum source_kind { SOURCE_FILES, SOURCE_SPOOL, SOURCE_STREAM };

struct sources {
    enum source_kind kind;
    char **path; /* absolute; "-" is stdin */
    struct shard_in **in;
    int n;
    struct shard_head head; /* of the first input; strings belong to in[0] */
    uint64_t vocab_size;    /* largest of the inputs; 0: not known */
    bool has_weights;

    struct corpus corpus, val_corpus;
    struct windows train_windows, val_windows;
    struct stream *stream;
    struct feed train, val;
    char note[160]; /* how the validation part was cut; "" if there is nothing to say */
};

/* Where the copies of inputs that cannot be mapped go. */
struct source_dirs {
    const char *spool, *val_spool;
};

int sources_open(struct sources *d, char *const *operands, int n, bool stream, struct err *e);
/* val: file of a validation shard, or NULL. */
json_t *sources_describe(const struct sources *d, const char *val, struct err *e);
/* Files must be what they were. A spool that is not complete, and a stream, are read again: from
 * the operands, else from the files that were named then, else from stdin. */
int sources_reopen(struct sources *d, const json_t *described, char *const *operands, int n,
                   const char *val, const struct source_dirs *dirs, struct err *e);

struct sources_plan {
    int n_ctx;
    uint64_t vocab_size; /* the model's: every id must be below it */
    int64_t bos, eos;
    double val_share;     /* 0: none */
    const char *val_path; /* a shard of its own, or NULL */
    uint64_t seed;
    struct source_dirs dirs;
    /* called now and then while inputs are read through, with the tokens so far; nonzero: stop */
    int (*tick)(void *user, uint64_t n_tok);
    void *user;
};
int sources_load(struct sources *d, const struct sources_plan *p, struct err *e);
void sources_close(struct sources *d);

#endif
