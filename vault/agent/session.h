/* What the agent holds between calls: the vault or none, the open turn, the times at which it locks, what
 * waits for the log.
 *
 * The vault is in one of four states: absent (no file), locked, open, or foreign: it was open when something
 * else was found to have written to its file or replaced it. It is closed then, and every call but Status and
 * Lock refused. A locked vault may still be held open for a single call, or for jobs and stages of callers
 * who brought a key; to everybody else it is locked then, too.
 */
#ifndef STEPVAULT_AGENT_SESSION_H
#define STEPVAULT_AGENT_SESSION_H

#include "agent/backlog.h"
#include "agent/pinner.h"
#include "agent/sandbox.h"
#include "base/status.h"
#include "leaf.h"
#include "vault.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct connecting;
struct renewal;
struct restoring;
struct stage;
struct tasks;

struct session {
    char path[PATH_MAX];
    unsigned wait_ms; /* for another process's lock on the vault */
    bool alone;       /* serves one connection, and whoever started the agent waits for its end */
    struct vault *vault;
    bool unlocked; /* open for everybody; else the vault is open only for one call or for borrowers */
    unsigned
        borrowers; /* jobs, stages, renewals and parked calls that hold the vault with a key of their own */
    bool turn;     /* vault_begin was called */
    bool looked;   /* at the file, since the last turn ended */
    bool suspect;  /* a row was not what it should be: the next look verifies all */
    struct failure foreign;  /* its status is STATUS_OK in the other states */
    uint64_t verify_ms;      /* without a call, after which all rows are verified again; 0: never */
    uint64_t verified_at_ms; /* of clock_boot_ms */
    bool ending;             /* Lock was called: the agent ends when its reply is out */
    uint64_t lifetime_at_ms; /* of clock_boot_ms; 0: none */
    uint64_t idle_ms;        /* 0: none */
    uint64_t used_at_ms;
    bool log_failed;
    struct failure log_failure; /* why nothing could be logged last, while log_failed */
    struct backlog backlog;
    struct sandbox sandbox;
    struct pinner pinner;
    bool peer_reader_runs;
    size_t connections;
    struct leaf_caller self;
    struct job *jobs;
    struct stage *stages;
    struct restoring *restorings;
    struct tasks *tasks; /* the helpers that run */
    struct connecting *connectings;
    size_t requests;          /* helpers that make callers' requests */
    size_t connected;         /* connections that got tokens and have not kept them yet */
    struct renewal *renewals; /* tokens that are to be renewed, or are being */
    bool woken;               /* a renewal was over, and calls may have waited for it */
    bool draining;            /* to be locked when no token is being renewed; new calls are refused */
};

/* "absent", "locked", "open" or "foreign". */
const char *session_state(const struct session *session);

/* Open or foreign: the agent has something to stay for. */
bool session_stays(const struct session *session);

/* At the start of each turn: the refusal of a foreign vault, or of one that is found to be foreign just now.
 */
enum status session_look(struct session *session, struct failure *failure);

/* Verifies all rows of an open vault if nobody called for a while and it is time to. */
void session_verify(struct session *session);

/* Opens the vault with the key for the call at hand, and compares it with its pin; or checks the key if it is
 * open already. */
enum status session_open(struct session *session, const struct vault_key *key, struct failure *failure);

/* Closes a vault that was open for calls, jobs and stages only, once none is left and no turn is open. */
void session_close(struct session *session);

/* Opens the turn unless it is, and puts into it what waits for the log. On failure there is no turn. */
enum status session_begin(struct session *session, struct failure *failure);
/* Commits the turn, if there is one. On failure nothing of it is left. */
enum status session_commit(struct session *session, struct failure *failure);
void session_rollback(struct session *session);

/* Ends a turn of the agent's own. Where `status`, of what was done in it, is STATUS_OK, it is committed with
 * the leaf, unless that is NULL or in the log already; else, and on failure, nothing of the turn is left. */
enum status session_end_turn(struct session *session, enum status status, struct leaf *leaf,
                             struct failure *failure);

/* To be called between turns: what a large one left to be done for the file. */
void session_fold(struct session *session);

/* Writes the pin if its time has come. */
void session_pin(struct session *session);

/* Notes a refusal that cannot be logged now: it waits, and the journal gets a line. */
void session_refuse(struct session *session, const char *action, const struct leaf_caller *caller,
                    enum status why);

/* Commits a leaf of the agent's own turn; one that cannot be written waits. Other failures are the result. */
enum status session_log(struct session *session, struct leaf *leaf, struct failure *failure);

/* Locks an open vault: its leaf says why (`cause` NULL: the caller asked), jobs are cancelled, keys wiped,
 * the file closed. */
void session_lock(struct session *session, const struct leaf_caller *caller, const char *cause);

/* True while a token is being renewed, so that locking would lose what the provider gives. */
bool session_is_busy(const struct session *session);

/* Locking waits for that: nothing new is begun, and who tries to connect an account gives up. */
void session_drain(struct session *session);

/* Another file was put into the vault's place, and what was open of it is closed: the agent ends when the
 * reply is out. */
void session_abandon(struct session *session);

/* The time of clock_boot_ms at which the vault locks by itself, and at which session_verify has something to
 * do; 0 if it does not. */
uint64_t session_locks_at(const struct session *session);
uint64_t session_verifies_at(const struct session *session);

#endif
