/* Making, naming and closing sealed memfds. */
#include "launch/sealed.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOWEST_DESCRIPTOR 10 /* scripts use the lower ones by number */
#define SEARCHED_AT_ONCE 256

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

/* Newer kernels may insist on a memfd that cannot be executed; older ones do not know the flag. */
static int memfd_make(const char *name)
{
    const unsigned flags = MFD_ALLOW_SEALING | MFD_CLOEXEC;
    int descriptor = memfd_create(name, flags | MFD_NOEXEC_SEAL);

    if (descriptor < 0 && errno == EINVAL)
        descriptor = memfd_create(name, flags);
    return descriptor;
}

int sealed_draft(const char *name)
{
    CLEANUP(cleanup_close) int descriptor = memfd_make(name);
    int kept;

    if (descriptor < 0)
        return -1;
    kept = fcntl(descriptor, F_DUPFD, LOWEST_DESCRIPTOR);
    /* So the kernel says that the lowest wanted is over the limit. */
    if (kept < 0 && errno == EINVAL)
        errno = EMFILE;
    return kept;
}

/* The offset goes back for a step that reads the descriptor itself; whoever opens the path has one of its
 * own. */
bool sealed_finish(int descriptor)
{
    return lseek(descriptor, 0, SEEK_SET) == 0 && fchmod(descriptor, S_IRUSR) == 0 &&
           fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
}

int sealed_keep(const char *name, const void *bytes, size_t size)
{
    CLEANUP(cleanup_close) int descriptor = sealed_draft(name);

    if (descriptor < 0 || !file_write_all(descriptor, bytes, size) || !sealed_finish(descriptor))
        return -1;
    return cleanup_take_descriptor(&descriptor);
}

void sealed_path(int descriptor, char ret_path[SEALED_PATH_SIZE])
{
    snprintf(ret_path, SEALED_PATH_SIZE, "/proc/%ld/fd/%d", (long)getpid(), descriptor);
}

static bool is_named(const char *target, const char *name)
{
    char expected[SEALED_PATH_SIZE];

    snprintf(expected, sizeof(expected), "/memfd:%s (deleted)", name);
    return strcmp(target, expected) == 0;
}

static void close_named(int descriptor, const char *const names[], size_t count)
{
    char path[SEALED_PATH_SIZE];
    char target[SEALED_PATH_SIZE];
    ssize_t size;

    if (fcntl(descriptor, F_GET_SEALS) < 0 || (fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    size = readlink(path, target, sizeof(target) - 1);
    if (size <= 0)
        return;
    target[size] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (is_named(target, names[i])) {
            close(descriptor);
            return;
        }
    }
}

/* Of `range` descriptors from `first` on; false if none of them is open. */
static bool close_range_named(int first, nfds_t range, const char *const names[], size_t count)
{
    struct pollfd asked[SEARCHED_AT_ONCE];
    bool any = false;

    for (nfds_t i = 0; i < range; i++)
        asked[i] = (struct pollfd){.fd = first + (int)i};
    if (poll(asked, range, 0) < 0)
        return false;
    for (nfds_t i = 0; i < range; i++) {
        if ((asked[i].revents & POLLNVAL) == 0) {
            any = true;
            close_named(asked[i].fd, names, count);
        }
    }
    return any;
}

/* A kept descriptor was the lowest that was free, so the search ends where none of very many is open. Listing
 * /proc/self/fd instead costs a twentieth of a launch. */
void sealed_close_all(const char *const names[], size_t count)
{
    struct rlimit limit;
    nfds_t range = SEARCHED_AT_ONCE;
    int first = LOWEST_DESCRIPTOR;

    /* poll() takes no more than a process may have open. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < range)
        range = (nfds_t)limit.rlim_cur;
    while (range > 0 && first < INT_MAX - SEARCHED_AT_ONCE && close_range_named(first, range, names, count))
        first += (int)range;
}
