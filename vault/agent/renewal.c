/* The renewals of a session, from the asking to the commit of what came. */
#include "agent/renewal.h"

#include "agent/journal.h"
#include "agent/session.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "log.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

/* For the commit of an answer, before the end of an agent stops waiting for it: whoever locks waits 65 s at
 * most for the reply. */
#define STORE_MS 4000u
#define ROUNDS_MAX 2u   /* of one call: what is due again at once would have it wait for ever */
#define LEASE_MS 30000u /* that callers wait for the end of a dead agent's request */
#define CLOCKS_MS 50u   /* by which the wall clock may lag behind meanwhile */

enum renewal_state {
    RENEWAL_ASKED,
    RENEWAL_LEASED, /* a dead agent's request may be under way; to be looked at again at at_ms */
    RENEWAL_SENT,
    RENEWAL_ANSWERED, /* to be stored at at_ms */
    RENEWAL_OVER      /* to be freed by the next renewals_work */
};

struct renewal {
    struct session *session;
    struct renewal *next;
    enum renewal_state state;
    uint8_t id[STORE_ID_SIZE];
    bool force;
    uint64_t rejected; /* the generation that an API refused; 0: none did */
    bool borrows;      /* was asked for while the vault was open for borrowers only */
    struct token_job job;
    struct task *task;
    struct json *answer;   /* what `result` points into ... */
    struct failure unsent; /* ... or the reason why no helper could be started */
    struct token_result result;
    uint64_t at_ms;       /* clock_monotonic_ms */
    uint64_t deadline_ms; /* when the end of the agent waits for it no longer */
    bool unstored;        /* storing it failed before */
    struct parking **waiting;
    size_t count;
    size_t capacity;
};

/* ---- their list ---- */

static struct renewal *renewal_find(const struct session *session, const uint8_t id[STORE_ID_SIZE])
{
    struct renewal *renewal = session->renewals;

    while (renewal != NULL && (renewal->state == RENEWAL_OVER || memcmp(renewal->id, id, STORE_ID_SIZE) != 0))
        renewal = renewal->next;
    return renewal;
}

static void wake(struct renewal *renewal, const struct failure *failure)
{
    for (size_t at = 0; at < renewal->count; at++)
        parking_done(renewal->waiting[at], failure);
    renewal->session->woken = renewal->session->woken || renewal->count > 0;
    renewal->count = 0;
}

/* Nothing of it is needed any more. The memory goes when nobody walks the list. */
static void renewal_end(struct renewal *renewal, const struct failure *failure)
{
    wake(renewal, failure);
    task_cancel(&renewal->task);
    token_job_reset(&renewal->job);
    json_freep(&renewal->answer);
    renewal->session->borrowers -= renewal->borrows;
    renewal->borrows = false;
    renewal->state = RENEWAL_OVER;
}

static void sweep(struct session *session)
{
    struct renewal **link = &session->renewals;

    while (*link != NULL) {
        struct renewal *renewal = *link;

        if (renewal->state != RENEWAL_OVER) {
            link = &renewal->next;
            continue;
        }
        *link = renewal->next;
        free(renewal->waiting);
        free(renewal);
    }
}

/* Of those that wait, who hung up or was served anew meanwhile. */
static void forget_gone(struct renewal *renewal)
{
    size_t kept = 0;

    for (size_t at = 0; at < renewal->count; at++) {
        if (renewal->waiting[at]->held)
            renewal->waiting[kept++] = renewal->waiting[at];
        else
            parking_done(renewal->waiting[at], NULL);
    }
    renewal->count = kept;
}

static bool make_room(struct renewal *renewal)
{
    size_t capacity = renewal->capacity == 0 ? 8 : 2 * renewal->capacity;
    struct parking **waiting;

    forget_gone(renewal);
    if (renewal->count < renewal->capacity / 2)
        return true;
    waiting = reallocarray(renewal->waiting, capacity, sizeof(*waiting));
    if (waiting == NULL)
        return false;
    renewal->waiting = waiting;
    renewal->capacity = capacity;
    return true;
}

static enum status attach(struct renewal *renewal, struct parking *parking, struct failure *failure)
{
    if (renewal->count == renewal->capacity && !make_room(renewal))
        return failure_set_no_memory(failure);
    renewal->waiting[renewal->count++] = parking;
    parking_await(parking);
    return STATUS_OK;
}

/* ---- asking ---- */

static struct renewal *renewal_find_or_make(struct session *session, const uint8_t id[STORE_ID_SIZE],
                                            struct failure *failure)
{
    struct renewal *renewal = renewal_find(session, id);
    struct renewal **last = &session->renewals;

