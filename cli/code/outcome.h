/* The result of code: from what its launcher wrote, or in bash the code itself, to where --result wants it.
 */
#ifndef STEPVAULT_CODE_OUTCOME_H
#define STEPVAULT_CODE_OUTCOME_H

#include "code/given.h"
#include "code/mask.h"
#include "replacement.h"

struct outcome {
    int descriptor; /* -1: a file */
    struct replacement file;
};
#define OUTCOME_NONE                                                                                         \
    {                                                                                                        \
        .descriptor = -1, .file = REPLACEMENT_NONE                                                           \
    }

/* Before anything runs: whether the result can be written to `target`, a file or, all digits, a descriptor.
 */
enum status outcome_prepare(const char *target, struct failure *failure, struct outcome *outcome);

/* Writes what was left in `given`, scrubbed if `mask` is not NULL. STATUS_NOT_FOUND where nothing was left,
 * STATUS_TOO_LARGE over 64 MiB, STATUS_INVALID where what bash exported is not JSON; nothing is written then.
 */
enum status outcome_write(struct outcome *outcome, const struct given *given, const struct language *language,
                          const struct mask *mask, struct failure *failure);

void outcome_reset(struct outcome *outcome);

#endif
