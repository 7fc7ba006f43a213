/* Making, opening and closing a vault, and its turns. */
#include "vault.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "interior.h"
#include "keyslot.h"
#include "log.h"
#include "placement.h"
#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>

#define STATE_HEAD_SIZE 48u /* sum, count, log size */
#define STATE_PLAIN_SIZE (STATE_HEAD_SIZE + NOTE_MAX)
#define SCAN_ROWS 512u

static void former_freep(struct vault_former **former)
{
    if (*former == NULL)
        return;
    secret_free((*former)->keys);
    state_reset(&(*former)->state);
    free(*former);
    *former = NULL;
}

void vault_freep(struct vault **vault)
{
    if (*vault == NULL)
        return;
    borrow_forget(*vault);
    former_freep(&(*vault)->former);
    log_close(*vault);
    state_reset(&(*vault)->state);
    store_rows_reset(&(*vault)->rows);
    store_freep(&(*vault)->store);
    secret_free((*vault)->keys);
    free(*vault);
    *vault = NULL;
}

const uint8_t *vault_id(const struct vault *vault)
{
    return vault->id;
}

uint32_t vault_epoch(const struct vault *vault)
{
    return vault->epoch;
}

uint64_t vault_record_count(const struct vault *vault)
{
    return vault->state.count;
}

struct vault_mark vault_set_mark(const struct vault *vault)
{
    return (struct vault_mark){.changes = vault->state.undo_count, .leaves = vault->log.edge.size};
}

bool vault_has_moved(const struct vault *vault, const struct vault_mark *since)
{
    return vault->state.undo_count != since->changes || vault->log.edge.size != since->leaves;
}

bool vault_is_broken(const struct vault *vault)
{
    return vault->broken;
}

/* The purposes of FORMAT.md, section 2, and where each key lies. */
void vault_derive_keys(struct vault_keys *keys, const uint8_t id[SEAL_ID_SIZE], uint32_t epoch)
{
    const struct {
        const char *purpose;
        uint8_t *key;
    } purposes[] = {
        {"record",      keys->record     },
        {"lookup",      keys->lookup     },
        {"accumulator", keys->accumulator},
        {"state",       keys->state      },
        {"tag",         keys->tag        },
        {"checkpoint",  keys->checkpoint },
    };

    for (size_t i = 0; i < sizeof purposes / sizeof purposes[0]; i++)
        seal_derive_key(purposes[i].key, keys->vault, purposes[i].purpose, id, epoch);
}

/* Keys, epoch and state of the vault and those that it had change places. */
static void former_exchange(struct vault *vault)
{
    struct vault_former now = {.keys = vault->keys, .state = vault->state, .epoch = vault->epoch};

    vault->keys = vault->former->keys;
    vault->state = vault->former->state;
    vault->epoch = vault->former->epoch;
    vault->last_place = (struct vault_place){0};
    *vault->former = now;
}

enum status vault_renew_keys(struct vault *vault, struct vault_keys **keys, struct failure *failure)
{
    struct vault_former *former = calloc(1, sizeof *former);

    if (former == NULL)
        return failure_set_no_memory(failure);
    borrow_forget(vault);
    former->keys = TAKE(*keys);
    former->epoch = vault->epoch + 1;
    vault->former = former;
    former_exchange(vault);
    state_begin(&vault->state);
    return STATUS_OK;
}

static enum status vault_allocate(const char *path, struct failure *failure, struct vault **ret_vault)
{
    CLEANUP(vault_freep) struct vault *vault = calloc(1, sizeof *vault);

    if (vault == NULL)
        return failure_set_no_memory(failure);
    vault->keys = secret_allocate(sizeof *vault->keys);
    vault->log.keys = secret_allocate(sizeof *vault->log.keys);
    vault->log.tails = calloc(LOG_LEVELS, sizeof *vault->log.tails);
    if (vault->keys == NULL || vault->log.keys == NULL || vault->log.tails == NULL ||
        strlen(path) >= sizeof vault->path)
        return failure_set_no_memory(failure);
    strncpy(vault->path, path, sizeof vault->path - 1);
    *ret_vault = TAKE(vault);
    return STATUS_OK;
}

enum status vault_open_keys(struct vault *vault, const struct vault_key *key, struct failure *failure)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    struct store_header header;
    size_t count, slot;

    enum status status = store_get_header(vault->store, failure, &header);
    if (status == STATUS_OK)
        status = store_list_slots(vault->store, failure, &rows, &count);
    if (status != STATUS_OK)
        return status;
    memcpy(vault->id, header.vault_id, sizeof vault->id);
    vault->epoch = header.epoch;
    status = keyslot_unwrap_one(vault, rows, count, key, failure, vault->keys->vault, &slot);
    if (status != STATUS_OK)
        return status;
    memcpy(vault->opened_by, rows[slot].id, sizeof vault->opened_by);
    vault_derive_keys(vault->keys, vault->id, vault->epoch);
    return STATUS_OK;
}

