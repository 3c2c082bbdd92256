/*
 * Training of WordPiece and Unigram vocabularies from counted pieces (bpe_train.h counts them).
 * What comes out is the tokenizer.json; it depends on how often each piece occurs and on nothing
 * else.
 *
 * WordPiece, as the `tokenizers` library's WordPieceTrainer makes it: BPE over characters, of which
 * those inside a word have "##" before them. Ids: the special tokens, then the characters in the
 * order of their numbers, then those with "##" likewise, then what the merges make. There the
 * library goes by the order of a hash table, which is another in each run.
 *
 * Unigram (Kudo 2018), as SentencePiece's trainer makes it: substrings that occur often as a seed,
 * then in turns expectation and maximisation, and pruning of the pieces whose loss costs least.
 */
#ifndef TOKEN_VOCAB_TRAIN_H
#define TOKEN_VOCAB_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/err.h"

struct bpe_counts;

struct vocab_train_opt {
    uint32_t vocab_size;
    const char *const *special;
    size_t n_special;
    int n_threads;
    /* Called now and then with what has been done, 0 to 1; -1 ends the training. May be NULL. */
    int (*progress)(void *user, double done, struct err *e);
    void *user;
    /* of WordPiece */
    uint64_t min_frequency;
    uint32_t limit_alphabet;  /* so many characters at most; 0: all */
    uint32_t max_token_chars; /* 0: any length */
    bool lowercase;
    /* of Unigram */
    const char *normalizer; /* JSON, or NULL */
    bool byte_fallback, split_digits;
    double character_coverage;
    uint32_t seed_size, max_piece_chars;
    double shrinking_factor;
    int n_sub_iterations;
};
struct vocab_stat {
    uint32_t n_ids, n_chars; /* n_chars: in the alphabet */
    uint64_t n_pieces, n_distinct;
};

/* The normalizer and pre-tokenizer with which pieces are to be counted; JSON. */
extern const char wordpiece_pre_tokenizer[], unigram_pre_tokenizer[];
const char *wordpiece_normalizer(bool lowercase);
/* The normalizer of a Unigram tokenizer whose text first goes through `first` (JSON or NULL). */
int unigram_normalizer(const char *first, struct buf *json, struct err *e);

/* Both append the document to json, and empty c. */
int wordpiece_train(struct bpe_counts *c, const struct vocab_train_opt *opt, struct buf *json,
                    struct vocab_stat *stat, struct err *e);
int unigram_train(struct bpe_counts *c, const struct vocab_train_opt *opt, struct buf *json,
                  struct vocab_stat *stat, struct err *e);

/* The characters of the pieces and how often each occurs: a table by code point, of 0x110000. */
int alphabet_count(const struct bpe_counts *c, uint64_t *count, uint64_t *inside);

#endif
