/* Totals from the footers of a regular file: from the last segment back to the first. */
#include "quern/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "shard/shard_int.h"

enum { SEGMENT_MIN = SHARD_HEAD_MIN + SHARD_BLOCK_HEAD + SHARD_FOOTER };

static int read_at(int fd, const char *path, unsigned char *p, size_t n, uint64_t offset,
                   struct err *e)
{
    for (size_t have = 0; have < n;) {
        ssize_t r = pread(fd, p + have, n - have, (off_t)(offset + have));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_sys(e, "%s: cannot read at byte %llu", path, (unsigned long long)offset);
        if (r == 0)
            return err_set(e, "%s: at byte %llu: the file shrank while it was read", path,
                           (unsigned long long)offset);
        have += (size_t)r;
    }
    return 0;
}

/* The footer of the segment that ends at byte `end`, held against the segment's first bytes. */
static int footer_before(int fd, const char *path, uint64_t end, struct shard_footer *f,
                         struct err *e)
{
    unsigned char p[SHARD_FOOTER];
    size_t len;
    uint64_t where = end;
    if (end < SEGMENT_MIN) {
        err_set(e, "this is not a token shard, or it is truncated");
        goto fail;
    }
    where = end - SHARD_FOOTER;
    if (read_at(fd, path, p, sizeof p, where, e) < 0)
        return -1;
    if (shard_footer_get(p, f, e) < 0)
        goto fail;
    if (f->segment_bytes < SEGMENT_MIN || f->segment_bytes > end ||
        f->segment_bytes % SHARD_ALIGN || f->end_offset % SHARD_ALIGN ||
        f->end_offset > f->segment_bytes - SHARD_BLOCK_HEAD - SHARD_FOOTER) {
        err_set(e, "the footer's lengths are impossible");
        goto fail;
    }
    where = end - f->segment_bytes;
    if (read_at(fd, path, p, 16, where, e) < 0)
        return -1;
    if (shard_magic_get(p, &len, e) < 0)
        goto fail;
    return 0;
fail:
    return err_prefix(e, "%s: at byte %llu: ", path, (unsigned long long)where);
}

static int peek_totals(int fd, const char *path, uint64_t size, struct shard_totals *t,
                       struct err *e)
{
    struct shard_footer *f = NULL;
    size_t n = 0, cap = 0;
    struct shard_fold fold;
    int rc = -1;
    *t = (struct shard_totals){.n_bytes = size};
    for (uint64_t end = size; end > 0 || n == 0; n++) {
        if (mem_grow(&f, &cap, n + 1, sizeof *f, e) < 0 ||
            footer_before(fd, path, end, &f[n], e) < 0)
            goto done;
        end -= f[n].segment_bytes;
    }
    shard_fold_init(&fold);
    t->n_segments = n;
    while (n-- > 0) {
        t->n_docs += f[n].n_docs;
        t->n_tokens += f[n].n_tokens;
        if (f[n].id_bound > t->id_bound)
            t->id_bound = f[n].id_bound;
        shard_fold_add(&fold, f[n].n_docs, f[n].checksum);
    }
    t->checksum = fold.value;
    rc = 0;
done:
    free(f);
    return rc;
}

/* The head belongs to the reader; what it points to is copied. */
static int copy_head(struct shard_head *to, const struct shard_head *from, struct err *e)
{
    *to = *from;
    to->provenance = mem_strdup(from->provenance, e);
    to->tokenizer_z = NULL;
    if (!to->provenance)
        return -1;
    if (from->tokenizer_len > 0) {
        to->tokenizer_z = (unsigned char *)mem_dup(from->tokenizer_z, from->tokenizer_z_len, e);
        if (!to->tokenizer_z)
            return -1;
    }
    return 0;
}

static int peek_head(const char *path, struct shard_head *h, struct err *e)
{
    struct shard_in *s = shard_open(path, e);
    if (!s)
        return -1;
    int rc = copy_head(h, shard_head(s), e);
    if (rc < 0)
        shard_head_release(h);
    shard_close(s);
    return rc;
}

int shard_peek(const char *path, struct shard_head *h, struct shard_totals *t, struct err *e)
{
    struct stat st;
    struct shard_totals own;
    int rc = -1, fd;
    /* not fstat: opening a fifo would wait, and take its writer away from a later reader */
    if (stat(path, &st) < 0)
        return err_sys(e, "%s: cannot open", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, "%s: is not a regular file", path);
    do
        fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_sys(e, "%s: cannot open", path);
    rc = peek_totals(fd, path, (uint64_t)st.st_size, t ? t : &own, e);
    close(fd);
    return rc < 0 || !h ? rc : peek_head(path, h, e);
}