/* Two rows of one key, also of two tables: the second would stand for both. */
static enum status scan_row(const struct vault *vault, struct state *state, const uint8_t key[STATE_KEY_SIZE],
                            const uint8_t term[SEAL_HASH_SIZE], struct failure *failure)
{
    if (state_remembers(state, key))
        return failure_set(failure, STATUS_CORRUPT,
                           "the rows of the vault %s are not those it wrote: there are two of one id",
                           vault->path);
    return state_change(state, key, term) ? STATUS_OK : failure_set_no_memory(failure);
}

static enum status scan_slots(struct vault *vault, struct state *state, struct failure *failure)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    uint8_t term[SEAL_HASH_SIZE];
    size_t count;

    enum status status = store_list_slots(vault->store, failure, &rows, &count);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        state_term_slot(vault->keys->accumulator, &rows[i], term);
        status = scan_row(vault, state, rows[i].id, term, failure);
    }
    return status;
}

static enum status scan_blobs(struct vault *vault, struct state *state, enum store_table table,
                              struct failure *failure)
{
    uint8_t key[STATE_KEY_SIZE], term[SEAL_HASH_SIZE];
    uint64_t next = 0;

    for (;;) {
        enum status status = store_list_blobs(vault->store, table, next, SCAN_ROWS, failure, &vault->rows);
        if (status != STATUS_OK || vault->rows.count == 0)
            return status;
        for (size_t i = 0; i < vault->rows.count; i++) {
            const struct store_blob *blob = &vault->rows.blobs[i];
            state_blob_key(table, blob->number, key);
            state_term_blob(vault->keys->accumulator, table, blob->number, blob->bytes, blob->size, term);
            status = scan_row(vault, state, key, term, failure);
            if (status != STATUS_OK)
                return status;
        }
        next = vault->rows.blobs[vault->rows.count - 1].number + 1;
        state_keep(state);
    }
}

struct record_scan {
    const struct vault *vault;
    struct state *state;
};

static enum status scan_record(void *context, const struct store_record *row, struct failure *failure)
{
    const struct record_scan *scan = context;
    uint8_t term[SEAL_HASH_SIZE];

    state_term_record(scan->vault->keys->accumulator, row, term);
    enum status status = scan_row(scan->vault, scan->state, row->id, term, failure);
    if (status != STATUS_OK)
        return status;
    if (!state_add_names(scan->state, row->finals, row->finals_size))
        return failure_set_no_memory(failure);
    if (scan->state->undo_count > SCAN_ROWS)
        state_keep(scan->state);
    return STATUS_OK;
}

enum status vault_scan_few(struct vault *vault, struct state *state, struct failure *failure)
{
    enum status status = scan_slots(vault, state, failure);

    if (status == STATUS_OK)
        status = scan_blobs(vault, state, STORE_SEGMENTS, failure);
    return status == STATUS_OK ? scan_blobs(vault, state, STORE_CHECKPOINTS, failure) : status;
}

/* Reads every row the sum covers into an empty `state`, and has the store compare its indices. */
static enum status scan(struct vault *vault, struct state *state, struct failure *failure)
{
    enum status status = vault_scan_few(vault, state, failure);

    if (status == STATUS_OK)
        status = store_scan(vault->store, scan_record, &(struct record_scan){.vault = vault, .state = state},
                            failure);
    state_keep(state);
    memcpy(state->tagged_sum, state->sum, sizeof state->sum);
    return status;
}

static void associate_state(const struct vault *vault, uint64_t log_size_, uint64_t count,
                            struct seal_input *input)
{
    seal_input_text(input, "stepvault/v1/state");
    seal_input_u32(input, STORE_FORMAT);
    seal_input_bytes(input, vault->id, sizeof vault->id);
    seal_input_u32(input, vault->epoch);
    seal_input_u64(input, log_size_);
    seal_input_u64(input, count);
}

static bool note_is_padded(const char note[NOTE_MAX])
{
    size_t size = strnlen(note, NOTE_MAX);

    for (size_t i = size; i < NOTE_MAX; i++)
        if (note[i] != '\0')
            return false;
    return size < NOTE_MAX;
}

enum status vault_read_state(struct vault *vault, struct failure *failure, struct vault_state *ret_state)
{
    CLEANUP(cleanup_free) uint8_t *sealed = NULL;
    uint8_t associated_bytes[96], plain[STATE_PLAIN_SIZE];
    struct seal_input associated = {.bytes = associated_bytes, .capacity = sizeof associated_bytes};
    uint64_t leaves, count;
    size_t size;

