/* The key slots of a vault: which there may be, what opens them, changing them. */
#include "keyslot.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "interior.h"

#include <stdlib.h>
#include <string.h>

static void slot_from_row(const struct store_slot *row, struct slot *ret_slot)
{
    *ret_slot = (struct slot){
        .header = {.kind = (enum slot_kind)row->kind,
                   .kdf = {.memory_kib = row->memory_kib, .passes = row->passes, .lanes = row->lanes},
                   .created_ms = row->created_ms}
    };
    memcpy(ret_slot->header.id, row->id, sizeof row->id);
    memcpy(ret_slot->header.kdf.salt, row->salt, sizeof row->salt);
    memcpy(ret_slot->commitment, row->commitment, sizeof row->commitment);
    memcpy(ret_slot->wrapped, row->wrapped, sizeof row->wrapped);
}

static void slot_to_row(const struct slot *slot, struct store_slot *ret_row)
{
    *ret_row = (struct store_slot){.kind = slot->header.kind,
                                   .memory_kib = slot->header.kdf.memory_kib,
                                   .passes = slot->header.kdf.passes,
                                   .lanes = slot->header.kdf.lanes,
                                   .created_ms = slot->header.created_ms};
    memcpy(ret_row->id, slot->header.id, sizeof ret_row->id);
    memcpy(ret_row->salt, slot->header.kdf.salt, sizeof ret_row->salt);
    memcpy(ret_row->commitment, slot->commitment, sizeof ret_row->commitment);
    memcpy(ret_row->wrapped, slot->wrapped, sizeof ret_row->wrapped);
}

/* Tries the slot the key names, or every machine slot: those cost no derivation. */
enum status keyslot_unwrap_one(const struct vault *vault, const struct store_slot *rows, size_t count,
                               const struct vault_key *key, struct failure *failure,
                               uint8_t ret_vault_key[SEAL_KEY_SIZE], size_t *ret_slot)
{
    bool named = false;

    for (size_t i = 0; i < count; i++) {
        struct slot slot;

        if (key->has_slot ? memcmp(rows[i].id, key->slot, SLOT_ID_SIZE) != 0 : rows[i].kind != SLOT_MACHINE)
            continue;
        named = true;
        slot_from_row(&rows[i], &slot);
        if (slot_unwrap(&slot, key->key, vault->id, vault->epoch, ret_vault_key)) {
            *ret_slot = i;
            return STATUS_OK;
        }
    }
    if (key->has_slot && !named)
        return failure_set(failure, STATUS_NOT_FOUND, "the vault has no slot of that id");
    if (!named)
        return failure_set(failure, STATUS_WRONG_KEY, "no key file opens this vault: it has no machine slot");
    return failure_set(failure, STATUS_WRONG_KEY, "the key does not open the vault");
}

enum status keyslot_unwrap(const struct vault *vault, const struct store_slot *rows, size_t count,
                           const struct vault_key *key, struct failure *failure,
                           uint8_t ret_vault_key[SEAL_KEY_SIZE])
{
    size_t slot;

    return keyslot_unwrap_one(vault, rows, count, key, failure, ret_vault_key, &slot);
}

/* How many slots of each kind there may be. */
static const unsigned slot_limits[] = {
    [SLOT_PASSPHRASE] = 1,
    [SLOT_LOGIN] = 2,
    [SLOT_RECOVERY] = 1,
    [SLOT_MACHINE] = 64,
};

/* The state remembers rows by id, and numbered rows by keys that begin so; a slot's id comes from its maker.
 */
static bool id_is_random(const uint8_t id[SLOT_ID_SIZE])
{
    static const uint8_t zeros[4];

    return memcmp(id, zeros, 3) != 0 || memcmp(id + 4, zeros, 4) != 0;
}

static enum status check_new_slot(const struct store_slot *rows, size_t count,
                                  const struct vault_new_slot *slot, struct failure *failure)
{
    unsigned same = 0;

    if (slot_kind_name(slot->header.kind) == NULL)
        return failure_set(failure, STATUS_INVALID, "there is no such kind of slot");
    if (!id_is_random(slot->header.id))
        return failure_set(failure, STATUS_INVALID, "the id of a slot is 16 random bytes");
    for (size_t i = 0; i < count; i++) {
        same += rows[i].kind == (uint32_t)slot->header.kind;
        if (memcmp(rows[i].id, slot->header.id, SLOT_ID_SIZE) == 0)
            return failure_set(failure, STATUS_EXISTS, "there is a slot of that id");
    }
    if (same >= slot_limits[slot->header.kind])
        return failure_set(failure, STATUS_EXISTS,
                           "the vault has %u %s slot%s, and that is the most it can have", same,
                           slot_kind_name(slot->header.kind), same == 1 ? "" : "s");
    return STATUS_OK;
}

