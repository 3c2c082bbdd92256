/* Shared by the parts of the Unigram trainer. */
#ifndef TOKEN_UNIGRAM_INT_H
#define TOKEN_UNIGRAM_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "token/trie.h"
#include "token/vocab_train.h"

/* Words: runs of characters of the alphabet, in the order of falling count, then of their bytes. */
struct uni_word {
    const char *s; /* in the words' bytes */
    uint32_t len;
    uint64_t count;
};
struct uni_words {
    char *bytes;
    size_t n_bytes;
    struct uni_word *v;
    size_t n, cap;
    uint64_t total; /* of the counts */
};

/* The pieces of the model; scores are natural logarithms of probabilities. */
struct uni_piece {
    uint32_t at, len; /* in the words' bytes */
    uint32_t n_chars;
    double score;
};
struct uni_pieces {
    struct uni_piece *v;
    size_t n, cap;
};

struct unigram {
    const struct vocab_train_opt *opt;
    struct uni_words words;
    struct uni_pieces pieces;
    uint64_t *count; /* by code point; 0: not in the alphabet */
    struct err *e;
};

/* The pieces to begin with: the alphabet, and the substrings of the words that weigh most. */
int unigram_seed(struct unigram *u);
/* From these to about 1.1 times the vocabulary. */
int unigram_em(struct unigram *u);

#endif