    enum status status = store_get_state(vault->store, failure, &leaves, &count, &sealed, &size);
    if (status == STATUS_NOT_FOUND)
        return failure_set(failure, STATUS_CORRUPT, "the state of the vault %s is missing", vault->path);
    if (status != STATUS_OK)
        return status;
    associate_state(vault, leaves, count, &associated);
    if (size != sizeof plain + SEAL_OVERHEAD ||
        !seal_open(plain, vault->keys->state, sealed, size, associated.bytes, associated.size) ||
        seal_load_u64(plain + SEAL_HASH_SIZE) != count ||
        seal_load_u64(plain + SEAL_HASH_SIZE + 8) != leaves ||
        !note_is_padded((const char *)plain + STATE_HEAD_SIZE))
        return failure_set(failure, STATUS_CORRUPT, "the state of the vault %s is not what the vault wrote",
                           vault->path);
    *ret_state = (struct vault_state){.count = count, .log_size = leaves};
    memcpy(ret_state->sum, plain, sizeof ret_state->sum);
    memcpy(ret_state->head, plain + STATE_HEAD_SIZE, NOTE_MAX);
    return STATUS_OK;
}

enum status vault_compare_state(const struct vault *vault, const struct state *found,
                                const struct vault_state *stored, struct failure *failure)
{
    if (found->count == stored->count && secret_equal(found->sum, stored->sum, sizeof stored->sum))
        return STATUS_OK;
    return failure_set(
        failure, STATUS_CORRUPT,
        "the rows of the vault %s are not those it wrote: something was changed, added or removed",
        vault->path);
}

/* Opens the state row and compares it with what the scan found. */
static enum status verify_state(struct vault *vault, const struct state *found, struct failure *failure,
                                struct vault_state *ret_state)
{
    enum status status = vault_read_state(vault, failure, ret_state);

    return status == STATUS_OK ? vault_compare_state(vault, found, ret_state, failure) : status;
}

enum status vault_compare_head(const struct vault *vault, const struct vault_state *stored,
                               struct failure *failure)
{
    if (stored->log_size == vault->log.head_size && strcmp(stored->head, vault->log.head) == 0)
        return STATUS_OK;
    return failure_set(failure, STATUS_CORRUPT, "the state of the vault %s is not the one last written",
                       vault->path);
}

enum status vault_verify_rows(struct vault *vault, struct failure *failure)
{
    CLEANUP(state_reset) struct state fresh = {0};
    struct vault_state stored;

    borrow_forget(vault);
    enum status status = scan(vault, &fresh, failure);
    if (status == STATUS_OK)
        status = verify_state(vault, &fresh, failure, &stored);
    return status == STATUS_OK ? vault_compare_head(vault, &stored, failure) : status;
}

enum status vault_open_file(const char *path, unsigned wait_ms, struct failure *failure,
                            struct vault **ret_vault)
{
    CLEANUP(vault_freep) struct vault *vault = NULL;

    enum status status = vault_allocate(path, failure, &vault);
    if (status == STATUS_OK)
        status = store_open(path, wait_ms, failure, &vault->store);
    if (status == STATUS_OK)
        *ret_vault = TAKE(vault);
    return status;
}

enum status vault_open(const char *path, const struct vault_key *key, unsigned wait_ms,
                       struct failure *failure, struct vault **ret_vault)
{
    CLEANUP(vault_freep) struct vault *vault = NULL;
    struct vault_state stored;

    enum status status = vault_open_file(path, wait_ms, failure, &vault);
    if (status == STATUS_OK)
        status = vault_open_keys(vault, key, failure);
    if (status == STATUS_OK)
        status = scan(vault, &vault->state, failure);
    if (status == STATUS_OK)
        status = verify_state(vault, &vault->state, failure, &stored);
    if (status == STATUS_OK)
        status = log_open(vault, stored.log_size, stored.head, failure);
    if (status == STATUS_OK)
        *ret_vault = TAKE(vault);
    else if (status == STATUS_CORRUPT && vault != NULL && vault->store != NULL)
        store_leave(vault->store);
    return status;
}

void vault_reserve(struct vault *vault)
{
    store_reserve(vault->store);
}

enum status vault_begin(struct vault *vault, struct failure *failure)
{
    enum status status = vault->rolled_back ? log_reload(vault, failure) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    vault->rolled_back = false;
    status = store_begin(vault->store, failure);
    if (status != STATUS_OK)
        return status;
    state_begin(&vault->state);
    vault->log.committed = vault->log.edge;
    vault->in_turn = true;
    vault->broken = false;
    return STATUS_OK;
}

void vault_rollback(struct vault *vault)
{
    struct failure ignored;

    if (!vault->in_turn)
        return;
    borrow_forget(vault);
    store_rollback(vault->store);
    if (vault->former != NULL)
        former_exchange(vault);
    former_freep(&vault->former);
    state_rollback(&vault->state);
    era_rollback(vault);
    vault->log.edge = vault->log.committed;
    vault->in_turn = false;
    vault->broken = false;
    /* Proofs need the unfinished tiles, too, and may be asked for before the next turn begins. */
    vault->rolled_back = vault->log.head_size == 0 || log_reload(vault, &ignored) != STATUS_OK;
}

