/* A folder as systemd's CREDENTIALS_DIRECTORY (docs/DESIGN.md, section 3, Delivery): its files are links to
 * sealed memfds of the process that `run` becomes, so nothing of them is on a disk and nothing can be read
 * when it has ended. */
#ifndef STEPVAULT_LAUNCH_CREDENTIALS_H
#define STEPVAULT_LAUNCH_CREDENTIALS_H

#include "base/status.h"
#include "client/received.h"

#include <limits.h>
#include <stdbool.h>

#define CREDENTIALS_VARIABLE "CREDENTIALS_DIRECTORY"
#define CREDENTIALS_MEMFD "stepvault-credential"

/* All zero is valid: no folder. */
struct credentials {
    char path[PATH_MAX]; /* of this process's own folder, below $XDG_RUNTIME_DIR/stepvault/credentials */
    bool made;
};

/* Before the agent is asked: finds and makes the place of such folders, and removes the folders of processes
 * that have ended. STATUS_FAILED or STATUS_FOREIGN where there is no place that is ours alone. */
enum status credentials_prepare(struct failure *failure, struct credentials *ret_credentials);

/* Makes the folder and its files from what was received. STATUS_TOO_LARGE where they are more than files may
 * be open; STATUS_REFUSED where a variable takes the folder's own name. */
enum status credentials_deliver(const struct received *received, struct failure *failure,
                                struct credentials *credentials);

/* Removes the folder, if it was made: for a process that becomes no command. */
void credentials_remove(struct credentials *credentials);

/* Removes the folder `path` of an outer run if that was this very process. */
void credentials_remove_outer(const char *path);

#endif
