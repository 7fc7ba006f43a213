/* The job of Connect, and the session's list of those that are under way. */
#include "agent/connecting.h"

#include "agent/call.h"
#include "agent/job.h"
#include "agent/session.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "crypto/seal.h"

#include <stdlib.h>
#include <string.h>

#define NOTICES_MAX 16u /* that nobody has taken yet */
/* For the helper besides the time of the person: discovery at two places, the exchange, whose account it is.
 */
#define ANSWER_MS 110000u

struct connecting {
    struct session *session;
    struct connecting *next; /* of session->connectings */
    char id[CONNECTING_ID_SIZE];
    struct secret line;
    unsigned seconds;
    struct connected *connected;
    struct connected **place; /* of the connection, which outlives its job */
    struct task *task;
    bool started;
    struct json *notices[NOTICES_MAX]; /* oldest first */
    size_t count;
    bool ended;
    bool cancelled;
    enum task_outcome outcome;
    struct json *answer;
};

void connected_freep(struct connected **connected)
{
    struct connected *freed = TAKE(*connected);

    if (freed == NULL)
        return;
    if (freed->session != NULL)
        freed->session->connected--;
    secret_reset(&freed->requested);
    secret_reset(&freed->requested_user);
    secret_reset(&freed->provider);
    json_freep(&freed->properties);
    json_freep(&freed->answer);
    free(freed);
}

void connected_settle(struct connected **connected, bool durable)
{
    if (*connected == NULL || !(*connected)->kept)
        return;
    if (durable)
        connected_freep(connected);
    else
        (*connected)->kept = false;
}

/* ---- the helper ---- */

static void take_notice(void *context, const struct json *notice)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct connecting *connecting = context;
    struct json_writer writer;
    struct failure ignored;
    struct json *copy;

    json_writer_start(&writer, &text);
    json_add_value(&writer, NULL, notice);
    if (!writer.failed && connecting->count < NOTICES_MAX &&
        json_parse(text.bytes, text.size, "a notice", &ignored, &copy) == STATUS_OK)
        connecting->notices[connecting->count++] = copy;
}

static void take_answer(void *context, enum task_outcome outcome, struct json *answer)
{
    struct connecting *connecting = context;

    connecting->task = NULL;
    connecting->outcome = outcome;
    connecting->answer = answer;
    connecting->ended = true;
    if (connecting->connected != NULL)
        connecting->connected->obtained_ms = clock_wall_ms();
}

static const struct task_listener listener = {.hear = take_notice, .end = take_answer};

/* ---- the job ---- */

static enum status start(struct connecting *connecting, struct json_writer *writer, struct failure *failure)
{
    uint8_t id[(CONNECTING_ID_SIZE - 1) / 2];
    enum status status = task_start(connecting->session->tasks, &connecting->line, true,
                                    connecting->seconds * 1000u + ANSWER_MS, &listener, connecting, failure,
                                    &connecting->task);

    if (status != STATUS_OK)
        return status;
    connecting->started = true;
    seal_random(id, sizeof(id));
    text_to_hex(connecting->id, id, sizeof(id));
    json_add_text(writer, "attempt", connecting->id);
    return STATUS_OK;
}

/* What a notice may have; what else is in it is not for the caller. */
static void write_notice(struct connecting *connecting, struct json_writer *writer)
{
    static const char *const texts[] = {"notice", "url", "redirect_uri", "complete_url", "code", "reason"};
    static const char *const numbers[] = {"port", "seconds"};
    CLEANUP(json_freep) struct json *notice = connecting->notices[0];

    connecting->count--;
    memmove(connecting->notices, connecting->notices + 1, connecting->count * sizeof(connecting->notices[0]));
    json_add_text(writer, "attempt", connecting->id);
    for (size_t at = 0; at < sizeof(texts) / sizeof(texts[0]); at++) {
        const char *text = json_member_text(notice, texts[at]);

        if (text != NULL)
            json_add_text(writer, texts[at], text);
    }
    for (size_t at = 0; at < sizeof(numbers) / sizeof(numbers[0]); at++) {
        int64_t number = json_member_number(notice, numbers[at], -1);

        if (number >= 0)
            json_add_number(writer, numbers[at], (uint64_t)number);
    }
}

static void write_connected(const struct connected *connected, struct json_writer *writer)
{
    const struct token_result *result = &connected->result;
    const struct json *value;
    void *iterator = NULL;
    const char *name;

    json_open_array(writer, "properties");
    while (json_next(result->properties, &iterator, &name, &value))
        json_add_text(writer, NULL, name);
    json_close_array(writer);
    if (result->scopes != NULL)
        json_add_text(writer, "scopes", result->scopes);
    if (result->identity == NULL)
        return;
    json_open_object(writer, "identity");
    json_add_text(writer, "id", result->identity);
    if (result->identity_name != NULL)
        json_add_text(writer, "name", result->identity_name);
    json_close_object(writer);
}

