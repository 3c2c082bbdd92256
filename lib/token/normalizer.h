/*
 * The normalizer of a tokenizer.json: a list of steps, each of which rewrites a text.
 *
 *     struct normalizer z = {0};
 *     normalizer_read(&z, json, e)                what is not supported is refused by name
 *     struct normalizer_run r = {0};              one a thread
 *     const struct text *t = normalizer_apply(&z, &r, &in, e)     in itself, or one of r's; NULL:
 * err normalizer_run_release(&r); normalizer_release(&z);
 */
#ifndef TOKEN_NORMALIZER_H
#define TOKEN_NORMALIZER_H

#include <jansson.h>
#include "text/normalize.h"
#include "text/pattern.h"
#include "token/textform.h"

enum normalizer_kind {
    NORM_FORM, /* NFC, NFD, NFKC, NFKD */
    NORM_LOWERCASE,
    NORM_STRIP_ACCENTS,
    NORM_BERT_CLEAN, /* BertNormalizer is up to four steps */
    NORM_BERT_CHINESE,
    NORM_BERT_MARKS,
    NORM_REPLACE,
    NORM_PREPEND,
    NORM_STRIP,
    NORM_PRECOMPILED,
    NORM_NMT,
    NORM_BYTE_LEVEL,
};

struct charsmap;
struct normalizer_step {
    enum normalizer_kind kind;
    int form; /* enum norm_form */
    bool left, right;
    bool longest; /* of charsmaps: as SentencePiece looks them up */
    struct pattern *pattern;
    char *s; /* what is put */
    size_t n;
    struct charsmap *map;
};
struct normalizer {
    struct normalizer_step *v;
    size_t n, cap;
    bool sentencepiece; /* the model's sums are SentencePiece's, too */
};
int normalizer_read(struct normalizer *z, const json_t *o, struct err *e);
void normalizer_release(struct normalizer *z);

struct normalizer_run {
    struct text a, b;
    struct norm_scratch form;
    struct pattern_scan **scan; /* of the steps that have a pattern */
    size_t n_scans;
};
const struct text *normalizer_apply(const struct normalizer *z, struct normalizer_run *r,
                                    const struct text *in, struct err *e);
void normalizer_run_release(struct normalizer_run *r);

#endif
