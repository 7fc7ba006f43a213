/* One turn of the loop is one transaction (docs/DESIGN.md, section 4): calls are served one after the other,
 * their leaves and changes are committed once, and only then do their replies count. Knows no sockets. */
#ifndef STEPVAULT_AGENT_TURN_H
#define STEPVAULT_AGENT_TURN_H

#include "agent/call.h"
#include "agent/method.h"
#include "agent/session.h"
#include "base/secret.h"
#include "base/status.h"
#include "leaf.h"

#include <stdbool.h>
#include <stddef.h>

/* One call and its reply, from its serving to the end of its turn. */
struct exchange {
    struct exchange *next;
    struct secret *output; /* the reply's frame is appended here */
    bool owner;            /* the caller is the vault's owner; anyone else is told nothing */
    bool oneway;
    struct job *job;             /* set by the turn: a job that answers from now on; the receiver's */
    struct stage *stage;         /* what the calls of this connection have staged, from one to the next */
    struct restoring *restoring; /* what was staged to be restored; the receiver's */
    struct connected *connected; /* what Connect got; the receiver's */
    struct parking *parking;     /* set by the turn: the call waits, and is to be served again; else NULL */
    bool stage_spoilt;           /* one of them failed: the rest of that import must not pass for all of it */
    /* The turn's own. */
    const struct method *method;
    const char *action; /* in the log; NULL: not logged */
    size_t start;
    bool in_turn; /* its outcome hangs on the commit */
    bool granted;
    enum status why;
};

struct turn {
    struct session *session;
    struct request *request;                                          /* the call at hand; secret memory */
    const struct leaf_caller *(*identify)(struct exchange *exchange); /* holds until the next one */
    struct exchange *current;                                         /* whose call is at hand */
    struct exchange *first;                                           /* served and not finished */
    struct exchange **last;
    uint64_t since_ms; /* when its first call was served */
    size_t bytes;      /* of replies that wait for its commit */
};

enum status turn_start(struct turn *turn, struct session *session,
                       const struct leaf_caller *(*identify)(struct exchange *exchange),
                       struct failure *failure);
void turn_end(struct turn *turn);

/* True if the call must not share a turn with others: finish the turn before and after serving it. */
bool turn_needs_own(const struct turn *turn, const struct call *call);

/* Serves the call. exchange->output and owner are set; its reply stays invalid until
 * turn_finish. A call that waits (exchange->parking) has none, and comes again. */
void turn_serve(struct turn *turn, struct exchange *exchange, const struct call *call);

/* True if the turn has held its callers long enough, or holds enough bytes, to be finished before the next
 * call. */
bool turn_is_long(const struct turn *turn);

/* Commits. Replies of calls whose outcome could not be made durable become the error. Returns the exchanges
 * of the turn, each with its final reply, and is empty afterwards. */
struct exchange *turn_finish(struct turn *turn);

#endif
