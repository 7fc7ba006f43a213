/* Rekey: a new vault key, in a turn of its own. */
#include "agent/serve.h"

#include "agent/stage.h"
#include "base/cleanup.h"
#include "rekey.h"

/* What a call brings: in secret memory. */
struct slots {
    struct vault_new_slot slots[VAULT_SLOTS_MAX];
    struct rekey_claim claims[VAULT_SLOTS_MAX];
    size_t count;
};

static void slots_free(struct slots **slots)
{
    secret_free(*slots);
}

static enum status read_slots(struct request *request, struct slots *slots)
{
    const struct json *list = json_member(request->parameters, "slots");
    enum status status = STATUS_OK;

    slots->count = json_count(list);
    if (slots->count == 0 || slots->count > VAULT_SLOTS_MAX)
        return failure_set(&request->failure, STATUS_INVALID, "a vault has 1 to %u slots", VAULT_SLOTS_MAX);
    for (size_t at = 0; status == STATUS_OK && at < slots->count; at++) {
        status = method_read_slot(json_at(list, at), &request->failure, &slots->slots[at]);
        if (status == STATUS_OK)
            status = method_read_claim(json_at(list, at), &request->failure, &slots->claims[at]);
    }
    return status;
}

/* Once it is committed, what is staged anywhere is sealed under keys that are gone, and what those keys
 * sealed is to be gone from the file as well before anybody is told so. */
static enum status rekey(struct session *session, struct request *request, struct slots *slots,
                         struct rekey_outcome *ret_outcome, bool *ret_folded)
{
    enum status status = session_begin(session, &request->failure);

    if (status == STATUS_OK)
        status = rekey_run(session->vault, slots->slots, slots->claims, slots->count, &request->leaf,
                           &request->failure, ret_outcome);
    if (status != STATUS_OK) {
        session_rollback(session);
        return status;
    }
    status = session_commit(session, &request->failure);
    if (status != STATUS_OK) {
        request->leaf.appended = false;
        secret_reset(&request->leaf.details); /* of what has not happened */
        return status;
    }
    stage_drop_all(session);
    *ret_folded = vault_fold(session->vault);
    return STATUS_OK;
}

static void write_ids(struct json_writer *writer, const char *name, const struct slots *slots, bool kept)
{
    json_open_array(writer, name);
    for (size_t at = 0; at < slots->count; at++)
        if (slots->claims[at].continues == kept)
            json_add_hex(writer, NULL, slots->slots[at].header.id, SLOT_ID_SIZE);
    json_close_array(writer);
}

enum status serve_rekey(struct session *session, struct request *request)
{
    CLEANUP(slots_free) struct slots *slots = secret_allocate(sizeof(*slots));
    CLEANUP(rekey_outcome_reset) struct rekey_outcome outcome = {0};
    struct json_writer *writer = &request->reply.writer;
    bool dry_run = json_member_boolean(request->parameters, "dry_run", false);
    bool folded = false;
    enum status status;

    if (slots == NULL)
        return failure_set_no_memory(&request->failure);
    status = read_slots(request, slots);
    if (status == STATUS_OK)
        status = dry_run ? rekey_check(session->vault, slots->slots, slots->claims, slots->count,
                                       &request->failure, &outcome)
                         : rekey(session, request, slots, &outcome, &folded);
    if (status != STATUS_OK)
        return status;
    json_add_number(writer, "epoch", vault_epoch(session->vault));
    json_add_number(writer, "records", vault_record_count(session->vault));
    write_ids(writer, "kept", slots, true);
    write_ids(writer, "made", slots, false);
    json_open_array(writer, "removed");
    for (size_t at = 0; at < outcome.removed_count; at++)
        json_add_hex(writer, NULL, outcome.removed[at].id, SLOT_ID_SIZE);
    json_close_array(writer);
    json_add_boolean(writer, "folded", folded);
    return STATUS_OK;
}
