/* Making, naming and closing sealed memfds. */
#include "launch/sealed.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOWEST_DESCRIPTOR 10 /* scripts use the lower ones by number */

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

int sealed_keep(const char *name, const void *bytes, size_t size)
{
    CLEANUP(cleanup_close) int descriptor = memfd_make(name);
    int kept;

    /* The offset goes back for a step that reads the descriptor itself; whoever opens the path has one of its
     * own. */
    if (descriptor < 0 || !file_write_all(descriptor, bytes, size) || lseek(descriptor, 0, SEEK_SET) != 0 ||
        fchmod(descriptor, S_IRUSR) != 0 ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        return -1;
    kept = fcntl(descriptor, F_DUPFD, LOWEST_DESCRIPTOR);
    /* So the kernel says that the lowest wanted is over the limit. */
    if (kept < 0 && errno == EINVAL)
        errno = EMFILE;
    return kept;
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

static void close_named(DIR *folder, const char *entry, const char *const names[], size_t count)
{
    char target[SEALED_PATH_SIZE];
    uint64_t number;
    ssize_t size;

    if (!text_to_number(entry, INT_MAX, &number) || number < LOWEST_DESCRIPTOR)
        return;
    size = readlinkat(dirfd(folder), entry, target, sizeof(target) - 1);
    if (size <= 0)
        return;
    target[size] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (is_named(target, names[i])) {
            close((int)number);
            return;
        }
    }
}

void sealed_close_all(const char *const names[], size_t count)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL)
        close_named(folder, entry->d_name, names, count);
    closedir(folder);
}
