/* Sealing everything anew, and putting it into the place of what was there. */
#include "rekey.h"

#include "account.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "binding.h"
#include "interior.h"
#include "keyslot.h"
#include "log.h"
#include "record.h"
#include "store/snapshot.h"
#include "variable.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 64u      /* rows */
#define KEEP_EACH 512 /* rows, whose undoing nobody needs: a rollback takes back the whole state */

struct kept_checkpoint {
    uint64_t number;
    uint64_t time_ms;
    const char *note;
};

struct rekey {
    struct vault *vault; /* opens everything as it is */
    struct vault *next;  /* seals: id, epoch and keys, and nothing else of a vault */
    struct record_sealed *records;
    size_t count;
    size_t capacity;
    struct kept_checkpoint *checkpoints;
    size_t checkpoint_count;
    struct arena arena; /* what is sealed, and the notes of checkpoints */
    struct store_rows rows;
    struct secret body;
};

static void rekey_reset(struct rekey *rekey)
{
    vault_freep(&rekey->next);
    free(rekey->records);
    free(rekey->checkpoints);
    arena_reset(&rekey->arena);
    store_rows_reset(&rekey->rows);
    secret_reset(&rekey->body);
}

void rekey_outcome_reset(struct rekey_outcome *outcome)
{
    cleanup_free(&outcome->removed);
    outcome->removed_count = 0;
}

enum status rekey_check(struct vault *vault, struct vault_new_slot *slots, const struct rekey_claim *claims,
                        size_t count, struct failure *failure, struct rekey_outcome *ret_outcome)
{
    if (store_snapshot_is_under_way(vault->store))
        return failure_set(failure, STATUS_BUSY, "a backup of the vault %s is being copied", vault->path);
    return keyslot_settle(vault, slots, claims, count, failure, &ret_outcome->removed,
                          &ret_outcome->removed_count);
}

static enum status draw_keys(struct rekey *rekey, struct failure *failure)
{
    const struct vault *vault = rekey->vault;
    struct vault *next = calloc(1, sizeof *next);

    if (next == NULL)
        return failure_set_no_memory(failure);
    rekey->next = next;
    next->keys = secret_allocate(sizeof *next->keys);
    if (next->keys == NULL)
        return failure_set_no_memory(failure);
    if (vault->epoch == UINT32_MAX)
        return failure_set(failure, STATUS_FAILED, "the vault has had as many keys as it can have");
    memcpy(next->id, vault->id, sizeof next->id);
    next->epoch = vault->epoch + 1;
    seal_random(next->keys->vault, sizeof next->keys->vault);
    vault_derive_keys(next->keys, next->id, next->epoch);
    return STATUS_OK;
}

/* ---- Sealing anew ---- */

static enum status corrupt(const struct record *record, struct failure *failure)
{
    return failure_set(failure, STATUS_CORRUPT,
                       "a record of the vault is of an account that is not there: %s", record->name);
}

static enum status add_names_of_binding(struct rekey *rekey, const struct record *binding,
                                        struct record_draft *draft, struct failure *failure)
{
    CLEANUP(record_reset) struct record account = {0};
    uint8_t id[STORE_ID_SIZE];
    bool found;

    if (!binding_account_id(binding, id))
        return corrupt(binding, failure);
    enum status status = record_find_by_id(rekey->vault, id, failure, &account, &found);
    if (status == STATUS_OK && (!found || account.kind != RECORD_ACCOUNT))
        status = corrupt(binding, failure);
    if (status == STATUS_OK)
        binding_add_finals(rekey->next, draft, binding, &account);
    return status;
}

static enum status add_names(struct rekey *rekey, const struct record *record, struct record_draft *draft,
                             struct failure *failure)
{
    switch (record->kind) {
    case RECORD_VARIABLE:
        variable_add_finals(rekey->next, draft);
        return STATUS_OK;
    case RECORD_ACCOUNT:
        account_add_finals(rekey->next, draft);
        return STATUS_OK;
    case RECORD_BINDING:
        return add_names_of_binding(rekey, record, draft, failure);
    default:
        return STATUS_OK;
    }
}

