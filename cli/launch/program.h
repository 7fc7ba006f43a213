/* Finding the program that CMD names, as a shell would, and becoming it. */
#ifndef STEPVAULT_LAUNCH_PROGRAM_H
#define STEPVAULT_LAUNCH_PROGRAM_H

#include "base/status.h"

#include <limits.h>

/* Exit statuses of `run`, as of env and timeout: it failed itself; the program was found and could not be
 * executed; or it was not found. */
#define PROGRAM_RUN_FAILED 125
#define PROGRAM_NOT_EXECUTABLE 126
#define PROGRAM_NOT_FOUND 127

#define PROGRAM_DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin" /* where PATH is not set */

/* Looks for `name` in the folders of `path_list` (of $PATH), or takes it as it is where it has a slash.
 * STATUS_NOT_FOUND, or STATUS_DENIED where what is found cannot be executed. */
enum status program_find(const char *name, const char *path_list, struct failure *failure,
                         char destination[PATH_MAX]);

/* `program` made absolute, for the log. */
void program_absolute(const char *program, char destination[PATH_MAX]);

/* Becomes the program. Returns only on failure, always STATUS_DENIED. */
enum status program_exec(const char *program, char *const argv[], char *const environment[],
                         struct failure *failure);

/* The exit status of `run` for a failure of the functions here. */
int program_exit(enum status status);

#endif
