/*
 * A tokenizer as it stands in memory, between the files that read it and those that use it.
 *
 * A model turns one piece of text into ids, and knows nothing of added tokens, normalisation,
 * splitting or caching; kinds of model differ in their struct model_ops alone.
 */
#ifndef TOKEN_TOKEN_INT_H
#define TOKEN_TOKEN_INT_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/mem.h"
#include "io/jscan.h"
#include "quern/tokenizer.h"
#include "text/split.h"
#include "token/added.h"
#include "token/vocab.h"

struct junctions;
struct piece_scratch; /* a model's own, one an encoder */
/* One of many short pieces or parts, of which it is not told apart. n_ids == 0 afterwards: it is to
 * be asked for by itself. */
struct piece_job {
    const char *s;
    size_t n;
    uint32_t *ids; /* room for n of them */
    size_t n_ids;
    uint32_t whole; /* the model's */
    void *owner;    /* the caller's */
};
struct model_ops {
    const char *type; /* as in the file's "type" */
    /* The ids of one piece, appended to out. The piece has 16 readable bytes behind it. *n_lost
     * counts the bytes for which the vocabulary has nothing, as the reference drops them. part: of
     * a piece cut at a junction (junctions.h). */
    int (*encode)(const void *model, struct piece_scratch *x, const char *s, size_t n, bool part,
                  struct ids *out, uint64_t *n_lost, struct err *e);
    /* Many at once, where a model is quicker so; may be NULL, and may leave out any of them. It may
     * change the order of jobs. */
    int (*encode_jobs)(const void *model, struct piece_scratch *x, struct piece_job *jobs,
                       size_t n_jobs, struct err *e);
    struct piece_scratch *(*scratch_new)(const void *model, struct err *e);
    void (*scratch_free)(struct piece_scratch *x);
    void (*free)(void *model);
};

/* Where a value stands in the file; n == 0: it is not there. */
struct value {
    size_t at, n;
};

enum { SHORT_NONE = 255 };

/* What the fingerprint takes of a model besides its vocabulary. */
struct model_settings {
    int64_t unk; /* -1: none */
    bool byte_fallback, fuse_unk, ignore_merges;
    uint64_t max_chars;
    struct buf prefix, suffix;
};

struct tokenizer {
    int uses;   /* enum tokenizer_use */
    char *name; /* for messages */
    char *json; /* as it was read, 64 zero bytes behind it */
    size_t json_len;
    bool json_valid;      /* all of it is UTF-8; else each string says where it is not */
    struct arena strings; /* unescaped ones, bytes of tokens */

    const char *type;            /* of the model, as in the file */
    const struct model_ops *ops; /* of BPE */
    void *model;
    double *score;      /* of Unigram, by id */
    struct vocab vocab; /* of the model */
    struct model_settings settings;
    const uint32_t (*merges)[2]; /* of BPE, by rank: left, right */
    size_t n_merges;

    struct value merges_at; /* where they were not read at once */
    struct value normalizer, pre_tokenizer, post_processor, decoder, added_tokens;
    bool nfc;
    bool prefix_space; /* a space goes before a text that does not begin with one */
    struct split *split;
    struct general *general;     /* NULL: byte-level BPE, which runs over bytes */
    struct junctions *junctions; /* of byte-level BPE, else NULL */
    struct added added;
    int64_t next_id;          /* of an added token that the vocabulary lacks */
    size_t n_renumbered;      /* added tokens whose id is not the one that the file says */
    uint32_t *before, *after; /* of the post-processor */
    size_t n_before, n_after;

    uint32_t n_ids; /* largest id + 1, added tokens included */
    struct id_bytes {
        const char *s; /* NULL: no token */
        uint32_t len;
        bool special;
        uint32_t added; /* place among the added tokens + 1 */
    } * bytes;          /* n_ids of them: what an id gives when decoded */
    /* The same in one place, where it is short and not special; NULL: the general path decodes. */
    struct short_bytes {
        char s[15];
        uint8_t len; /* SHORT_NONE: see bytes */
    } * shorts;
    char *describe;
};

/* The readers of the parts: each fills t from the value's text in t->json. -1 and err for what is
 * malformed or not supported; messages without the file's name. */
/* Room for n_more ids. */
static inline int ids_reserve(struct ids *out, size_t n_more, struct err *e)
{
    if (out->cap - out->n >= n_more)
        return 0;
    return mem_grow(&out->v, &out->cap, out->n + n_more, sizeof *out->v, e);
}

int read_model(struct tokenizer *t, struct jscan *j, struct err *e); /* at the value's start */
int read_added_tokens(struct tokenizer *t, struct err *e);
int index_added_tokens(struct tokenizer *t, struct err *e); /* when the normalizer is known */
int read_normalizer(struct tokenizer *t, struct err *e);
int read_pre_tokenizer(struct tokenizer *t, struct err *e);
int read_post_processor(struct tokenizer *t, struct err *e);
int read_decoder(struct tokenizer *t, struct err *e);

/* An id's token as decoders get it: as the file spells it, but an added one that is sought in the
 * normalised text as it stands there; NULL: none. Once all is read. */
const char *tokenizer_spelled(const struct tokenizer *t, uint32_t id, size_t *n);

/* A scanner before the value. Then the last key's or string's text, unescaped: in place where it
 * has no escapes, else in t->strings; checked to be UTF-8, with 16 readable bytes behind. */
void value_scan(const struct tokenizer *t, struct value v, struct jscan *j);
int scan_text(struct tokenizer *t, const struct jscan *j, const char **s, size_t *n, struct err *e);

#endif