static enum status hold(struct rekey *rekey, const struct record_sealed *sealed, struct failure *failure)
{
    if (rekey->count == rekey->capacity) {
        size_t capacity = rekey->capacity == 0 ? 256 : 2 * rekey->capacity;
        struct record_sealed *larger = reallocarray(rekey->records, capacity, sizeof *larger);
        if (larger == NULL)
            return failure_set_no_memory(failure);
        rekey->records = larger;
        rekey->capacity = capacity;
    }
    struct record_sealed *held = &rekey->records[rekey->count];
    *held = *sealed;
    held->row.finals = arena_hold(&rekey->arena, sealed->row.finals, sealed->row.finals_size);
    held->row.body = arena_hold(&rekey->arena, sealed->row.body, sealed->row.body_size);
    if (held->row.finals == NULL || held->row.body == NULL)
        return failure_set_no_memory(failure);
    held->exists = false; /* the table will have been emptied */
    rekey->count++;
    return STATUS_OK;
}

static enum status reseal(struct rekey *rekey, const struct store_record *row, struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    char parent[NAME_PATH_MAX + 1];
    struct record_sealed sealed;

    enum status status = record_open(rekey->vault, row, failure, &record);
    if (status != STATUS_OK)
        return status;
    const char *link = record_link_target(&record, parent);
    if (link == NULL)
        return corrupt(&record, failure);
    record_draft_repeat(&draft, &record, link);
    status = add_names(rekey, &record, &draft, failure);
    if (status == STATUS_OK)
        status = record_seal(rekey->next, &draft, failure, &rekey->body, &sealed);
    return status == STATUS_OK ? hold(rekey, &sealed, failure) : status;
}

static enum status reseal_all(struct rekey *rekey, struct failure *failure)
{
    const uint8_t *after = NULL;
    uint8_t last[STORE_ID_SIZE];

    do {
        enum status status = store_page_by_id(rekey->vault->store, after, PAGE, failure, &rekey->rows);
        for (size_t i = 0; status == STATUS_OK && i < rekey->rows.count; i++)
            status = reseal(rekey, &rekey->rows.records[i], failure);
        if (status != STATUS_OK)
            return status;
        if (rekey->rows.count > 0)
            memcpy(last, rekey->rows.records[rekey->rows.count - 1].id, sizeof last);
        after = last;
    } while (rekey->rows.count == PAGE);
    return STATUS_OK;
}

static enum status hold_checkpoint(struct rekey *rekey, const struct store_blob *blob,
                                   struct failure *failure)
{
    struct kept_checkpoint kept = {.number = blob->number};
    struct kept_checkpoint *larger =
        reallocarray(rekey->checkpoints, rekey->checkpoint_count + 1, sizeof *larger);
    char note[NOTE_MAX];

    if (larger == NULL)
        return failure_set_no_memory(failure);
    rekey->checkpoints = larger;
    enum status status = log_open_checkpoint(rekey->vault, blob, failure, &kept.time_ms, note);
    if (status != STATUS_OK)
        return status;
    kept.note = arena_hold(&rekey->arena, note, strlen(note) + 1);
    if (kept.note == NULL)
        return failure_set_no_memory(failure);
    rekey->checkpoints[rekey->checkpoint_count++] = kept;
    return STATUS_OK;
}

static enum status hold_checkpoints(struct rekey *rekey, struct failure *failure)
{
    uint64_t next = 0;

    do {
        enum status status =
            store_list_blobs(rekey->vault->store, STORE_CHECKPOINTS, next, PAGE, failure, &rekey->rows);
        for (size_t i = 0; status == STATUS_OK && i < rekey->rows.count; i++)
            status = hold_checkpoint(rekey, &rekey->rows.blobs[i], failure);
        if (status != STATUS_OK)
            return status;
        if (rekey->rows.count > 0)
            next = rekey->rows.blobs[rekey->rows.count - 1].number + 1;
    } while (rekey->rows.count == PAGE);
    return STATUS_OK;
}

/* ---- Into the vault ---- */

static enum status put_records(struct rekey *rekey, struct failure *failure)
{
    struct vault *vault = rekey->vault;
    enum status status = STATUS_OK;

