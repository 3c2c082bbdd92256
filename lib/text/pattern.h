/*
 * Searching a text for a string or for a regular expression in Oniguruma's syntax, as normalizers,
 * pre-tokenizers and decoders of tokenizer.json files do.
 *
 *     struct pattern *p = pattern_new(s, n, is_regex, e);
 *     struct pattern_scan *x = pattern_scan_new(p, e);         one a thread
 *     pattern_begin(x, text, n, e);
 *     while ((r = pattern_next(x, &from, &to, e)) > 0) ...     0: no more, -1: err
 *
 * Matches come in order and do not overlap; they may be empty. The text is valid UTF-8.
 */
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include "quern/err.h"

struct pattern;
struct pattern_scan;
struct pattern *pattern_new(const char *s, size_t n, bool is_regex, struct err *e);
void pattern_free(struct pattern *p);
bool pattern_is_regex(const struct pattern *p);
struct pattern_scan *pattern_scan_new(const struct pattern *p, struct err *e);
void pattern_scan_free(struct pattern_scan *x);
int pattern_begin(struct pattern_scan *x, const char *s, size_t n, struct err *e);
int pattern_next(struct pattern_scan *x, size_t *from, size_t *to, struct err *e);

#endif
