/* Delivering the document. */
#include "launch/auths.h"

#include <errno.h>

enum status auths_deliver(const struct secret *document, struct failure *failure,
                          char ret_path[SEALED_PATH_SIZE])
{
    int descriptor = sealed_keep(AUTHS_MEMFD, document->bytes, document->size);

    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make the accounts' document");
    sealed_path(descriptor, ret_path);
    return STATUS_OK;
}
