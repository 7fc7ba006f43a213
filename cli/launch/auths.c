/* Delivering the document, and closing that of an outer run. */
#include "launch/auths.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT_NAME "stepvault-auths"
#define LOWEST_DESCRIPTOR 10 /* scripts use the lower ones by number */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

/* Newer kernels may insist on a memfd that cannot be executed; older ones do not know the flag. */
static int document_make(void)
{
    const unsigned flags = MFD_ALLOW_SEALING | MFD_CLOEXEC;
    int descriptor = memfd_create(DOCUMENT_NAME, flags | MFD_NOEXEC_SEAL);

    if (descriptor < 0 && errno == EINVAL)
        descriptor = memfd_create(DOCUMENT_NAME, flags);
    return descriptor;
}

enum status auths_deliver(const struct secret *document, struct failure *failure,
                          char ret_path[AUTHS_PATH_SIZE])
{
    CLEANUP(cleanup_close) int descriptor = document_make();
    int delivered;

    /* The offset goes back for a step that reads the descriptor itself; whoever opens the path has one of its
     * own. */
    if (descriptor < 0 || !file_write_all(descriptor, document->bytes, document->size) ||
        lseek(descriptor, 0, SEEK_SET) != 0 || fchmod(descriptor, S_IRUSR) != 0 ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make the accounts' document");
    delivered = fcntl(descriptor, F_DUPFD, LOWEST_DESCRIPTOR);
    if (delivered < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot keep the accounts' document open");
    snprintf(ret_path, AUTHS_PATH_SIZE, "/proc/%ld/fd/%d", (long)getpid(), delivered);
    return STATUS_OK;
}

void auths_close_outer(const char *path)
{
    static const char expected[] = "/memfd:" DOCUMENT_NAME " (deleted)";
    const char *slash = strrchr(path, '/');
    char own[AUTHS_PATH_SIZE];
    char target[sizeof(expected)];
    uint64_t number;
    ssize_t size;

    if (strncmp(path, "/proc/", strlen("/proc/")) != 0 || !text_to_number(slash + 1, INT_MAX, &number))
        return;
    snprintf(own, sizeof(own), "/proc/self/fd/%d", (int)number);
    size = readlink(own, target, sizeof(target));
    if (size == (ssize_t)strlen(expected) && memcmp(target, expected, (size_t)size) == 0)
        close((int)number);
}
