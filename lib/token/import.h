/*
 * Tokenizers in the formats of others, turned into tokenizer.json documents that give the same
 * ids; the ordinary reader opens these, and tokenize --convert writes them.
 *
 *     enum import_kind k = import_recognise(p, n);
 *     if (k == IMPORT_NONE) ...                          a tokenizer.json, or nothing of these
 *     struct buf json = BUF_INIT;
 *     import_document(k, p, n, &opt, &json, e);
 *
 * IMPORT_RANKS  tiktoken's ranks: lines of a token in base64, a space and its rank. The file does
 *               not say how text is split, so opt->split must. Its special tokens are not in it
 *               either: their text is ordinary text.
 * IMPORT_SP     a SentencePiece model (BPE or Unigram), a protobuf message.
 * IMPORT_GGUF   the vocabulary at the front of a GGUF file, of the kinds gpt2, llama, t5 and bert.
 * IMPORT_BERT   the vocab.txt of a BERT: a token a line, the ids being the numbers of the lines.
 *
 * Messages have the position, not the file's name. p has 64 readable bytes behind it.
 */
#ifndef TOKEN_IMPORT_H
#define TOKEN_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "quern/err.h"

enum import_kind { IMPORT_NONE, IMPORT_RANKS, IMPORT_SP, IMPORT_GGUF, IMPORT_BERT };
struct import_opt {
    /* Of IMPORT_RANKS: the name of a split, or its pattern; NULL: not given. */
    const char *split, *split_regex;
    int lowercase; /* of IMPORT_BERT: 1 yes, 0 no, -1: no, if a token has a capital letter */
};

/* By the first bytes, of IMPORT_BERT by the whole. */
enum import_kind import_recognise(const char *p, size_t n);
const char *import_name(enum import_kind k); /* "a SentencePiece model" */
/* Of IMPORT_NONE: why it is no tokenizer that is read, if it is one of others at all; else NULL. */
const char *import_unsupported(const char *p, size_t n);
/* Appends the document. */
int import_document(enum import_kind k, const char *p, size_t n, const struct import_opt *opt,
                    struct buf *json, struct err *e);
/* The tokenizer.json in a file, or the one made of a file of another format, which may be
 * compressed; 64 readable bytes behind it; the caller frees. Of GGUF files only the front is read.
 * Where opt->lowercase is -1, do_lower_case in tokenizer_config.json beside the file counts before
 * the vocabulary. */
char *import_load(const char *path, const struct import_opt *opt, size_t *n, struct err *e);

#endif
