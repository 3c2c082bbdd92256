/* Between the files of the split: machines, patterns through pcre2, and the chain over them. */
#ifndef TEXT_SPLIT_INT_H
#define TEXT_SPLIT_INT_H

#include "base/compiler.h"
#include "text/split.h"

/* Cuts s[p..n): writes up to max ends, relative to p, and returns how many (0: p == n). Stops
 * before an end that does not fit 32 bits, unless that is the first one. */
struct stage;
typedef size_t split_machine(const unsigned char *s, size_t p, size_t n, const struct split_rule *r,
                             uint32_t *ends, size_t max);
/* A machine is a loop around the end of the piece that begins at p in s[..n), by rule r. */
#define SPLIT_MACHINE(name, end_of)                                                            \
    static size_t name(const unsigned char *s, size_t p, size_t n, const struct split_rule *r, \
                       uint32_t *ends, size_t max)                                             \
    {                                                                                          \
        size_t from = p, k = 0;                                                                \
        (void)r, (void)s;                                                                      \
        while (k < max && p < n) {                                                             \
            p = (end_of);                                                                      \
            if (UNLIKELY(p - from > UINT32_MAX))                                               \
                break;                                                                         \
            ends[k++] = (uint32_t)(p - from);                                                  \
        }                                                                                      \
        return k;                                                                              \
    }
/* The machine of a rule, specialised for it where it is one of the common ones. */
split_machine *split_plain_of(const struct split_rule *r);
split_machine *split_deepseek_of(const struct split_rule *r);

/* Where a cutter is: the piece that p stands in ends at end, if that lies behind it. */
struct split_place {
    size_t p, end;
};
/* Cuts s[at->p..n): writes up to max windows, returns how many. 0: at->p == n, or the piece there
 * is longer than 32 bits say. */
typedef size_t split_windows(const unsigned char *s, struct split_place *at, size_t n,
                             const struct split_rule *r, struct cut_window *w, size_t max);
/* The one of a rule for this processor; NULL: there is none. */
split_windows *split_windows_of(const struct split_rule *r);

/* pcre2: code is shared, scan is one a thread. */
struct regex_code;
struct regex_scan;
/* The pattern as pcre2 wants it, appended to out. re is valid UTF-8. */
int regex_rewrite(const char *re, size_t n, struct buf *out, struct err *e);
struct regex_code *regex_compile(const char *re, size_t n, struct err *e);
void regex_code_free(struct regex_code *c);
bool regex_has_jit(const struct regex_code *c);
struct regex_scan *regex_scan_new(const struct regex_code *c, struct err *e);
void regex_scan_free(struct regex_scan *s);
/* The end of the piece that begins at p in the text s[from..n): a match, or what lies before the
 * next one. Pieces are asked for in order, the first with p == from. 0: an error. */
size_t regex_next(struct regex_scan *x, const unsigned char *s, size_t from, size_t p, size_t n,
                  struct err *e);
/* The matches in s[0..n) alone, in order: 1 and one of them, 0 = no more, -1 = err. */
int regex_begin(struct regex_scan *x, const unsigned char *s, size_t n, struct err *e);
int regex_find(struct regex_scan *x, size_t n, size_t *from, size_t *to, struct err *e);

#endif
