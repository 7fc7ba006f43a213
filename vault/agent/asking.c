/* The jobs of TestAccount and DisconnectAccount. */
#include "agent/asking.h"

#include "account.h"
#include "agent/call.h"
#include "agent/job.h"
#include "agent/parking.h"
#include "agent/rejection.h"
#include "agent/renewal.h"
#include "agent/session.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

#define REVOKED_MAX 8u
#define NO_ANSWER "the helper gave no answer"

struct asking {
    struct session *session;
    struct secret line;
    struct task *task;
    bool started;
    bool ended;
    struct json *answer;
    struct failure unsent; /* why no helper could be started */
    bool removes;
    char account[33];
    uint8_t id[STORE_ID_SIZE];
    uint64_t generation; /* of the token that is tested */
    struct rejection *rejection;
    struct parking *parking; /* of a removal, for renewals that were begun meanwhile */
    bool again;              /* the test has been asked for a second time */
    struct failure why;      /* a token that is not taken could not be renewed; or STATUS_OK */
    struct leaf_caller caller;
};

static void take_answer(void *context, enum task_outcome outcome, struct json *answer)
{
    struct asking *asking = context;

    (void)outcome;
    asking->task = NULL;
    asking->answer = answer;
    asking->ended = true;
}

static const struct task_listener listener = {.end = take_answer};

/* Why there is nothing better to say; NULL if the helper did what it was asked for. */
static const char *reason_of(const struct asking *asking, const char *answer)
{
    const char *reason = json_member_text(asking->answer, "reason");

    if (json_member_is(asking->answer, "answer", answer))
        return reason;
    if (asking->unsent.status != STATUS_OK)
        return asking->unsent.sentence;
    return json_member_is(asking->answer, "answer", "failed") && reason != NULL ? reason : NO_ANSWER;
}

static void write_reason(const char *reason, struct json_writer *writer)
{
    struct failure plain;

    if (reason == NULL)
        return;
    failure_set(&plain, STATUS_FAILED, "%s", reason);
    json_add_text(writer, "reason", plain.sentence);
}

static void write_identity(const struct json *identity, struct json_writer *writer)
{
    const char *id = json_member_text(identity, "id");
    const char *name = json_member_text(identity, "name");

    if (id == NULL && name == NULL)
        return;
    json_open_object(writer, "identity");
    if (id != NULL)
        json_add_text(writer, "id", id);
    if (name != NULL)
        json_add_text(writer, "name", name);
    json_close_object(writer);
}

/* ---- once more, with the tokens that the account has by now ---- */

/* The job for the token that the account has by now, with a leaf of its own: it leaves, too. */
static enum status prepare_again(struct asking *asking, struct failure *failure)
{
    CLEANUP(leaf_reset)
    struct leaf leaf = {
        .action = asking->removes ? "disconnect" : "test", .granted = true, .caller = &asking->caller};
    CLEANUP(record_reset) struct record account = {0};
    struct session *session = asking->session;
    enum status status = session_begin(session, failure);

    if (status == STATUS_OK)
        status = account_find_again(session->vault, asking->id, &leaf, failure, &account);
    if (status == STATUS_OK) {
        asking->generation = token_generation(&account);
        status = token_write_job(session->vault, &account, asking->removes ? TOKEN_REVOKE : TOKEN_TEST, &leaf,
                                 failure, &asking->line);
    }
    return session_end_turn(session, status, &leaf, failure);
}

static enum status ask_again(struct asking *asking, struct failure *failure)
{
    enum status status = prepare_again(asking, failure);

    if (status != STATUS_OK)
        return status;
    json_freep(&asking->answer);
    asking->again = true;
    asking->ended = false;
    return task_start(asking->session->tasks, &asking->line, false, TASK_LIMIT_MS, &listener, asking, failure,
                      &asking->task);
}

/* ---- the test ---- */

static bool works(const struct asking *asking)
{
    return json_member_is(asking->answer, "answer", "tested") &&
           json_member_boolean(asking->answer, "works", false);
}

static bool is_rejected(const struct asking *asking)
{
    return json_member_is(asking->answer, "answer", "tested") && !works(asking) &&
           json_member_number(asking->answer, "status", 0) == REJECTION_STATUS;
}