    if (renewal != NULL)
        return renewal;
    renewal = calloc(1, sizeof(*renewal));
    if (renewal == NULL) {
        failure_set_no_memory(failure);
        return NULL;
    }
    renewal->session = session;
    renewal->borrows = !session->unlocked;
    memcpy(renewal->id, id, STORE_ID_SIZE);
    session->borrowers += renewal->borrows;
    while (*last != NULL)
        last = &(*last)->next;
    *last = renewal;
    return renewal;
}

enum status renewal_ask(struct session *session, const uint8_t id[STORE_ID_SIZE], bool force,
                        struct parking *parking, struct failure *failure)
{
    struct renewal *renewal = renewal_find_or_make(session, id, failure);

    if (renewal == NULL)
        return failure->status;
    renewal->force = renewal->force || force;
    return attach(renewal, parking, failure);
}

enum status renewal_ask_instead(struct session *session, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                                struct parking *parking, struct failure *failure)
{
    struct renewal *renewal = renewal_find_or_make(session, id, failure);

    if (renewal == NULL)
        return failure->status;
    renewal->rejected = generation;
    return attach(renewal, parking, failure);
}

enum status renewal_join(struct session *session, const uint8_t id[STORE_ID_SIZE], struct parking *parking,
                         struct failure *failure)
{
    struct renewal *renewal = renewal_find(session, id);

    return renewal == NULL ? STATUS_OK : attach(renewal, parking, failure);
}

static bool is_leased(const struct session *session, const uint8_t id[STORE_ID_SIZE])
{
    const struct renewal *renewal = renewal_find(session, id);

    return renewal != NULL && renewal->state == RENEWAL_LEASED;
}

/* What a call that waited is told of what it waited for. The account's own record says why its token could
 * not be renewed. */
static enum status take_outcome(const struct parking *before, struct failure *failure)
{
    switch (before->failure.status) {
    case STATUS_OK:
    case STATUS_NEEDS_RECONNECT:
    case STATUS_TOKEN_UNAVAILABLE:
        return STATUS_OK;
    default:
        *failure = before->failure;
        return failure->status;
    }
}

enum status renewal_wait(struct session *session, const uint8_t id[STORE_ID_SIZE], bool usable,
                         const struct parking *before, struct failure *failure, struct parking **parking)
{
    const bool over = before != NULL && before->pending == 0;
    const bool patient =
        before == NULL || session->alone || clock_monotonic_ms() < before->since_ms + PARKING_PATIENCE_MS;
    enum status status;

    if (usable && (!patient || over || session->draining || is_leased(session, id)))
        return STATUS_OK;
    if (over) {
        status = take_outcome(before, failure);
        if (status != STATUS_OK || before->failure.status != STATUS_OK || before->rounds + 1 >= ROUNDS_MAX)
            return status;
    }
    if (session->draining && renewal_find(session, id) == NULL)
        return STATUS_OK;
    status = parking_begin(session, before, failure, parking);
    if (status == STATUS_OK)
        status = renewal_ask(session, id, false, *parking, failure);
    if (status != STATUS_OK)
        return status;
    if (usable && !session->alone)
        (*parking)->until_ms = (*parking)->since_ms + PARKING_PATIENCE_MS;
    return failure_set(failure, STATUS_WAITS, "the token is being renewed");
}

/* ---- the helper's answer ---- */

static void take_answer(void *context, enum task_outcome outcome, struct json *answer)
{
    struct renewal *renewal = context;
    struct token_result *result = &renewal->result;
    struct failure failure;

    renewal->task = NULL;
    renewal->answer = answer;
    *result = (struct token_result){0};
    if (outcome == TASK_UNSENT) {
        token_make_failed(result, "the helper ended before it was asked");
        result->sent = false;
    } else if (outcome == TASK_LOST) {
        token_make_failed(result, "the helper gave no answer");
    } else if (token_read_answer(answer, &failure, result) != STATUS_OK) {
        token_make_failed(result, "the helper's answer cannot be read");
    }
    renewal->state = RENEWAL_ANSWERED;
    renewal->at_ms = 0;
}

static const struct task_listener listener = {.end = take_answer};

/* ---- the two turns ---- */

static enum status append(struct session *session, struct leaf *leaf, struct failure *failure)
{
    return leaf->appended ? STATUS_OK : log_append(session->vault, leaf, failure);
}

/* In a turn of its own, so that one that cannot be stored does not keep others from it. */
static enum status store(struct renewal *renewal, struct failure *failure, enum token_settled *ret_settled)
{
    CLEANUP(leaf_reset) struct leaf leaf = {.action = "refreshed", .caller = &renewal->session->self};
    struct session *session = renewal->session;
    enum status status = session_begin(session, failure);

