/* Which account is meant, by its id, its app, or app and label; and what it is and has. */
#include "account_interior.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/text.h"
#include "binding.h"
#include "names.h"

#include <stdio.h>
#include <string.h>

void account_id(const struct record *account, char destination[33])
{
    text_to_hex(destination, account->id, sizeof account->id);
}

void account_name_in_leaf(const struct record *account, struct leaf *leaf)
{
    account_id(account, leaf->account);
    snprintf(leaf->app, sizeof leaf->app, "%s", account->where);
    snprintf(leaf->label, sizeof leaf->label, "%s", account->name);
}

static enum status ambiguous(const char *app, const struct records *accounts, struct failure *failure)
{
    char choices[FAILURE_SENTENCE_MAX];

    records_name(accounts, choices);
    return failure_set(failure, STATUS_AMBIGUOUS, "%s has %zu accounts: %s", app, accounts->count, choices);
}

static enum status missing_app(struct vault *vault, const char *app, struct failure *failure)
{
    char near[NAMES_NEAR_SIZE];

    enum status status = names_near(vault, NAMES_APP, NULL, app, failure, near);
    if (status != STATUS_OK)
        return status;
    return failure_set(failure, STATUS_NOT_FOUND, "there is no account of %s%s%s%s", app,
                       near[0] != '\0' ? "; did you mean " : "", near, near[0] != '\0' ? "?" : "");
}

/* An app of which there is no account at all was misspelt itself. */
static enum status missing_label(struct vault *vault, const char *app, const char *label,
                                 struct failure *failure)
{
    char near[NAMES_NEAR_SIZE];
    char near_app[NAMES_NEAR_SIZE] = "";

    enum status status = names_near(vault, NAMES_LABEL, app, label, failure, near);
    if (status == STATUS_OK && near[0] == '\0')
        status = names_near(vault, NAMES_APP, NULL, app, failure, near_app);
    if (status != STATUS_OK)
        return status;
    if (near[0] != '\0')
        return failure_set(failure, STATUS_NOT_FOUND, "there is no account %s:%s; did you mean %s:%s?", app,
                           label, app, near);
    return failure_set(failure, STATUS_NOT_FOUND, "there is no account %s:%s%s%s%s", app, label,
                       near_app[0] != '\0' ? "; did you mean " : "", near_app,
                       near_app[0] != '\0' ? "?" : "");
}

static enum status resolve_app(struct vault *vault, const char *app, struct failure *failure,
                               struct record *ret_record)
{
    CLEANUP(records_reset) struct records accounts = {0};

    enum status status = name_check_app(app, failure);
    if (status == STATUS_OK)
        status = record_list_linked(vault, RECORD_LINK_APP, app, failure, &accounts);
    if (status != STATUS_OK)
        return status;
    if (accounts.count == 0)
        return missing_app(vault, app, failure);
    if (accounts.count > 1)
        return ambiguous(app, &accounts, failure);
    *ret_record = accounts.items[0];
    memset(&accounts.items[0], 0, sizeof accounts.items[0]);
    return STATUS_OK;
}

static enum status resolve_label(struct vault *vault, const char *account, const char *colon,
                                 struct failure *failure, struct record *ret_record)
{
    char app[NAME_APP_MAX + 1];
    size_t size = (size_t)(colon - account);
    bool found = false;

    if (size > NAME_APP_MAX)
        return failure_set(failure, STATUS_INVALID, "the app's name before the colon is over %u bytes",
                           NAME_APP_MAX);
    memcpy(app, account, size);
    app[size] = '\0';
    enum status status = name_check_app(app, failure);
    if (status == STATUS_OK)
        status = name_check_label(colon + 1, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_ACCOUNT, app, colon + 1, failure, ret_record, &found);
    if (status == STATUS_OK && !found)
        status = missing_label(vault, app, colon + 1, failure);
    return status;
}

/* Apps are written with `_`, and are found with `-` in its place, too: `destination` gets the name as it is
 * written. False where that is the same, or too long for one. */
static bool underscore_app(const char *account, char *destination, size_t size)
{
    size_t length = strlen(account);
    size_t app = strcspn(account, ":");
    bool differs = false;

    if (length >= size)
        return false;
    memcpy(destination, account, length + 1);
    for (size_t i = 0; i < app; i++) {
        differs = differs || destination[i] == '-';
        destination[i] = destination[i] == '-' ? '_' : destination[i];
    }
    return differs;
}

