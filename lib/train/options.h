/*
 * Options of training, one struct for all commands that train, with their entries for an option
 * table. A value of 0 (or -1 where 0 has a meaning) in a field marked "auto" is filled in by
 * train_options_settle() once the model and the amount of data are known.
 */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/opt.h"
#include "model/exec.h"
#include "train/schedule.h"

struct train_options {
    const char *out; /* the run's directory */
    bool resume;
    int64_t n_ctx;   /* auto: the config's */
    int64_t n_batch; /* sequences in a micro-batch; auto: 4096 tokens' worth */
    int64_t n_accum; /* micro-batches in a step */
    int64_t batch_ramp;
    int64_t n_steps, n_tokens; /* 0: not given; of these and epochs one is given in the end */
    double epochs;             /* 0: not given; 1 where none of the three is */
    double lr;                 /* auto (-1): 6e-4 · sqrt(768 / d_model) */
    double min_lr;             /* auto (-1): lr / 10 */
    int64_t warmup;            /* auto (-1): 2 % of the steps, at most 1000 */
    int lr_schedule;
    double weight_decay, beta1, beta2, eps, clip, clip_value, dropout; /* dropout -1: config's */
    int dtype, gemm, recompute;
    int64_t eval_every; /* auto: 20 times in a run, and at the end */
    int64_t save_every; /* 0: every 15 minutes; always at the end */
    int64_t keep_last;
    bool keep_best;
    const char *log; /* NULL: RUN/log.tsv */
    int64_t skip_nonfinite;
    double max_time_s; /* -1: none */
    int64_t seed;
    int64_t n_threads;
    bool quiet, progress, profile;
    int verbose;
};

#define TRAIN_OPTIONS_INIT                                                                     \
    {                                                                                          \
        .n_accum = 1, .lr = -1, .min_lr = -1, .warmup = -1, .weight_decay = 0.1, .beta1 = 0.9, \
        .beta2 = 0.95, .eps = 1e-8, .clip = 1.0, .dropout = -1, .keep_last = 1, .seed = 1,     \
        .max_time_s = -1,                                                                      \
    }

