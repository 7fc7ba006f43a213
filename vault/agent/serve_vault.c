/* State, slots, unlocking and locking. */
#include "agent/serve.h"

#include "agent/job.h"
#include "agent/parking.h"
#include "agent/renewal.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "log.h"
#include "summary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIME_MAX_SECONDS (366 * 86400)
#define SUMMARY_MS 10u /* a part of what a turn may take (turn.c) */

static void write_protection(struct json_writer *writer, const struct protection *protection)
{
    json_open_object(writer, NULL);
    json_add_text(writer, "name", protection->name);
    json_add_boolean(writer, "held", protection->held);
    json_add_text(writer, "detail", protection->detail);
    json_close_object(writer);
}

static void write_protections(const struct session *session, struct json_writer *writer)
{
    const struct protection reader = {
        .name = "peer reader",
        .held = session->peer_reader_runs,
        .detail = "the log names the programs that ask",
    };
    struct protection locked;

    json_open_array(writer, "protections");
    for (size_t at = 0; at < session->sandbox.count; at++)
        write_protection(writer, &session->sandbox.stages[at]);
    sandbox_memory_locked(&locked);
    write_protection(writer, &locked);
    write_protection(writer, &reader);
    json_close_array(writer);
}

/* The id of an open vault, or of a locked one from its public header; none if the file cannot be read just
 * now. */
static void write_vault_id(const struct session *session, struct json_writer *writer)
{
    CLEANUP(cleanup_free) struct slot_header *headers = NULL;
    struct failure failure;
    uint8_t id[16];
    uint32_t epoch;
    size_t count;

    if (session->vault != NULL)
        json_add_hex(writer, "vault_id", vault_id(session->vault), sizeof(id));
    else if (session->foreign.status == STATUS_OK &&
             vault_read_slots(session->path, 0, &failure, id, &epoch, &headers, &count) == STATUS_OK)
        json_add_hex(writer, "vault_id", id, sizeof(id));
    else
        json_add_text(writer, "vault_id", "");
}

static uint64_t seconds_until_lock(const struct session *session)
{
    uint64_t at_ms = session_locks_at(session);
    uint64_t now_ms = clock_boot_ms();

    if (at_ms == 0)
        return 0;
    return at_ms > now_ms ? (at_ms - now_ms + 999) / 1000 : 1;
}

static const char *log_state(const struct session *session)
{
    if (session->foreign.status != STATUS_OK)
        return session->foreign.sentence;
    if (session->log_failed)
        return session->log_failure.sentence;
    return session->vault != NULL ? "ok" : "the vault is not open";
}

static void write_pin(struct json_writer *writer, enum pin_state state, const char *trouble)
{
    json_add_text(writer, "pin", pin_state_name(state));
    if (trouble[0] != '\0')
        json_add_text(writer, "pin_trouble", trouble);
}

static void write_summary(const struct session *session, struct json_writer *writer)
{
    struct summary summary;

    summary_take(session->vault, SUMMARY_MS, &summary);
    json_add_number(writer, "expired", summary.expired);
    json_add_number(writer, "expiring", summary.expiring);
    json_add_number(writer, "stale", summary.stale);
    json_add_number(writer, "unread", summary.unread);
    json_add_number(writer, "renewing", renewals_under_way(session));
}

enum status serve_status(struct session *session, struct request *request)
{
    struct json_writer *writer = &request->reply.writer;
    bool visible = session->unlocked || (session->vault != NULL && request->has_key);

    json_add_text(writer, "state", session_state(session));
    json_add_text(writer, "version", STEPVAULT_VERSION);
    json_add_number(writer, "pid", (uint64_t)getpid());
    write_vault_id(session, writer);
    json_add_number(writer, "records", visible ? vault_record_count(session->vault) : 0);
    json_add_number(writer, "log_size", visible ? log_size(session->vault) : 0);
    json_add_number(writer, "locks_in", seconds_until_lock(session));
    json_add_number(writer, "idle_locks_after", session->idle_ms / 1000);
    json_add_number(writer, "connections", session->connections);
    json_add_number(writer, "waiting_refusals", backlog_refusals(&session->backlog));
    json_add_text(writer, "log", log_state(session));
    if (session->foreign.status != STATUS_OK)
        json_add_text(writer, "foreign", session->foreign.sentence);
    write_protections(session, writer);
    if (visible) {
        write_pin(writer, pinner_state(&session->pinner), pinner_trouble(&session->pinner));
        write_summary(session, writer);
    }
    return STATUS_OK;
}

void serve_write_slot(struct json_writer *writer, const struct slot_header *header)
{
    char created[CLOCK_TEXT_SIZE];

    clock_format(created, header->created_ms);
    json_open_object(writer, NULL);
    json_add_hex(writer, "id", header->id, sizeof(header->id));
    json_add_text(writer, "kind", slot_kind_name(header->kind));
    json_add_number(writer, "memory_kib", header->kdf.memory_kib);
    json_add_number(writer, "passes", header->kdf.passes);
    json_add_number(writer, "lanes", header->kdf.lanes);
    json_add_hex(writer, "salt", header->kdf.salt, sizeof(header->kdf.salt));
    json_add_text(writer, "created", created);
    json_close_object(writer);
}

