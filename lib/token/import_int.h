/*
 * What the importers share: the tokens they have read, and the parts of a tokenizer.json that they
 * write. Each function appends to a buffer and returns 0, or -1 with err filled.
 */
#ifndef TOKEN_IMPORT_INT_H
#define TOKEN_IMPORT_INT_H

#include <stdint.h>
#include "token/import.h"

/* The numbers are those of SentencePiece and of GGUF. */
enum import_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,
    TOKEN_USER = 4,
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6,
    TOKEN_ADDED = 7, /* not in files: a user-defined one that becomes an added token */
};
struct import_token {
    const char *s; /* valid UTF-8, 16 readable bytes behind it */
    uint32_t len;
    float score;
    uint8_t type;
    bool lstrip, rstrip; /* of added tokens */
};
struct import_vocab {
    struct import_token *v; /* by id */
    size_t n, cap;
};

/* The readers of each kind. */
int import_ranks(const char *p, size_t n, const char *split, const char *regex, struct buf *json,
                 struct err *e);
int import_sp(const char *p, size_t n, struct buf *json, struct err *e);
/* 1, and a message: the file goes on behind p[0..n), or is cut short there. */
int import_gguf(const char *p, size_t n, struct buf *json, struct err *e);
int import_bert(const char *p, size_t n, int lowercase, struct buf *json, struct err *e);

/* A model of SentencePiece's kind, also as GGUF files have it. */
struct sp_model {
    struct import_vocab vocab;
    bool unigram;
    bool byte_fallback, dummy_prefix, remove_extra_whitespaces, escape_whitespaces, suffix;
    int64_t unk, bos, eos;  /* -1: none */
    bool user_added;        /* user-defined symbols become added tokens */
    bool put_bos, put_eos;  /* around a text, by the post-processor */
    const char *charsmap;   /* precompiled */
    size_t charsmap_len;    /* 0: no normalisation */
    bool single;            /* scores are added in single precision, from the text's beginning */
    const char *normalizer; /* JSON of what goes before all of this; NULL: nothing */
};
int import_sp_document(struct sp_model *m, struct buf *json, struct err *e);
int import_sp_normalizer(const struct sp_model *m, struct buf *json, struct err *e);
/* Merges by falling score, as an array of pairs. */
int import_sp_merges(const struct import_vocab *v, struct buf *json, struct err *e);

/* WordPiece; tokens as vocab.txt spells them, special ones being those of BERT and TOKEN_ADDED. cls
 * and sep are ids, -1: none. */
int import_wordpiece_document(const struct import_vocab *v, bool lowercase, int64_t unk,
                              int64_t cls, int64_t sep, struct buf *json, struct err *e);

/* {"id":7,"content":"x",...}, with a comma before it unless the array begins there. */
int import_put_added(struct buf *json, size_t id, const struct import_token *t, bool special,
                     bool normalized, struct err *e);
/* {"x":0,...} */
int import_put_vocab(struct buf *json, const struct import_vocab *v, struct err *e);
/* A TemplateProcessing with the tokens of these ids before and after (-1: none), or null. */
int import_put_template(struct buf *json, const struct import_vocab *v, int64_t before,
                        int64_t after, struct err *e);
/* Split by a pattern, then ByteLevel; as members of a Sequence, without its brackets. */
int import_put_split(struct buf *json, const char *pattern, size_t n, const char *behavior,
                     struct err *e);
/* UTF-8 and other demands on a token; `at` is its id, for the message. */
int import_check_token(const struct import_token *t, size_t at, struct err *e);

#define IMPORT_HEAD "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n\"added_tokens\":["
#define IMPORT_BYTE_LEVEL                                                                     \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":" \
    "false}"

#endif
