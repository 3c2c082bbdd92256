/*
 * Errors: the library returns 0 or -1 (or NULL) and says why in a struct err that the caller owns.
 *
 *     struct err e = {0};
 *     if (shard_open(&s, path, &e) < 0)
 *         ... err.msg is one line without a newline: "in.tok: at byte 4096: block checksum differs"
 *
 * A message names the file and the position and, where it helps, what to do; it has no program
 * name and no trailing full stop. err_set() on an err that already holds a message replaces it.
 * A user's mistake is an error; a programmer's mistake is BUG(), which prints and aborts.
 */
#ifndef QUERN_ERR_H
#define QUERN_ERR_H

#include <stdarg.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_FAIL,   /* what was asked cannot be done: exit 1 */
    ERR_USAGE,  /* the command line or an option's value is wrong: exit 2 */
    ERR_SYS,    /* the system refused; sys_errno has its errno: exit 1 */
    ERR_PIPE,   /* the reader of stdout went away (EPIPE): a filter dies quietly */
    ERR_SIGNAL, /* stopped by a signal: what was complete has been kept */
};

struct err {
    enum err_kind kind;
    int sys_errno;
    char msg[1024];
};

#if defined(__GNUC__)
#    define QUERN_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#    define QUERN_PRINTF(fmt, first)
#endif

/* Each returns -1, so that a function can end with `return err_set(e, ...)`. e may be NULL.
 * Bytes of a message that are not printable UTF-8 (from file names, say) are shown as \xNN; of a
 * message that is too long the middle gives way to "...". */
int err_set(struct err *e, const char *fmt, ...) QUERN_PRINTF(2, 3);
int err_vset(struct err *e, const char *fmt, va_list ap) QUERN_PRINTF(2, 0);
int err_usage(struct err *e, const char *fmt, ...) QUERN_PRINTF(2, 3);
/* As err_set, followed by ": " and the text of errno; EPIPE becomes ERR_PIPE. */
int err_sys(struct err *e, const char *fmt, ...) QUERN_PRINTF(2, 3);
int err_nomem(struct err *e, const char *what, unsigned long long n_bytes);
/* Puts text before the message that is there, keeping its kind: err_prefix(e, "%s: ", path). */
int err_prefix(struct err *e, const char *fmt, ...) QUERN_PRINTF(2, 3);
void err_clear(struct err *e);

#endif
