/* A client of the agent, for our own programs: find it, trust it, call it; or start one for a single command.
 * libc only. docs/PROTOCOL.md has the wire; stepvault.h is the public face of the part that projects. */
#ifndef STEPVAULT_CLIENT_CLIENT_H
#define STEPVAULT_CLIENT_CLIENT_H

#include "base/secret.h"
#include "base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define CLIENT_INTERFACE "io.stepvault.Agent." /* and the name of a method or error */
#define CLIENT_REQUEST_MAX (256u * 1024u)
#define CLIENT_REPLY_MAX (8u * 1024u * 1024u)

struct client {
    int descriptor;
    pid_t agent;           /* the one-command agent we started and must reap, or 0 */
    struct secret pending; /* bytes read past the last reply */
    size_t unanswered;     /* requests of which no reply was read */
    int timeout_ms; /* for each reply: 65 000 by default (an agent waits up to 60 s for the vault's lock) */
    /* Makes this process undumpable (PR_SET_DUMPABLE) from the moment a reply is there to be read until the
     * next request is sent: the agent looks at /proc/<pid>/exe of its peer while it handles a request. For
     * our own programs, never for the host of the library. */
    bool undumpable;
    bool hidden; /* it was done, by this client or before it, and is undone before the next request */
    bool keyed;  /* for ask.h: what was asked over it was answered for a key file's key only */
};

/* Connects to the agent's socket (file_socket_path of the canonical `vault`). The socket's folder must be
 * ours and closed to others (0700), the socket ours, the listener's uid ours or root's: else STATUS_FOREIGN.
 * STATUS_NO_AGENT if nothing listens there. */
enum status client_connect(const char *vault, struct failure *failure, struct client **ret_client);

/* A client on a connected stream socket, which it owns from then on; NULL when memory is out. */
struct client *client_of_descriptor(int descriptor);

/* How an agent is started. */
struct client_agent {
    const char *program; /* path of stepvault-agent; NULL: where client_find_program finds it */
    const char *vault;   /* canonical path */
    const char *socket;  /* socket to go on serving after this client; NULL: the agent of one command */
};

/* How long client_connect waits for a place in the queue of an agent that is busy. */
#define CLIENT_CONNECT_MS 5000

/* Forks and execs `stepvault-agent --vault PATH --connection 3`, descriptor 3 being one end of a socketpair
 * and its first connection; with `socket` also `--socket PATH`, in a session of its own. Its stdin and stdout
 * are /dev/null, its stderr ours; it gets no other descriptor, and of our environment PATH, HOME, XDG_*, LANG
 * and TZ. Without `socket` client_freep waits for it, so that it is reaped before an exec. */
enum status client_start_agent(const struct client_agent *agent, struct failure *failure,
                               struct client **ret_client);

/* Where the program `name` (stepvault, stepvault-agent, stepvault-manage) is: beside the running program
 * (/proc/self/exe's folder), in libexec/stepvault next to a running bin folder or bin next to a running
 * libexec/stepvault, or in the compiled-in libexec folder. Only what root, this user or the owner of the
 * running program owns counts. STATUS_FAILED with a sentence that names it if it is nowhere. */
enum status client_find_program(const char *name, struct failure *failure, char destination[PATH_MAX]);

/* Sends one frame (the request's JSON text; the final NUL is added here) and waits for one reply, given as
 * JSON text in `ret_reply` (cleared first; NUL-terminated). An error reply is not a failure of the call:
 * client_reply_status looks into it. STATUS_AGENT_ENDED if the peer closes without having read the request,
 * which may then be made again; STATUS_PROTOCOL if it closes after that, breaks the framing or answers what
 * is no JSON object; STATUS_TIMEOUT; STATUS_TOO_LARGE. After a failure the connection is closed. */
enum status client_call(struct client *client, const struct secret *request, struct failure *failure,
                        struct secret *ret_reply);
/* The two halves of client_call. Several frames may be sent ahead of their replies, which come in order, as
 * those of a `more` call do; an agent that does not get rid of its replies takes no more frames. Sending to
 * one that has ended fails only where no reply is to be read that may say why. */
enum status client_send(struct client *client, const struct secret *request, struct failure *failure);
enum status client_next_reply(struct client *client, struct failure *failure, struct secret *ret_reply);
/* True if client_next_reply need not wait; what its descriptor can be polled for may be a part of a reply. */
bool client_has_reply(const struct client *client);

/* STATUS_OK for a reply without `error`; else the status of its name with its message as the sentence. Errors
 * of org.varlink.service become STATUS_PROTOCOL ("the agent is older than this program"). */
enum status client_reply_status(const struct secret *reply, struct failure *failure);

/* Closes; waits for a one-command agent and kills it if it does not end within two seconds. NULL does
 * nothing. */
void client_freep(struct client **client);

#endif
