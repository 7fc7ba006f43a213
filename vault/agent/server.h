/* The agent's loop: connections, turns, jobs, deadlines, and why it ends. */
#ifndef STEPVAULT_AGENT_SERVER_H
#define STEPVAULT_AGENT_SERVER_H

#include "agent/listener.h"
#include "agent/peer.h"
#include "agent/session.h"
#include "agent/turn.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct spawner;

/* What epoll hands back for the descriptors that are no connection. */
enum server_source {
    SERVER_LISTENER,
    SERVER_WATCH,
    SERVER_SIGNALS,
    SERVER_TIMER,
    SERVER_TASKS,
    SERVER_SOURCES
};

struct server {
    struct session *session;
    struct listener *listener;
    struct peer_reader *reader;
    struct spawner *spawner;
    int first_connection; /* a connection to begin with, or -1 */
    int null;             /* /dev/null for stderr once the first reply is out, or -1 to leave stderr alone */
    /* The server's own. */
    struct turn turn;
    int poll;
    int signals;
    int timer;
    uint64_t timer_at_ms;
    struct connection *connections;
    struct connection *first;  /* the connection to begin with, while it lives */
    struct connection *ready;  /* whose inputs may hold a whole frame */
    struct connection *closed; /* to be freed when no event can name them */
    size_t maximum;
    size_t held;    /* bytes in connections' buffers */
    size_t working; /* connections with a job */
    uint8_t *buffer;
    uint64_t next_deadline_ms;
    uint64_t lonely_at_ms; /* clock_monotonic_ms since when a socket-activated agent has nothing to hold */
    bool ending;
    bool signalled;    /* a signal came, and was waited with */
    const char *cause; /* why the vault is locked when it is drained; NULL: Lock was called */
};

/* Makes the descriptors and buffers of the loop; signals are blocked from then on. Before the sandbox. */
enum status server_prepare(struct server *server, struct failure *failure);

/* Runs until there is nothing left to serve: the single connection has ended, Lock was called, the vault
 * locked by time, the socket is gone, or a signal came. The vault is locked and closed when it returns. */
enum status server_run(struct server *server, struct failure *failure);

#endif
