/*
 * Text on its way to a trainer: normalised and cut as the tokenizer.json that is being made will
 * have it, so that training and use see the same pieces.
 *
 *     struct train_text *x = train_text_new(normalizer, pre_tokenizer, e);     JSON; NULL: none
 *     struct train_text_run *r = train_text_run_new(x, e);                     one a thread
 *     train_text_count(r, counts, thread, text, n, e) ...
 *     train_text_run_free(r); train_text_free(x);
 */
#ifndef TOKEN_TRAIN_TEXT_H
#define TOKEN_TRAIN_TEXT_H

#include <stddef.h>
#include "base/buf.h"
#include "quern/err.h"

struct bpe_counts;
struct train_text;
struct train_text_run;

struct train_text *train_text_new(const char *normalizer, const char *pre_tokenizer, struct err *e);
void train_text_free(struct train_text *x);
struct train_text_run *train_text_run_new(const struct train_text *x, struct err *e);
void train_text_run_free(struct train_text_run *r);
/* Counts the pieces of text[0..n), as bpe_count_text does. */
int train_text_count(struct train_text_run *r, struct bpe_counts *c, int thread, const char *text,
                     size_t n, struct err *e);

/* The text after normalisation alone; valid until the run's next call, 64 readable bytes behind. */
const char *train_text_form(struct train_text_run *r, const char *text, size_t n, size_t *n_out,
                            struct err *e);
/* The normalizer of a list of names with commas, as JSON: nfc, nfd, nfkc, nfkd, lowercase,
 * strip-accents. ERR_USAGE for any other name. */
int train_text_normalizer(const char *names, struct buf *json, struct err *e);

#endif
