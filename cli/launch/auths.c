/* Delivering the document, and closing that of an outer run. */
#include "launch/auths.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define DOCUMENT_NAME "stepvault-auths"

enum status auths_deliver(const struct secret *document, struct failure *failure,
                          char ret_path[SEALED_PATH_SIZE])
{
    int descriptor = sealed_keep(DOCUMENT_NAME, document->bytes, document->size);

    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make the accounts' document");
    sealed_path(descriptor, ret_path);
    return STATUS_OK;
}

void auths_close_outer(const char *path)
{
    const char *slash = strrchr(path, '/');
    uint64_t number;

    if (strncmp(path, "/proc/", strlen("/proc/")) == 0 && text_to_number(slash + 1, INT_MAX, &number))
        sealed_close((int)number, DOCUMENT_NAME);
}
