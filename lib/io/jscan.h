/*
 * Streaming JSON scanner (RFC 8259) over bytes in memory: a pull parser that allocates nothing but
 * the caller's buffer for unescaped strings. Used where a record is large or on the hot path;
 * configuration files that need a tree use jtree.h.
 *
 *     struct jscan j; jscan_init(&j, p, n);
 *     enum jscan_type t = jscan_next(&j);
 *     JSCAN_OBJECT: repeat jscan_next -> JSCAN_KEY (j.str/j.len raw, without quotes), then the
 *     value; until JSCAN_END. JSCAN_ARRAY: values until JSCAN_END. jscan_skip passes over one
 * value. After the last value jscan_next gives JSCAN_EOF; anything else there is an error.
 *
 * Strings come raw; jscan_string() undoes escapes. Documented behaviour: a lone surrogate escape
 * (\ud800) becomes U+FFFD; a control character in a string is an error; duplicate keys are all
 * reported in order (readers take the last, as most libraries do); a UTF-8 BOM at the very
 * start is passed over; depth over 512 is an error; numbers follow the grammar exactly. What
 * jscan_string takes must be valid UTF-8 (error with the position, or U+FFFD on request); strings
 * that are passed over are not looked into: who needs the whole text checked calls utf8_valid on it
 * once and sets utf8_ok, which spares the strings their own check. Positions count bytes from 0.
 * The raw text of a value is p[start .. pos) once jscan_skip has passed over it.
 */
#ifndef IO_JSCAN_H
#define IO_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "quern/err.h"

enum jscan_type {
    JSCAN_ERROR = -1, /* j.error says what, j.pos where */
    JSCAN_EOF = 0,
    JSCAN_OBJECT,
    JSCAN_ARRAY,
    JSCAN_END, /* of the innermost object or array */
    JSCAN_KEY,
    JSCAN_STRING,
    JSCAN_NUMBER,
    JSCAN_TRUE,
    JSCAN_FALSE,
    JSCAN_NULL,
};

struct jscan {
    const char *p;   /* the text: n bytes */
    size_t n, pos;   /* pos: where the scanner stands */
    const char *str; /* the last key, string (raw, between the quotes) or number */
    size_t len;
    size_t start; /* offset of the first byte of the last value (its quote or bracket) */
    bool escaped; /* the last string holds a backslash */
    bool utf8_ok; /* set by the caller after jscan_init: the whole text is known to be valid */
    int depth;
    uint8_t stack[64]; /* a bit per level: object or array */
    int state;
    const char *error;
};
void jscan_init(struct jscan *j, const char *p, size_t n);
enum jscan_type jscan_next(struct jscan *j);
/* Passes over the rest of the value whose first token was just returned (a scalar: nothing). */
int jscan_skip(struct jscan *j);
bool jscan_key_is(const struct jscan *j, const char *name); /* compares unescaped */
/* The last string or key, unescaped, appended to out. 0, or -1: err (bad UTF-8 with its position;
 * with replace, U+FFFD instead). */
int jscan_string(const struct jscan *j, bool replace, struct buf *out, struct err *e);
int jscan_int(const struct jscan *j, int64_t *out); /* -1: not an integer or out of range */
int jscan_real(const struct jscan *j, double *out); /* -1: not finite in double */
struct jscan_text {
    const char *s;
    size_t len;
};
/* The string value of key, unescaped, in an object of plain members, the last if there are several:
 * whole numbers not below 0, and strings, which but for that of key have short escapes at most. It
 * lies in p[0..n), which is valid UTF-8, or where it holds escapes at `to`, which has room for n +
 * 64 bytes. False: look with jscan, which accepts more and says what is wrong. 64 readable bytes
 * stand behind p[0..n). */
bool jscan_plain_field(const char *p, size_t n, const char *key, char *to, struct jscan_text *text);
/* The loop in which a long string is read: bytes of s[0..n) before the first quote, control
 * character, or backslash that the caller is to look at; n if there is none. Good escapes of two
 * characters may have been passed over: *escaped becomes true then. */
size_t jscan_scan_string(const char *s, size_t n, bool *escaped);
/* err from j.error: "at byte 17: ..." */
int jscan_err(const struct jscan *j, struct err *e);

#endif
