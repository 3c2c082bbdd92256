/* Names beside a target, shared by out.c and outdir.c. */
#ifndef IO_OUT_INT_H
#define IO_OUT_INT_H

#include "quern/err.h"

/* The name that path stands for once the links in its last part are followed, also where the
 * last link leads nowhere yet; slashes at the end are dropped. Caller frees. */
char *out_target(const char *path, struct err *e);
/* "DIR/.NAME.PID.WHAT" for "DIR/NAME", or with ".PID.K." where k > 0. Caller frees. */
char *out_beside(const char *target, int k, const char *what, struct err *e);
/* The directory that holds the target: "DIR", "/" or ".". Caller frees. */
char *out_dir_of(const char *target, struct err *e);
/* The name without its directories. */
const char *out_base_of(const char *target);
/* How much of a long name goes into the name beside it, so that both fit NAME_MAX. */
int out_base_len(const char *base);

#endif
