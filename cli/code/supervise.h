/* A command that somebody stays beside, because its output is scrubbed or its result is awaited. For whoever
 * started us it is as if we were the command: signals that reach us reach it, it stops and goes on with us,
 * and how it ends is how we end. */
#ifndef STEPVAULT_CODE_SUPERVISE_H
#define STEPVAULT_CODE_SUPERVISE_H

#include "base/status.h"
#include "code/mask.h"

struct supervision {
    const char *program; /* a path; PATH is not searched */
    char *const *arguments;
    char *const *environment;
    struct mask *mask; /* NULL: the command inherits 0, 1 and 2 as they are */
};

/* Starts the command and returns when it has ended, with what waitpid says of it; what it left running and
 * still writes is scrubbed on in the background. With a mask its stdout and stderr are ours: a pipe, or a
 * terminal of its own where they are one. Says on stderr, before it starts anything, which values are too
 * short to be masked. Fails where the command could not be started, with ret_exit as `run` then exits:
 * PROGRAM_NOT_EXECUTABLE where it is the command (as program_exec says it), PROGRAM_RUN_FAILED where it is
 * us. At most once a process. */
enum status supervise(const struct supervision *supervision, struct failure *failure, int *ret_exit,
                      int *ret_wait_status);

/* Exits with that status or dies of that signal, without a core file; does not return. */
void supervise_end_like(int wait_status) __attribute__((noreturn));

#endif
