/* How a failure is told to a person: `stepvault: sentence; hint` on stderr. Advice stands here and nowhere
 * else. libc only: stepvault and stepvault-manage share it. */
#ifndef STEPVAULT_CLI_REPORT_H
#define STEPVAULT_CLI_REPORT_H

#include "base/status.h"

/* What to do next after a failure of this status, or NULL where the sentence says all there is. Static, no
 * final newline. */
const char *report_hint(enum status status);

/* Prints the failure's sentence (a general one where it is empty) and its hint in one write of one line.
 * `command` ("env set") is whose help a wrong usage is sent to; NULL where there is none. */
void report_failure(const struct failure *failure, const char *command);

#endif
