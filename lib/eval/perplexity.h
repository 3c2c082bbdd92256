/*
 * How well a model predicts documents. A document of tokens t1 ... tn is scored with BOS (or EOS)
 * before t1, so that every token counts, but no closing EOS; without such a token, or with no_bos,
 * t1 is context only. Windows as in infer/score.h.
 *
 * Over all documents: nats_per_token = -Σ log p / tokens; perplexity = exp of it;
 * word_perplexity = exp(-Σ log p / words), words being what white space separates;
 * bits_per_byte = -Σ log p / (bytes · ln 2), of the UTF-8 text.
 *
 *     struct ppl *p = ppl_new(&modeldir, &options, e);
 *     ppl_text(p, text, n, e) ...; ppl_shard(p, shard, e) ...
 *     ppl_finish(p, &sum, e); ppl_free(p)
 */
#ifndef EVAL_PERPLEXITY_H
#define EVAL_PERPLEXITY_H

#include "base/buf.h"
#include "infer/modeldir.h"
#include "infer/score.h"

struct ppl_doc {
    uint64_t number, n_tokens, n_bytes, n_words; /* n_tokens: those that were scored */
    double nats;
    bool has_text; /* n_bytes and n_words are known */
};
struct ppl_sum {
    uint64_t n_docs, n_tokens, n_bytes, n_words;
    double nats;
    bool has_text;
};
struct ppl_options {
    int n_ctx, stride; /* 0: the model's context, half of n_ctx */
    bool no_bos;
    int n_threads;
    enum gemm_dtype dtype;
    enum gemm_backend gemm;
    int (*per_doc)(void *user, const struct ppl_doc *d, struct err *e); /* in order; NULL: none */
    void *user;
};
struct ppl;
struct ppl *ppl_new(struct modeldir *d, const struct ppl_options *o, struct err *e);
int ppl_text(struct ppl *p, const char *text, size_t n,
             struct err *e);                                     /* 64 readable bytes behind */
int ppl_shard(struct ppl *p, struct shard_in *s, struct err *e); /* the rest of it */
int ppl_finish(struct ppl *p, struct ppl_sum *sum, struct err *e);
/* One line that fixes what the figures depend on: version, tokenizer, context, stride, BOS, dtype.
 */
int ppl_signature(const struct ppl *p, struct buf *out, struct err *e);
void ppl_free(struct ppl *p);

#endif
