/*
 * Streaming JSON scanner (RFC 8259) over bytes in memory: a pull parser that allocates nothing but
 * the caller's buffer for unescaped strings. Used where a record is large or on the hot path;
 * configuration files that need a tree use jtree.h.
 *
 *     struct json j; json_init(&j, p, n);
 *     enum json_type t = json_next(&j);
 *     JSON_OBJECT: repeat json_next -> JSON_KEY (j.str/j.len raw, without quotes), then the
 *     value; until JSON_END. JSON_ARRAY: values until JSON_END. json_skip passes over one value.
 *     After the last value json_next gives JSON_EOF; anything else there is an error.
 *
 * Strings come raw; json_string() undoes escapes. Documented behaviour: a lone surrogate escape
 * (\ud800) becomes U+FFFD; a control character in a string is an error; duplicate keys are all
 * reported in order (readers take the last, as most libraries do); a UTF-8 BOM at the very
 * start is passed over; depth over 512 is an error; numbers follow the grammar exactly. What
 * json_string takes must be valid UTF-8 (error with the position, or U+FFFD on request); strings
 * that are passed over are not looked into: who needs the whole text checked calls utf8_valid on it
 * once and sets utf8_ok, which spares the strings their own check. Positions count bytes from 0.
 * The raw text of a value is p[start .. pos) once json_skip has passed over it.
 */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/err.h"

enum json_type {
    JSON_ERROR = -1, /* j.error says what, j.pos where */
    JSON_EOF = 0,
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_END, /* of the innermost object or array */
    JSON_KEY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json {
    const char *p;   /* the text: n bytes */
    size_t n, pos;   /* pos: where the scanner stands */
    const char *str; /* the last key, string (raw, between the quotes) or number */
    size_t len;
    size_t start; /* offset of the first byte of the last value (its quote or bracket) */
    bool escaped; /* the last string holds a backslash */
    bool utf8_ok; /* set by the caller after json_init: the whole text is known to be valid */
    int depth;
    uint8_t stack[64]; /* a bit per level: object or array */
    int state;
    const char *error;
};
void json_init(struct json *j, const char *p, size_t n);
enum json_type json_next(struct json *j);
/* Passes over the rest of the value whose first token was just returned (a scalar: nothing). */
int json_skip(struct json *j);
bool json_key_is(const struct json *j, const char *name); /* compares unescaped */
/* The last string or key, unescaped, appended to out. 0, or -1: err (bad UTF-8 with its position;
 * with replace, U+FFFD instead). */
int json_string(const struct json *j, bool replace, struct buf *out, struct err *e);
int json_int(const struct json *j, int64_t *out); /* -1: not an integer or out of range */
int json_real(const struct json *j, double *out); /* -1: not finite in double */
/* Bytes before the first quote, backslash or control character of s[0..n), n if there is none: the
 * loop in which a long string is read. */
size_t json_scan_string(const char *s, size_t n);
/* err from j.error: "at byte 17: ..." */
int json_err(const struct json *j, struct err *e);

#endif
