/* Verifying shards: see verify.h. */
#include "shard/verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "shard/set.h"

struct head_check {
    shard_head_check *check;
    char *name;
};

static int check_head(void *user, const struct shard_head *h, struct err *e)
{
    const struct head_check *c = user;
    return c->check ? c->check(c->name, h, e) : 0;
}

int shard_verify(const char *path, shard_head_check *check, struct progress *pr, bool show,
                 bool quiet, struct shard_totals *t, struct err *e)
{
    struct head_check c = {.check = check};
    struct shard_doc d;
    struct shard_totals footers;
    uint64_t done, total;
    struct shard_in *s = shard_open(path, e);
    if (!s)
        return -1;
    shard_progress(s, &done, &total);
    progress_start(pr, "shard check", "B", (double)total, show, quiet);
    c.name = mem_strdup(shard_name(s), e);
    int r = c.name ? shard_each_segment(s, check_head, &c, e) : -1;
    while (r >= 0 && (r = shard_next_piece(s, &d, e)) > 0) {
        shard_progress(s, &done, &total);
        progress_at(pr, (double)done, NULL);
    }
    progress_finish(pr);
    shard_totals(s, t);
    shard_close(s);
    free(c.name);
    if (r < 0 || !shard_is_regular(path))
        return r;
    if (shard_peek(path, NULL, &footers, e) < 0)
        return -1;
    if (memcmp(&footers, t, sizeof footers) != 0)
        return err_set(e, "%s: the footers' totals differ from those of the blocks", path);
    return 0;
}
