/*
 * Models over characters: what makes tokens of one piece of text, whatever cut it.
 *
 * WordPiece, Unigram, WordLevel, and BPE in all its forms; the byte-level BPE that runs over bytes
 * is bpe_model.h. A model is immutable; scratch is one a thread. Tokens say, on request, which of
 * the piece's bytes they stand for, as the reference counts them: that may go beyond the piece.
 */
#ifndef TOKEN_WORD_MODEL_H
#define TOKEN_WORD_MODEL_H

#include "token/bpe_model.h"
#include "token/textform.h"
#include "token/token_int.h"

struct word_tokens {
    struct ids *ids;     /* appended to */
    struct span32 *span; /* by place in ids, where with_spans */
    size_t cap_spans;
    bool with_spans;
};
int word_token_add(struct word_tokens *t, uint32_t id, size_t from, size_t to, struct err *e);

struct word_scratch; /* of any model */
struct word_scratch *word_scratch_new(struct err *e);
void word_scratch_free(struct word_scratch *x);

struct word_model {
    const char *type; /* as in the file's "type" */
    /* s[0..n) is valid UTF-8, n > 0, with 16 readable bytes behind it. */
    int (*encode)(const struct word_model *m, struct word_scratch *x, const char *s, size_t n,
                  struct word_tokens *out, uint64_t *n_lost, struct err *e);
    const struct tokenizer *t;
    const struct bpe *bpe;  /* BPE: merges */
    struct trie *trie;      /* WordPiece, Unigram: the tokens' strings */
    uint32_t continuing;    /* WordPiece: the node behind the prefix, TRIE_NONE: no such token */
    double unk_score;       /* Unigram */
    bool single;            /* Unigram: sums as SentencePiece has them, see word_model.c */
    uint32_t ascii[128];    /* BPE: ids of single characters; BPE_NONE */
    uint32_t fallback[256]; /* ids of <0x00> to <0xFF>; BPE_NONE */
    bool unk_missing;       /* there should be one, but it is no token */
};
/* From t's vocabulary and settings; b is borrowed. */
struct word_model *word_model_bpe(const struct tokenizer *t, const struct bpe *b, struct err *e);
struct word_model *word_model_wordpiece(const struct tokenizer *t, struct err *e);
struct word_model *word_model_wordlevel(const struct tokenizer *t, struct err *e);
/* single: scores are added in single precision from the text's beginning on, so that a piece's
 * tokens depend on what stands before it: pieces in their order, with scratch->so_far 0 at first.
 */
struct word_model *word_model_unigram(const struct tokenizer *t, bool single, struct err *e);
void word_model_free(struct word_model *m);

/* Between the models. */
void word_fallback_ids(struct word_model *m);
struct word_model *word_model_new(const struct tokenizer *t, const char *type, struct err *e);
int word_bpe_encode(const struct word_model *m, struct word_scratch *x, const char *s, size_t n,
                    struct word_tokens *out, uint64_t *n_lost, struct err *e);

struct word_scratch {
    struct buf s;
    struct word_symbol {
        uint32_t id, rank, len; /* rank: of the pair with the next one */
        uint32_t prev, next;    /* places; UINT32_MAX: none */
    } * v;
    uint64_t *heap; /* rank << 40 | place */
    size_t n_heap, cap_v, cap_heap;
    struct word_node { /* Unigram: the best way to end at a byte */
        double score;
        uint32_t from, id; /* from: UINT32_MAX: none yet */
    } * node;
    size_t cap_node;
    float so_far; /* Unigram, single: the sum of the text before this piece */
    uint32_t *ends;
    size_t cap_ends;
};

#endif
