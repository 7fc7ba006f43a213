/* The job of Request. */
#include "agent/requesting.h"

#include "account.h"
#include "agent/call.h"
#include "agent/job.h"
#include "agent/rejection.h"
#include "agent/session.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

#define NOTICES_MAX (1u << 20)

struct requesting {
    struct session *session;
    uint8_t id[STORE_ID_SIZE];
    uint64_t generation; /* of the token that is sent; 0: the account was not connected */
    struct leaf_caller caller;
    struct json *parameters; /* of the call, for the second time */
    struct secret line;
    struct task *task;
    bool runs;  /* counted in the session */
    bool again; /* the request has been made for a second time */
    /* What the helper said last and nobody has taken yet; it is held until then. */
    bool has_head;
    bool has_part;
    uint64_t status;
    struct secret first;   /* line of the reply */
    struct secret headers; /* an array of JSON */
    struct secret part;    /* base64 */
    bool begun;            /* the head was passed on */
    size_t passed;         /* bytes of the body, at most */
    bool ended;
    struct json *answer; /* NULL: there was none */
    struct rejection *rejection;
};

/* ---- what the helper says ---- */

static bool copy_head(struct requesting *requesting, const struct json *notice)
{
    const struct json *headers = json_member(notice, "headers");
    const char *first = json_member_text(notice, "line");
    int64_t status = json_member_number(notice, "status", 0);
    struct json_writer writer;

    if (requesting->begun || status < 100 || status > 999 || first == NULL || headers == NULL)
        return false;
    for (size_t at = 0; at < json_count(headers); at++) {
        if (json_text(json_at(headers, at), NULL) == NULL)
            return false;
    }
    secret_clear(&requesting->first);
    secret_clear(&requesting->headers);
    json_writer_start(&writer, &requesting->headers);
    json_add_value(&writer, NULL, headers);
    requesting->status = (uint64_t)status;
    requesting->has_head = !writer.failed && secret_append_text(&requesting->first, first);
    return requesting->has_head;
}

static bool copy_part(struct requesting *requesting, const struct json *notice)
{
    size_t size = 0;
    const char *part = json_text(json_member(notice, "bytes"), &size);

    if (!requesting->begun || part == NULL || size / 4 * 3 > REQUESTING_BODY_MAX + 2 - requesting->passed)
        return false;
    requesting->passed +=
        size / 4 * 3 - (size > 0 && part[size - 1] == '=') - (size > 1 && part[size - 2] == '=');
    secret_clear(&requesting->part);
    requesting->has_part = secret_append(&requesting->part, part, size);
    return requesting->has_part;
}

static void end_helper(struct requesting *requesting, struct json *answer)
{
    requesting->answer = answer;
    requesting->ended = true;
    requesting->session->requests -= requesting->runs;
    requesting->runs = false;
}

static void take_notice(void *context, const struct json *notice)
{
    struct requesting *requesting = context;
    bool taken = json_member_is(notice, "notice", "reply")  ? copy_head(requesting, notice)
                 : json_member_is(notice, "notice", "body") ? copy_part(requesting, notice)
                                                            : false;

    if (taken) {
        task_hold(requesting->task);
        return;
    }
    task_cancel(&requesting->task);
    end_helper(requesting, NULL);
}

static void take_answer(void *context, enum task_outcome outcome, struct json *answer)
{
    struct requesting *requesting = context;

    (void)outcome;
    requesting->task = NULL;
    end_helper(requesting, answer);
}

static const struct task_listener listener = {
    .hear = take_notice, .end = take_answer, .notices_max = NOTICES_MAX};

/* ---- the job ---- */

static bool has_room(const struct session *session)
{
    return session->requests < REQUESTING_AT_ONCE && tasks_have_room(session->tasks, false);
}

static bool is_running(const struct requesting *requesting)
{
    return requesting->task != NULL || requesting->ended;
}

static enum status start_helper(struct requesting *requesting, struct failure *failure)
{
    enum status status = task_start(requesting->session->tasks, &requesting->line, false, REQUESTING_LIMIT_MS,
                                    &listener, requesting, failure, &requesting->task);

    requesting->runs = status == STATUS_OK;
    requesting->session->requests += requesting->runs;
    return status;
}

/* The helper's job with the token that the account has by now; it leaves, too, so it has a leaf of its own.
 */
static enum status prepare_again(struct requesting *requesting, struct failure *failure)
{
    CLEANUP(leaf_reset)
    struct leaf leaf = {.action = "request", .granted = true, .caller = &requesting->caller};
    CLEANUP(record_reset) struct record account = {0};
    struct session *session = requesting->session;
    enum status status = session_begin(session, failure);

    if (status == STATUS_OK)
        status = account_find_again(session->vault, requesting->id, &leaf, failure, &account);
    if (status == STATUS_OK)
        status = requesting_write(&account, requesting->parameters, &leaf, failure, &requesting->line);
    return session_end_turn(session, status, &leaf, failure);
}

/* Nothing of the first reply is wanted. */
static enum status begin_again(struct requesting *requesting, struct failure *failure)
{
    task_cancel(&requesting->task);
    json_freep(&requesting->answer);
    requesting->session->requests -= requesting->runs;
    requesting->runs = requesting->ended = requesting->has_head = false;
    requesting->again = true;
    return prepare_again(requesting, failure);
}

