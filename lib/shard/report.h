/*
 * What `shard info`, `stat` and `mix` say, as text for people or as one line of JSON each: text is
 * appended to out, each line ending in "\n".
 */
#ifndef SHARD_REPORT_H
#define SHARD_REPORT_H

#include <stdbool.h>
#include "base/buf.h"
#include "quern/shard.h"
#include "shard/mix.h"
#include "shard/shardstat.h"

int report_info(struct buf *out, const char *name, const struct shard_head *h,
                const struct shard_totals *t, bool json, struct err *e);
/* text[i] (n[i] bytes) is what top[i] stands for; text NULL: not known. */
struct report_tokens {
    const struct shardstat_id *top;
    size_t n_top;
    const char *const *text;
    const size_t *text_len;
};
int report_stat(struct buf *out, const struct shardstat *s, const struct report_tokens *tokens,
                bool json, struct err *e);
/* What was drawn from each of n sources. */
int report_mix(struct buf *out, const struct mix_source *src, int n, bool json, struct err *e);
/* The outcome of a check: why->kind says whether it failed. As text a failure gives nothing. */
int report_check(struct buf *out, const char *name, const struct shard_totals *t,
                 const struct err *why, bool json, struct err *e);
/* s as a JSON string; bytes that are not UTF-8 become U+FFFD. */
int report_json_string(struct buf *out, const char *s, size_t n, struct err *e);

#endif
