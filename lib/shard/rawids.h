/*
 * Token ids in the forms that other programs use, to shards and back:
 *   RAW_U16, RAW_U32   little-endian integers end to end (nanoGPT's train.bin, numpy's tofile),
 *                      or behind the header of llm.c's .bin: 256 int32, magic 20240520, version 1
 *                      for 16 bits, magic 20240801, version 7 for 32, then the number of tokens
 *   RAW_TEXT           decimal numbers with white space between them, a document a line
 */
#ifndef SHARD_RAWIDS_H
#define SHARD_RAWIDS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/progress.h"
#include "io/out.h"
#include "shard/set.h"

enum raw_form { RAW_U16, RAW_U32, RAW_TEXT };

struct raw_import {
    enum raw_form form;
    uint64_t doc_len; /* integers: documents of so many tokens, the last one may be shorter; 0 */
    int64_t sep;      /* integers: the id that stands between documents, not kept; -1: none */
    /* Integers without doc_len and sep: a file is one document. */
};
struct raw_report {
    uint64_t n_docs, n_tokens;
    uint64_t n_sep;    /* separators taken out */
    uint64_t n_header; /* files with llm.c's header */
};
/* Appends a file's documents to out; "-" is stdin. With sep, no document arises before a
 * separator at the very start, nor behind one at the end (some programs put it before each
 * document, some behind each); two in a row hold an empty one. Adds to rep. */
int raw_import(const char *path, const struct raw_import *how, struct shard_out *out,
               struct progress *pr, struct raw_report *rep, struct err *e);

struct raw_export {
    enum raw_form form;
    int64_t sep; /* put between documents; -1: none */
    bool header; /* llm.c's, for integers; needs a set opened with SHARD_SET_COUNTED */
};
int raw_export(struct shard_set *in, const struct raw_export *how, struct out *out,
               struct progress *pr, struct raw_report *rep, struct err *e);

#endif
