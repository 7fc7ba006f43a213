/* Taking a projection apart, believing nothing of it. */
#include "client/received.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/text.h"

#include <string.h>

static enum status malformed(struct failure *failure, const char *what)
{
    return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no proper %s", what);
}

/* Appends the bytes whose base64 text is the member `key`. */
static enum status member_decode(struct wire_value parameters, const char *key, struct failure *failure,
                                 struct secret *destination)
{
    CLEANUP(secret_reset) struct secret base64 = {0};
    struct wire_value value;

    if (!wire_member(parameters, key, &value) || !wire_text(value, &base64) ||
        !text_append_from_base64(destination, secret_text(&base64), base64.size))
        return malformed(failure, key);
    return STATUS_OK;
}

/* The name up to `=` must be one that a vault could hold: an agent that is none must not set LD_PRELOAD's
 * neighbours such as `BASH_FUNC_x%%`, nor our own names. */
static bool entry_is_variable(const char *entry)
{
    const char *equals = strchr(entry, '=');
    char name[NAME_VARIABLE_MAX + 1];
    struct failure ignored;

    if (equals == NULL || (size_t)(equals - entry) >= sizeof(name))
        return false;
    memcpy(name, entry, (size_t)(equals - entry));
    name[equals - entry] = '\0';
    return name_check_variable(name, &ignored) == STATUS_OK;
}

/* A name like any that a vault gives, and so one within the folder. */
static bool entry_is_credential(const char *entry)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const size_t size = strspn(entry, allowed);

    return size > 0 && size <= RECEIVED_CREDENTIAL_MAX && entry[0] != '.' && entry[size] == '=';
}

static size_t count_entries(const struct secret *block)
{
    size_t count = 0;

    for (size_t at = 0; at < block->size; at++)
        count += block->bytes[at] == '\0';
    return count;
}

/* Reads the member `key` into `block` and finds its entries, each of which `is_proper` lets pass. What is set
 * is the caller's to free, after a failure too. */
static enum status entries_read(struct wire_value parameters, const char *key,
                                bool (*is_proper)(const char *), struct failure *failure,
                                struct secret *block, const char ***ret_entries, size_t *ret_count)
{
    enum status status = member_decode(parameters, key, failure, block);
    const size_t count = count_entries(block);
    size_t at = 0;

    if (status != STATUS_OK)
        return status;
    if (block->size > 0 && block->bytes[block->size - 1] != '\0')
        return malformed(failure, key);
    *ret_entries = secret_allocate((count + 1) * sizeof(**ret_entries));
    if (*ret_entries == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the variables");
    for (size_t i = 0; i < count; i++) {
        const char *entry = (const char *)block->bytes + at;

        if (!is_proper(entry))
            return malformed(failure, key);
        (*ret_entries)[i] = entry;
        at += strlen(entry) + 1;
    }
    *ret_count = count;
    return STATUS_OK;
}

enum status received_read(struct wire_value parameters, unsigned parts, struct failure *failure,
                          struct received *ret_received)
{
    CLEANUP(received_reset) struct received received = {0};
    enum status status = entries_read(parameters, "environment", entry_is_variable, failure, &received.block,
                                      &received.entries, &received.count);

    if (status == STATUS_OK && (parts & RECEIVED_CREDENTIALS) != 0)
        status = entries_read(parameters, "credentials_entries", entry_is_credential, failure,
                              &received.credentials_block, &received.credentials, &received.credential_count);
    if (status == STATUS_OK && (parts & RECEIVED_REFERENCES) != 0)
        status = entries_read(parameters, "resolved_entries", entry_is_variable, failure,
                              &received.resolved_block, &received.resolved, &received.resolved_count);
    if (status == STATUS_OK && (parts & RECEIVED_AUTHS) != 0) {
        status = member_decode(parameters, "auths_base64", failure, &received.auths);
        if (status == STATUS_OK && !wire_check((const char *)received.auths.bytes, received.auths.size))
            status = malformed(failure, "auths_base64");
    }
    if (status != STATUS_OK)
        return status;
    *ret_received = received;
    received = (struct received){0};
    return STATUS_OK;
}

const char *received_variable(const struct received *received, const char *name)
{
    const size_t length = strlen(name);

    for (size_t i = 0; i < received->count; i++) {
        if (strncmp(received->entries[i], name, length) == 0 && received->entries[i][length] == '=')
            return received->entries[i] + length + 1;
    }
    return NULL;
}

void received_reset(struct received *received)
{
    secret_free((void *)received->entries);
    secret_reset(&received->block);
    secret_reset(&received->auths);
    secret_free((void *)received->credentials);
    secret_reset(&received->credentials_block);
    secret_free((void *)received->resolved);
    secret_reset(&received->resolved_block);
    *received = (struct received){0};
}
