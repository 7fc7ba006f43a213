/* System call filters (seccomp, by hand: no library) for the agent, its peer reader and the OAuth helper.
 *
 * Calls on a process's list pass. Calls that nothing here could ever want (running a program, tracing,
 * loading modules, mounting) end the process. Any other call fails with EPERM, so that a C library that tries
 * something newer first still works. */
#ifndef STEPVAULT_CONFINE_SECCOMP_H
#define STEPVAULT_CONFINE_SECCOMP_H

#include <stdbool.h>

enum seccomp_role { SECCOMP_AGENT, SECCOMP_READER, SECCOMP_HELPER };

/* Confines this process for good; needs PR_SET_NO_NEW_PRIVS, which it sets. False if the kernel refused. In a
 * sanitizer build it does nothing and returns false: the sanitizers' run-time needs calls of its own. */
bool seccomp_confine(enum seccomp_role role);

/* True in a build with an address or other sanitizer. */
bool seccomp_is_sanitizer_build(void);

#endif
