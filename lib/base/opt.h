/*
 * Options: one table per command says letter, name, kind, range, where the value goes and the help
 * text; parsing, --help and range checks all come from it, and tests hold the manual against it.
 * Options come before or after operands; `--` ends them; `-` is an operand; --name=value,
 * --name value, -xvalue and -x value are the same; letters without values may be bundled.
 * A long name may be shortened while it is unambiguous. A repeated option takes the last value
 * (OPT_LIST: all of them). In the help text {} stands for the default, filled from *dst.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

enum opt_kind {
    OPT_FLAG,   /* bool: set to true. --no-NAME exists only where the table lists it */
    OPT_COUNT,  /* int: one more each time (-vv) */
    OPT_STR,    /* const char *: the argument itself, not copied */
    OPT_LIST,   /* struct opt_list: every argument in order */
    OPT_INT,    /* int64_t in [min, max], num_int() */
    OPT_BYTES,  /* uint64_t in [min, max], num_bytes() */
    OPT_REAL,   /* double in [rmin, rmax], num_real() */
    OPT_TIME,   /* double, seconds, num_duration() */
    OPT_CHOICE, /* int: index into choices[], a NULL-terminated list of words */
    OPT_TITLE,  /* no option: a heading in the help text (help = the heading) */
};

struct opt_list {
    const char **v; /* freed by opt_release */
    size_t n, cap;
};

struct opt {
    enum opt_kind kind;
    char letter;       /* 0: none */
    const char *name;  /* without dashes; NULL: none */
    void *dst;         /* holds the default before parsing */
    const char *arg;   /* metavariable: "FILE", "N", "X" */
    const char *help;  /* one line or more; {} is the default */
    int64_t min, max;  /* both 0: no bound but the type's; max below min: no upper bound.
                        * OPT_BYTES takes both as uint64_t */
    double rmin, rmax; /* of OPT_REAL, likewise */
    const char *const *choices;
    bool shapes_output; /* goes into provenance and into what --resume stores */
    bool utf8; /* OPT_STR, OPT_LIST: it is text, not a file's name; invalid UTF-8 is refused */
    int given; /* how often it was given on the command line */
};

/* Parses argv[1..): operands are moved to the front of argv[1..], a NULL behind them; their number
 * goes to *n_operands. Errors are ERR_USAGE. opts ends with an entry whose name and letter and
 * help are all empty. */
int opt_parse(struct opt *opts, int argc, char **argv, int *n_operands, struct err *e);
/* Finds by name; BUG() if there is none. */
struct opt *opt_find(struct opt *opts, const char *name);
/* Sets one option from text, as --name=value would. A flag takes "" or "true", and "false"; a
 * count "" for one more, or a number. A string is kept as a pointer to the caller's text. */
int opt_set(struct opt *o, const char *value, struct err *e);
/* The present value as text that opt_set takes; false where it holds none (NULL string) and for
 * lists, whose elements are each such a text. */
struct buf;
bool opt_show(const struct opt *o, struct buf *out);
/* Appends the table as --help shows it, 80 columns wide; {} is what each *dst holds now. */
int opt_help(const struct opt *opts, struct buf *out, struct err *e);
/* How far a mistyped word is from a name: 0 to 2, or 3 for too far to suggest it. */
int opt_near(const char *typed, const char *name);
void opt_release(struct opt *opts);

#define OPT_END      \
    {                \
        .help = NULL \
    }

/* Entries with one meaning in every command (STYLE 29 and the names that scripts rely on). */
#define OPT_QUIET(p)                                                  \
    {                                                                 \
        .kind = OPT_FLAG, .letter = 'q', .name = "quiet", .dst = (p), \
        .help = "say nothing but errors"                              \
    }
#define OPT_VERBOSE(p)                                                   \
    {                                                                    \
        .kind = OPT_COUNT, .letter = 'v', .name = "verbose", .dst = (p), \
        .help = "say more; twice: still more"                            \
    }
#define OPT_THREADS(p)                                                                             \
    {                                                                                              \
        .kind = OPT_INT, .letter = 'j', .name = "threads", .dst = (p), .arg = "N", .min = 0,       \
        .max = 1024, .help = "threads; 0: all processors. Output never depends on it (default {})" \
    }
#define OPT_OUTPUT(p)                                                                \
    {                                                                                \
        .kind = OPT_STR, .letter = 'o', .name = "output", .dst = (p), .arg = "FILE", \
        .help = "write to FILE, which appears whole or not at all"                   \
    }
#define OPT_SEED(p)                                                                          \
    {                                                                                        \
        .kind = OPT_INT, .name = "seed", .dst = (p), .arg = "N", .min = 0, .max = INT64_MAX, \
        .shapes_output = true, .help = "seed of the random numbers (default {})"             \
    }
#define OPT_JSON(p)                                                                           \
    {                                                                                         \
        .kind = OPT_FLAG, .name = "json", .dst = (p), .help = "print JSON, one object a line" \
    }

#endif
