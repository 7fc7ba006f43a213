/* Writing out a recovery code. */
#include "recovery.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum status recovery_plan(const struct option_values *options, bool optional, struct failure *failure,
                          struct recovery *ret_recovery)
{
    int descriptor;
    enum status status = option_descriptor(options, "recovery-fd", failure, &descriptor);

    if (status != STATUS_OK)
        return status;
    if (option_flag(options, "no-recovery") && descriptor != -1)
        return failure_set(failure, STATUS_USAGE, "--recovery-fd and --no-recovery exclude each other");
    if (option_flag(options, "no-recovery")) {
        *ret_recovery = (struct recovery){.wanted = false, .descriptor = -1};
        return STATUS_OK;
    }
    if (descriptor != -1 && (fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY)
        return failure_set(failure, STATUS_USAGE, "--recovery-fd %d is not open for writing", descriptor);
    if (descriptor == -1 && !isatty(STDOUT_FILENO))
        return failure_set(failure, STATUS_USAGE,
                           "the recovery code has no place to go, since standard output is no terminal: give "
                           "--recovery-fd N%s",
                           optional ? " or --no-recovery" : "");
    *ret_recovery =
        (struct recovery){.wanted = true, .descriptor = descriptor != -1 ? descriptor : STDOUT_FILENO};
    return STATUS_OK;
}

enum status recovery_write(const struct recovery *recovery, const struct secret *code,
                           struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};

    if (!secret_append(&line, code->bytes, code->size) || !secret_append_byte(&line, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the recovery code");
    if (isatty(recovery->descriptor))
        output_note("keep this recovery code in a safe place; it opens the vault without its passphrase:");
    if (!file_write_all(recovery->descriptor, line.bytes, line.size))
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write out the recovery code");
    /* Terminals, pipes and sockets have nothing to sync, and say so. */
    if (fsync(recovery->descriptor) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write out the recovery code");
    return STATUS_OK;
}