    if (status != STATUS_OK)
        return status;
    status = token_settle(session->vault, &renewal->job, &renewal->result, clock_wall_ms(), &leaf, failure,
                          ret_settled);
    status = session_end_turn(session, status, &leaf, failure);
    session->suspect = session->suspect || status == STATUS_CORRUPT;
    return status;
}

static enum status tell_outcome(const struct renewal *renewal, enum token_settled settled,
                                struct failure *failure)
{
    const struct token_result *result = &renewal->result;

    if (settled != TOKEN_FAILED)
        return STATUS_OK;
    return failure_set(failure,
                       result->verdict == TOKEN_INVALID ? STATUS_NEEDS_RECONNECT : STATUS_TOKEN_UNAVAILABLE,
                       "the token could not be renewed: %s", result->reason);
}

/* Whoever waits is told at once that nothing can be stored; the answer stays. */
static void settle(struct renewal *renewal)
{
    enum token_settled settled;
    struct failure failure;
    enum status status = store(renewal, &failure, &settled);

    if (renewal->state == RENEWAL_OVER) /* the file is not the vault's any more */
        return;
    if (status == STATUS_OK) {
        status = tell_outcome(renewal, settled, &failure);
        renewal_end(renewal, status == STATUS_OK ? NULL : &failure);
        return;
    }
    if (!renewal->unstored && renewal->result.verdict == TOKEN_GIVEN)
        journal_trouble("a renewed token cannot be stored yet, and is kept in memory");
    renewal->unstored = true;
    renewal->at_ms = clock_monotonic_ms() + RENEWAL_AGAIN_MS;
    wake(renewal, &failure);
}

/* Whoever has a token that still works need not wait for it: all are served anew, and the others wait on,
 * for LEASE_MS at most. */
static enum status wait_for_lease(struct renewal *renewal, uint64_t left_ms, struct failure *failure)
{
    if (renewal->state == RENEWAL_LEASED)
        return failure_set(failure, STATUS_TOKEN_UNAVAILABLE,
                           "a request for a new token may still be under way, of an agent that has ended");
    renewal->state = RENEWAL_LEASED;
    left_ms += CLOCKS_MS;
    renewal->at_ms = clock_monotonic_ms() + (left_ms < LEASE_MS ? left_ms : LEASE_MS);
    for (size_t at = 0; at < renewal->count; at++)
        renewal->waiting[at]->until_ms = 1;
    renewal->session->woken = renewal->session->woken || renewal->count > 0;
    return STATUS_OK;
}

/* Of what an API refused: whether it is still what the account has. */
static enum status check_rejected(const struct renewal *renewal, struct failure *failure, bool *ret_rejected)
{
    enum token_rejection rejection;
    enum status status;

    *ret_rejected = false;
    if (renewal->rejected == 0)
        return STATUS_OK;
    status =
        token_judge_rejection(renewal->session->vault, renewal->id, renewal->rejected, failure, &rejection);
    *ret_rejected = status == STATUS_OK && rejection == TOKEN_RENEWABLE;
    return status;
}

/* Its part of the turn. */
static enum status begin_one(struct renewal *renewal, struct failure *failure)
{
    CLEANUP(leaf_reset) struct leaf leaf = {.action = "refresh", .caller = &renewal->session->self};
    struct session *session = renewal->session;
    const uint64_t now_ms = clock_wall_ms();
    enum token_begun begun;
    uint64_t until_ms;
    bool rejected;
    enum status status = check_rejected(renewal, failure, &rejected);

    if (status == STATUS_OK)
        status = token_begin(session->vault, renewal->id, now_ms, renewal->force || rejected, &leaf, failure,
                             &begun, &until_ms, &renewal->job);
    if (status != STATUS_OK)
        return status;
    renewal->job.rejected = rejected;
    if (begun == TOKEN_LEASED)
        return wait_for_lease(renewal, until_ms > now_ms ? until_ms - now_ms : 0, failure);
    if (begun == TOKEN_NOT_DUE) {
        renewal_end(renewal, NULL);
        return STATUS_OK;
    }
    leaf.granted = true;
    renewal->state = RENEWAL_SENT;
    return append(session, &leaf, failure);
}

static void send_job(struct renewal *renewal)
{
    renewal->deadline_ms = clock_monotonic_ms() + TASK_LIMIT_MS + STORE_MS;
    if (task_start(renewal->session->tasks, &renewal->job.line, false, TASK_LIMIT_MS, &listener, renewal,
                   &renewal->unsent, &renewal->task) == STATUS_OK)
        return;
    take_answer(renewal, TASK_UNSENT, NULL);
    renewal->result.reason = renewal->unsent.sentence;
}

