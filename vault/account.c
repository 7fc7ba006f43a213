/* Connected accounts and their properties. Values leave only through projection.c. */
#include "account.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/reference.h"
#include "base/text.h"
#include "binding.h"
#include "names.h"

#include <stdlib.h>
#include <string.h>

#define PROPERTY_PREFIX "property/"
#define ACCOUNT_SIZE_MAX                                                                                     \
    (500u * 1024u) /* bytes of one account; its padded record is below a mebibyte then                       \
                    */

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

const char *account_property(const struct record *account, const char *property, size_t *ret_size)
{
    char field[sizeof PROPERTY_PREFIX + NAME_PROPERTY_MAX];

    snprintf(field, sizeof field, PROPERTY_PREFIX "%s", property);
    return record_field(account, field, ret_size);
}

static enum status check_properties(const struct json *properties, struct failure *failure)
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
    while (record_next(account, PROPERTY_PREFIX, &position, &name, &value, &size))
        json_add_text(writer, NULL, name);
    json_close_array(writer);
    clock_format(time, record_time(account, "created"));
    json_add_text(writer, "created", time);
    clock_format(time, record_time(account, "updated"));
    json_add_text(writer, "updated", time);
    json_open_array(writer, "bindings");
    for (size_t i = 0; i < bindings->count; i++)
        binding_write(&bindings->items[i], account, NULL, writer);
    json_close_array(writer);
    json_close_object(writer);
}

static enum status write_with_bindings(struct vault *vault, const struct record *account, const char *key,
                                       struct json_writer *writer, struct failure *failure)
{
    CLEANUP(records_reset) struct records bindings = {0};

    enum status status = binding_list_of(vault, account, failure, &bindings);
    if (status == STATUS_OK)
        write_account(account, &bindings, key, writer);
    return status;
}

static enum status ambiguous(const char *app, const struct records *accounts, struct failure *failure)
{
    char choices[FAILURE_SENTENCE_MAX];
    size_t at = 0;

    for (size_t i = 0; i < accounts->count && at < sizeof choices; i++)
        at += (size_t)snprintf(choices + at, sizeof choices - at, "%s%s:%s", i == 0 ? "" : ", ",
                               accounts->items[i].where, accounts->items[i].name);
    return failure_set(failure, STATUS_AMBIGUOUS, "%s has %zu accounts: %s", app, accounts->count, choices);
}

/* No account of the app `name`; or, of the app `app`, none labelled `name`. */
static enum status missing(struct vault *vault, enum names_sort sort, const char *app, const char *name,
                           struct failure *failure)
{
    char near[NAMES_NEAR_SIZE];
    const char *whose = app != NULL ? app : "of";
    const char *between = app != NULL ? ":" : " ";

    enum status status = names_near(vault, sort, app, name, failure, near);
    if (status != STATUS_OK)
        return status;
    if (near[0] != '\0')
        return failure_set(failure, STATUS_NOT_FOUND, "there is no account %s%s%s; did you mean %s%s%s?",
                           whose, between, name, app != NULL ? app : "", app != NULL ? ":" : "", near);
    return failure_set(failure, STATUS_NOT_FOUND, "there is no account %s%s%s", whose, between, name);
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
        return missing(vault, NAMES_APP, NULL, app, failure);
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
        status = missing(vault, NAMES_LABEL, app, colon + 1, failure);
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

/* The names that an account derives under its app's default alias: an inherited variable of such a name is
 * dropped. */
static void add_finals(struct vault *vault, struct record_draft *draft, const char *app, const char *property)
{
    char alias[NAME_ALIAS_MAX + 2], name[NAME_DERIVED_SIZE];

    name_default_alias(alias, app);
    name_derive_variable(name, alias, property);
    record_draft_add_final(vault, draft, name);
}

static void add_property(struct vault *vault, struct record_draft *draft, const char *property,
                         const char *value, size_t size)
{
    char field[sizeof PROPERTY_PREFIX + NAME_PROPERTY_MAX];

    snprintf(field, sizeof field, PROPERTY_PREFIX "%s", property);
    record_draft_add(draft, field, value, size);
    add_finals(vault, draft, draft->where, property);
}

/* The limits of one account. */
static enum status check_size(const struct record_draft *draft, struct failure *failure)
{
    size_t count = draft->finals.size / STORE_LOOKUP_SIZE;

