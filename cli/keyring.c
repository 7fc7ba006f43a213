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

/* What a person types for the slots of a kind. */
struct typed {
    enum slot_kind kind;
    const char *option;   /* of the descriptor that has it instead */
    const char *question; /* where no other key authorises */
    const char *optional; /* where one does */
    const char *what;
};

static const struct typed passphrase_words = {
    .kind = SLOT_PASSPHRASE,
    .option = "passphrase-fd",
    .question = "Passphrase: ",
    .optional = "Passphrase (empty: it opens the vault no more): ",
    .what = "the passphrase",
};

static const struct typed login_words = {
    .kind = SLOT_LOGIN,
    .option = "login-password-fd",
    .question = "Login password: ",
    .optional = "Login password (empty: it opens the vault no more): ",
    .what = "the login password",
};

static enum status ask_typed(const struct typed *words, int descriptor, bool optional,
                             struct failure *failure, struct secret *ret_text)
{
    enum status status;

    if (descriptor != -1 || !optional)
        return prompt_passphrase(descriptor, words->question, failure, ret_text);
    status = prompt_line(words->optional, true, PROMPT_PASSPHRASE_MAX, words->what, failure, ret_text);
    if (status == STATUS_KEY_REQUIRED)
        secret_clear(ret_text);
    return status == STATUS_KEY_REQUIRED ? STATUS_OK : status;
}

/* `ret_text` stays empty where the vault has no such slot, or the slot is to go. */
static enum status read_typed(const struct keyring *keyring, const struct option_values *options,
                              const struct key_headers *headers, const struct typed *words,
                              struct failure *failure, struct secret *ret_text)
{
    const struct slot_header *header = find(headers, words->kind);
    int descriptor;
    enum status status = option_descriptor(options, words->option, failure, &descriptor);

    if (status == STATUS_OK && descriptor != -1)
        status = key_find_header(headers, words->kind, failure, &header);
    if (status == STATUS_OK && header != NULL)
        status = ask_typed(words, descriptor, keyring->authority.bytes.size > 0, failure, ret_text);
    return status;
}

/* A slot of `header` that goes on, under the same text. NULL where that cannot be. */
static struct keyring_slot *add_typed(struct keyring *keyring, const struct secret *text,
                                      const struct slot_header *header, struct failure *failure)
{
    struct keyring_slot *slot = add(keyring, failure);

    if (slot == NULL || key_from_passphrase(text, header, failure, &slot->now) != STATUS_OK ||
        key_renew_passphrase(text, header, failure, &slot->next) != STATUS_OK)
        return NULL;
    return slot;
}

static enum status collect_passphrase(struct keyring *keyring, const struct option_values *options,
                                      const struct key_headers *headers, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret passphrase = {0};
    const struct keyring_slot *slot;
    enum status status = read_typed(keyring, options, headers, &passphrase_words, failure, &passphrase);

    if (status != STATUS_OK || passphrase.size == 0)
        return status;
    slot = add_typed(keyring, &passphrase, find(headers, SLOT_PASSPHRASE), failure);
    return slot == NULL ? failure->status : authorise(keyring, &slot->now, failure);
}

/* After a change of the password there are two, of which it may open one: all are collected, and
 * keyring_drop takes what it does not open. */
static enum status collect_login(struct keyring *keyring, const struct option_values *options,
                                 const struct key_headers *headers, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret password = {0};
    enum status status = read_typed(keyring, options, headers, &login_words, failure, &password);

    if (status != STATUS_OK || password.size == 0)
        return status;
    for (size_t i = 0; i < headers->count; i++)
        if (headers->headers[i].kind == SLOT_LOGIN &&
            add_typed(keyring, &password, &headers->headers[i], failure) == NULL)
            return failure->status;
    return STATUS_OK;
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
    if (status == STATUS_OK)
        status = collect_login(keyring, options, headers, failure);
    if (status != STATUS_OK || !new_recovery)
        return status;
    slot = add(keyring, failure);
    return slot == NULL ? failure->status : key_new_recovery(failure, &slot->next, &keyring->code);
}

enum status keyring_authorise(struct keyring *keyring, size_t at, struct failure *failure)
{
    return authorise(keyring, &keyring->slots[at].now, failure);
}

void keyring_drop(struct keyring *keyring, size_t at)
{
    key_slot_reset(&keyring->slots[at].next);
    key_reset(&keyring->slots[at].now);
    keyring->count--;
    for (; at < keyring->count; at++)
        keyring->slots[at] = keyring->slots[at + 1];
    keyring->slots[at] = (struct keyring_slot){.path = NULL};
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
