/* The access log: reading, verifying, its signed head and its verifier key. */
#include "agent/serve.h"

#include "agent/job.h"
#include "base/clock.h"
#include "log.h"

#include <string.h>

static enum status read_filter(struct request *request, struct job_filter *ret_filter)
{
    const struct json *parameters = request->parameters;
    const char *since = json_member_text(parameters, "since");
    struct job_filter filter = {
        .step = json_member_text(parameters, "step"),
        .account = json_member_text(parameters, "account"),
        .property = json_member_text(parameters, "property"),
        .variable = json_member_text(parameters, "variable"),
        .outcome = json_member_text(parameters, "outcome"),
    };
    int64_t uid;

    if (filter.outcome != NULL && strcmp(filter.outcome, "granted") != 0 &&
        strcmp(filter.outcome, "refused") != 0)
        return failure_set(&request->failure, STATUS_INVALID, "outcome is granted or refused");
    if (since != NULL && !clock_parse(since, clock_wall_ms(), &filter.since_ms))
        return failure_set(&request->failure, STATUS_INVALID, "since is not a time as RFC 3339 has it");
    filter.has_uid = json_number(json_member(parameters, "uid"), &uid);
    if (filter.has_uid && (uid < 0 || uid > UINT32_MAX))
        return failure_set(&request->failure, STATUS_INVALID, "uid is not a user id");
    filter.uid = filter.has_uid ? (uid_t)uid : 0;
    *ret_filter = filter;
    return STATUS_OK;
}

enum status serve_read_log(struct session *session, struct request *request)
{
    struct job_filter filter;
    enum status status = read_filter(request, &filter);

    if (status != STATUS_OK)
        return status;
    return job_start_reading(session, &filter, !session->unlocked, &request->failure, &request->job);
}

enum status serve_verify_log(struct session *session, struct request *request)
{
    return job_start_verifying(session, !session->unlocked, &request->failure, &request->job);
}

/* Handed-out heads are kept, and that is logged as any change is; where nothing can be written the head is
 * handed out all the same. */
enum status serve_checkpoint(struct session *session, struct request *request)
{
    char note[NOTE_MAX];
    bool kept;
    enum status status;

    memcpy(note, log_head(session->vault), sizeof(note));
    kept = session_begin(session, &request->failure) == STATUS_OK &&
           log_keep_head(session->vault, &request->failure) == STATUS_OK;
    if (!kept)
        session_rollback(session);
    request->leaf.granted = true;
    status = session_log(session, &request->leaf, &request->failure);
    if (status != STATUS_OK)
        return status;
    json_add_text(&request->reply.writer, "note", note);
    json_add_boolean(&request->reply.writer, "kept", kept && !session->log_failed);
    return STATUS_OK;
}

enum status serve_log_key(struct session *session, struct request *request)
{
    char key[NOTE_VERIFIER_MAX];

    log_verifier(session->vault, key);
    json_add_text(&request->reply.writer, "key", key);
    return STATUS_OK;
}
