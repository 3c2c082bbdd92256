/* Temporary files: see tmp.h. */
#include "io/tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/signals.h"
#include "io/fd_int.h"

int tmp_open(struct tmp *t, int flags, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    struct buf path = BUF_INIT;
    *t = (struct tmp){.fd = -1, .slot = -1};
    if (!dir || !*dir)
        dir = "/tmp";
    if (buf_printf(&path, e, "%s/quern.XXXXXX", dir) < 0) {
        buf_release(&path);
        return -1;
    }
    int fd = mkstemp(path.s);
    if (fd < 0) {
        err_sys(e, "%s: cannot create a temporary file there (TMPDIR names the directory)", dir);
        buf_release(&path);
        return -1;
    }
    t->path = path.s;
    t->named = 1;
    t->slot = flags & TMP_NAMED ? sig_guard(t->path) : -1;
    if (!(flags & TMP_NAMED))
        tmp_unlink(t);
    t->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int why = errno;
    close(fd);
    if (t->fd < 0) {
        errno = why;
        err_sys(e, "%s: cannot open", t->path);
        tmp_close(t);
        return -1;
    }
    return 0;
}

int tmp_write(struct tmp *t, const void *p, size_t n, struct err *e)
{
    if (fd_write_all(t->fd, p, n) < 0)
        return err_sys(e, "%s: cannot write the temporary file (TMPDIR names the directory)",
                       t->path);
    t->size += n;
    return 0;
}

int tmp_read(const struct tmp *t, uint64_t offset, void *p, size_t n, struct err *e)
{
    for (size_t have = 0; have < n;) {
        ssize_t r = pread(t->fd, (char *)p + have, n - have, (off_t)(offset + have));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_sys(e, "%s: cannot read the temporary file", t->path);
        if (r == 0)
            return err_set(e, "%s: the temporary file was cut short", t->path);
        have += (size_t)r;
    }
    return 0;
}

int tmp_rewind(struct tmp *t, struct err *e)
{
    if (ftruncate(t->fd, 0) < 0 || lseek(t->fd, 0, SEEK_SET) < 0)
        return err_sys(e, "%s: cannot empty the temporary file", t->path);
    t->size = 0;
    return 0;
}

void tmp_unlink(struct tmp *t)
{
    if (!t->named)
        return;
    unlink(t->path);
    if (t->slot >= 0)
        sig_unguard(t->slot);
    t->slot = -1;
    t->named = 0;
}

void tmp_close(struct tmp *t)
{
    tmp_unlink(t);
    if (t->fd >= 0)
        close(t->fd);
    free(t->path);
    *t = (struct tmp){.fd = -1, .slot = -1};
}
