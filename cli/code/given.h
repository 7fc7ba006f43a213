/* What code is given beside its projection, and where it leaves its result: files of JSON that its launcher
 * finds in environment variables (cli/launchers/README.md), each a memfd that is open in this process and
 * what it becomes. */
#ifndef STEPVAULT_CODE_GIVEN_H
#define STEPVAULT_CODE_GIVEN_H

#include "code/language.h"
#include "code/order.h"

#include <stddef.h>

#define GIVEN_MAX                                                                                            \
    ((size_t)64 * 1024 * 1024) /* bytes of an event, of what steps left, of props, of a result */

#define GIVEN_VARIABLES 8

struct given {
    char **environment; /* ours with the variables below, and without what an outer step had of them */
    char *variables[GIVEN_VARIABLES];
    size_t count;
    int result; /* what the launcher, or in bash the code, writes to; -1: nothing is awaited */
};
#define GIVEN_NONE                                                                                           \
    {                                                                                                        \
        .result = -1                                                                                         \
    }

/* Reads the order's files and makes the environment. STATUS_INVALID where one is not the JSON that it is to
 * be, STATUS_TOO_LARGE over GIVEN_MAX. `given` was GIVEN_NONE; the caller resets it, after a failure too. */
enum status given_prepare(const struct order *order, const struct language *language, struct failure *failure,
                          struct given *given);

void given_reset(struct given *given);

#endif
