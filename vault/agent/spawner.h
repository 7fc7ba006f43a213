/* Starts the helpers (vault/oauth/) for the agent, which can neither exec nor fork once it is confined (P8):
 * a small process, forked before the sandbox and before any key. It gets one end of a socket pair for each
 * helper and sees nothing of what goes through it. */
#ifndef STEPVAULT_AGENT_SPAWNER_H
#define STEPVAULT_AGENT_SPAWNER_H

#include "base/status.h"

struct spawner {
    int channel; /* -1: not running */
};

/* Forks the spawner, which closes every other descriptor, opens the program beside our own (else in the
 * installed folder), so that an agent keeps the helper it was installed with, and ends with the channel. */
enum status spawner_start(struct failure *failure, struct spawner *ret_spawner);

/* Starts a helper whose standard input and output are the far end of a new socket pair; the near one, which
 * does not block, is the caller's. What keeps the program from starting comes as the helper's own answer. */
enum status spawner_spawn(const struct spawner *spawner, struct failure *failure, int *ret_descriptor);

#endif
