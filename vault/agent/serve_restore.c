/* StageRestore and Restore: a copy of the vault comes in parts, is verified between turns, and takes the
 * place of the vault, whose agent ends then. */
#include "agent/serve.h"

#include "agent/job.h"
#include "agent/renewal.h"
#include "agent/restoring.h"
#include "agent/stage.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "pin.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_MS 1000u

static enum status stage_data(struct request *request, struct restoration *staged)
{
    CLEANUP(secret_reset) struct secret bytes = {0};
    size_t size = 0;
    const char *data = json_text(json_member(request->parameters, "data"), &size);

    if (!text_append_from_base64(&bytes, data, size))
        return failure_set(&request->failure, STATUS_INVALID, "data is not canonical base64");
    return bytes.size == 0 ? STATUS_OK
                           : restoration_write(staged, bytes.bytes, bytes.size, &request->failure);
}

static const char *read_pinned(const struct session *session, struct pin *pin)
{
    struct failure ignored;

    return session->pinner.folder[0] != '\0' &&
                   pin_read(session->pinner.folder, session->path, &ignored, pin) == STATUS_OK
               ? pin->note
               : NULL;
}

/* Another vault that this machine saw last at the path, whatever is there now: its pin will be gone. */
static void write_last_seen(const struct session *session, const uint8_t id[SEAL_ID_SIZE],
                            struct json_writer *writer)
{
    char seen[PIN_VAULT_ID_SIZE], restored[PIN_VAULT_ID_SIZE];
    struct pin pin;

    if (read_pinned(session, &pin) == NULL || !pin_vault_id(&pin, seen))
        return;
    text_to_hex(restored, id, SEAL_ID_SIZE);
    if (strcmp(seen, restored) != 0)
        json_add_text(writer, "last_seen", seen);
}

static enum status end_staging(struct session *session, struct request *request, struct restoration *staged)
{
    struct json_writer *writer = &request->reply.writer;
    struct restoration_copy copy;
    enum status status;

    if (session->vault == NULL)
        job_let_go_all(session);
    status = restoration_end(staged, session->vault, session->wait_ms, &request->failure, &copy);
    if (status != STATUS_OK)
        return status;
    json_add_hex(writer, "vault_id", copy.id, sizeof(copy.id));
    json_add_number(writer, "epoch", copy.epoch);
    json_open_array(writer, "slots");
    for (size_t at = 0; at < copy.count; at++)
        serve_write_slot(writer, &copy.headers[at]);
    json_close_array(writer);
    json_add_boolean(writer, "replaces", copy.replaces);
    write_last_seen(session, copy.id, writer);
    free(copy.headers);
    return STATUS_OK;
}

/* The staged copy of the call's connection. */
static enum status find_staged(const struct request *request, struct failure *failure,
                               struct restoration **ret_staged)
{
    const struct restoring *restoring = *request->restoring;

    *ret_staged = restoring != NULL ? restoring_staged(restoring) : NULL;
    if (restoring == NULL)
        return failure_set(failure, STATUS_NOT_FOUND, "nothing was staged to be restored on this connection");
    if (*ret_staged == NULL)
        return failure_set(failure, STATUS_LOCKED, "the agent ends, and dropped what was staged");
    return STATUS_OK;
}

enum status serve_stage_restore(struct session *session, struct request *request)
{
    struct restoration *staged = NULL;
    enum status status = STATUS_OK;

    if (*request->restoring == NULL)
        status = restoring_start(session, &request->failure, request->restoring);
    if (status == STATUS_OK)
        status = find_staged(request, &request->failure, &staged);
    if (status == STATUS_OK)
        status = stage_data(request, staged);
    if (status == STATUS_OK && json_member_boolean(request->parameters, "last", false))
        status = end_staging(session, request, staged);
    return status;
}

/* ---- Restore ---- */

struct restore {
    struct session *session;
    struct restoring **restoring; /* of the connection */
    struct vault_key *key;        /* secret memory */
    struct leaf_caller caller;
    bool commits;
    uint64_t replied_at_ms;
};

static void restore_release(void *context)
{
    struct restore *restore = context;

    secret_free(restore->key);
    free(restore);
}

static void write_head(struct json_writer *writer, const char *name, const struct restoration_head *head)
{
    char time[CLOCK_TEXT_SIZE];

    if (!head->known)
        return;
    json_open_object(writer, name);
    json_add_text(writer, "origin", head->checkpoint.origin);
    json_add_number(writer, "size", head->checkpoint.size);
    json_add_hex(writer, "root", head->checkpoint.root, sizeof(head->checkpoint.root));
    clock_format(time, head->time_ms);
    if (head->time_ms != 0)
        json_add_text(writer, "time", time);
    json_close_object(writer);
}

