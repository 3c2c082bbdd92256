/*
 * One progress line on stderr, rewritten in place about ten times a second when stderr is a
 * terminal (or when forced: then a plain line every few seconds). Other messages of prog.h clear
 * it first. SIGUSR1 prints it once as a plain line, terminal or not.
 *     struct progress pr; progress_start(&pr, "tokenize", "B", total_or_0, force, quiet);
 *     progress_at(&pr, bytes_done, "12.3k docs"); ... progress_finish(&pr);
 * The line: name, done (of total, percent), rate, extra text, time elapsed and left.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *name, *unit; /* unit "B" prints as MiB and MiB/s; others as 1.2M unit/s */
    double total, done;      /* total 0: not known */
    double start_s, shown_s;
    double base; /* done at start (a resumed run): left out of the rate */
    bool on, tty;
    char extra[160];
};
void progress_start(struct progress *p, const char *name, const char *unit, double total,
                    bool force, bool quiet);
void progress_at(struct progress *p, double done, const char *extra);
void progress_finish(struct progress *p); /* clears the line */
void progress_clear(void);                /* whoever prints to stderr calls this first */

#endif