enum status keyslot_put(struct vault *vault, const struct vault_new_slot *new_slot, struct failure *failure)
{
    struct slot slot = {.header = new_slot->header};
    struct store_slot row;
    uint8_t term[SEAL_HASH_SIZE];

    slot_wrap(&slot, new_slot->key, vault->keys->vault, vault->id, vault->epoch);
    slot_to_row(&slot, &row);
    state_term_slot(vault->keys->accumulator, &row, term);
    enum status status = state_change(&vault->state, row.id, term)
                             ? store_put_slot(vault->store, &row, failure)
                             : failure_set_no_memory(failure);
    if (status != STATUS_OK)
        vault->broken = true;
    return status;
}

/* The slots as stored, each compared with its remembered term. */
static enum status list_slots(struct vault *vault, struct failure *failure, struct store_slot **ret_rows,
                              size_t *ret_count)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    uint8_t term[SEAL_HASH_SIZE];
    size_t count;

    enum status status = store_list_slots(vault->store, failure, &rows, &count);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        state_term_slot(vault->keys->accumulator, &rows[i], term);
        if (!state_matches(&vault->state, rows[i].id, term))
            status = failure_set(failure, STATUS_CORRUPT, "a slot of the vault is not what the vault wrote");
    }
    if (status != STATUS_OK)
        return status;
    *ret_rows = TAKE(rows);
    *ret_count = count;
    return STATUS_OK;
}

static enum status headers_from_rows(const struct store_slot *rows, size_t count, struct failure *failure,
                                     struct slot_header **ret_headers)
{
    struct slot_header *headers = calloc(count + 1, sizeof *headers);
    struct slot slot;

    if (headers == NULL)
        return failure_set_no_memory(failure);
    for (size_t i = 0; i < count; i++) {
        slot_from_row(&rows[i], &slot);
        headers[i] = slot.header;
        if (slot_kind_name(slot.header.kind) == NULL) {
            free(headers);
            return failure_set(failure, STATUS_CORRUPT, "a slot of the vault is of a kind that is none");
        }
    }
    *ret_headers = headers;
    return STATUS_OK;
}

enum status vault_list_slots(struct vault *vault, struct failure *failure, struct slot_header **ret_headers,
                             size_t *ret_count)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    size_t count;

    enum status status = list_slots(vault, failure, &rows, &count);
    if (status == STATUS_OK)
        status = headers_from_rows(rows, count, failure, ret_headers);
    if (status == STATUS_OK)
        *ret_count = count;
    return status;
}

enum status vault_read_slots(const char *path, unsigned wait_ms, struct failure *failure, uint8_t ret_id[16],
                             uint32_t *ret_epoch, struct slot_header **ret_headers, size_t *ret_count)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    struct store_header header;
    size_t count;

    enum status status = store_read_slots(path, wait_ms, failure, &header, &rows, &count);
    if (status == STATUS_OK)
        status = headers_from_rows(rows, count, failure, ret_headers);
    if (status != STATUS_OK)
        return status;
    memcpy(ret_id, header.vault_id, sizeof header.vault_id);
    *ret_epoch = header.epoch;
    *ret_count = count;
    return STATUS_OK;
}

enum status vault_check_key(struct vault *vault, const struct vault_key *key, struct failure *failure)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    uint8_t *vault_key = secret_allocate(SEAL_KEY_SIZE);
    size_t count;

    enum status status =
        vault_key == NULL ? failure_set_no_memory(failure) : list_slots(vault, failure, &rows, &count);
    if (status == STATUS_OK)
        status = keyslot_unwrap(vault, rows, count, key, failure, vault_key);
    if (status == STATUS_OK && !secret_equal(vault_key, vault->keys->vault, SEAL_KEY_SIZE))
        status = failure_set(failure, STATUS_WRONG_KEY, "the key opens another vault");
    secret_free(vault_key);
    return status;
}

/* Of any row: a record of the same id would be forgotten for the slot. */
static enum status check_id_is_free(const struct vault *vault, const struct vault_new_slot *slot,
                                    struct failure *failure)
{
    if (state_remembers(&vault->state, slot->header.id))
        return failure_set(failure, STATUS_EXISTS, "there is a slot or record of that id");
    return STATUS_OK;
}

