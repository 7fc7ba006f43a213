/* Collecting keys. */
#include "keyring.h"

#include "base/cleanup.h"
#include "prompt.h"

#include <string.h>

void keyring_reset(struct keyring *keyring)
{
    for (size_t i = 0; i < keyring->count; i++) {
        key_slot_reset(&keyring->slots[i].next);
        key_reset(&keyring->slots[i].now);
    }
    key_reset(&keyring->authority);
    secret_reset(&keyring->code);
    keyring->count = 0;
}

static enum status copy_key(const struct key *key, struct failure *failure, struct key *ret_copy)
{
    key_reset(ret_copy);
    if (!secret_append(&ret_copy->bytes, key->bytes.bytes, key->bytes.size))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for a key");
    memcpy(ret_copy->slot, key->slot, sizeof(ret_copy->slot));
    return STATUS_OK;
}

/* Room for one more slot; NULL where the vault could not have it. */
static struct keyring_slot *add(struct keyring *keyring, struct failure *failure)
{
    if (keyring->count == KEY_SLOTS_MAX) {
        failure_set(failure, STATUS_TOO_LARGE, "a vault has at most %d slots", KEY_SLOTS_MAX);
        return NULL;
    }
    return &keyring->slots[keyring->count++];
}

/* The first key of now is the one that authorises. */
static enum status authorise(struct keyring *keyring, const struct key *now, struct failure *failure)
{
    return keyring->authority.bytes.size > 0 ? STATUS_OK : copy_key(now, failure, &keyring->authority);
}

static const struct slot_header *find(const struct key_headers *headers, enum slot_kind kind)
{
    struct failure ignored;
    const struct slot_header *header = NULL;

    (void)key_find_header(headers, kind, &ignored, &header);
    return header;
}

/* `ret_passphrase` stays empty where its slot is to go. */
static enum status read_passphrase(int descriptor, bool optional, struct failure *failure,
                                   struct secret *ret_passphrase)
{
    enum status status;

    if (descriptor != -1 || !optional)
        return prompt_passphrase(descriptor, "Passphrase: ", failure, ret_passphrase);
    status = prompt_line("Passphrase (empty: it opens the vault no more): ", true, PROMPT_PASSPHRASE_MAX,
                         "the passphrase", failure, ret_passphrase);
    if (status == STATUS_KEY_REQUIRED)
        secret_clear(ret_passphrase);
    return status == STATUS_KEY_REQUIRED ? STATUS_OK : status;
}

static enum status collect_passphrase(struct keyring *keyring, const struct option_values *options,
                                      const struct key_headers *headers, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret passphrase = {0};
    const struct slot_header *header = find(headers, SLOT_PASSPHRASE);
    struct keyring_slot *slot;
    int descriptor;
    enum status status = option_descriptor(options, "passphrase-fd", failure, &descriptor);

    if (status == STATUS_OK && descriptor != -1)
        status = key_find_header(headers, SLOT_PASSPHRASE, failure, &header);
    if (status == STATUS_OK && header != NULL)
        status = read_passphrase(descriptor, keyring->authority.bytes.size > 0, failure, &passphrase);
    if (status != STATUS_OK || passphrase.size == 0)
        return status;
    slot = add(keyring, failure);
    if (slot == NULL)
        return failure->status;
    status = key_from_passphrase(&passphrase, header, failure, &slot->now);
    if (status == STATUS_OK)
        status = key_renew_passphrase(&passphrase, header, failure, &slot->next);
    return status == STATUS_OK ? authorise(keyring, &slot->now, failure) : status;
}

static bool has_key(const struct keyring *keyring, const struct key *key)
{
    for (size_t i = 0; i < keyring->count; i++)
        if (keyring->slots[i].next.header.kind == SLOT_MACHINE &&
            secret_equal(keyring->slots[i].now.bytes.bytes, key->bytes.bytes, SLOT_KEY_SIZE))
            return true;
    return false;
}

/* One file named twice is one slot. */
static enum status collect_file(struct keyring *keyring, const char *path, struct failure *failure)
{
    CLEANUP(key_reset) struct key key = {0};
    struct keyring_slot *slot;
    enum status status = key_read_file(path, failure, &key);

    if (status != STATUS_OK || has_key(keyring, &key))
        return status;
    slot = add(keyring, failure);
    if (slot == NULL)
        return failure->status;
    slot->path = path;
    status = key_renew_machine(path, failure, &slot->next);
    if (status == STATUS_OK)
        status = copy_key(&key, failure, &slot->now);
    return status == STATUS_OK ? authorise(keyring, &slot->now, failure) : status;
}

static enum status collect_files(struct keyring *keyring, const struct exchange *exchange,
                                 const struct option_values *options, const struct key_headers *headers,
                                 struct failure *failure)
{
    const char *path;
    size_t position = 0;
    enum status status = STATUS_OK;

    /* One of the environment's may be for another vault. */
    if (exchange->has_key_file && (option_flag(options, "key-file") || find(headers, SLOT_MACHINE) != NULL))
        status = collect_file(keyring, exchange->key_file, failure);
    while (status == STATUS_OK && (path = option_next(options, "keep-key", &position)) != NULL)
        status = collect_file(keyring, path, failure);
    return status;
}

static enum status collect_code(struct keyring *keyring, const struct option_values *options,
                                const struct key_headers *headers, bool goes_on, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret code = {0};
    CLEANUP(key_reset) struct key now = {0};
    const struct slot_header *header = NULL;
    struct keyring_slot *slot;
    int descriptor;
    enum status status = option_descriptor(options, "recovery-code-fd", failure, &descriptor);

    if (status != STATUS_OK || (descriptor == -1 && !option_flag(options, "recovery")))
        return status;
    status = key_find_header(headers, SLOT_RECOVERY, failure, &header);
    if (status == STATUS_OK)
        status = prompt_code(descriptor, failure, &code);
    if (status == STATUS_OK)
        status = key_from_code(&code, header, failure, &now);
    if (status == STATUS_OK)
        status = authorise(keyring, &now, failure);
    if (status != STATUS_OK || !goes_on)
        return status;
    slot = add(keyring, failure);
    if (slot == NULL)
        return failure->status;
    status = copy_key(&now, failure, &slot->now);
    return status == STATUS_OK ? key_renew_code(&code, header, failure, &slot->next) : status;
}

enum status keyring_collect(const struct exchange *exchange, const struct option_values *options,
                            const struct key_headers *headers, bool new_recovery, struct failure *failure,
                            struct keyring *keyring)
{
    struct keyring_slot *slot;
    enum status status = collect_code(keyring, options, headers, !new_recovery, failure);

    if (status == STATUS_OK)
        status = collect_files(keyring, exchange, options, headers, failure);
    if (status == STATUS_OK)
        status = collect_passphrase(keyring, options, headers, failure);
    if (status != STATUS_OK || !new_recovery)
        return status;
    slot = add(keyring, failure);
    return slot == NULL ? failure->status : key_new_recovery(failure, &slot->next, &keyring->code);
}

void keyring_write(const struct keyring *keyring, struct json_writer *writer)
{
    json_open_array(writer, "slots");
    for (size_t i = 0; i < keyring->count; i++) {
        const struct keyring_slot *slot = &keyring->slots[i];
        key_slot_write(writer, NULL, &slot->next, slot->now.bytes.size > 0 ? &slot->now : NULL);
    }
    json_close_array(writer);
}
