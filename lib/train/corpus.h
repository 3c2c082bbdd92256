/*
 * The tokens of many documents at hand by number: from mapped shard files or from a run's spool.
 *     corpus_add_shard(&c, "a.tok", e) ... or spool_open(&c, dir, e)
 *     corpus_read(&c, doc_from(&c, i), n, ids, weights);
 * Tokens are numbered through all documents in the order in which they came.
 */
#ifndef TRAIN_CORPUS_H
#define TRAIN_CORPUS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/sys.h"
#include "quern/err.h"
#include "quern/shard.h"

struct token_run {
    uint64_t from, n;       /* the corpus's tokens [from, from + n) */
    const void *ids;        /* little-endian, width bytes each */
    const uint8_t *weights; /* NULL: all 255 */
    int width;              /* 2 or 4 */
};

struct corpus {
    struct token_run *runs;
    size_t n_runs, cap_runs;
    uint64_t *doc_at; /* [n_docs + 1] first token of each document */
    size_t n_docs, cap_docs;
    uint64_t n_tok;
    uint64_t id_bound; /* largest id and 1; 0 without tokens */
    bool has_weights;
    struct sys_map *maps;
    size_t n_maps, cap_maps;
};
#define CORPUS_INIT \
    {               \
        0           \
    }

/* Whether a file can be mapped: regular, complete, not gzipped, no block deflated. What cannot is
 * read into a spool. */
bool corpus_can_map(const char *path);
/* Verifies the file and appends its documents, which stay where they are. tick (may be NULL) is
 * called now and then with the tokens read so far, and returns nonzero to stop (ERR_SIGNAL). */
int corpus_add_shard(struct corpus *c, const char *path, int (*tick)(void *user, uint64_t n_tok),
                     void *user, struct err *e);
/* Copies tokens [from, from + n) out; weights may be NULL, else gets weight/255. */
void corpus_read(const struct corpus *c, uint64_t from, size_t n, uint32_t *ids, float *weights);
void corpus_release(struct corpus *c);

/* For whoever builds one: append. */
int corpus_add_run(struct corpus *c, struct token_run r, struct err *e);
int corpus_add_doc(struct corpus *c, uint64_t n_tok, struct err *e);

#endif
