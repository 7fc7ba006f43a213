/* What `run` leaves to stepvault-code: code steps, and the scrubbing of what a command prints. This program
 * asks for the projection and builds the environment as for any command; stepvault-code does what outlives an
 * exec. */
#ifndef STEPVAULT_LAUNCH_HANDOVER_H
#define STEPVAULT_LAUNCH_HANDOVER_H

#include "base/status.h"
#include "client/received.h"
#include "launch/arguments.h"
#include "launch/environment.h"

#include <stdbool.h>

#define HANDOVER_MEMFD "stepvault-mask"

/* True where `run` becomes stepvault-code. */
bool handover_is_wanted(const struct arguments *arguments);

/* Before the agent is asked: what is not there must not cost a projection. */

/* The file of code; a failure is one of program_exit. */
enum status handover_check_code(const char *code, struct failure *failure);

/* What is read beside it, and a descriptor of --result. */
enum status handover_check(const struct arguments *arguments, struct failure *failure);

/* Becomes stepvault-code, with the environment. Returns only on failure. */
enum status handover_exec(const struct arguments *arguments, const struct received *received,
                          const struct envfile *envfile, const struct environment *environment,
                          struct failure *failure);

#endif
