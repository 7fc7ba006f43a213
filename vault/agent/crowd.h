/* The connections of a server: accepted, watched for what each waits for, woken, bounded and closed. What
 * they say is the server's affair. */
#ifndef STEPVAULT_AGENT_CROWD_H
#define STEPVAULT_AGENT_CROWD_H

#include "agent/server.h"

struct connection;

/* NULL if the descriptor, which is taken, is no socket that can be served. */
struct connection *crowd_adopt(struct server *server, int descriptor);
/* As many as wait, up to a bound; makes room where there is none. */
void crowd_accept(struct server *server);

/* After anything was done for a connection: what it waits for now, or its end. */
void crowd_settle(struct server *server, struct connection *connection);
/* Sends what it can, and settles. */
void crowd_send(struct server *server, struct connection *connection);
/* To be served in the next iteration, without being looked at. */
void crowd_ready(struct server *server, struct connection *connection);
/* Closes it. The memory goes with crowd_reap, when no event can name it. */
void crowd_drop(struct server *server, struct connection *connection);
void crowd_reap(struct server *server);

/* Those parked whose waiting is over become ready. */
void crowd_wake(struct server *server);
/* When the next of them has no more patience: clock_monotonic_ms; 0: none. */
uint64_t crowd_wakes_at(const struct server *server);
/* True if a call is parked that does not wait for the end of the agent. */
bool crowd_is_waiting(const struct server *server);
/* Those that wait for it become ready; false if there is none. */
bool crowd_wake_last(struct server *server);

void crowd_close_overdue(struct server *server);
/* At the end of the agent: lets replies be taken for a moment, says to the others that it ends, and closes
 * all. */
void crowd_flush(struct server *server);

#endif
