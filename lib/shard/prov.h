/*
 * The provenance line of a program, as shard(5) has it: name, version and the options that shape
 * the output (struct opt's shapes_output) with their present values; those without a value and
 * flags that are off are left out. So equal work gives equal bytes, whether a default was spelled
 * out or not.
 *     struct buf prov = BUF_INIT;
 *     prov_add(&prov, "tokenize", opts, e);        "tokenize 0.1.0 key=text on-error=stop\n"
 *     head.provenance = prov.s;
 */
#ifndef SHARD_PROV_H
#define SHARD_PROV_H

#include "base/buf.h"
#include "base/opt.h"
#include "quern/err.h"
#include "quern/shard.h"

/* Appends a line; a subcommand's program is "shard-split". opts may be NULL. */
int prov_add(struct buf *prov, const char *program, const struct opt *opts, struct err *e);
/* One more name=value on the last line, for what is no option: prov_value(&prov, "of", hex, e). */
int prov_value(struct buf *prov, const char *name, const char *value, struct err *e);

#endif