enum status serve_list_slots(struct session *session, struct request *request)
{
    CLEANUP(cleanup_free) struct slot_header *headers = NULL;
    struct json_writer *writer = &request->reply.writer;
    uint8_t id[16];
    uint32_t epoch;
    size_t count;
    enum status status;

    if (session->vault != NULL) {
        status = vault_list_slots(session->vault, &request->failure, &headers, &count);
        memcpy(id, vault_id(session->vault), sizeof(id));
        epoch = vault_epoch(session->vault);
    } else {
        job_let_go_all(session);
        status = vault_read_slots(session->path, session->wait_ms, &request->failure, id, &epoch, &headers,
                                  &count);
    }
    if (status != STATUS_OK)
        return status;
    json_add_hex(writer, "vault_id", id, sizeof(id));
    json_add_number(writer, "epoch", epoch);
    json_open_array(writer, "slots");
    for (size_t at = 0; at < count; at++)
        serve_write_slot(writer, &headers[at]);
    json_close_array(writer);
    return STATUS_OK;
}

static void slots_free(struct vault_new_slot **slots)
{
    secret_free(*slots);
}

static enum status read_slots(const struct json *list, struct failure *failure, struct vault_new_slot *slots,
                              size_t count)
{
    enum status status = STATUS_OK;

    for (size_t at = 0; at < count && status == STATUS_OK; at++)
        status = method_read_slot(json_at(list, at), failure, &slots[at]);
    return status;
}

enum status serve_initialize(struct session *session, struct request *request)
{
    CLEANUP(slots_free) struct vault_new_slot *slots = secret_allocate(VAULT_SLOTS_MAX * sizeof(*slots));
    const struct json *list = json_member(request->parameters, "slots");
    size_t count = json_count(list);
    enum status status;

    if (session->foreign.status != STATUS_OK) {
        request->failure = session->foreign;
        return request->failure.status;
    }
    if (session->vault != NULL)
        return failure_set(&request->failure, STATUS_EXISTS, "there is a vault at %s", session->path);
    if (count == 0 || count > VAULT_SLOTS_MAX)
        return failure_set(&request->failure, STATUS_INVALID, "a new vault has 1 to %u slots",
                           VAULT_SLOTS_MAX);
    if (slots == NULL)
        return failure_set(&request->failure, STATUS_NO_MEMORY, "not enough memory for the slots");
    status = read_slots(list, &request->failure, slots, count);
    if (status == STATUS_OK && strcmp(session_state(session), "absent") == 0)
        pinner_begin(&session->pinner, session->path);
    if (status == STATUS_OK)
        status = vault_create(session->path, slots, count, leaf_find_caller(&request->leaf),
                              &request->failure, &session->vault);
    if (status != STATUS_OK)
        return status;
    session->unlocked = true;
    session->used_at_ms = clock_boot_ms();
    vault_reserve(session->vault);
    pinner_note(&session->pinner, session->vault);
    pinner_write(&session->pinner, session->vault, session->path, true);
    json_add_hex(&request->reply.writer, "vault_id", vault_id(session->vault), 16);
    return STATUS_OK;
}

static enum status read_seconds(const struct request *request, const char *name, struct failure *failure,
                                bool *ret_given, uint64_t *ret_ms)
{
    int64_t seconds;

    *ret_given = json_number(json_member(request->parameters, name), &seconds);
    if (!*ret_given)
        return STATUS_OK;
    if (seconds < 0 || seconds > TIME_MAX_SECONDS)
        return failure_set(failure, STATUS_INVALID, "%s is not between 0 and %d seconds", name,
                           TIME_MAX_SECONDS);
    *ret_ms = (uint64_t)seconds * 1000;
    return STATUS_OK;
}

/* The slot's id in the leaf says which key opened the vault. */
static bool describe_unlock(struct request *request, bool was_open)
{
    char slot[2 * SLOT_ID_SIZE + 1];

    if (was_open || !request->key.has_slot)
        return true;
    text_to_hex(slot, request->key.slot, SLOT_ID_SIZE);
    return secret_append_format(&request->leaf.details, "\"slot\":\"%s\"", slot);
}

static enum status log_unlock(struct session *session, struct request *request, bool was_open)
{
    request->leaf.granted = true;
    if (!describe_unlock(request, was_open))
        return failure_set(&request->failure, STATUS_NO_MEMORY, "not enough memory to log the unlocking");
    return session_log(session, &request->leaf, &request->failure);
}

enum status serve_unlock(struct session *session, struct request *request)
{
    const struct pin_finding *found = &session->pinner.found;
    struct failure *failure = &request->failure;
    bool was_open = session->unlocked;
    bool has_lifetime;
    bool has_idle;
    uint64_t lifetime_ms = 0;
    uint64_t idle_ms = 0;
    enum status status = read_seconds(request, "lifetime", failure, &has_lifetime, &lifetime_ms);

