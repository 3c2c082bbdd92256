/* A broken invariant of our own: prints file, line and text to stderr, then aborts. */
#ifndef BASE_BUG_H
#define BASE_BUG_H

#include "base/compiler.h"

#define BUG(...) bug_die(__FILE__, __LINE__, __VA_ARGS__)
NORETURN void bug_die(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