    if (count > ACCOUNT_PROPERTIES_MAX || draft->fields.size > ACCOUNT_SIZE_MAX)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "an account has at most %u properties and %u bytes in all", ACCOUNT_PROPERTIES_MAX,
                           ACCOUNT_SIZE_MAX);
    if (count == 0)
        return failure_set(failure, STATUS_INVALID, "an account has at least one property");
    return STATUS_OK;
}

static enum status add_properties(struct vault *vault, struct record_draft *draft,
                                  const struct json *properties, struct failure *failure)
{
    const struct json *value;
    void *iterator = NULL;
    const char *name;
    size_t size;

    while (json_next(properties, &iterator, &name, &value)) {
        const char *text = json_text(value, &size);
        add_property(vault, draft, name, text, size);
    }
    return check_size(draft, failure);
}

/* An account added before references were there keeps its name, and cannot be meant by one. */
static enum status check_new_app(const char *app, struct failure *failure)
{
    if (strcmp(app, REFERENCE_VARIABLES) == 0)
        return failure_set(failure, STATUS_REFUSED,
                           "no app is called %s: " REFERENCE_SCHEME "%s/NAME means a variable", app, app);
    return name_check_app(app, failure);
}

/* The label of a new account, or why there can be none. */
static enum status choose_label(struct vault *vault, const char *app, const char *label,
                                struct failure *failure, const char **ret_label)
{
    CLEANUP(records_reset) struct records accounts = {0};

    enum status status = check_new_app(app, failure);
    if (status == STATUS_OK && label != NULL)
        status = name_check_label(label, failure);
    if (status == STATUS_OK)
        status = record_list_linked(vault, RECORD_LINK_APP, app, failure, &accounts);
    if (status != STATUS_OK)
        return status;
    if (label == NULL && accounts.count > 0)
        return failure_set(failure, STATUS_EXISTS,
                           "there is an account %s:%s; give this one a label (--label LABEL)", app,
                           accounts.items[0].name);
    *ret_label = label == NULL ? "default" : label;
    for (size_t i = 0; i < accounts.count; i++)
        if (strcmp(accounts.items[i].name, *ret_label) == 0)
            return failure_set(failure, STATUS_EXISTS, "there is an account %s:%s already", app, *ret_label);
    return STATUS_OK;
}

/* Writes the draft and answers with the account as it now stands. */
static enum status write_and_answer(struct vault *vault, const struct record_draft *draft, struct leaf *leaf,
                                    struct json_writer *writer, struct failure *failure)
{
    CLEANUP(record_reset) struct record account = {0};
    uint8_t id[STORE_ID_SIZE];
    bool found;

    enum status status = record_write(vault, draft, failure, id);
    if (status == STATUS_OK)
        status = record_find_by_id(vault, id, failure, &account, &found);
    if (status == STATUS_OK)
        status = binding_renew_names(vault, &account, failure);
    if (status != STATUS_OK)
        return status;
    account_name_in_leaf(&account, leaf);
    return write_with_bindings(vault, &account, "account", writer, failure);
}

enum status account_draft(struct vault *vault, const char *app, const char *label,
                          const struct json *properties, const char *note, struct failure *failure,
                          struct record_draft *ret_draft)
{
    enum status status = check_new_app(app, failure);
    if (status == STATUS_OK)
        status = name_check_label(label, failure);
    if (status == STATUS_OK)
        status = check_properties(properties, failure);
    if (status == STATUS_OK && note != NULL)
        status = name_check_note(note, failure);
    if (status != STATUS_OK)
        return status;
    record_draft_start(ret_draft, RECORD_ACCOUNT, app, label, app, NULL);
    if (note != NULL)
        record_draft_add_text(ret_draft, "note", note);
    return add_properties(vault, ret_draft, properties, failure);
}

