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

struct peer_description;

/* The other end of one connection. */
struct peer {
    uid_t uid; /* the credentials at connect() */
    gid_t gid;
    pid_t pid;
    int connection;
    uint32_t question;                    /* at the reader; 0: not asked yet */
    bool answered;                        /* or never to be */
    struct peer_description *description; /* NULL: nothing is known */
};

/* False if the descriptor is no connected Unix socket. */
bool peer_identify(int connection, struct peer *ret_peer);

/* True if the peer runs as the agent's own user. Root is not, unless the agent is root's. */
bool peer_is_owner(const struct peer *peer);

#define PEER_QUESTIONS_MAX 64u /* on the way at once */

struct peer_reader {
    int channel; /* -1: not running */
    uint32_t asked;
    uint32_t answered;
    struct peer *peers[PEER_QUESTIONS_MAX]; /* whom question n is about: at n modulo the size; NULL: gone */
};

/* Forks the reader. It closes every other descriptor, confines itself and ends with the channel. */
enum status peer_reader_start(struct failure *failure, struct peer_reader *ret_reader);

/* Asks the reader ahead of need, so that it reads while the call is still on its way. The peer's place in
 * memory must not change until peer_forget. */
void peer_ask(struct peer_reader *reader, struct peer *peer);

/* Fills `ret_caller`; program and parent stay empty where they cannot be had within a fifth of a second, or
 * the peer has ended meanwhile (its process id could be another's then). */
void peer_describe(struct peer_reader *reader, struct peer *peer, struct leaf_caller *ret_caller);

/* Frees what is known of the peer. */
void peer_forget(struct peer_reader *reader, struct peer *peer);

/* The same of this process, before the sandbox. */
void peer_describe_self(struct leaf_caller *ret_caller);

#endif
