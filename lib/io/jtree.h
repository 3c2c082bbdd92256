/*
 * JSON documents that need a tree (config.json and the like; not tokenizer.json), over jansson.
 * Thin: a file or a string becomes a json_t with errors that name file, line and column; getters
 * check types and ranges and name the key. Writing is stable: keys in the order of insertion,
 * two spaces, a newline at the end, numbers shortest-exact. Integers beyond 64 bits are reals.
 */
#ifndef IO_JTREE_H
#define IO_JTREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/err.h"

json_t *jtree_load(const char *path, struct err *e); /* caller json_decref()s */
json_t *jtree_parse(const char *s, size_t n, const char *name, struct err *e);
/* Getters: *out is left alone where the key is missing or null (returns 0 then, 1 if set), -1 if
 * it has another type or is out of range. */
int jtree_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *out,
              struct err *e);
int jtree_real(const json_t *o, const char *key, double min, double max, double *out,
               struct err *e);
int jtree_bool(const json_t *o, const char *key, bool *out, struct err *e);
int jtree_str(const json_t *o, const char *key, const char **out,
              struct err *e); /* o's own string */
int jtree_dump(const json_t *o, struct buf *out, struct err *e);
int jtree_save(const json_t *o, const char *path, struct err *e); /* atomic, out.h */

#endif
