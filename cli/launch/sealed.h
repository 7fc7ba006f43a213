/* Secrets handed to a command in sealed memfds: open in this process and what it becomes, read by path. */
#ifndef STEPVAULT_LAUNCH_SEALED_H
#define STEPVAULT_LAUNCH_SEALED_H

#include <stdbool.h>
#include <stddef.h>

#define SEALED_PATH_SIZE 64
#define SEALED_CODE_MEMFD "stepvault-code" /* of what a code step is told, and tells */

/* Puts the bytes into a memfd `name` that nobody can change any more, and keeps it open over an exec, at 10
 * or above. Returns the descriptor; -1 with errno: EMFILE where the limit of open files is reached. */
int sealed_keep(const char *name, const void *bytes, size_t size);

/* The same in two steps, for what is written bit by bit, or by somebody else: an empty memfd, kept open, and
 * its sealing. False with errno. */
int sealed_draft(const char *name);
bool sealed_finish(int descriptor);

/* Where others find it: /proc/<pid>/fd/<descriptor>. Holds as long as this process and the descriptor do. */
void sealed_path(int descriptor, char ret_path[SEALED_PATH_SIZE]);

/* Closes all that sealed_keep kept under one of the `count` names, in this process or in one that became it
 * or is above it; what is something else stays open, and what closes on exec: that came after. */
void sealed_close_all(const char *const names[], size_t count);

#endif