/* Without a pin the vault opens all the same. */
static void write_pin(const struct session *session, const char *note)
{
    struct failure ignored;

    if (session->pinner.folder[0] != '\0' &&
        pin_write(session->pinner.folder, session->path, note, true, &ignored) == STATUS_OK)
        pin_sync(session->pinner.folder);
}

/* The restored vault opens under a pin of exactly the head that it names as abandoned, should we end before
 * it has one of its own; under one before that it would be behind. */
static void pin_abandoned(void *context, const struct restoration_heads *heads)
{
    const struct restore *restore = context;

    if (heads->abandoned.known)
        write_pin(restore->session, heads->abandoned.note);
}

/* From here on nobody is served of the old vault: its file may be gone. */
static enum status publish(struct restore *restore, struct restoration *staged, struct failure *failure,
                           struct restoration_heads *ret_heads, char ret_note[NOTE_MAX])
{
    CLEANUP(leaf_reset)
    struct leaf leaf = {.action = "restore", .caller = &restore->caller};
    struct session *session = restore->session;
    const bool was_open = session->vault != NULL;
    struct pin pin;
    enum status status;

    job_cancel_all(session);
    stage_drop_all(session);
    renewals_drop_all(session);
    status =
        restoration_publish(staged, &session->vault, restore->key, read_pinned(session, &pin),
                            session->wait_ms, &leaf, pin_abandoned, restore, failure, ret_heads, ret_note);
    if (status == STATUS_OK)
        write_pin(session, ret_note);
    session_close(session);
    if (status == STATUS_OK || (was_open && session->vault == NULL))
        session_abandon(session);
    return status;
}

static enum status finish(struct restore *restore, struct restoration *staged, struct reply *reply,
                          struct failure *failure)
{
    struct session *session = restore->session;
    struct restoration_heads heads;
    struct pin pin;
    char note[NOTE_MAX];
    enum status status;

    /* What is foreign is closed by the look, and is then what anything else at the path is. */
    (void)session_look(session, failure);
    if (session->vault == NULL)
        job_let_go_all(session);
    if (restore->commits && session_is_busy(session))
        return failure_set(failure, STATUS_BUSY, "tokens of this vault are being renewed just now");
    status = restore->commits
                 ? publish(restore, staged, failure, &heads, note)
                 : restoration_compare(staged, session->vault, restore->key, read_pinned(session, &pin),
                                       session->wait_ms, failure, &heads);
    if (status != STATUS_OK)
        return status;
    write_head(&reply->writer, "abandoned", &heads.abandoned);
    write_head(&reply->writer, "restored", &heads.restored);
    if (restore->commits)
        json_add_text(&reply->writer, "note", note);
    return STATUS_OK;
}

static enum status restore_slice(void *context, struct reply *reply, struct failure *failure, bool *ret_last,
                                 bool *ret_due)
{
    struct restore *restore = context;
    struct restoration *staged = restoring_staged(*restore->restoring);
    const uint64_t now_ms = clock_monotonic_ms();
    const char *part;
    uint64_t done, total;
    enum status status;

    if (staged == NULL)
        return failure_set(failure, STATUS_LOCKED, "the agent ends, and dropped what was staged");
    status = restoration_check(staged, failure, ret_last);
    if (status != STATUS_OK)
        return status;
    restoration_progress(staged, &part, &done, &total);
    json_add_text(&reply->writer, "part", part);
    json_add_number(&reply->writer, "done", done);
    json_add_number(&reply->writer, "total", total);
    *ret_due = *ret_last || now_ms - restore->replied_at_ms >= PROGRESS_MS;
    if (*ret_due)
        restore->replied_at_ms = now_ms;
    return *ret_last ? finish(restore, staged, reply, failure) : STATUS_OK;
}

static const struct job_work restore_work = {.slice = restore_slice, .release = restore_release};

enum status serve_restore(struct session *session, struct request *request)
{
    struct restoration *staged = NULL;
    struct restore *restore;
    enum status status = find_staged(request, &request->failure, &staged);

    if (status == STATUS_OK && !request->has_key)
        status = failure_set(&request->failure, STATUS_KEY_REQUIRED,
                             "a key of the file that is to be restored is needed");
    if (status == STATUS_OK)
        status = restoration_open(staged, &request->key, &request->failure);
    if (status != STATUS_OK)
        return status;
    restore = calloc(1, sizeof(*restore));
    if (restore == NULL || (restore->key = secret_allocate(sizeof(*restore->key))) == NULL) {
        free(restore);
        return failure_set_no_memory(&request->failure);
    }
    restore->session = session;
    restore->restoring = request->restoring;
    *restore->key = request->key;
    restore->caller = *leaf_find_caller(&request->leaf);
    restore->commits = json_member_boolean(request->parameters, "commit", false);
    restore->replied_at_ms = clock_monotonic_ms();
    status = job_start(session, false, &restore_work, restore, &request->failure, &request->job);
    if (status != STATUS_OK)
        restore_release(restore);
    return status;
}
