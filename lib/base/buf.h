/*
 * A growing byte string. s is always NUL-terminated (len does not count it) and never NULL after
 * a successful call; BUF_INIT needs no allocation. Functions return 0, or -1 with err filled.
 *     struct buf b = BUF_INIT;
 *     buf_add(&b, p, n, e); buf_printf(&b, e, "%d", k); ... buf_release(&b);
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include "base/compiler.h"
#include "quern/err.h"

struct buf {
    char *s;
    size_t len, cap;
};
#define BUF_INIT        \
    {                   \
        buf_empty, 0, 0 \
    }
extern char buf_empty[1];

int buf_reserve(struct buf *b, size_t n_more, struct err *e);
int buf_add(struct buf *b, const void *p, size_t n, struct err *e);
int buf_puts(struct buf *b, const char *s, struct err *e);
int buf_putc(struct buf *b, int c, struct err *e);
int buf_printf(struct buf *b, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* s as a JSON string with its quotes; s is valid UTF-8. Non-ASCII stays as it is. */
int buf_json_string(struct buf *b, const char *s, size_t n, struct err *e);
void buf_clear(struct buf *b); /* len = 0, memory kept */
char *buf_take(struct buf *b,
               struct err *e); /* the string, to be freed by the caller; b is empty */
void buf_release(struct buf *b);

#endif