enum status vault_add_slot(struct vault *vault, const struct vault_new_slot *slot, struct failure *failure)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    size_t count;

    enum status status = list_slots(vault, failure, &rows, &count);
    if (status == STATUS_OK)
        status = check_new_slot(rows, count, slot, failure);
    if (status == STATUS_OK)
        status = check_id_is_free(vault, slot, failure);
    return status == STATUS_OK ? keyslot_put(vault, slot, failure) : status;
}

static enum status drop_slot(struct vault *vault, const uint8_t id[SLOT_ID_SIZE], struct failure *failure)
{
    enum status status = state_change(&vault->state, id, NULL) ? store_remove_slot(vault->store, id, failure)
                                                               : failure_set_no_memory(failure);

    if (status != STATUS_OK)
        vault->broken = true;
    return status;
}

enum status vault_remove_slot(struct vault *vault, const uint8_t id[SLOT_ID_SIZE], struct failure *failure)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    const struct store_slot *found = NULL;
    size_t count, others = 0;

    enum status status = list_slots(vault, failure, &rows, &count);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(rows[i].id, id, SLOT_ID_SIZE) == 0)
            found = &rows[i];
        else
            others += rows[i].kind != SLOT_RECOVERY;
    }
    if (found == NULL)
        return failure_set(failure, STATUS_NOT_FOUND, "the vault has no slot of that id");
    if (others == 0 && found->kind != SLOT_RECOVERY)
        return failure_set(
            failure, STATUS_REFUSED,
            "this is the last slot that unlocks the vault day by day; add another before removing it");
    return drop_slot(vault, id, failure);
}

enum status vault_replace_slot(struct vault *vault, const struct vault_new_slot *slot,
                               struct failure *failure, uint8_t ret_replaced[SLOT_ID_SIZE])
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    const char *kind = slot_kind_name(slot->header.kind);
    size_t count, at = 0, same = 0;
    uint8_t old[SLOT_ID_SIZE];

    enum status status = list_slots(vault, failure, &rows, &count);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind != (uint32_t)slot->header.kind)
            continue;
        at = i;
        same++;
    }
    if (same == 0)
        return failure_set(failure, STATUS_NOT_FOUND, "the vault has no %s slot to replace",
                           kind != NULL ? kind : "such");
    if (same > 1)
        return failure_set(failure, STATUS_AMBIGUOUS, "the vault has %zu %s slots, and only one is replaced",
                           same, kind);
    status = check_id_is_free(vault, slot, failure);
    memcpy(old, rows[at].id, sizeof old);
    rows[at] = rows[count - 1];
    if (status == STATUS_OK)
        status = check_new_slot(rows, count - 1, slot, failure);
    if (status == STATUS_OK)
        status = drop_slot(vault, old, failure);
    if (status == STATUS_OK)
        status = keyslot_put(vault, slot, failure);
    if (status == STATUS_OK)
        memcpy(ret_replaced, old, sizeof old);
    return status;
}

enum status keyslot_check(const struct vault_new_slot *slots, size_t count, struct failure *failure)
{
    struct store_slot rows[VAULT_SLOTS_MAX];
    size_t usable = 0;

    if (count == 0 || count > VAULT_SLOTS_MAX)
        return failure_set(failure, STATUS_INVALID, "a vault has 1 to %u slots", VAULT_SLOTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct slot slot = {.header = slots[i].header};
        enum status status = check_new_slot(rows, i, &slots[i], failure);
        if (status != STATUS_OK)
            return status;
        slot_to_row(&slot, &rows[i]);
        usable += slots[i].header.kind != SLOT_RECOVERY;
    }
    if (usable == 0)
        return failure_set(failure, STATUS_INVALID,
                           "a vault needs a passphrase or a key file besides its recovery code");
    return STATUS_OK;
}

static bool has_no_kdf(const struct store_slot *row)
{
    return row->memory_kib == 0 && row->passes == 0 && row->lanes == 0;
}

enum status keyslot_check_rows(const struct store_slot *rows, size_t count, struct failure *failure)
{
    unsigned counts[sizeof slot_limits / sizeof slot_limits[0]] = {0};