/* clang-format off */
/* The defaults that each command fills in before train_options_settle(), for the help text. */
#define TRAIN_OPTIONS(o, batch_tokens, n_epochs, lr_768) \
    {.kind = OPT_TITLE, .help = "Length and batches"}, \
    {.kind = OPT_INT, .name = "context", .dst = &(o)->n_ctx, .arg = "N", .min = 1, .max = 1 << 24, \
     .shapes_output = true, .help = "tokens in a sequence (default: the model's)"}, \
    {.kind = OPT_INT, .name = "batch", .dst = &(o)->n_batch, .arg = "N", .min = 1, .max = 1 << 20, \
     .shapes_output = true, .help = "sequences in a pass (default: " batch_tokens " tokens' worth)"}, \
    {.kind = OPT_INT, .name = "accum", .dst = &(o)->n_accum, .arg = "N", .min = 1, .max = 1 << 20, \
     .shapes_output = true, .help = "passes whose gradients make one step (default {})"}, \
    {.kind = OPT_INT, .name = "batch-ramp", .dst = &(o)->batch_ramp, .arg = "N", .min = 0, \
     .max = INT64_MAX, .shapes_output = true, \
     .help = "let the step's sequences grow from one to all over the first N steps (default {})"}, \
    {.kind = OPT_INT, .name = "steps", .dst = &(o)->n_steps, .arg = "N", .min = 1, \
     .max = INT64_MAX, .shapes_output = true, .help = "train N steps"}, \
    {.kind = OPT_INT, .name = "tokens", .dst = &(o)->n_tokens, .arg = "N", .min = 1, \
     .max = INT64_MAX, .shapes_output = true, .help = "train on N tokens (10M, 1e9)"}, \
    {.kind = OPT_REAL, .name = "epochs", .dst = &(o)->epochs, .arg = "X", .rmin = 1e-6, .rmax = 1e6, \
     .shapes_output = true, .help = "train X times over the data (default " n_epochs ")"}, \
    {.kind = OPT_TITLE, .help = "Optimisation"}, \
    {.kind = OPT_REAL, .name = "lr", .dst = &(o)->lr, .arg = "X", .rmin = 0, .rmax = 1e3, \
     .shapes_output = true, .help = "peak learning rate (default: " lr_768 " at width 768, by 1/sqrt(width))"}, \
    {.kind = OPT_REAL, .name = "min-lr", .dst = &(o)->min_lr, .arg = "X", .rmin = 0, .rmax = 1e3, \
     .shapes_output = true, .help = "learning rate of the last step (default: a tenth)"}, \
    {.kind = OPT_INT, .name = "warmup", .dst = &(o)->warmup, .arg = "N", .min = 0, \
     .max = INT64_MAX, .shapes_output = true, .help = "steps of linear warm-up (default: 2 %, at most 1000)"}, \
    {.kind = OPT_CHOICE, .name = "lr-schedule", .dst = &(o)->lr_schedule, .arg = "NAME", \
     .choices = lr_schedule_words, .shapes_output = true, \
     .help = "cosine, linear, wsd or constant (default {})"}, \
    {.kind = OPT_REAL, .name = "weight-decay", .dst = &(o)->weight_decay, .arg = "X", .rmin = 0, \
     .rmax = 1e3, .shapes_output = true, .help = "decay of matrices, decoupled (default {})"}, \
    {.kind = OPT_REAL, .name = "beta1", .dst = &(o)->beta1, .arg = "X", .rmin = 0, .rmax = 0.999999, \
     .shapes_output = true, .help = "AdamW's first moment (default {})"}, \
    {.kind = OPT_REAL, .name = "beta2", .dst = &(o)->beta2, .arg = "X", .rmin = 0, .rmax = 0.999999, \
     .shapes_output = true, .help = "AdamW's second moment (default {})"}, \
    {.kind = OPT_REAL, .name = "eps", .dst = &(o)->eps, .arg = "X", .rmin = 1e-30, .rmax = 1, \
     .shapes_output = true, .help = "AdamW's epsilon (default {})"}, \
    {.kind = OPT_REAL, .name = "clip", .dst = &(o)->clip, .arg = "X", .rmin = 0, .rmax = 1e9, \
     .shapes_output = true, .help = "largest norm of the gradient; 0: no limit (default {})"}, \
    {.kind = OPT_REAL, .name = "clip-value", .dst = &(o)->clip_value, .arg = "X", .rmin = 0, .rmax = 1e9, \
     .shapes_output = true, .help = "largest element of the gradient; 0: no limit (default {})"}, \
    {.kind = OPT_REAL, .name = "dropout", .dst = &(o)->dropout, .arg = "X", .rmin = 0, .rmax = 0.99, \
     .shapes_output = true, .help = "rate of all dropouts (default: the config's)"}, \
    {.kind = OPT_INT, .name = "skip-nonfinite", .dst = &(o)->skip_nonfinite, .arg = "N", .min = 0, \
     .max = INT64_MAX, .help = "pass over up to N steps in a row whose loss or gradient is not finite (default {})"}, \
    OPT_SEED(&(o)->seed), \
    {.kind = OPT_TITLE, .help = "Run"}, \
    {.kind = OPT_STR, .letter = 'o', .name = "output", .dst = &(o)->out, .arg = "RUN", \
     .help = "directory of the run: checkpoints and, at the end, the model"}, \
    {.kind = OPT_FLAG, .name = "resume", .dst = &(o)->resume, \
     .help = "go on with the run in RUN, under the options it was started with"}, \
    {.kind = OPT_INT, .name = "eval-every", .dst = &(o)->eval_every, .arg = "N", .min = 1, \
     .max = INT64_MAX, .shapes_output = true, \
     .help = "steps between validations (default: 20 in a run)"}, \
    {.kind = OPT_INT, .name = "save-every", .dst = &(o)->save_every, .arg = "N", .min = 1, \
     .max = INT64_MAX, .help = "steps between checkpoints (default: every 15 minutes)"}, \
    {.kind = OPT_INT, .name = "keep-last", .dst = &(o)->keep_last, .arg = "N", .min = 1, \
     .max = 1 << 20, .help = "newest checkpoints to keep (default {})"}, \
    {.kind = OPT_FLAG, .name = "keep-best", .dst = &(o)->keep_best, .shapes_output = true, \
     .help = "keep the checkpoint with the lowest validation loss too, as RUN/best"}, \
    {.kind = OPT_STR, .name = "log", .dst = &(o)->log, .arg = "FILE", \
     .help = "metrics as TSV; - is stdout (default: RUN/log.tsv)"}, \
    {.kind = OPT_TIME, .name = "max-time", .dst = &(o)->max_time_s, .arg = "TIME", \
     .help = "stop with a checkpoint after TIME (90s, 15m, 2h)"}, \
    {.kind = OPT_CHOICE, .name = "dtype", .dst = &(o)->dtype, .arg = "f32|bf16", \
     .choices = gemm_dtype_words, .shapes_output = true, \
     .help = "inputs of the matrix products; sums and weights are f32 (default {})"}, \
    {.kind = OPT_CHOICE, .name = "gemm", .dst = &(o)->gemm, .arg = "own|openblas|ref", \
     .choices = gemm_backend_words, .shapes_output = true, \
     .help = "matrix products by (default {})"}, \
    {.kind = OPT_CHOICE, .name = "recompute", .dst = &(o)->recompute, .arg = "none|block", \
     .choices = recompute_words, \
     .help = "block: keep of each layer its input and attention alone, which takes up to a third more time and far less memory (default {})"}, \
    OPT_THREADS(&(o)->n_threads), \
    {.kind = OPT_FLAG, .name = "progress", .dst = &(o)->progress, \
     .help = "show progress although stderr is no terminal"}, \
    {.kind = OPT_FLAG, .name = "profile", .dst = &(o)->profile, \
     .help = "print at the end where the time of the steps went"}, \
    OPT_QUIET(&(o)->quiet), OPT_VERBOSE(&(o)->verbose)
/* clang-format on */

/* Fills in what is auto from the model's width and context, and checks the combination. A stream
 * must be told its steps or tokens. */
struct config;
int train_options_settle(struct train_options *o, const struct config *c, bool stream,
                         struct err *e);

#endif
