/* A GGUF vocabulary between its reader and what makes a document of it. */
#ifndef TOKEN_IMPORT_GGUF_INT_H
#define TOKEN_IMPORT_GGUF_INT_H

#include <stdint.h>
#include "token/import_int.h"

struct gguf_vocab {
    struct import_vocab vocab; /* strings are in the file's bytes */
    bool has_tokens, has_scores;
    const char *model, *pre, *charsmap; /* NULL: not given */
    size_t model_len, pre_len, charsmap_len;
    const char *name, *architecture; /* of the model; NULL: not given */
    size_t name_len, architecture_len;
    size_t merges_at; /* the first one's place in the file */
    uint64_t n_merges;
    /* ids and truth values; -1: not given */
    int64_t bos, eos, unk, cls, sep;
    int64_t add_bos, add_eos, space_prefix, remove_extra_whitespaces, lowercase;
};

/* f on each merge, "left right", of the file p; it ends the walk with -1. */
int gguf_each_merge(const struct gguf_vocab *g, const char *p,
                    int (*f)(void *user, const char *s, size_t n, uint64_t i, struct err *e),
                    void *user, struct err *e);

int gguf_document(struct gguf_vocab *g, const char *p, struct buf *json, struct err *e);

/* The pre-tokenizers of a name in tokenizer.ggml.pre. */
struct gguf_split {
    const char *names; /* with a space before and behind each */
    bool nfc;
    bool ignore_merges;
    bool bos;             /* put before a text unless the file says otherwise */
    const char *steps[6]; /* patterns; "#": single digits */
    bool gpt2;            /* the ByteLevel behind them splits as GPT-2 does */
};
const struct gguf_split *gguf_split_of(const char *name, size_t n); /* NULL: not known */

#endif
