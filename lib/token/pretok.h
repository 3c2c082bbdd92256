/*
 * The pre-tokenizer of a tokenizer.json: a list of steps that cut a text into the pieces that the
 * model works on. Some rewrite the text too.
 *
 *     struct pretok p = {0};
 *     pretok_read(&p, json, e)                    what is not supported is refused by name
 *     struct pretok_run r = {0};                  one a thread
 *     pretok_apply(&p, &r, &in, e)                then r.text and the pieces r.v[0..n) of it
 *     pretok_run_release(&r); pretok_release(&p);
 *
 * Pieces are not empty and come in order; without a pre-tokenizer the text is one piece.
 */
#ifndef TOKEN_PRETOK_H
#define TOKEN_PRETOK_H

#include <jansson.h>
#include "text/pattern.h"
#include "text/split.h"
#include "token/textform.h"

enum pretok_kind {
    PRE_CUT,          /* by a chain of text/split.h */
    PRE_PATTERN,      /* by a pattern, with a behaviour */
    PRE_BERT,         /* white space away, punctuation by itself */
    PRE_WORDS,        /* Whitespace: runs of \w and runs of [^\w\s] */
    PRE_SPACE,        /* by a class of characters, with a behaviour: WhitespaceSplit, */
    PRE_PUNCT,        /* Punctuation, */
    PRE_NUMBER,       /* Digits, */
    PRE_CHAR,         /* CharDelimiterSplit */
    PRE_FIXED,        /* every so many characters */
    PRE_METASPACE,    /* rewrites: spaces become a mark, one goes before the text */
    PRE_PREFIX_SPACE, /* rewrites: ByteLevel's parts */
    PRE_SPELL,
};
enum pretok_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS,
};
enum pretok_prepend { PREPEND_ALWAYS, PREPEND_NEVER, PREPEND_FIRST };

struct pretok_step {
    enum pretok_kind kind;
    enum pretok_behavior behavior;
    bool invert;
    struct split *split;
    struct pattern *pattern;
    char mark[8]; /* the delimiter, or what stands for a space */
    size_t n_mark;
    size_t length;
    enum pretok_prepend prepend;
    bool cuts; /* Metaspace: before each mark */
};
struct pretok {
    struct pretok_step *v;
    size_t n, cap;
    bool needs_origin; /* where a piece begins in the document counts */
};
int pretok_read(struct pretok *p, const json_t *o, struct err *e);
void pretok_release(struct pretok *p);
int pretok_describe(const struct pretok *p, struct buf *out, struct err *e);

struct pieces {
    struct span32 *v;
    size_t n, cap;
};
struct pretok_run {
    const struct text *text;
    struct pieces now, next;
    struct text a, b;
    struct pretok_tool {
        struct cutter *cutter;
        struct pattern_scan *scan;
    } * tool; /* by step */
    size_t n_tools;
};
int pretok_apply(const struct pretok *p, struct pretok_run *r, const struct text *in,
                 struct err *e);
void pretok_run_release(struct pretok_run *r);

#endif