enum status account_find_all(struct vault *vault, const char *app, struct failure *failure,
                             struct records *ret_accounts)
{
    char written[NAME_APP_MAX + 1];
    enum status status = name_check_app(app, failure);

    if (status == STATUS_OK)
        status = record_list_linked(vault, RECORD_LINK_APP, app, failure, ret_accounts);
    if (status != STATUS_OK || ret_accounts->count > 0 || !underscore_app(app, written, sizeof written))
        return status;
    return record_list_linked(vault, RECORD_LINK_APP, written, failure, ret_accounts);
}

static enum status resolve(struct vault *vault, const char *account, struct failure *failure,
                           struct record *ret_record)
{
    const char *colon = strchr(account, ':');
    uint8_t id[STORE_ID_SIZE];

    if (colon != NULL)
        return resolve_label(vault, account, colon, failure, ret_record);
    if (text_from_hex(id, sizeof id, account)) {
        CLEANUP(record_reset) struct record record = {0};
        bool found;
        enum status status = record_find_by_id(vault, id, failure, &record, &found);
        if (status != STATUS_OK)
            return status;
        if (found && record.kind == RECORD_ACCOUNT) {
            *ret_record = record;
            memset(&record, 0, sizeof record);
            return STATUS_OK;
        }
    }
    return resolve_app(vault, account, failure, ret_record);
}

enum status account_resolve(struct vault *vault, const char *account, struct failure *failure,
                            struct record *ret_record)
{
    char written[NAME_APP_MAX + 1 + NAME_LABEL_MAX + 1];
    enum status status = resolve(vault, account, failure, ret_record);
    struct failure again;

    if (status != STATUS_NOT_FOUND || !underscore_app(account, written, sizeof written))
        return status;
    again.status = resolve(vault, written, &again, ret_record);
    if (again.status == STATUS_NOT_FOUND)
        return status;
    if (again.status != STATUS_OK)
        *failure = again;
    return again.status;
}

enum status account_resolve_for(struct vault *vault, const char *account, struct leaf *leaf,
                                struct failure *failure, struct record *ret_record)
{
    enum status status = account_resolve(vault, account, failure, ret_record);

    if (status == STATUS_OK)
        account_name_in_leaf(ret_record, leaf);
    return status;
}

enum status account_find_again(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct leaf *leaf,
                               struct failure *failure, struct record *ret_account)
{
    bool found;
    enum status status = record_find_by_id(vault, id, failure, ret_account, &found);

    if (status != STATUS_OK)
        return status;
    if (!found)
        return failure_set(failure, STATUS_NOT_FOUND, "the account is not there any more");
    account_name_in_leaf(ret_account, leaf);
    return STATUS_OK;
}

static void write_account(const struct record *account, const struct records *bindings, const char *key,
                          struct json_writer *writer)
{
    char id[33], time[CLOCK_TEXT_SIZE];
    const char *name, *value;
    size_t position = 0, size;

    account_id(account, id);
    json_open_object(writer, key);
    json_add_text(writer, "id", id);
    json_add_text(writer, "app", account->where);
    json_add_text(writer, "label", account->name);
    json_open_array(writer, "properties");
    while (record_next(account, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        json_add_text(writer, NULL, name);
    json_close_array(writer);
    clock_format(time, record_number(account, "created"));
    json_add_text(writer, "created", time);
    clock_format(time, record_number(account, "updated"));
    json_add_text(writer, "updated", time);
    clock_format(time, record_number(account, ACCOUNT_FIELD_RESTORED));
    if (record_has(account, ACCOUNT_FIELD_RESTORED))
        json_add_text(writer, "restored", time);
    remark_write(account, writer);
    token_write(account, clock_wall_ms(), writer);
    json_open_array(writer, "bindings");
    for (size_t i = 0; i < bindings->count; i++)
        binding_write(&bindings->items[i], account, NULL, writer);
    json_close_array(writer);
    json_close_object(writer);
}

enum status account_write(struct vault *vault, const struct record *account, const char *key,
                          struct json_writer *writer, struct failure *failure)
{
    CLEANUP(records_reset) struct records bindings = {0};

    enum status status = binding_list_of(vault, account, failure, &bindings);
    if (status == STATUS_OK)
        write_account(account, &bindings, key, writer);
    return status;
}