    for (size_t i = 0; i < count; i++) {
        char id[2 * SLOT_ID_SIZE + 1];
        struct slot slot;

        text_to_hex(id, rows[i].id, sizeof rows[i].id);
        if (slot_kind_name((enum slot_kind)rows[i].kind) == NULL)
            return failure_set(failure, STATUS_CORRUPT, "the slot %s is of a kind that is none", id);
        slot_from_row(&rows[i], &slot);
        bool derives = rows[i].kind == SLOT_PASSPHRASE || rows[i].kind == SLOT_LOGIN;
        if (derives ? !slot_kdf_is_sound(&slot.header.kdf) : !has_no_kdf(&rows[i]))
            return failure_set(failure, STATUS_CORRUPT,
                               "the slot %s asks for Argon2id with %u KiB, %u passes and %u lanes, which "
                               "stepvault never uses",
                               id, rows[i].memory_kib, rows[i].passes, rows[i].lanes);
        if (!id_is_random(rows[i].id))
            return failure_set(failure, STATUS_CORRUPT, "the slot %s has an id that none is given", id);
        if (++counts[rows[i].kind] > slot_limits[rows[i].kind])
            return failure_set(failure, STATUS_CORRUPT, "the vault has %u %s slots, more than it can have",
                               counts[rows[i].kind], slot_kind_name(slot.header.kind));
    }
    if (count == counts[SLOT_RECOVERY])
        return failure_set(failure, STATUS_CORRUPT, "the vault has no slot that unlocks it day by day");
    return STATUS_OK;
}

/* The row, of that kind and none of those taken, that the key opens: of a machine slot any, of others the one
 * of that id. */
static const struct store_slot *find_continued(const struct vault *vault, const struct store_slot *rows,
                                               size_t count, const struct slot_header *header,
                                               const uint8_t key[SLOT_KEY_SIZE], uint8_t *vault_key)
{
    for (size_t i = 0; i < count; i++) {
        struct slot slot;

        if (rows[i].kind != (uint32_t)header->kind ||
            (header->kind != SLOT_MACHINE && memcmp(rows[i].id, header->id, SLOT_ID_SIZE) != 0))
            continue;
        slot_from_row(&rows[i], &slot);
        if (slot_unwrap(&slot, key, vault->id, vault->epoch, vault_key) &&
            secret_equal(vault_key, vault->keys->vault, SEAL_KEY_SIZE))
            return &rows[i];
    }
    return NULL;
}

/* One slot of the new set: it becomes the one it continues, or is one of an id that nothing has. */
static enum status settle(struct vault *vault, const struct store_slot *rows, size_t count,
                          const struct rekey_claim *claim, struct failure *failure,
                          struct vault_new_slot *slot)
{
    const struct store_slot *row;

    for (size_t i = 0; i < count; i++)
        if (memcmp(rows[i].salt, slot->header.kdf.salt, SLOT_SALT_SIZE) == 0)
            return failure_set(failure, STATUS_INVALID, "a slot of the new set has the salt of an old one");
    if (!claim->continues)
        return check_id_is_free(vault, slot, failure);
    uint8_t *vault_key = secret_allocate(SEAL_KEY_SIZE);
    if (vault_key == NULL)
        return failure_set_no_memory(failure);
    row = find_continued(vault, rows, count, &slot->header, claim->old_key, vault_key);
    secret_free(vault_key);
    if (row == NULL)
        return failure_set(failure, STATUS_WRONG_KEY, "the key of a %s slot that is to stay does not open it",
                           slot_kind_name(slot->header.kind));
    memcpy(slot->header.id, row->id, SLOT_ID_SIZE);
    slot->header.created_ms = row->created_ms;
    return STATUS_OK;
}

static bool is_among(const struct vault_new_slot *slots, size_t count, const uint8_t id[SLOT_ID_SIZE])
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(slots[i].header.id, id, SLOT_ID_SIZE) == 0)
            return true;
    return false;
}

enum status keyslot_settle(struct vault *vault, struct vault_new_slot *slots,
                           const struct rekey_claim *claims, size_t count, struct failure *failure,
                           struct slot_header **ret_removed, size_t *ret_removed_count)
{
    CLEANUP(cleanup_free) struct store_slot *rows = NULL;
    size_t row_count, removed = 0;

    enum status status = list_slots(vault, failure, &rows, &row_count);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = settle(vault, rows, row_count, &claims[i], failure, &slots[i]);
    if (status == STATUS_OK)
        status = keyslot_check(slots, count, failure);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < row_count; i++)
        if (!is_among(slots, count, rows[i].id))
            rows[removed++] = rows[i];
    status = headers_from_rows(rows, removed, failure, ret_removed);
    if (status == STATUS_OK)
        *ret_removed_count = removed;
    return status;
}