enum status account_add(struct vault *vault, const char *app, const char *label,
                        const struct json *properties, struct leaf *leaf, struct failure *failure,
                        struct json_writer *writer)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const char *chosen = NULL;

    enum status status = choose_label(vault, app, label, failure, &chosen);
    if (status == STATUS_OK)
        status = account_draft(vault, app, chosen, properties, NULL, failure, &draft);
    return status == STATUS_OK ? write_and_answer(vault, &draft, leaf, writer, failure) : status;
}

static bool field_is(const struct record *record, const char *field, const char *value, size_t size)
{
    size_t present_size;
    const char *present = record_field(record, field, &present_size);

    return present != NULL && present_size == size && secret_equal(present, value, size);
}

enum status account_merge(struct vault *vault, const struct record *previous, const struct record *given,
                          struct failure *failure, struct record_draft *ret_draft, bool *ret_changed)
{
    const char *name, *value, *note = record_field(given, "note", NULL);
    size_t position = 0, size;
    bool changed = note != NULL && !field_is(previous, "note", note, strlen(note));

    record_draft_start(ret_draft, RECORD_ACCOUNT, previous->where, previous->name, previous->where, previous);
    record_draft_copy(ret_draft, note != NULL ? given : previous, "note");
    while (record_next(previous, PROPERTY_PREFIX, &position, &name, &value, &size))
        if (account_property(given, name, NULL) == NULL)
            add_property(vault, ret_draft, name, value, size);
    position = 0;
    while (record_next(given, PROPERTY_PREFIX, &position, &name, &value, &size)) {
        changed = changed || !field_is(previous, name - strlen(PROPERTY_PREFIX), value, size);
        add_property(vault, ret_draft, name, value, size);
    }
    enum status status = check_size(ret_draft, failure);
    if (status == STATUS_OK && changed) {
        struct record next = record_draft_preview(ret_draft);
        status = binding_check_names(vault, &next, failure);
    }
    if (status == STATUS_OK)
        *ret_changed = changed;
    return status;
}

enum status account_show(struct vault *vault, const char *account, struct failure *failure,
                         struct json_writer *writer)
{
    CLEANUP(record_reset) struct record record = {0};

    enum status status = account_resolve(vault, account, failure, &record);
    return status == STATUS_OK ? write_with_bindings(vault, &record, "account", writer, failure) : status;
}

static bool array_has(const struct json *array, const char *text)
{
    for (size_t i = 0; array != NULL && i < json_count(array); i++) {
        const char *element = json_text(json_at(array, i), NULL);
        if (element != NULL && strcmp(element, text) == 0)
            return true;
    }
    return false;
}

/* A property that is to go must be there, and no binding may name it. */
static enum status check_unset(struct vault *vault, const struct record *account,
                               const struct json *properties, const struct json *unset,
                               struct failure *failure)
{
    CLEANUP(records_reset) struct records bindings = {0};

    enum status status = binding_list_of(vault, account, failure, &bindings);
    for (size_t i = 0; status == STATUS_OK && unset != NULL && i < json_count(unset); i++) {
        const char *property = json_text(json_at(unset, i), NULL);
        if (property == NULL)
            return failure_set(failure, STATUS_INVALID, "the properties to unset are a list of names");
        status = name_check_property(property, failure);
        if (status == STATUS_OK && json_member(properties, property) != NULL)
            status =
                failure_set(failure, STATUS_INVALID, "the property %s is to be both set and unset", property);
        if (status == STATUS_OK && account_property(account, property, NULL) == NULL)
            status = failure_set(failure, STATUS_NOT_FOUND, "%s:%s has no property %s", account->where,
                                 account->name, property);
        for (size_t j = 0; status == STATUS_OK && j < bindings.count; j++)
            if (binding_names_property(&bindings.items[j], property))
                status = failure_set(failure, STATUS_IN_USE, "the binding of %s at %s names the property %s",
                                     bindings.items[j].name, bindings.items[j].where, property);
    }
    return status;
}

