/* Opening, locking and the turn. */
#include "agent/session.h"

#include "agent/connecting.h"
#include "agent/job.h"
#include "agent/journal.h"
#include "agent/renewal.h"
#include "agent/restoring.h"
#include "agent/stage.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "log.h"

#include <unistd.h>

#define VERIFY_AGAIN 15u /* times as long after the first time, as long as nobody calls */

const char *session_state(const struct session *session)
{
    if (session->foreign.status != STATUS_OK)
        return "foreign";
    if (session->unlocked)
        return "open";
    return session->vault != NULL || access(session->path, F_OK) == 0 ? "locked" : "absent";
}

bool session_stays(const struct session *session)
{
    return session->unlocked || session->foreign.status != STATUS_OK;
}

/* The pin comes before the vault is let go of: afterwards another agent may have it. What was open for calls
 * only is pinned without waiting for the disk, because its caller waits: a power cut costs it this one step
 * of the pin, and it took a durable commit for what it was given already. */
static void session_end(struct session *session)
{
    if (session->vault == NULL)
        return;
    pinner_write(&session->pinner, session->vault, session->path, session->unlocked);
    vault_freep(&session->vault);
}

/* Nothing but Lock and Status may follow, so neither keys nor jobs have a use any more. What was committed is
 * pinned, so that whatever came in its place has to have it. */
static void session_disown(struct session *session, const struct failure *failure)
{
    session->foreign = *failure;
    journal_foreign(failure->sentence);
    job_cancel_all(session);
    stage_drop_all(session);
    renewals_drop_all(session);
    session_end(session);
    session->unlocked = false;
}

/* Only what was found in the files ends the session; memory that is short for a while does not. */
static enum status session_settle_look(struct session *session, enum status found, struct failure *failure)
{
    if (found == STATUS_OK)
        session->suspect = false;
    else if (found == STATUS_FOREIGN || found == STATUS_CORRUPT)
        session_disown(session, failure);
    return found;
}

enum status session_look(struct session *session, struct failure *failure)
{
    if (session->foreign.status != STATUS_OK) {
        *failure = session->foreign;
        return failure->status;
    }
    if (session->vault == NULL || session->looked || session->turn)
        return STATUS_OK;
    session->looked = true;
    return session_settle_look(session,
                               session->suspect ? vault_verify(session->vault, failure)
                                                : vault_look(session->vault, failure),
                               failure);
}

uint64_t session_verifies_at(const struct session *session)
{
    if (!session->unlocked || session->verify_ms == 0)
        return 0;
    return session->verified_at_ms > session->used_at_ms
               ? session->verified_at_ms + VERIFY_AGAIN * session->verify_ms
               : session->used_at_ms + session->verify_ms;
}

void session_verify(struct session *session)
{
    uint64_t at_ms = session_verifies_at(session);
    uint64_t now_ms = clock_boot_ms();
    struct failure failure;

    if (at_ms == 0 || now_ms < at_ms || session->turn)
        return;
    session->verified_at_ms = now_ms;
    (void)session_settle_look(session, vault_verify(session->vault, &failure), &failure);
}

enum status session_open(struct session *session, const struct vault_key *key, struct failure *failure)
{
    CLEANUP(vault_freep) struct vault *vault = NULL;
    enum status status;

    if (session->vault != NULL)
        return vault_check_key(session->vault, key, failure);
    job_let_go_all(session);
    status = vault_open(session->path, key, session->wait_ms, failure, &vault);
    if (status == STATUS_OK)
        status = pinner_check(&session->pinner, vault, failure);
    if (status == STATUS_OK)
        session->vault = TAKE(vault);
    return status;
}

void session_close(struct session *session)
{
    if (!session->unlocked && session->borrowers == 0 && !session->turn)
        session_end(session);
}

static void session_note_failure(struct session *session, const struct failure *failure)
{
    if (failure->status != STATUS_LOG_UNWRITABLE)
        return;
    session->log_failed = true;
    session->log_failure = *failure;
}

void session_rollback(struct session *session)
{
    if (!session->turn)
        return;
    vault_rollback(session->vault);
    session->turn = false;
    session->looked = false;
    backlog_settle(&session->backlog, false);
}

enum status session_begin(struct session *session, struct failure *failure)
{
    enum status status;

