/* Parking: a call that must wait for what takes longer than a turn (a token that is being renewed, the end of
 * all renewals) answers STATUS_WAITS. It leaves no leaf and no reply then, its connection keeps the frame,
 * and the whole call is served anew when what it waits for is over, or its patience is. Knows no connections.
 */
#ifndef STEPVAULT_AGENT_PARKING_H
#define STEPVAULT_AGENT_PARKING_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define PARKING_PATIENCE_MS 5000u /* for a caller who can be served without, if less well */

struct session;

struct parking {
    struct session *session;
    unsigned pending;       /* renewals it waits for */
    bool held;              /* by a call; else the last that it waits for frees it */
    bool borrows;           /* the call brought a key, and keeps the vault open */
    bool drains;            /* waits until nothing is under way in the agent any more */
    unsigned rounds;        /* how often what it waited for was over */
    uint64_t since_ms;      /* clock_monotonic_ms of the call's first serving */
    uint64_t until_ms;      /* to be served then all the same; 0: not before all is over */
    struct failure failure; /* what the first of those that failed says; else STATUS_OK */
};

/* The parking of a call, made if it has none: `before` is that of the serving before this one, NULL for the
 * first. */
enum status parking_begin(struct session *session, const struct parking *before, struct failure *failure,
                          struct parking **parking);

/* The call has no use for it any more; within a turn, and else, when it may close the vault. */
void parking_end(struct parking **parking);
void parking_freep(struct parking **parking);

/* One more thing to wait for; it is over. `failure` NULL: it went well. */
void parking_await(struct parking *parking);
void parking_done(struct parking *parking, const struct failure *failure);

/* True if the call is to be served again. */
bool parking_is_over(const struct parking *parking, uint64_t now_ms);

#endif