static enum status put_state(struct vault *vault, char note[NOTE_MAX], struct failure *failure)
{
    uint8_t associated_bytes[96], plain[STATE_PLAIN_SIZE] = {0}, sealed[STATE_PLAIN_SIZE + SEAL_OVERHEAD];
    struct seal_input associated = {.bytes = associated_bytes, .capacity = sizeof associated_bytes};
    struct seal_input head = {.bytes = plain, .capacity = STATE_HEAD_SIZE};
    uint64_t leaves = vault->log.edge.size;

    log_sign(vault, note);
    seal_input_bytes(&head, vault->state.sum, sizeof vault->state.sum);
    seal_input_u64(&head, vault->state.count);
    seal_input_u64(&head, leaves);
    memcpy(plain + STATE_HEAD_SIZE, note, strlen(note));
    associate_state(vault, leaves, vault->state.count, &associated);
    seal_close(sealed, vault->keys->state, plain, sizeof plain, associated.bytes, associated.size);
    secret_wipe(plain, sizeof plain);
    return store_put_state(vault->store, leaves, vault->state.count, sealed, sizeof sealed, failure);
}

enum status vault_commit(struct vault *vault, struct failure *failure)
{
    char note[NOTE_MAX];

    borrow_drop(vault);
    if (!state_is_changed(&vault->state) && vault->log.edge.size == vault->log.head_size) {
        store_rollback(vault->store);
        vault->in_turn = false;
        return STATUS_OK;
    }
    enum status status = vault->broken
                             ? failure_set(failure, STATUS_FAILED, "a broken turn cannot be committed")
                             : put_state(vault, note, failure);
    if (status == STATUS_OK)
        status = store_commit(vault->store, failure);
    if (status != STATUS_OK) {
        vault_rollback(vault);
        return status;
    }
    former_freep(&vault->former);
    state_keep(&vault->state);
    era_keep(vault);
    memcpy(vault->log.head, note, sizeof note);
    vault->log.head_size = vault->log.edge.size;
    vault->in_turn = false;
    return STATUS_OK;
}

bool vault_fold(struct vault *vault)
{
    return store_fold(vault->store);
}

enum status vault_start_snapshot(struct vault *vault, struct failure *failure,
                                 struct store_snapshot **ret_snapshot)
{
    return store_snapshot_start(vault->store, failure, ret_snapshot);
}

/* The first turn of a new vault. */
static enum status fill(struct vault *vault, const struct vault_new_slot *slots, size_t count,
                        const struct leaf_caller *caller, struct failure *failure)
{
    CLEANUP(leaf_reset) struct leaf leaf = {.action = "initialize", .granted = true, .caller = caller};
    const struct remark no_remark = {0};
    bool step_changed;

    enum status status = vault_begin(vault, failure);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = keyslot_put(vault, &slots[i], failure);
    if (status == STATUS_OK)
        status = era_create(vault, failure);
    if (status == STATUS_OK)
        status = placement_add_step(vault, "/", false, &no_remark, failure, &step_changed);
    if (status == STATUS_OK)
        status = placement_add_step(vault, "login", true, &no_remark, failure, &step_changed);
    if (status == STATUS_OK)
        status = log_append(vault, &leaf, failure);
    if (status == STATUS_OK)
        status = vault_commit(vault, failure);
    return status;
}

/* The file gets its name when it is complete, so that a crash leaves no vault or a whole one (P6). */
enum status vault_create(const char *path, const struct vault_new_slot *slots, size_t count,
                         const struct leaf_caller *caller, struct failure *failure, struct vault **ret_vault)
{
    CLEANUP(vault_freep) struct vault *vault = NULL;
    struct store_header header = {.epoch = 1};

    enum status status = keyslot_check(slots, count, failure);
    if (status == STATUS_OK)
        status = vault_allocate(path, failure, &vault);
    if (status != STATUS_OK)
        return status;
    seal_random(vault->id, sizeof vault->id);
    memcpy(header.vault_id, vault->id, sizeof header.vault_id);
    vault->epoch = header.epoch;
    seal_random(vault->keys->vault, sizeof vault->keys->vault);
    vault_derive_keys(vault->keys, vault->id, vault->epoch);
    status = store_create(path, &header, failure, &vault->store);
    if (status == STATUS_OK)
        status = fill(vault, slots, count, caller, failure);
    if (status == STATUS_OK)
        status = store_publish(vault->store, failure);
    if (status == STATUS_OK)
        *ret_vault = TAKE(vault);
    return status;
}
