/* A small process of the agent's own at the other end of a channel, for what the agent cannot do once it is
 * confined: forked before the sandbox and before any key. */
#ifndef STEPVAULT_AGENT_CHILD_H
#define STEPVAULT_AGENT_CHILD_H

#include "base/status.h"

/* Forks it. It is called `name` (15 bytes at most), is killed when the agent ends, and ends when `run`
 * returns, which has its end of the channel, of packets, and all descriptors of the agent. */
enum status child_start(const char *name, void (*run)(int channel), struct failure *failure,
                        int *ret_channel);

#endif