static enum status refuse(const struct token_result *result, struct failure *failure)
{
    enum status status = result->verdict == TOKEN_CANCELLED   ? STATUS_TIMEOUT
                         : result->verdict == TOKEN_TRANSIENT ? STATUS_FAILED
                                                              : STATUS_REFUSED;

    return failure_set(failure, status, "%s",
                       result->reason != NULL ? result->reason : status_sentence(status));
}

static enum status finish(struct connecting *connecting, struct json_writer *writer, struct failure *failure)
{
    struct connected *connected = connecting->connected;
    enum status status;

    if (connecting->cancelled)
        return failure_set(failure, STATUS_LOCKED, "the vault is being locked");
    if (connecting->outcome != TASK_ANSWERED)
        return failure_set(failure, STATUS_FAILED, "the helper that connects accounts gave no answer");
    connected->answer = TAKE(connecting->answer);
    status = token_read_answer(connected->answer, failure, &connected->result);
    if (status == STATUS_OK && connected->result.verdict != TOKEN_GIVEN)
        status = refuse(&connected->result, failure);
    if (status != STATUS_OK)
        return status;
    if (connected->result.age_ms < connected->obtained_ms)
        connected->obtained_ms -= connected->result.age_ms;
    write_connected(connected, writer);
    connected_freep(connecting->place);
    connected->session = connecting->session;
    connected->session->connected++;
    *connecting->place = TAKE(connecting->connected);
    return STATUS_OK;
}

static enum status connecting_slice(void *context, struct reply *reply, struct failure *failure,
                                    bool *ret_last, bool *ret_due)
{
    struct connecting *connecting = context;

    *ret_due = true;
    if (!connecting->started && !connecting->ended)
        return start(connecting, &reply->writer, failure);
    if (connecting->count > 0 && !connecting->cancelled) {
        write_notice(connecting, &reply->writer);
        return STATUS_OK;
    }
    *ret_last = true;
    return finish(connecting, &reply->writer, failure);
}

static bool connecting_waits(const void *context)
{
    const struct connecting *connecting = context;

    return connecting->started && !connecting->ended && connecting->count == 0;
}

static void connecting_release(void *context)
{
    struct connecting *connecting = context;

    for (struct connecting **link = &connecting->session->connectings; *link != NULL; link = &(*link)->next) {
        if (*link == connecting) {
            *link = connecting->next;
            break;
        }
    }
    task_cancel(&connecting->task);
    for (size_t at = 0; at < connecting->count; at++)
        json_freep(&connecting->notices[at]);
    json_freep(&connecting->answer);
    connected_freep(&connecting->connected);
    secret_reset(&connecting->line);
    free(connecting);
}

static const struct job_work work = {
    .slice = connecting_slice, .release = connecting_release, .waits = connecting_waits, .hears = true};

enum status connecting_start(struct session *session, struct secret *line, unsigned seconds,
                             struct connected **connected, struct connected **place, struct failure *failure,
                             struct job **ret_job)
{
    struct connecting *connecting;
    enum status status;

    if (session->connected >= CONNECTED_MAX)
        return failure_set(failure, STATUS_BUSY, "%u accounts were connected and wait to be kept",
                           CONNECTED_MAX);
    connecting = calloc(1, sizeof(*connecting));
    if (connecting == NULL)
        return failure_set_no_memory(failure);
    *connecting = (struct connecting){.session = session,
                                      .next = session->connectings,
                                      .line = *line,
                                      .seconds = seconds,
                                      .connected = TAKE(*connected),
                                      .place = place};
    *line = (struct secret){0};
    session->connectings = connecting;
    status = job_start(session, false, &work, connecting, failure, ret_job);
    if (status != STATUS_OK)
        connecting_release(connecting);
    return status;
}

/* ---- from other calls ---- */

enum status connecting_answer(struct session *session, const char *attempt, const char *url,
                              struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct connecting *connecting = session->connectings;
    struct json_writer writer;

    while (connecting != NULL && (!connecting->started || strcmp(connecting->id, attempt) != 0))
        connecting = connecting->next;
    if (connecting == NULL || connecting->task == NULL)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "there is no such attempt to connect an account any more");
    if (strlen(url) > CONNECTING_URL_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the address is over %u KiB",
                           CONNECTING_URL_MAX / 1024);
    json_writer_start(&writer, &line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "url", url);
    json_close_object(&writer);
    if (writer.failed)
        return failure_set_no_memory(failure);
    return task_write(connecting->task, &line, failure);
}

void connectings_cancel_all(struct session *session)
{
    for (struct connecting *at = session->connectings; at != NULL; at = at->next) {
        task_cancel(&at->task);
        at->cancelled = true;
        at->ended = true;
    }
}