enum status account_set(struct vault *vault, const char *account, const struct json *properties,
                        const struct json *unset, struct leaf *leaf, struct failure *failure,
                        struct json_writer *writer)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const char *name, *value;
    size_t position = 0, size;

    enum status status = account_resolve(vault, account, failure, &previous);
    if (status != STATUS_OK)
        return status;
    account_name_in_leaf(&previous, leaf);
    status = check_properties(properties, failure);
    if (status == STATUS_OK)
        status = check_unset(vault, &previous, properties, unset, failure);
    if (status != STATUS_OK)
        return status;
    record_draft_start(&draft, RECORD_ACCOUNT, previous.where, previous.name, previous.where, &previous);
    record_draft_copy(&draft, &previous, "note");
    while (record_next(&previous, PROPERTY_PREFIX, &position, &name, &value, &size))
        if (json_member(properties, name) == NULL && !array_has(unset, name))
            add_property(vault, &draft, name, value, size);
    status = add_properties(vault, &draft, properties, failure);
    if (status == STATUS_OK) {
        struct record next = record_draft_preview(&draft);
        status = binding_check_names(vault, &next, failure);
    }
    return status == STATUS_OK ? write_and_answer(vault, &draft, leaf, writer, failure) : status;
}

enum status account_rename(struct vault *vault, const char *account, const char *label, struct leaf *leaf,
                           struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_reset) struct record taken = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const char *name, *value;
    size_t position = 0, size;
    bool found = false;

    enum status status = account_resolve(vault, account, failure, &previous);
    if (status != STATUS_OK)
        return status;
    account_name_in_leaf(&previous, leaf);
    status = name_check_label(label, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_ACCOUNT, previous.where, label, failure, &taken, &found);
    if (status != STATUS_OK)
        return status;
    if (found && memcmp(taken.id, previous.id, sizeof taken.id) != 0)
        return failure_set(failure, STATUS_EXISTS, "there is an account %s:%s already", previous.where,
                           label);
    record_draft_start(&draft, RECORD_ACCOUNT, previous.where, label, previous.where, &previous);
    record_draft_copy(&draft, &previous, "note");
    while (record_next(&previous, PROPERTY_PREFIX, &position, &name, &value, &size))
        add_property(vault, &draft, name, value, size);
    status = check_size(&draft, failure);
    return status == STATUS_OK ? write_and_answer(vault, &draft, leaf, writer, failure) : status;
}

enum status account_remove(struct vault *vault, const char *account, struct leaf *leaf,
                           struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};
    CLEANUP(records_reset) struct records bindings = {0};
    char places[FAILURE_SENTENCE_MAX];
    size_t at = 0;

    enum status status = account_resolve(vault, account, failure, &record);
    if (status != STATUS_OK)
        return status;
    account_name_in_leaf(&record, leaf);
    status = binding_list_of(vault, &record, failure, &bindings);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < bindings.count && at < sizeof places; i++)
        at += (size_t)snprintf(places + at, sizeof places - at, "%s%s as %s", i == 0 ? "" : ", ",
                               bindings.items[i].where, bindings.items[i].name);
    if (bindings.count > 0)
        return failure_set(failure, STATUS_IN_USE, "%s:%s is bound at %s; unbind it there first",
                           record.where, record.name, places);
    return record_remove(vault, &record, failure);
}

static int compare_accounts(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    int order = strcmp(a->where, b->where);

    return order != 0 ? order : strcmp(a->name, b->name);
}

enum status account_list(struct vault *vault, const char *app, struct failure *failure,
                         struct json_writer *writer)
{
    CLEANUP(records_reset) struct records accounts = {0};

    enum status status = app == NULL ? STATUS_OK : name_check_app(app, failure);
    if (status == STATUS_OK)
        status = app == NULL ? record_list_accounts(vault, failure, &accounts)
                             : record_list_linked(vault, RECORD_LINK_APP, app, failure, &accounts);
    if (status != STATUS_OK)
        return status;
    if (accounts.count > 1)
        qsort(accounts.items, accounts.count, sizeof accounts.items[0], compare_accounts);
    json_open_array(writer, "accounts");
    for (size_t i = 0; status == STATUS_OK && i < accounts.count; i++)
        status = write_with_bindings(vault, &accounts.items[i], NULL, writer, failure);
    json_close_array(writer);
    return status;
}