/* True: what comes of it is to be waited for. */
static bool has_recourse(struct asking *asking)
{
    return !asking->again && is_rejected(asking) &&
           rejection_start(asking->session, asking->id, asking->generation, &asking->why,
                           &asking->rejection) == STATUS_OK;
}

/* What is said, and noted, of a token that is not taken. */
static void explain_rejection(const struct asking *asking, struct failure *ret_reason)
{
    const char *reason = reason_of(asking, "tested");

    if (asking->why.status != STATUS_OK)
        failure_set(ret_reason, STATUS_FAILED, "%s, and %s", reason, asking->why.sentence);
    else
        failure_set(ret_reason, STATUS_FAILED, "%s%s", reason,
                    asking->again ? ", with a token that was renewed just now, too" : "");
}

static enum status note_trial(struct asking *asking, const char *reason, struct failure *failure)
{
    CLEANUP(leaf_reset) struct leaf leaf = {.action = "tested", .caller = &asking->caller};
    struct session *session = asking->session;
    bool noted = false;
    enum status status = session_begin(session, failure);

    if (status == STATUS_OK)
        status = token_note_trial(session->vault, asking->id, asking->generation, works(asking), reason,
                                  &leaf, failure, &noted);
    return session_end_turn(session, status, noted ? &leaf : NULL, failure);
}

static enum status write_test(struct asking *asking, bool final, struct json_writer *writer,
                              struct failure *failure)
{
    int64_t code = json_member_number(asking->answer, "status", 0);
    const char *reason = reason_of(asking, "tested");
    struct failure explained;
    enum status status = STATUS_OK;

    if (is_rejected(asking)) {
        explain_rejection(asking, &explained);
        reason = explained.sentence;
    }
    if (works(asking) || (final && is_rejected(asking)))
        status = note_trial(asking, reason, failure);
    if (status != STATUS_OK)
        return status;

    json_add_boolean(writer, "works", works(asking));
    if (code > 0)
        json_add_number(writer, "status", (uint64_t)code);
    write_identity(json_member(asking->answer, "identity"), writer);
    write_reason(reason, writer);
    return STATUS_OK;
}

static enum status finish_test(struct asking *asking, struct reply *reply, struct failure *failure,
                               bool *ret_last)
{
    enum rejection_outcome outcome = REJECTION_FINAL;

    if (asking->rejection == NULL && has_recourse(asking))
        return STATUS_OK;
    if (asking->rejection != NULL)
        outcome = rejection_find_outcome(asking->rejection, &asking->why);
    else if (asking->why.status != STATUS_OK)
        outcome = REJECTION_UNKNOWN;
    rejection_freep(&asking->rejection);
    if (outcome == REJECTION_RETRY)
        return ask_again(asking, failure);
    *ret_last = true;
    return write_test(asking, outcome == REJECTION_FINAL, &reply->writer, failure);
}

/* ---- the end of an account ---- */

/* The names of tokens, which are ours: no text of the helper's goes into the log. */
static void write_revoked(const struct asking *asking, struct json_writer *writer)
{
    static const char *const known[] = {"refresh_token", "access_token"};
    const struct json *revoked = json_member(asking->answer, "revoked");

    json_open_array(writer, "revoked");
    for (size_t at = 0; at < sizeof(known) / sizeof(known[0]); at++) {
        if (json_has_text(revoked, known[at]))
            json_add_text(writer, NULL, known[at]);
    }
    json_close_array(writer);
}

static enum status describe(const struct asking *asking, struct leaf *leaf, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    write_revoked(asking, &writer);
    return leaf_add_details(leaf, &writer) ? STATUS_OK : failure_set_no_memory(failure);
}

static enum status remove_account(struct asking *asking, struct failure *failure)
{
    CLEANUP(leaf_reset)
    struct leaf leaf = {.action = "disconnected", .granted = true, .caller = &asking->caller};
    struct session *session = asking->session;
    enum status status = session_begin(session, failure);

    if (status == STATUS_OK)
        status = account_remove(session->vault, asking->account, &leaf, failure);
    if (status == STATUS_OK)
        status = describe(asking, &leaf, failure);
    return session_end_turn(session, status, &leaf, failure);
}

/* A renewal that was begun meanwhile brings tokens that nobody revoked, and so does connecting anew; this is
 * looked at until neither is so, and then the account removed before anything else can be. */
