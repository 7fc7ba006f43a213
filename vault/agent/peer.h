/* Who is at the other end of a connection: the kernel's credentials, and for the log its program and parent.
 *
 * A process in a Landlock domain may not read /proc/<pid>/exe of one outside (Landlock's ptrace rule), not
 * even as root. So a small process, forked before the sandbox and before any key, reads for the agent. It
 * gets process ids and gives paths, nothing else. What it says is for the log only: no decision hangs on a
 * program's name. */
#ifndef STEPVAULT_AGENT_PEER_H
#define STEPVAULT_AGENT_PEER_H

#include "base/status.h"
#include "leaf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The credentials at connect(). */
struct peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

/* False if the descriptor is no connected Unix socket. */
bool peer_identify(int connection, struct peer *ret_peer);

/* True if the peer runs as the agent's own user. Root is not, unless the agent is root's. */
bool peer_is_owner(const struct peer *peer);

struct peer_reader {
    int channel; /* -1: not running */
    uint32_t sequence;
};

/* Forks the reader. It closes every other descriptor, confines itself and ends with the channel. */
enum status peer_reader_start(struct failure *failure, struct peer_reader *ret_reader);

/* Fills `ret_caller`; program and parent stay empty where they cannot be had within a fifth of a second, or
 * the peer has ended meanwhile (its process id could be another's then). */
void peer_describe(struct peer_reader *reader, int connection, const struct peer *peer,
                   struct leaf_caller *ret_caller);

/* The same of this process, before the sandbox. */
void peer_describe_self(struct leaf_caller *ret_caller);

#endif
