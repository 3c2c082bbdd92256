/*
 * The parts of bpe-train: its options, the counting of the texts, and a file for each way to train,
 * which is a struct train_kind. They are called in the order prepare, count for each document (in
 * any thread), train.
 */
#ifndef BPE_TRAIN_TRAIN_H
#define BPE_TRAIN_TRAIN_H

#include "base/buf.h"
#include "base/opt.h"
#include "base/prog.h"
#include "base/progress.h"
#include "io/docs.h"
#include "io/out.h"
#include "quern/tokenizer.h"
#include "text/split.h"
#include "token/bpe_extend.h"
#include "token/bpe_train.h"
#include "token/train_text.h"

enum model { MODEL_BPE, MODEL_WORDPIECE, MODEL_UNIGRAM };
/* BOS, EOS and PAD. */
enum { N_ROLES = 3, MAX_OPTIONS = 64 };

struct train;
struct train_kind {
    int (*prepare)(struct train *t, struct err *e);
    int (*count)(struct train *t, const struct doc *doc, int thread, struct err *e);
    /* Writes t->out, which is committed then. read_s: how long the counting took. */
    int (*train)(struct train *t, double read_s, struct err *e);
    void (*tell)(const struct train *t); /* once the output stands */
};
extern const struct train_kind train_bpe, train_other, train_extend;

struct train {
    struct prog *prog;
    struct docs_opt docs_opt;
    int64_t vocab_size, min_frequency, n_threads;
    int split_choice, model;
    bool cased, byte_fallback, split_digits;
    double character_coverage, shrinking_factor;
    int64_t limit_alphabet, max_token_length, seed_size, max_piece_chars, n_sub_iterations;
    const char *extend_path, *normalize, *regex, *out_path, *role[N_ROLES];
    struct opt_list special_list;
    bool no_special, quiet, progress;
    int verbose;
    struct opt opts[MAX_OPTIONS]; /* of the command line */

    const struct train_kind *kind;
    struct bpe_train_opt opt;
    struct split *split;
    struct cutter **cutter; /* one per thread */
    struct tokenizer *old;  /* of --extend */
    struct bpe_extend *extend;
    struct buf normalizer; /* JSON of --normalize */
    int64_t mem_bytes;
    uint64_t drop_below, n_dropped; /* of --mem */
    struct train_text *text;        /* of the other models, one run per thread */
    struct train_text_run **text_run;
    struct bpe_counts *counts;
    struct docs *docs;
    struct docs_counts docs_counts;
    struct bpe_vocab *vocab;
    struct out *out;
    struct progress bar;
    double read_s, train_s;
};

/* options.c: the defaults and the table; then what was given is looked at: mistakes, and which
 * tokens are special. */
void train_defaults(struct train *t);
int train_check(struct train *t, struct err *e);
const char *train_split_name(const struct train *t);
int train_choose_specials(struct train *t, struct err *e);
/* Sets the tokens of --bos, --eos and --pad in the tokenizer_config.json beside the output; what
 * else is in the file stays. */
bool train_has_roles(const struct train *t);
int train_roles_path(const struct train *t, struct buf *path, struct err *e);
int train_save_roles(struct train *t, struct err *e);

/* count.c: reads all the texts. */
int train_read_all(struct train *t, struct err *e);
void train_tell_skipped(const struct train *t);

/* bpe.c: the bar while merges are chosen, user being the struct train. */
int train_show_merging(void *user, uint32_t n_ids, struct err *e);

/* other.c: what goes before the counting where a text is not taken as it is. */
int train_prepare_text(struct train *t, struct err *e);

#endif
