/* System calls on descriptors, repeated as far as they must be: see fd_int.h. */
#include "io/fd_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/signals.h"

enum { CALL_BYTES = 1 << 30 }; /* the system takes at most 2 GiB at once */

int fd_open(const char *path, int flags, mode_t mode)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int up = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int why = errno;
    close(fd);
    errno = why;
    return up;
}

/* After a failed call: 1 = try again. */
static int retry(int fd, short events)
{
    if (errno == EINTR)
        return 1;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return 0;
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

/* Until there is something to read; -1 if there is nothing and a caught signal came. It looks up
 * now and then, since a signal may come between the question and the wait. */
static int wait_for_data(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        int r = poll(&p, 1, 100);
        if (r > 0 || (r < 0 && errno != EINTR))
            return 0; /* read() tells what is wrong, if anything */
        if (sig_pending())
            break;
    }
    errno = EINTR;
    return -1;
}

long fd_read(int fd, void *p, size_t n)
{
    ssize_t r;
    if (sig_caught() && wait_for_data(fd) < 0)
        return -1;
    do {
        r = read(fd, p, n < CALL_BYTES ? n : CALL_BYTES);
    } while (r < 0 && retry(fd, POLLIN));
    return (long)r;
}

int fd_write_all(int fd, const void *p, size_t n)
{
    const char *s = p;
    while (n > 0) {
        ssize_t r = write(fd, s, n < CALL_BYTES ? n : CALL_BYTES);
        if (r < 0) {
            if (!retry(fd, POLLOUT))
                return -1;
            continue;
        }
        if (r == 0) {
            errno = ENOSPC; /* a device that takes nothing more and does not say so */
            return -1;
        }
        s += r;
        n -= (size_t)r;
    }
    return 0;
}

int fd_close(int fd)
{
    /* Linux has closed it even where a signal interrupted the call. */
    return close(fd) < 0 && errno != EINTR ? -1 : 0;
}

int fd_sync_dir(const char *dir)
{
    int fd = fd_open(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == EACCES ? 0 : -1;
    int rc = fsync(fd);
    if (rc < 0 && (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS))
        rc = 0;
    int why = errno;
    close(fd);
    errno = why;
    return rc;
}
