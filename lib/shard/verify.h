/* Everything in a shard verified: blocks, totals, footers, and what each segment's head says. */
#ifndef SHARD_VERIFY_H
#define SHARD_VERIFY_H

#include "base/progress.h"
#include "quern/shard.h"

/* name (of the shard) is for messages: 0 or -1. */
typedef int shard_head_check(const char *name, const struct shard_head *h, struct err *e);
/* "-" is stdin. check may be NULL; pr is started and finished by this. */
int shard_verify(const char *path, shard_head_check *check, struct progress *pr, bool show,
                 bool quiet, struct shard_totals *t, struct err *e);

#endif