/* A token that is not taken: true while there is something that may help. Else the reply stands. */
static bool has_recourse(struct requesting *requesting)
{
    struct failure ignored;

    return requesting->generation != 0 && !requesting->again && requesting->status == REJECTION_STATUS &&
           rejection_start(requesting->session, requesting->id, requesting->generation, &ignored,
                           &requesting->rejection) == STATUS_OK;
}

static void write_head(struct requesting *requesting, struct json_writer *writer)
{
    json_add_number(writer, "status", requesting->status);
    json_add_text(writer, "line", secret_text(&requesting->first));
    json_add_raw(writer, "headers", requesting->headers.bytes, requesting->headers.size);
    requesting->has_head = false;
    requesting->begun = true;
    if (requesting->task != NULL)
        task_resume(requesting->task);
}

static enum status pass_head(struct requesting *requesting, struct json_writer *writer,
                             struct failure *failure, bool *ret_due)
{
    enum rejection_outcome outcome = REJECTION_FINAL;
    struct failure ignored;

    if (requesting->rejection == NULL && has_recourse(requesting))
        return STATUS_OK;
    if (requesting->rejection != NULL) {
        outcome = rejection_find_outcome(requesting->rejection, &ignored);
        rejection_freep(&requesting->rejection);
        requesting->again = true;
    }
    if (outcome == REJECTION_RETRY)
        return begin_again(requesting, failure);
    write_head(requesting, writer);
    *ret_due = true;
    return STATUS_OK;
}

static void pass_part(struct requesting *requesting, struct json_writer *writer)
{
    json_add_bytes(writer, "body_base64", requesting->part.bytes, requesting->part.size);
    secret_clear(&requesting->part);
    requesting->has_part = false;
    if (requesting->task != NULL)
        task_resume(requesting->task);
}

static enum status finish(const struct requesting *requesting, struct failure *failure)
{
    const struct json *answer = requesting->answer;
    const char *reason = json_member_text(answer, "reason");

    if (requesting->begun && json_member_is(answer, "answer", "requested"))
        return STATUS_OK;
    if (!json_member_is(answer, "answer", "failed") || reason == NULL)
        return failure_set(failure, STATUS_FAILED, "the helper that makes the request ended %s",
                           requesting->begun ? "before the reply was whole" : "without an answer");
    return failure_set(failure, json_member_is(answer, "verdict", "refused") ? STATUS_REFUSED : STATUS_FAILED,
                       "%s", reason);
}

static enum status requesting_slice(void *context, struct reply *reply, struct failure *failure,
                                    bool *ret_last, bool *ret_due)
{
    struct requesting *requesting = context;

    if (requesting->has_head)
        return pass_head(requesting, &reply->writer, failure, ret_due);
    if (!is_running(requesting))
        return start_helper(requesting, failure);
    *ret_due = true;
    if (requesting->has_part) {
        pass_part(requesting, &reply->writer);
        return STATUS_OK;
    }
    *ret_last = true;
    return finish(requesting, failure);
}

static bool requesting_waits(const void *context)
{
    const struct requesting *requesting = context;

    if (requesting->rejection != NULL)
        return rejection_is_pending(requesting->rejection);
    if (requesting->has_head || requesting->has_part || requesting->ended)
        return false;
    return requesting->task != NULL || !has_room(requesting->session);
}

static void requesting_release(void *context)
{
    struct requesting *requesting = context;

    task_cancel(&requesting->task);
    requesting->session->requests -= requesting->runs;
    rejection_freep(&requesting->rejection);
    json_freep(&requesting->answer);
    json_freep(&requesting->parameters);
    secret_reset(&requesting->line);
    secret_reset(&requesting->first);
    secret_reset(&requesting->headers);
    secret_reset(&requesting->part);
    free(requesting);
}

static const struct job_work work = {
    .slice = requesting_slice, .release = requesting_release, .waits = requesting_waits};

/* All but the vault's name and key. */
static enum status copy_parameters(const struct json *parameters, struct failure *failure,
                                   struct json **ret_parameters)
{
    static const char *const names[] = {"method", "url", "headers", "body_base64"};
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    for (size_t at = 0; at < sizeof(names) / sizeof(names[0]); at++) {
        const struct json *value = json_member(parameters, names[at]);

        if (value != NULL)
            json_add_value(&writer, names[at], value);
    }
    json_close_object(&writer);
    return writer.failed ? failure_set_no_memory(failure)
                         : json_parse(text.bytes, text.size, "the request", failure, ret_parameters);
}

enum status requesting_start(struct session *session, struct secret *line, const struct record *account,
                             const struct json *parameters, const struct leaf_caller *caller,
                             struct failure *failure, struct job **ret_job)
{
    struct requesting *requesting = calloc(1, sizeof(*requesting));
    enum status status;

    if (requesting == NULL)
        return failure_set_no_memory(failure);
    *requesting = (struct requesting){
        .session = session, .generation = token_generation(account), .caller = *caller, .line = *line};
    *line = (struct secret){0};
    memcpy(requesting->id, account->id, STORE_ID_SIZE);
    status = copy_parameters(parameters, failure, &requesting->parameters);
    if (status == STATUS_OK)
        status = job_start(session, !session->unlocked, &work, requesting, failure, ret_job);
    if (status != STATUS_OK)
        requesting_release(requesting);
    return status;
}
