/*
 * The directory of a training run.
 *
 *     run.json          what was asked for: options, config, inputs; written before anything else
 *     tokenizer.json    of the data, where there is one
 *     spool/            tokens that came through a pipe, until the run is finished
 *     checkpoint-N/     a complete model directory, and state/ to go on from it
 *     best              link to the checkpoint with the lowest validation loss (--keep-best); a
 *                       file with its name where the file system has no links
 *     log.tsv           metrics
 *     lock              held while a process writes the run
 *     config.json model.safetensors ...   the finished model, model.safetensors last
 *
 * Nothing in it is ever half there: files and checkpoints appear by a rename and go by one. Names
 * that begin with a dot and end in .tmp belong to a writer at work, or were left by one that was
 * killed or by a run that was given up.
 */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/opt.h"
#include "quern/err.h"

struct run {
    char *dir;
    int lock;         /* descriptor; -1: not held */
    bool fresh, made; /* not resumed; and the directory was made for it */
    bool given_up;    /* resumed, but an earlier process had given it up */
    json_t *doc;      /* run.json; NULL before run_store or run_load */
};

/* Makes the directory where it is missing and locks it. A directory that holds anything is refused
 * unless resuming; resuming one without run.json is refused. Leftovers of killed writers go. */
int run_open(struct run *r, const char *dir, bool resume, struct err *e);
/* A new run of which nothing was stored leaves nothing behind. */
void run_close(struct run *r);
/* dir/name; caller frees. */
char *run_path(const struct run *r, const char *name, struct err *e);

/* Options to run.json and back. Kept are those that shape the output, and those that may change on
 * resuming but hold until they do (--log, --save-every, --keep-last, --skip-nonfinite). Restoring
 * sets what the command line does not give; one of the first kind that it gives with another value
 * is refused by name. */
int run_put_options(json_t *doc, struct opt *opts, struct err *e);
int run_get_options(const json_t *doc, struct opt *opts, struct err *e);
/* run.json (takes doc) and tokenizer.json (NULL: none), both or neither. */
int run_store(struct run *r, json_t *doc, const char *tokenizer, size_t tokenizer_len,
              struct err *e);
/* A run that cannot begin, for an error in its input, say: keeps no data and leaves the directory
 * so that a new run may take it, or --resume go on once the cause is mended. Does nothing to one
 * that an earlier process has begun. */
void run_give_up(const struct run *r);
/* run.json again, after a change of r->doc. */
int run_update(struct run *r, struct err *e);

/* Numbers of the checkpoints there, ascending; *v is freed by the caller. */
int run_checkpoints(const struct run *r, uint64_t **v, size_t *n, struct err *e);
/* 1 and the newest one's directory (caller frees); 0: there is none; -1. */
int run_newest(const struct run *r, char **path, struct err *e);
/* Removes all but the newest n_keep and the one numbered also_keep (UINT64_MAX: none). */
int run_prune(const struct run *r, size_t n_keep, uint64_t also_keep, struct err *e);
bool run_finished(const struct run *r);
/* Points RUN/best at a checkpoint. */
int run_set_best(const struct run *r, uint64_t step, struct err *e);
/* Links (or copies) the model files of a checkpoint to the top, model.safetensors last. */
int run_finish(const struct run *r, uint64_t step, struct err *e);

#endif
