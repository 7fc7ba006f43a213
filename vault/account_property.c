/* The properties of accounts: their rules, in drafts, and compared. */
#include "account_interior.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "binding.h"

#include <stdio.h>
#include <string.h>

/* Bytes of one account; its padded record is below a mebibyte then, also with what a renewal adds. */
#define ACCOUNT_SIZE_MAX (500u * 1024u)

enum status account_check_properties(const struct json *properties, struct failure *failure)
{
    const struct json *value;
    void *iterator = NULL;
    const char *name;
    size_t size;

    while (json_next(properties, &iterator, &name, &value)) {
        enum status status = name_check_property(name, failure);
        if (status != STATUS_OK)
            return status;
        if (json_text(value, &size) == NULL)
            return failure_set(failure, STATUS_INVALID,
                               "the property %s is not text: each property is a JSON string", name);
        if (size > NAME_VALUE_MAX)
            return failure_set(failure, STATUS_TOO_LARGE, "the property %s has %zu bytes, and %u is the most",
                               name, size, NAME_VALUE_MAX);
    }
    return STATUS_OK;
}

const char *account_property(const struct record *account, const char *property, size_t *ret_size)
{
    char field[sizeof ACCOUNT_PROPERTY_PREFIX + NAME_PROPERTY_MAX];

    snprintf(field, sizeof field, ACCOUNT_PROPERTY_PREFIX "%s", property);
    return record_field(account, field, ret_size);
}

void account_add_property(struct record_draft *draft, const char *property, const char *value, size_t size)
{
    char field[sizeof ACCOUNT_PROPERTY_PREFIX + NAME_PROPERTY_MAX];

    snprintf(field, sizeof field, ACCOUNT_PROPERTY_PREFIX "%s", property);
    record_draft_add(draft, field, value, size);
}

void account_add_properties(struct record_draft *draft, const struct json *properties)
{
    const struct json *value;
    void *iterator = NULL;
    const char *name;
    size_t size;

    while (json_next(properties, &iterator, &name, &value)) {
        const char *text = json_text(value, &size);
        account_add_property(draft, name, text, size);
    }
}

void account_copy_properties(struct record_draft *draft, const struct record *record,
                             const struct json *instead)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(record, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (json_member(instead, name) == NULL)
            account_add_property(draft, name, value, size);
}

void account_add_finals(struct vault *vault, struct record_draft *draft)
{
    const struct record account = record_draft_preview(draft);
    char alias[NAME_ALIAS_MAX + 2], name[NAME_DERIVED_SIZE];
    const char *property, *value;
    size_t position = 0, size;

    name_default_alias(alias, account.where);
    while (record_next(&account, ACCOUNT_PROPERTY_PREFIX, &position, &property, &value, &size)) {
        name_derive_variable(name, alias, property);
        record_draft_add_final(vault, draft, name);
    }
}

enum status account_complete(struct vault *vault, struct record_draft *draft, struct failure *failure)
{
    account_add_finals(vault, draft);
    size_t count = draft->finals.size / STORE_LOOKUP_SIZE;
    if (count > ACCOUNT_PROPERTIES_MAX || draft->fields.size > ACCOUNT_SIZE_MAX)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "an account has at most %u properties and %u bytes in all", ACCOUNT_PROPERTIES_MAX,
                           ACCOUNT_SIZE_MAX);
    if (count == 0)
        return failure_set(failure, STATUS_INVALID, "an account has at least one property");
    return STATUS_OK;
}

bool account_field_is(const struct record *record, const char *field, const char *value, size_t size)
{
    size_t present_size;
    const char *present = record_field(record, field, &present_size);

    return present != NULL && present_size == size && secret_equal(present, value, size);
}

/* True if every property of `one` is one of `other`; with `values`, with the same value. */
static bool has_properties_of(const struct record *other, const struct record *one, bool values)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(one, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size)) {
        const char *field = name - strlen(ACCOUNT_PROPERTY_PREFIX);
        if (values ? !account_field_is(other, field, value, size) : !record_has(other, field))
            return false;
    }
    return true;
}

bool account_has_same_properties(const struct record *one, const struct record *other)
{
    return has_properties_of(one, other, true) && has_properties_of(other, one, true);
}

bool account_has_same_names(const struct record *one, const struct record *other)
{
    return has_properties_of(one, other, false) && has_properties_of(other, one, false);
}

enum status account_check_unnamed(const struct records *bindings, const char *property,
                                  struct failure *failure)
{
    for (size_t i = 0; i < bindings->count; i++)
        if (binding_names_property(&bindings->items[i], property))
            return failure_set(failure, STATUS_IN_USE, "the binding of %s at %s names the property %s",
                               bindings->items[i].name, bindings->items[i].where, property);
    return STATUS_OK;
}

enum status account_check_lost(struct vault *vault, const struct record *account, const struct record *next,
                               struct failure *failure)
{
    CLEANUP(records_reset) struct records bindings = {0};
    const char *name, *value;
    size_t position = 0, size;

    enum status status = binding_list_of(vault, account, failure, &bindings);
    while (status == STATUS_OK &&
           record_next(account, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (account_property(next, name, NULL) == NULL)
            status = account_check_unnamed(&bindings, name, failure);
    return status;
}
