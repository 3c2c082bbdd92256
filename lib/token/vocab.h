/*
 * The strings of a vocabulary and their ids, as a tokenizer.json spells them.
 *
 *     struct vocab v = {0};
 *     vocab_add(&v, s, n, id, e) ...      s stays where it is: in the file's text or an arena
 *     vocab_index(&v, e)                  once, then
 *     vocab_id(&v, s, n), vocab_token(&v, id)
 *     vocab_release(&v)
 *
 * Of two equal strings the last id counts; several strings may have one id, and then the last one
 * is the id's token. Strings have 16 readable bytes behind them.
 */
#ifndef TOKEN_VOCAB_H
#define TOKEN_VOCAB_H

#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

struct token {
    const char *s;
    uint32_t len, id;
};
struct vocab {
    struct token *v; /* in the file's order */
    size_t n, cap;
    uint32_t id_bound; /* largest id + 1 */
    uint32_t *by_id;   /* place in v + 1, 0: no token; id_bound of them, after vocab_index */
    /* Hash table, in lines of the processor's cache: a string is looked for from its cell on,
     * around the line, up to an empty cell, then in the next line. Of strings up to 8 bytes hash
     * and length say everything. */
    struct vocab_cell {
        uint64_t hash;
        uint32_t place;  /* in v + 1; 0: an empty cell */
        uint32_t id_len; /* id << 12 | length, at most 4095 */
    } * cells;
    size_t n_cells;
    int shift;        /* 64 - log2(n_cells) */
    size_t n_dropped; /* equal strings that were overridden */
};
enum { TOKEN_MAX_ID = (1 << 20) - 1 };

int vocab_add(struct vocab *v, const char *s, size_t len, int64_t id, struct err *e);
int vocab_index(struct vocab *v, struct err *e);
int64_t vocab_id(const struct vocab *v, const char *s, size_t n);    /* -1: none */
int64_t vocab_place(const struct vocab *v, const char *s, size_t n); /* in v; -1: none */
const struct token *vocab_token(const struct vocab *v, uint32_t id); /* NULL: none */
void vocab_release(struct vocab *v);

/* Many at once, whose memory is then fetched ahead. */
struct vocab_query {
    const char *s;
    size_t n;
    int64_t id; /* -1: none */
    uint64_t hash;
};
void vocab_find_many(const struct vocab *v, struct vocab_query *q, size_t n);

#endif
