/*
 * The subcommands of shard: a file for each group of them, with its options, and the options and
 * steps that they share.
 */
#ifndef SHARD_SUBCOMMAND_H
#define SHARD_SUBCOMMAND_H

#include <stdbool.h>
#include "base/prog.h"
#include "base/progress.h"
#include "quern/shard.h"
#include "quern/tokenizer.h"
#include "shard/set.h"

struct sub {
    const char *name, *full, *purpose, *synopsis;
    struct opt *opts;
    int (*body)(struct prog *, struct err *);
};
extern const struct sub sub_info, sub_check, sub_stat;                           /* tell.c */
extern const struct sub sub_cat, sub_head_docs, sub_split, sub_shuffle, sub_mix; /* docs.c */
extern const struct sub sub_import, sub_export;                                  /* raw.c */

/* Options that mean the same in several of them. */
extern struct sub_given {
    bool quiet, json, deflate, no_embed, progress;
    int verbose;
    const char *output, *tokenizer;
} given;

/* in: whose bytes are the measure; NULL: tokens, of which nobody knows how many. */
void sub_progress(const struct prog *p, struct progress *pr, const struct shard_set *in);
/* The head of the output: the inputs' with this program's line, without the tokenizer where
 * --no-embed asks. */
int sub_head(struct prog *p, const char *program, struct shard_head *h, struct buf *prov,
             struct err *e);
/* rest: a second output, or NULL. sub_create has asked already. */
int sub_apart(char *const *operands, int n, const char *rest, struct err *e);
struct shard_out *sub_create(struct prog *p, const char *program, const char *path,
                             struct shard_set *in, struct err *e);
/* Or, where rc is an error, abort. */
int sub_commit(struct prog *p, struct shard_out *o, int rc, const char *path, struct err *e);
/* Takes the text; prints it unless rc is an error, and returns rc. */
int sub_print(struct buf *text, int rc);
/* The tokenizer that -t names, or the one in the shard. NULL without error: there is none. */
struct tokenizer *sub_tokenizer(const struct shard_head *h, const char *name, struct err *e);

/* A line for each option; SHAPES: it goes into the provenance. */
#define FLAG(LETTER, NAME, DST, HELP)                                                 \
    {                                                                                 \
        .kind = OPT_FLAG, .letter = LETTER, .name = NAME, .dst = &(DST), .help = HELP \
    }
#define STR(LETTER, NAME, DST, ARG, SHAPES, HELP)                                   \
    {                                                                               \
        .kind = OPT_STR, .letter = LETTER, .name = NAME, .dst = &(DST), .arg = ARG, \
        .shapes_output = SHAPES, .help = HELP                                       \
    }
#define INT(LETTER, NAME, DST, ARG, MIN, MAX, SHAPES, HELP)                                     \
    {                                                                                           \
        .kind = OPT_INT, .letter = LETTER, .name = NAME, .dst = &(DST), .arg = ARG, .min = MIN, \
        .max = MAX, .shapes_output = SHAPES, .help = HELP                                       \
    }
#define CHOICE(NAME, DST, ARG, WORDS, HELP)                                            \
    {                                                                                  \
        .kind = OPT_CHOICE, .name = NAME, .dst = &(DST), .arg = ARG, .choices = WORDS, \
        .shapes_output = true, .help = HELP                                            \
    }
#define ID(NAME, DST, SHAPES, HELP) INT(0, NAME, DST, "ID", -1, UINT32_MAX - 1, SHAPES, HELP)
#define PROGRESS \
    FLAG(0, "progress", given.progress, "show progress even where stderr is no terminal")
#define TOKENIZER(HELP) STR('t', "tokenizer", given.tokenizer, "FILE", false, HELP)
#define JSON            OPT_JSON(&given.json)
#define SPEECH          OPT_QUIET(&given.quiet), OPT_VERBOSE(&given.verbose), OPT_END
/* What writes a shard has these. */
#define WRITER                                                                             \
    OPT_OUTPUT(&given.output),                                                             \
        FLAG('z', "deflate", given.deflate, "deflate the blocks of the output"),           \
        FLAG(0, "no-embed", given.no_embed, "leave the tokenizer.json out of the output"), \
        PROGRESS

#endif