static enum status look_for_new(struct asking *asking, struct failure *failure, bool *ret_waits)
{
    CLEANUP(record_reset) struct record account = {0};
    struct session *session = asking->session;
    bool found = false;
    enum status status;

    parking_end(&asking->parking);
    status = parking_begin(session, NULL, failure, &asking->parking);
    if (status == STATUS_OK)
        status = renewal_join(session, asking->id, asking->parking, failure);
    *ret_waits = status == STATUS_OK && asking->parking->pending > 0;
    if (status != STATUS_OK || *ret_waits || asking->again)
        return status;
    status = record_find_by_id(session->vault, asking->id, failure, &account, &found);
    if (status != STATUS_OK || !found || token_generation(&account) == asking->generation)
        return status;
    *ret_waits = true;
    return ask_again(asking, failure);
}

static enum status write_end(struct asking *asking, struct json_writer *writer, struct failure *failure)
{
    const char *page = json_member_text(asking->answer, "page");
    enum status status = remove_account(asking, failure);

    if (status != STATUS_OK)
        return status;
    write_revoked(asking, writer);
    if (page != NULL)
        json_add_text(writer, "page", page);
    write_reason(reason_of(asking, "revoked"), writer);
    return STATUS_OK;
}

/* ---- the job ---- */

static enum status asking_slice(void *context, struct reply *reply, struct failure *failure, bool *ret_last,
                                bool *ret_due)
{
    struct asking *asking = context;
    enum status status;
    bool waits;

    if (!asking->started) {
        asking->started = true;
        status = task_start(asking->session->tasks, &asking->line, false, TASK_LIMIT_MS, &listener, asking,
                            failure, &asking->task);
        asking->ended = status != STATUS_OK;
        if (asking->ended)
            asking->unsent = *failure;
        /* Where there can be no helper nothing is revoked, and the account removed all the same; not where
         * there are too many just now. */
        return asking->removes && status != STATUS_BUSY ? STATUS_OK : status;
    }
    if (asking->removes) {
        status = look_for_new(asking, failure, &waits);
        *ret_last = !waits;
        if (status == STATUS_OK && !waits)
            status = write_end(asking, &reply->writer, failure);
    } else {
        status = finish_test(asking, reply, failure, ret_last);
    }
    *ret_due = *ret_last;
    return status;
}

static bool asking_waits(const void *context)
{
    const struct asking *asking = context;

    return (asking->started && !asking->ended) || (asking->parking != NULL && asking->parking->pending > 0) ||
           (asking->rejection != NULL && rejection_is_pending(asking->rejection));
}

static void asking_release(void *context)
{
    struct asking *asking = context;

    task_cancel(&asking->task);
    rejection_freep(&asking->rejection);
    parking_end(&asking->parking);
    json_freep(&asking->answer);
    secret_reset(&asking->line);
    free(asking);
}

static const struct job_work work = {.slice = asking_slice, .release = asking_release, .waits = asking_waits};

static enum status start(struct session *session, struct secret *line, const struct record *account,
                         const struct leaf_caller *caller, bool removes, struct failure *failure,
                         struct job **ret_job)
{
    struct asking *asking = calloc(1, sizeof(*asking));
    enum status status;

    if (asking == NULL)
        return failure_set_no_memory(failure);
    *asking = (struct asking){.session = session,
                              .line = *line,
                              .removes = removes,
                              .generation = token_generation(account),
                              .caller = *caller};
    *line = (struct secret){0};
    memcpy(asking->id, account->id, STORE_ID_SIZE);
    account_id(account, asking->account);
    status = job_start(session, !session->unlocked, &work, asking, failure, ret_job);
    if (status != STATUS_OK)
        asking_release(asking);
    return status;
}

enum status asking_start_test(struct session *session, struct secret *line, const struct record *account,
                              const struct leaf_caller *caller, struct failure *failure, struct job **ret_job)
{
    return start(session, line, account, caller, false, failure, ret_job);
}

enum status asking_start_end(struct session *session, struct secret *line, const struct record *account,
                             const struct leaf_caller *caller, struct failure *failure, struct job **ret_job)
{
    return start(session, line, account, caller, true, failure, ret_job);
}
