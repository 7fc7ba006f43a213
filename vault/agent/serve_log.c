/* The access log: reading, verifying, its signed head and its verifier key. */
#include "agent/serve.h"

#include "agent/growth.h"
#include "agent/job.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "log.h"

#include <inttypes.h>
#include <string.h>

#define PRUNE_TILES 64u /* in one turn */

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
        .pruned = json_member_boolean(parameters, "pruned", false),
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
    const char *note = json_member_text(request->parameters, "against");
    struct growth growth;
    enum status status =
        note == NULL ? STATUS_OK : growth_read(session->vault, note, &request->failure, &growth);

    return status == STATUS_OK ? job_start_verifying(session, note == NULL ? NULL : &growth,
                                                     !session->unlocked, &request->failure, &request->job)
                               : status;
}

static enum status read_index(struct request *request, const char *name, uint64_t fallback,
                              uint64_t *ret_number)
{
    int64_t number;

    *ret_number = fallback;
    if (!json_number(json_member(request->parameters, name), &number))
        return STATUS_OK;
    if (number < 0)
        return failure_set(&request->failure, STATUS_INVALID, "%s is counted from 0 on", name);
    *ret_number = (uint64_t)number;
    return STATUS_OK;
}

/* The line goes along where there is one, so that a receipt says what it is of. */
static enum status write_leaf(struct session *session, struct request *request, uint64_t index)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct json_writer *writer = &request->reply.writer;
    bool pruned = log_is_pruned(session->vault, index);
    uint8_t hash[MERKLE_HASH_SIZE];
    enum status status = pruned ? log_read_hash(session->vault, index, &request->failure, hash)
                                : log_read(session->vault, index, &request->failure, &line, hash);

    if (status != STATUS_OK)
        return status;
    json_add_number(writer, "index", index);
    json_add_hex(writer, "hash", hash, sizeof(hash));
    if (!pruned)
        json_add_bytes(writer, "line", line.bytes, line.size);
    return STATUS_OK;
}

enum status serve_prove_leaf(struct session *session, struct request *request)
{
    struct failure *failure = &request->failure;
    struct merkle_proof proof;
    char note[NOTE_MAX];
    uint64_t index, size;
    enum status status = read_index(request, "index", 0, &index);

    if (status == STATUS_OK)
        status = read_index(request, "size", log_size(session->vault), &size);
    if (status == STATUS_OK && index >= size)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "there is no entry %" PRIu64 " among the first %" PRIu64
                           ": they are counted from 0",
                           index, size);
    if (status == STATUS_OK)
        status = log_read_checkpoint(session->vault, size, failure, note);
    if (status == STATUS_OK)
        status = log_prove_inclusion(session->vault, index, size, failure, &proof);
    if (status == STATUS_OK)
        status = write_leaf(session, request, index);
    if (status != STATUS_OK)
        return status;
    json_add_text(&request->reply.writer, "note", note);
    json_open_array(&request->reply.writer, "proof");
    for (size_t at = 0; at < proof.count; at++)
        json_add_base64(&request->reply.writer, NULL, proof.hashes[at], sizeof(proof.hashes[at]));
    json_close_array(&request->reply.writer);
    return STATUS_OK;
}

enum status serve_prune_log(struct session *session, struct request *request)
{
    const char *before = json_member_text(request->parameters, "before");
    struct json_writer *writer = &request->reply.writer;
    struct log_pruning pruning;
    char time[CLOCK_TEXT_SIZE];
    uint64_t before_ms;

    if (!clock_parse(before, clock_wall_ms(), &before_ms))
        return failure_set(&request->failure, STATUS_INVALID, "before is not a time as RFC 3339 has it");
    enum status status = log_prune(session->vault, before_ms, PRUNE_TILES, &request->failure, &pruning);
    if (status != STATUS_OK)
        return status;
    clock_format(time, before_ms);
    if (!secret_append_format(&request->leaf.details,
                              "\"before\":\"%s\",\"pruned\":{\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}", time,
                              pruning.first, pruning.end))
        return failure_set_no_memory(&request->failure);
    json_add_number(writer, "from", pruning.first);
    json_add_number(writer, "to", pruning.end);
    json_add_boolean(writer, "more", pruning.more);
    return STATUS_OK;
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

static void write_eras(const struct vault *vault, struct json_writer *writer)
{
    size_t count;
    const struct log_era *eras = log_eras(vault, &count);

    json_open_array(writer, "eras");
    for (size_t at = 0; at < count; at++) {
        json_open_object(writer, NULL);
        json_add_number(writer, "first", eras[at].first);
        json_add_number(writer, "epoch", eras[at].epoch);
        json_add_text(writer, "instance", eras[at].instance);
        json_add_text(writer, "key", eras[at].verifier);
        if (eras[at].abandoned[0] != '\0')
            json_add_text(writer, "abandoned", eras[at].abandoned);
        json_close_object(writer);
    }
    json_close_array(writer);
}

enum status serve_log_key(struct session *session, struct request *request)
{
    char key[NOTE_VERIFIER_MAX];

    log_verifier(session->vault, key);
    json_add_text(&request->reply.writer, "key", key);
    write_eras(session->vault, &request->reply.writer);
    return STATUS_OK;
}