    if (session->turn)
        return STATUS_OK;
    status = session_look(session, failure);
    if (status != STATUS_OK)
        return status;
    status = vault_begin(session->vault, failure);
    if (status == STATUS_OK) {
        session->turn = true;
        status = backlog_write(&session->backlog, session->vault, &session->self, failure);
    }
    if (status != STATUS_OK) {
        session_note_failure(session, failure);
        session_rollback(session);
    }
    return status;
}

enum status session_commit(struct session *session, struct failure *failure)
{
    enum status status;

    session->looked = false;
    if (!session->turn)
        return STATUS_OK;
    status = vault_commit(session->vault, failure);
    session->turn = false;
    backlog_settle(&session->backlog, status == STATUS_OK);
    session->log_failed = session->log_failed && status != STATUS_OK;
    if (status == STATUS_OK)
        pinner_note(&session->pinner, session->vault);
    else
        session_note_failure(session, failure);
    return status;
}

enum status session_end_turn(struct session *session, enum status status, struct leaf *leaf,
                             struct failure *failure)
{
    if (status == STATUS_OK && leaf != NULL && !leaf->appended)
        status = log_append(session->vault, leaf, failure);
    if (status == STATUS_OK)
        return session_commit(session, failure);
    session_rollback(session);
    return status;
}

void session_fold(struct session *session)
{
    if (session->vault != NULL && !session->turn)
        (void)vault_fold(session->vault);
}

void session_pin(struct session *session)
{
    if (session->pinner.due_ms != 0 && session->vault != NULL && !session->turn &&
        clock_monotonic_ms() >= session->pinner.due_ms)
        pinner_write(&session->pinner, session->vault, session->path, true);
}

static void session_wait(struct session *session, const char *action, bool granted, enum status why,
                         const struct leaf_caller *caller)
{
    uint64_t count = backlog_add(&session->backlog, action, granted, why, caller);

    /* The first, second, fourth, eighth... time, so that a loop of refusals does not fill the journal. */
    if (!granted && count > 0 && (count & (count - 1)) == 0)
        journal_refusal(action, caller, why, count);
}

void session_refuse(struct session *session, const char *action, const struct leaf_caller *caller,
                    enum status why)
{
    session_wait(session, action, false, why, caller);
}

enum status session_log(struct session *session, struct leaf *leaf, struct failure *failure)
{
    enum status status = session_begin(session, failure);

    status = session_end_turn(session, status, leaf, failure);
    if (status != STATUS_LOG_UNWRITABLE)
        return status;
    session_note_failure(session, failure);
    session_wait(session, leaf->action, leaf->granted, leaf->why, leaf_find_caller(leaf));
    return STATUS_OK;
}

void session_lock(struct session *session, const struct leaf_caller *caller, const char *cause)
{
    struct leaf leaf = {.action = "lock", .granted = true, .caller = caller};
    struct failure failure;

    session_rollback(session);
    if (session->unlocked) {
        if (cause == NULL || secret_append_format(&leaf.details, "\"cause\":\"%s\"", cause))
            (void)session_log(session, &leaf, &failure);
        leaf_reset(&leaf);
    }
    job_cancel_all(session);
    stage_drop_all(session);
    restoring_drop_all(session);
    renewals_drop_all(session);
    session_end(session);
    session->unlocked = false;
    session->lifetime_at_ms = 0;
    session->idle_ms = 0;
}

bool session_is_busy(const struct session *session)
{
    return renewals_under_way(session) > 0;
}

void session_drain(struct session *session)
{
    session->draining = true;
    renewals_abandon(session);
    connectings_cancel_all(session);
}

void session_abandon(struct session *session)
{
    session->unlocked = false;
    session->lifetime_at_ms = 0;
    session->idle_ms = 0;
    session->ending = true;
}

uint64_t session_locks_at(const struct session *session)
{
    uint64_t idle_at = session->idle_ms > 0 ? session->used_at_ms + session->idle_ms : 0;

    if (!session_stays(session))
        return 0;
    if (session->lifetime_at_ms == 0 || idle_at == 0)
        return session->lifetime_at_ms + idle_at;
    return session->lifetime_at_ms < idle_at ? session->lifetime_at_ms : idle_at;
}
