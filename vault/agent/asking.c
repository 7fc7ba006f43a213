/* The jobs of TestAccount and DisconnectAccount. */
#include "agent/asking.h"

#include "account.h"
#include "agent/call.h"
#include "agent/job.h"
#include "agent/session.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "log.h"

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
    bool removes;
    char account[33];
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

static enum status write_test(const struct asking *asking, struct json_writer *writer)
{
    int64_t code = json_member_number(asking->answer, "status", 0);

    json_add_boolean(writer, "works",
                     json_member_is(asking->answer, "answer", "tested") &&
                         json_member_boolean(asking->answer, "works", false));
    if (code > 0)
        json_add_number(writer, "status", (uint64_t)code);
    write_identity(json_member(asking->answer, "identity"), writer);
    write_reason(reason_of(asking, "tested"), writer);
    return STATUS_OK;
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

    json_writer_start(&writer, &object);
    json_open_object(&writer, NULL);
    write_revoked(asking, &writer);
    json_close_object(&writer);
    if (writer.failed || !secret_append(&leaf->details, object.bytes + 1, object.size - 2))
        return failure_set_no_memory(failure);
    return STATUS_OK;
}

static enum status remove_account(struct asking *asking, struct failure *failure)
{
    CLEANUP(leaf_reset)
    struct leaf leaf = {.action = "disconnected", .granted = true, .caller = &asking->caller};
    struct session *session = asking->session;
    enum status status = session_begin(session, failure);

    if (status != STATUS_OK)
        return status;
    status = account_remove(session->vault, asking->account, &leaf, failure);
    if (status == STATUS_OK)
        status = describe(asking, &leaf, failure);
    if (status == STATUS_OK)
        status = log_append(session->vault, &leaf, failure);
    if (status == STATUS_OK)
        return session_commit(session, failure);
    session_rollback(session);
    return status;
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

    if (!asking->started) {
        asking->started = true;
        status = task_start(asking->session->tasks, &asking->line, false, TASK_LIMIT_MS, &listener, asking,
                            failure, &asking->task);
        asking->ended = status != STATUS_OK;
        /* Where there can be no helper nothing is revoked, and the account removed all the same; not where
         * there are too many just now. */
        return asking->removes && status != STATUS_BUSY ? STATUS_OK : status;
    }
    *ret_last = true;
    *ret_due = true;
    return asking->removes ? write_end(asking, &reply->writer, failure) : write_test(asking, &reply->writer);
}

static bool asking_waits(const void *context)
{
    const struct asking *asking = context;

    return asking->started && !asking->ended;
}

static void asking_release(void *context)
{
    struct asking *asking = context;

    task_cancel(&asking->task);
    json_freep(&asking->answer);
    secret_reset(&asking->line);
    free(asking);
}

static const struct job_work work = {.slice = asking_slice, .release = asking_release, .waits = asking_waits};

static enum status start(struct session *session, struct secret *line, struct failure *failure,
                         struct asking **ret_asking, struct job **ret_job)
{
    struct asking *asking = calloc(1, sizeof(*asking));
    enum status status;

    if (asking == NULL)
        return failure_set_no_memory(failure);
    asking->session = session;
    asking->line = *line;
    *line = (struct secret){0};
    status = job_start(session, !session->unlocked, &work, asking, failure, ret_job);
    if (status != STATUS_OK)
        asking_release(asking);
    else
        *ret_asking = asking;
    return status;
}

enum status asking_start_test(struct session *session, struct secret *line, struct failure *failure,
                              struct job **ret_job)
{
    struct asking *asking;

    return start(session, line, failure, &asking, ret_job);
}

enum status asking_start_end(struct session *session, struct secret *line, const struct record *account,
                             const struct leaf_caller *caller, struct failure *failure, struct job **ret_job)
{
    struct asking *asking;
    enum status status = start(session, line, failure, &asking, ret_job);

    if (status != STATUS_OK)
        return status;
    asking->removes = true;
    asking->caller = *caller;
    account_id(account, asking->account);
    return STATUS_OK;
}
