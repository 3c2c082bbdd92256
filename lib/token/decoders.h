/*
 * The decoder of a tokenizer.json: a list of steps through which the strings of tokens go, one
 * after another, to become text. A stream of ids is decoded as it comes; what a step must see more
 * of before it can say what becomes of it is held back.
 *
 *     struct decoders d = {0};
 *     decoders_read(&d, json, e)                   what is not supported is refused by name
 *     struct decode_run *r = decode_run_new(&d, raw, e)     one a stream
 *     decode_run_add(r, s, n, &out, e) ...; decode_run_end(r, &out, e); decode_run_free(r);
 *
 * raw: bytes at once and as they are, where else they become U+FFFD if they are no characters.
 */
#ifndef TOKEN_DECODERS_H
#define TOKEN_DECODERS_H

#include <jansson.h>
#include <stdint.h>
#include "base/buf.h"
#include "text/pattern.h"

enum decode_kind {
    DEC_BYTE_LEVEL,
    DEC_WORDPIECE,
    DEC_METASPACE,
    DEC_BPE,
    DEC_BYTE_FALLBACK,
    DEC_FUSE,
    DEC_STRIP,
    DEC_REPLACE,
    DEC_CTC,
    DEC_JOIN, /* none at all: a space between two tokens */
};
struct decode_step {
    enum decode_kind kind;
    bool cleanup, prepends;
    bool flows; /* all that comes is one token, in parts */
    bool holds; /* Fuse and ByteLevel: it must be whole before it goes on */
    struct pattern *pattern;
    char *s; /* prefix, suffix, mark, what is put, CTC's padding */
    size_t n;
    char *word; /* CTC: what stands between words */
    size_t n_word;
    size_t start, stop; /* Strip */
};
struct decoders {
    struct decode_step *v;
    size_t n, cap;
};
int decoders_read(struct decoders *d, const json_t *o, struct err *e); /* o: NULL for none */
void decoders_release(struct decoders *d);

struct decode_run;
struct decode_run *decode_run_new(const struct decoders *d, bool raw, struct err *e);
int decode_run_add(struct decode_run *r, const char *s, size_t n, struct buf *out, struct err *e);
int decode_run_end(struct decode_run *r, struct buf *out, struct err *e);
void decode_run_free(struct decode_run *r);
uint64_t decode_run_replaced(const struct decode_run *r); /* how many U+FFFD were put */
/* What a token gives amid others; r is for nothing else. */
int decode_run_one(struct decode_run *r, const char *s, size_t n, struct buf *out, struct err *e);

#endif
