/*
 * The frame of a command. A main reads: begin, open, loop, commit, end.
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct err e = {0};
 *         struct prog p = {.name = "dedup", .purpose = "drop duplicate documents",
 *                          .synopsis = "[-o FILE] [FILE...]\n", .opts = opts};
 *         if (!prog_begin(&p, argc, argv, &e))
 *             return prog_end(&p, -1, &e);
 *         return prog_end(&p, run(&p, &e), &e);
 *     }
 *
 * Every table gets -h/--help and -V/--version added. prog_end prints the error ("dedup: message",
 * and for ERR_USAGE a line "Try 'dedup -h' for the options."), flushes and closes stdout, and
 * returns the exit status: 0, 1, 2; ERR_PIPE ends the process by SIGPIPE, ERR_SIGNAL by re-raising
 * the signal that was caught. A write error on stdout is found here at the latest. Standard
 * descriptors that the parent closed are occupied, so that no file opened later becomes stdout;
 * printing to such a one is an error, never touching it is none. SIGXFSZ is ignored, so that a
 * write beyond ulimit -f fails with EFBIG.
 */
#ifndef BASE_PROG_H
#define BASE_PROG_H

#include <stdbool.h>
#include "base/compiler.h"
#include "base/opt.h"
#include "quern/err.h"

struct prog {
    const char *name;     /* "tokenize"; of a subcommand "shard split" */
    const char *purpose;  /* one line, no capital, no stop: as in the manual's .Nd */
    const char *synopsis; /* what follows the name, a line each form, each ending in \n */
    struct opt *opts;
    const char *epilog; /* extra text of --help, or NULL */
    char **operands;    /* after prog_begin; argv's own strings */
    int n_operands;
    bool quiet; /* set by the command from its options; silences notes, not warnings */
    int verbose;
    bool done; /* -h or -V was answered */
};

/* True: go on. False: call prog_end(p, -1, e) and return its value. */
bool prog_begin(struct prog *p, int argc, char **argv, struct err *e);
int prog_end(struct prog *p, int rc, const struct err *e);

/* Subcommands: `shard split ...`. Runs the one that argv[1] names with argv shifted; without or
 * with an unknown one prints a usage error that lists them. -h lists them with their purposes. */
struct prog_sub {
    const char *name, *purpose;
    int (*main)(int argc, char **argv); /* argv[0] is the subcommand's name */
};
int prog_subcommands(const char *name, const char *purpose, const struct prog_sub *subs, int argc,
                     char **argv);

/* stderr lines "name: text": warn always, note unless quiet, talk with -v. Progress line aware. */
void prog_warn(const struct prog *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void prog_note(const struct prog *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void prog_talk(const struct prog *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *prog_version(void); /* "0.1.0" */

#endif
