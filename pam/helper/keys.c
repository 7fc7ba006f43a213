/* Keys of login slots. */
#include "helper/keys.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/kdf.h"

#include <string.h>

#define START "KEYS="
#define ID_DIGITS (2 * SLOT_ID_SIZE)
#define KEY_DIGITS (2 * SLOT_KEY_SIZE)
#define ONE_SIZE (ID_DIGITS + 1 + KEY_DIGITS)

void keys_reset(struct keys *keys)
{
    for (size_t i = 0; i < KEYS_MAX; i++)
        key_reset(&keys->keys[i]);
    keys->count = 0;
}

/* Whoever listens says what a slot costs, and a login spends it before a session of the user, with the user's
 * bounds, is there. */
static enum status derive_one(const struct slot_header *header, const struct secret *password,
                              struct failure *failure, struct key *ret_key)
{
    if (header->kdf.memory_kib > KDF_CALIBRATED_MOST_KIB)
        return failure_set(failure, STATUS_CORRUPT, "the login slot wants %u MiB of memory, more than it may",
                           header->kdf.memory_kib / 1024);
    return key_from_passphrase(password, header, failure, ret_key);
}

enum status keys_derive(const struct key_headers *headers, const struct secret *password,
                        struct failure *failure, struct keys *ret_keys)
{
    const struct slot_header *found[KEY_TYPED_MAX];
    size_t count = key_find_typed(headers, found);
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < count && ret_keys->count < KEYS_MAX; i++) {
        if (found[i]->kind != SLOT_LOGIN)
            continue;
        ret_keys->headers[ret_keys->count] = *found[i];
        status = derive_one(found[i], password, failure, &ret_keys->keys[ret_keys->count++]);
    }
    return status;
}

static bool write_one(const struct keys *keys, size_t at, struct secret *entry)
{
    if (!secret_append_text(entry, at > 0 ? "," : "") || !secret_append_text(entry, keys->keys[at].slot) ||
        !secret_append_byte(entry, '.') || !secret_reserve(entry, KEY_DIGITS + 1))
        return false;
    text_to_hex((char *)entry->bytes + entry->size, keys->keys[at].bytes.bytes, SLOT_KEY_SIZE);
    entry->size += KEY_DIGITS;
    return true;
}

bool keys_write(const struct keys *keys, struct secret *entry)
{
    bool done = secret_append_text(entry, START);

    for (size_t i = 0; done && i < keys->count; i++)
        done = write_one(keys, i, entry);
    return done && secret_append_byte(entry, '\0');
}

/* `text` has ONE_SIZE bytes. */
static bool read_one(const char *text, struct slot_header *header, struct key *key)
{
    CLEANUP(secret_reset) struct secret digits = {0};

    memcpy(key->slot, text, ID_DIGITS);
    key->slot[ID_DIGITS] = '\0';
    if (text[ID_DIGITS] != '.' || !text_from_hex(header->id, SLOT_ID_SIZE, key->slot) ||
        !secret_append(&digits, text + ID_DIGITS + 1, KEY_DIGITS) ||
        !secret_reserve(&key->bytes, SLOT_KEY_SIZE) ||
        !text_from_hex(key->bytes.bytes, SLOT_KEY_SIZE, secret_text(&digits)))
        return false;
    header->kind = SLOT_LOGIN;
    key->bytes.size = SLOT_KEY_SIZE;
    return true;
}

bool keys_read(const struct secret *entry, struct keys *ret_keys)
{
    CLEANUP(keys_reset) struct keys keys = {.count = 0};
    const size_t start = sizeof(START) - 1;
    const char *text = (const char *)entry->bytes;

    if (entry->size < start + ONE_SIZE || memcmp(text, START, start) != 0)
        return false;
    for (size_t at = start;; at += ONE_SIZE + 1) {
        if (keys.count == KEYS_MAX || entry->size - at < ONE_SIZE ||
            !read_one(text + at, &keys.headers[keys.count], &keys.keys[keys.count]))
            return false;
        keys.count++;
        if (at + ONE_SIZE == entry->size)
            break;
        if (text[at + ONE_SIZE] != ',' || at + ONE_SIZE + 1 == entry->size)
            return false;
    }
    *ret_keys = keys;
    keys = (struct keys){.count = 0};
    return true;
}