    if (status == STATUS_OK)
        status = read_seconds(request, "idle", failure, &has_idle, &idle_ms);
    if (status == STATUS_OK && !was_open && !request->has_key)
        status = failure_set(failure, STATUS_KEY_REQUIRED, "a slot key is needed to open the vault");
    if (status == STATUS_OK && !was_open)
        status = session_open(session, &request->key, failure);
    if (status == STATUS_OK)
        status = log_unlock(session, request, was_open);
    if (status != STATUS_OK)
        return status;
    if (!was_open)
        vault_reserve(session->vault);
    session->unlocked = true;
    session->used_at_ms = clock_boot_ms();
    if (has_lifetime)
        session->lifetime_at_ms = lifetime_ms > 0 ? session->used_at_ms + lifetime_ms : 0;
    if (has_idle)
        session->idle_ms = idle_ms;
    pinner_write(&session->pinner, session->vault, session->path, true);
    json_add_boolean(&request->reply.writer, "was_open", was_open);
    /* What was found is said where it was found; what became of it is Status's to say. */
    if (!was_open && found->state == PIN_UNREADABLE)
        write_pin(&request->reply.writer, found->state, found->failure.sentence);
    else
        write_pin(&request->reply.writer, was_open ? pinner_state(&session->pinner) : found->state,
                  pinner_trouble(&session->pinner));
    return STATUS_OK;
}

/* While tokens are being renewed the call waits, and new ones are refused. */
static enum status wait_for_end(struct session *session, struct request *request)
{
    enum status status;

    session_drain(session);
    status = parking_begin(session, request->before, &request->failure, request->parking);
    if (status != STATUS_OK)
        return status;
    (*request->parking)->drains = true;
    return failure_set(&request->failure, STATUS_WAITS, "tokens are being renewed");
}

enum status serve_lock(struct session *session, struct request *request)
{
    if (session_is_busy(session))
        return wait_for_end(session, request);
    json_add_boolean(&request->reply.writer, "was_open", session->unlocked);
    session_lock(session, leaf_find_caller(&request->leaf), NULL);
    session->ending = true;
    return STATUS_OK;
}

static enum status describe_slot(struct request *request, const char *member, const uint8_t id[SLOT_ID_SIZE])
{
    struct secret *details = &request->leaf.details;
    char hex[2 * SLOT_ID_SIZE + 1];

    text_to_hex(hex, id, SLOT_ID_SIZE);
    if (!secret_append_format(details, "%s\"%s\":\"%s\"", details->size > 0 ? "," : "", member, hex))
        return failure_set(&request->failure, STATUS_NO_MEMORY, "not enough memory to log the slot");
    return STATUS_OK;
}

static enum status put_slot(struct session *session, struct request *request,
                            const struct vault_new_slot *slot, bool replace)
{
    uint8_t replaced[SLOT_ID_SIZE];
    enum status status = describe_slot(request, "slot", slot->header.id);

    if (status != STATUS_OK)
        return status;
    if (!replace)
        return vault_add_slot(session->vault, slot, &request->failure);
    status = vault_replace_slot(session->vault, slot, &request->failure, replaced);
    return status == STATUS_OK ? describe_slot(request, "replaces", replaced) : status;
}

static enum status read_new_slot(struct request *request, struct vault_new_slot **ret_slot)
{
    *ret_slot = secret_allocate(sizeof(**ret_slot));
    if (*ret_slot == NULL)
        return failure_set(&request->failure, STATUS_NO_MEMORY, "not enough memory for the slot");
    return method_read_slot(json_member(request->parameters, "new_slot"), &request->failure, *ret_slot);
}

enum status serve_add_slot(struct session *session, struct request *request)
{
    CLEANUP(slots_free) struct vault_new_slot *slot = NULL;
    enum status status = read_new_slot(request, &slot);

    return status == STATUS_OK
               ? put_slot(session, request, slot, json_member_boolean(request->parameters, "replace", false))
               : status;
}

enum status serve_replace_passphrase(struct session *session, struct request *request)
{
    CLEANUP(slots_free) struct vault_new_slot *slot = NULL;
    enum status status = read_new_slot(request, &slot);

    if (status == STATUS_OK && slot->header.kind != SLOT_PASSPHRASE)
        status = failure_set(&request->failure, STATUS_INVALID, "the new slot is no passphrase slot");
    return status == STATUS_OK ? put_slot(session, request, slot, true) : status;
}

enum status serve_remove_slot(struct session *session, struct request *request)
{
    uint8_t id[SLOT_ID_SIZE];
    enum status status;

    if (!text_from_hex(id, sizeof(id), json_member_text(request->parameters, "slot")))
        return failure_set(&request->failure, STATUS_INVALID,
                           "the slot is not an id of 32 hexadecimal digits");
    status = describe_slot(request, "slot", id);
    return status == STATUS_OK ? vault_remove_slot(session->vault, id, &request->failure) : status;
}
