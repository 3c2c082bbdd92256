/*
 * Members of the objects in a tokenizer.json, read as strictly as the reference does: what must be
 * there and is not, or has another type, is an error that names part, kind and member.
 */
#ifndef TOKEN_PART_READ_H
#define TOKEN_PART_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

struct pattern;

const char *part_type(const json_t *o); /* "(none)" where it has none */
bool part_is(const json_t *o, const char *type);
int part_unsupported(const char *part, const json_t *o, struct err *e);
/* fallback: the value where the member is missing or null; -1: it must be there. */
int part_bool(const char *part, const json_t *o, const char *key, int fallback, bool *out,
              struct err *e);
int part_size(const char *part, const json_t *o, const char *key, int64_t fallback, size_t *out,
              struct err *e);
/* o's own string, which may hold NUL. */
int part_string(const char *part, const json_t *o, const char *key, const char **s, size_t *n,
                struct err *e);
/* A string of exactly one character. */
int part_char(const char *part, const json_t *o, const char *key, const char **s, size_t *n,
              struct err *e);
/* Metaspace, which is a pre-tokenizer and a decoder, in its old spelling and the present one.
 * prepend: 0 always, 1 never, 2 first. */
struct metaspace {
    const char *mark;
    size_t n_mark;
    int prepend;
    bool split;
};
int part_metaspace(const char *part, const json_t *o, struct metaspace *m, struct err *e);
/* {"String": ...} or {"Regex": ...} */
struct pattern *part_pattern(const char *part, const json_t *o, struct err *e);
/* fn for each member of a Sequence's list, of Sequences in it too, or for o itself. */
int part_each(const char *part, const json_t *o, const char *list,
              int (*fn)(void *user, const json_t *o, struct err *e), void *user, struct err *e);

#endif
