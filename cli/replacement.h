/* A file that takes another's place when it is whole, or never: at any instant the name stands for all of the
 * old file or all of the new one. */
#ifndef STEPVAULT_CLI_REPLACEMENT_H
#define STEPVAULT_CLI_REPLACEMENT_H

#include "base/status.h"

#include <limits.h>
#include <stdbool.h>

struct replacement {
    const char *path;
    const char *name;         /* its last word */
    int folder;               /* -1: not prepared */
    int descriptor;           /* -1: not opened */
    char draft[NAME_MAX + 1]; /* the name that the new file has meanwhile; empty: none */
};
#define REPLACEMENT_NONE                                                                                     \
    {                                                                                                        \
        .folder = -1, .descriptor = -1                                                                       \
    }

/* Opens the folder of `path`, which must outlive the rest, and changes nothing. STATUS_REFUSED where a
 * symbolic link or anything but a regular file stands there. */
enum status replacement_prepare(const char *path, struct failure *failure,
                                struct replacement *ret_replacement);

/* STATUS_EXISTS where there is something of that name, which `--replace` would replace. */
enum status replacement_check_new(const struct replacement *replacement, struct failure *failure);

/* Makes the new file, mode 0600, and leaves it open in `descriptor`. It has no name where the file system can
 * do that, so that a process that is killed leaves nothing. */
enum status replacement_open(struct replacement *replacement, struct failure *failure);

/* Makes what was written durable and gives it its name. */
enum status replacement_finish(struct replacement *replacement, struct failure *failure);

/* The same where nothing has that name: STATUS_EXISTS, also if something got it meanwhile. */
enum status replacement_finish_new(struct replacement *replacement, struct failure *failure);

/* Closes, and removes what has not got its name. */
void replacement_reset(struct replacement *replacement);

#endif