static bool is_to_begin(const struct renewal *renewal, uint64_t now_ms)
{
    return renewal->state == RENEWAL_ASKED || (renewal->state == RENEWAL_LEASED && renewal->at_ms <= now_ms);
}

/* The agent of one command begins nothing for a command that has its answer: it would be ended meanwhile. */
static bool is_awaited(const struct renewal *renewal)
{
    bool held = false;

    for (size_t at = 0; at < renewal->count; at++)
        held = held || renewal->waiting[at]->held;
    return held;
}

/* Of those that are to begin, `state` SENT is what this turn began. */
static void begun_fail(struct session *session, const struct failure *failure)
{
    for (struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next) {
        if (renewal->state == RENEWAL_SENT && renewal->task == NULL)
            renewal_end(renewal, failure);
    }
}

/* One commit for all that helpers can be started for. One whose account or client is gone is nobody else's
 * failure, unless it had changed something. */
static void begin(struct session *session, uint64_t now_ms)
{
    size_t room = TASKS_MAX - session->tasks->count;
    struct failure failure;
    enum status status = STATUS_OK;

    for (struct renewal *renewal = session->renewals; renewal != NULL && room > 0; renewal = renewal->next) {
        struct vault_mark mark;

        if (!is_to_begin(renewal, now_ms))
            continue;
        if (session->alone && !is_awaited(renewal)) {
            renewal_end(renewal, NULL);
            continue;
        }
        status = session_begin(session, &failure);
        if (status != STATUS_OK) {
            if (renewal->state != RENEWAL_OVER)
                renewal_end(renewal, &failure);
            break;
        }
        mark = vault_set_mark(session->vault);
        status = begin_one(renewal, &failure);
        if (status != STATUS_OK) {
            renewal_end(renewal, &failure);
            if (vault_is_broken(session->vault) || vault_has_moved(session->vault, &mark))
                break;
            status = STATUS_OK;
        }
        room -= renewal->state == RENEWAL_SENT;
    }
    if (status == STATUS_OK)
        status = session_commit(session, &failure);
    else
        session_rollback(session);
    if (status != STATUS_OK) {
        begun_fail(session, &failure);
        return;
    }
    for (struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next) {
        if (renewal->state == RENEWAL_SENT && renewal->task == NULL)
            send_job(renewal);
    }
}

void renewals_work(struct session *session)
{
    const uint64_t now_ms = clock_monotonic_ms();
    bool any = false;

    if (session->renewals == NULL || session->turn)
        return;
    for (struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next) {
        if (renewal->state == RENEWAL_ANSWERED && renewal->at_ms <= now_ms)
            settle(renewal);
    }
    for (struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next)
        any = any || is_to_begin(renewal, now_ms);
    if (any && tasks_have_room(session->tasks, false))
        begin(session, now_ms);
    sweep(session);
    session_close(session);
}

uint64_t renewals_due(const struct session *session)
{
    const uint64_t now_ms = clock_monotonic_ms();
    uint64_t earliest = 0;

    for (const struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next) {
        uint64_t at_ms = renewal->at_ms == 0 ? 1 : renewal->at_ms;

        if (renewal->state == RENEWAL_SENT ||
            (is_to_begin(renewal, now_ms) && !tasks_have_room(session->tasks, false)))
            continue;
        if (renewal->state == RENEWAL_ASKED || renewal->state == RENEWAL_OVER)
            at_ms = 1;
        if (earliest == 0 || at_ms < earliest)
            earliest = at_ms;
    }
    return earliest;
}

size_t renewals_under_way(const struct session *session)
{
    const uint64_t now_ms = clock_monotonic_ms();
    size_t count = 0;

    for (const struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next)
        count += (renewal->state == RENEWAL_SENT || renewal->state == RENEWAL_ANSWERED) &&
                 now_ms < renewal->deadline_ms;
    return count;
}

void renewals_abandon(struct session *session)
{
    struct failure failure;

    failure_set(&failure, STATUS_LOCKED, "the vault is being locked");
    for (struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next) {
        if (renewal->state == RENEWAL_ASKED || renewal->state == RENEWAL_LEASED)
            renewal_end(renewal, &failure);
    }
}

void renewals_drop_all(struct session *session)
{
    struct failure failure;

    failure_set(&failure, STATUS_LOCKED, "the vault was locked meanwhile");
    for (struct renewal *renewal = session->renewals; renewal != NULL; renewal = renewal->next) {
        if (renewal->state == RENEWAL_OVER)
            continue;
        if (renewal->state == RENEWAL_ANSWERED && renewal->result.verdict == TOKEN_GIVEN)
            journal_trouble("a renewed token could not be stored before the vault was closed");
        renewal_end(renewal, &failure);
    }
}