    if (!state_make_room(&vault->state, rekey->count))
        return failure_set_no_memory(failure);
    for (size_t i = 0; status == STATUS_OK && i < rekey->count; i++) {
        status = record_put(vault, &rekey->records[i], failure);
        if (vault->state.undo_count > KEEP_EACH)
            state_keep(&vault->state);
    }
    return status;
}

/* Everything is put into emptied tables, so that what the old keys sealed is gone page by page; and with new
 * keys from here on. */
static enum status put_all(struct rekey *rekey, const struct vault_new_slot *slots, size_t count,
                           struct failure *failure)
{
    struct vault *vault = rekey->vault;

    store_widen(vault->store);
    enum status status = vault_renew_keys(vault, &rekey->next->keys, failure);
    if (status == STATUS_OK)
        status = store_load_begin(vault->store, failure);
    if (status == STATUS_OK)
        status = store_begin_epoch(vault->store, vault->epoch, failure);
    if (status == STATUS_OK)
        status = put_records(rekey, failure);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = keyslot_put(vault, &slots[i], failure);
    for (size_t i = 0; status == STATUS_OK && i < rekey->checkpoint_count; i++)
        status = log_put_checkpoint(vault, rekey->checkpoints[i].number, rekey->checkpoints[i].time_ms,
                                    rekey->checkpoints[i].note, failure);
    return status == STATUS_OK ? store_load_end(vault->store, failure) : status;
}

static void write_id(struct json_writer *writer, const struct slot_header *header)
{
    json_add_hex(writer, NULL, header->id, sizeof header->id);
}

/* Which slots went on, were made and were removed. */
static enum status describe(const struct vault_new_slot *slots, const struct rekey_claim *claims,
                            size_t count, const struct rekey_outcome *outcome, struct leaf *leaf,
                            struct failure *failure)
{
    static const char *const words[] = {"made", "kept"};
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    json_open_object(&writer, "slots");
    for (int kept = 1; kept >= 0; kept--) {
        json_open_array(&writer, words[kept]);
        for (size_t i = 0; i < count; i++)
            if (claims[i].continues == (kept == 1))
                write_id(&writer, &slots[i].header);
        json_close_array(&writer);
    }
    json_open_array(&writer, "removed");
    for (size_t i = 0; i < outcome->removed_count; i++)
        write_id(&writer, &outcome->removed[i]);
    json_close_array(&writer);
    json_close_object(&writer);
    return leaf_add_details(leaf, &writer) ? STATUS_OK : failure_set_no_memory(failure);
}

static enum status replace_all(struct rekey *rekey, const struct vault_new_slot *slots, size_t count,
                               struct leaf *leaf, struct failure *failure)
{
    struct vault *vault = rekey->vault;

    enum status status = put_all(rekey, slots, count, failure);
    if (status == STATUS_OK)
        status = log_renew_reading_key(vault, failure);
    if (status == STATUS_OK)
        status = log_begin_era(vault, false, NULL, leaf, failure);
    leaf->granted = true;
    if (status == STATUS_OK)
        status = log_append(vault, leaf, failure);
    vault->broken = vault->broken || status != STATUS_OK;
    return status;
}

enum status rekey_run(struct vault *vault, struct vault_new_slot *slots, const struct rekey_claim *claims,
                      size_t count, struct leaf *leaf, struct failure *failure,
                      struct rekey_outcome *ret_outcome)
{
    CLEANUP(rekey_outcome_reset) struct rekey_outcome outcome = {0};
    CLEANUP(rekey_reset) struct rekey rekey = {.vault = vault};

    enum status status = rekey_check(vault, slots, claims, count, failure, &outcome);
    if (status == STATUS_OK)
        status = draw_keys(&rekey, failure);
    if (status == STATUS_OK)
        status = reseal_all(&rekey, failure);
    if (status == STATUS_OK)
        status = hold_checkpoints(&rekey, failure);
    if (status == STATUS_OK)
        status = describe(slots, claims, count, &outcome, leaf, failure);
    if (status == STATUS_OK)
        status = replace_all(&rekey, slots, count, leaf, failure);
    if (status != STATUS_OK) {
        leaf->granted = false;
        secret_reset(&leaf->details);
        return status;
    }
    *ret_outcome = outcome;
    outcome = (struct rekey_outcome){0};
    return STATUS_OK;
}
