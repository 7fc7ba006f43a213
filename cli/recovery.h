/* Where a recovery code goes: to the terminal or a descriptor, never into a pipe by accident. */
#ifndef STEPVAULT_CLI_RECOVERY_H
#define STEPVAULT_CLI_RECOVERY_H

#include "base/secret.h"
#include "base/status.h"
#include "option.h"

#include <stdbool.h>

struct recovery {
    bool wanted;
    int descriptor;
};

/* Decides by --recovery-fd, stdout and, where the command is more than the code (`optional`), --no-recovery.
 * STATUS_USAGE where there is no place for a code that is wanted. */
enum status recovery_plan(const struct option_values *options, bool optional, struct failure *failure,
                          struct recovery *ret_recovery);

/* Writes the code and a newline, all of it, and as durably as the descriptor can. */
enum status recovery_write(const struct recovery *recovery, const struct secret *code,
                           struct failure *failure);

#endif
