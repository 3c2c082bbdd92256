/*
 * A text and where each of its bytes came from: what normalizers and pre-tokenizers rewrite.
 *
 * Every byte may carry the range of bytes of the document that it stands for, as the `tokenizers`
 * library keeps it (tokenizer/normalizer.rs): offsets of tokens follow from it. A rewriting step
 * reads one text and fills another; what it copies keeps its ranges. Without tracking the ranges
 * are neither kept nor looked at.
 *
 *     text_clear(&out);
 *     text_copy(&out, &in, from, to, e)        the bytes [from, to) of in, as they are
 *     text_put(&out, s, n, origin, e)          new bytes that stand for origin
 *
 * A text has at least TEXT_SLACK readable bytes behind it after text_finish().
 */
#ifndef TOKEN_TEXTFORM_H
#define TOKEN_TEXTFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/mem.h"

enum { TEXT_SLACK = 64 };

struct span32 {
    uint32_t from, to;
};

struct text {
    char *s;
    size_t n, cap;
    struct span32 *origin; /* n of them where tracked */
    size_t cap_origin;
    bool tracked;
    uint32_t base; /* where in the document the whole of it begins */
};

void text_release(struct text *t);
/* Empty, to be filled from `from`: tracked if that is, and with the same base. */
void text_begin(struct text *t, const struct text *from);
int text_reserve(struct text *t, size_t n_more, struct err *e);
/* s, which stands for itself: the document's bytes from base on. */
int text_set(struct text *t, const char *s, size_t n, uint32_t base, bool tracked, struct err *e);
int text_copy(struct text *t, const struct text *from, size_t a, size_t b, struct err *e);
int text_put(struct text *t, const char *s, size_t n, struct span32 origin, struct err *e);
int text_finish(struct text *t, struct err *e);

/* The origin of the byte at p; nothing where it is not tracked. */
static inline struct span32 text_origin(const struct text *t, size_t p)
{
    return t->tracked ? t->origin[p] : (struct span32){0, 0};
}

/* What is put behind the byte before p shares that one's origin. */
static inline struct span32 text_origin_before(const struct text *t, size_t p)
{
    return p ? text_origin(t, p - 1) : (struct span32){t->base, t->base};
}

/*
 * A rewriting in which each new character says what it stands for, as the reference counts it:
 * change 0 replaces the next character of `in`, -k replaces it and takes k more away, a positive
 * one is put between characters.
 */
struct edit {
    const struct text *in;
    struct text *out;
    size_t at;
};
int edit_put(struct edit *d, const char *s, size_t n, int change, struct err *e);

#endif
