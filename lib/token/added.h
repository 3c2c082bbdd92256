/*
 * Added tokens: strings that are cut out of a text before everything else, the leftmost first and
 * of those that begin at one place the longest. A text in which none of their first two bytes occur
 * is passed over at the speed of a table look-up a byte.
 */
#ifndef TOKEN_ADDED_H
#define TOKEN_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

struct added_token {
    uint32_t id;
    const char *s;
    size_t len;
    const char *form; /* where normalized: s as it is normalised */
    size_t form_len;
    bool special, lstrip, rstrip, single_word, normalized;
};

/* A set of strings to search for. */
struct finder {
    struct finder_node *nodes;
    size_t n, cap;
    bool first[256];
    uint64_t pair[65536 / 64]; /* first two bytes; of a string of one byte, it before any */
    int only;                  /* the first byte of all of them, -1: several, -2: no strings */
};
void finder_init(struct finder *f);
/* 1 where the string is there already: then its first value stays. An empty one is ignored. */
int finder_add(struct finder *f, const char *s, size_t n, uint32_t value, struct err *e);
/* The first of the longest strings in s[from..n): its place, length and value; false: none. */
bool finder_next(const struct finder *f, const char *s, size_t from, size_t n, size_t *at,
                 size_t *len, uint32_t *value);
void finder_release(struct finder *f);

/* All of a tokenizer's. raw ones are searched in the text as it is, the others after
 * normalisation. Values are places in v. */
struct added {
    struct added_token *v; /* in the file's order */
    size_t n, cap;
    struct finder raw, normalized;
};
void added_init(struct added *a);
void added_release(struct added *a);

/* One match of an added token in a text, its spaces taken in as lstrip and rstrip say. */
struct added_match {
    const struct added_token *token;
    size_t from, to;
};
/* The next one, going on from *at (where the search continues) with `done` the end of what was
 * matched before; single_word is heeded. false: none. Only matches within [*at, to) count, the text
 * around them is looked at for the rest. */
bool added_next(const struct added *a, const struct finder *f, const char *s, size_t n, size_t *at,
                size_t to, size_t done, struct added_match *m);

/* The same, but only matches that touch none of the literal spans (ascending, disjoint) count.
 * *gap: the first of them that ends behind *at; 0 to begin with. */
struct text_span;
bool added_next_outside(const struct added *a, const struct finder *f, const char *s, size_t n,
                        const struct text_span *literal, size_t n_literal, size_t *gap, size_t *at,
                        size_t done, struct added_match *m);

#endif
