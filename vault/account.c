/* Connected accounts and their properties. Values leave only through projection.c. */
#include "account.h"

#include "account_interior.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/reference.h"
#include "base/text.h"
#include "binding.h"
#include "names.h"
#include "past.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* An account added before references were there keeps its name, and cannot be meant by one. */
enum status account_check_new_app(const char *app, struct failure *failure)
{
    if (strcmp(app, REFERENCE_VARIABLES) == 0)
        return failure_set(failure, STATUS_REFUSED,
                           "no app is called %s: " REFERENCE_SCHEME "%s/NAME means a variable", app, app);
    return name_check_app(app, failure);
}

enum status account_choose_label(struct vault *vault, const char *app, const char *label,
                                 struct failure *failure, const char **ret_label)
{
    CLEANUP(records_reset) struct records accounts = {0};

    enum status status = account_check_new_app(app, failure);
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

enum status account_write_and_answer(struct vault *vault, const struct record_draft *draft, struct leaf *leaf,
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
    return account_write(vault, &account, "account", writer, failure);
}

enum status account_draft(struct vault *vault, const char *app, const char *label,
                          const struct json *properties, const struct remark *remark, struct failure *failure,
                          struct record_draft *ret_draft)
{
    enum status status = account_check_new_app(app, failure);
    if (status == STATUS_OK)
        status = name_check_label(label, failure);
    if (status == STATUS_OK)
        status = account_check_properties(properties, failure);
    if (status != STATUS_OK)
        return status;
    record_draft_start(ret_draft, RECORD_ACCOUNT, app, label, app, NULL);
    remark_add(ret_draft, remark, NULL);
    account_add_properties(ret_draft, properties);
    return account_complete(vault, ret_draft, failure);
}

enum status account_add(struct vault *vault, const char *app, const char *label,
                        const struct json *properties, const struct remark *remark, struct leaf *leaf,
                        struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const char *chosen = NULL;

    enum status status = account_choose_label(vault, app, label, failure, &chosen);
    if (status == STATUS_OK)
        status = account_draft(vault, app, chosen, properties, remark, failure, &draft);
    return status == STATUS_OK ? account_write_and_answer(vault, &draft, leaf, writer, failure) : status;
}

/* True if an old revision of `one` would say nothing that `other` does not. */
static bool keeps_the_same(const struct record *one, const struct record *other)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(one, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (!token_is_of_grant(one, name) &&
            !account_field_is(other, name - strlen(ACCOUNT_PROPERTY_PREFIX), value, size))
            return false;
    return true;
}

enum status account_keep(struct vault *vault, const struct record *previous, const struct record_draft *next,
                         struct failure *failure)
{
    struct record preview = record_draft_preview(next);
    struct past_owner owner;

    if (token_has_grant(previous) ? keeps_the_same(previous, &preview) && keeps_the_same(&preview, previous)
                                  : account_has_same_properties(previous, &preview))
        return STATUS_OK;
    past_of_account(&owner, previous);
    return past_keep(vault, &owner, previous, false, failure);
}

/* The remarks of a draft that has all its properties: an expiry goes with those that it was said of. */
static void add_remarks(struct record_draft *draft, const struct remark *remark,
                        const struct record *previous)
{
    struct record preview = record_draft_preview(draft);
    struct remark changed = *remark;

    if (!account_has_same_properties(previous, &preview))
        changed.has_expiry = true;
    remark_add(draft, &changed, previous);
}

enum status account_merge(struct vault *vault, const struct record *previous, const struct record *given,
                          struct failure *failure, struct record_draft *ret_draft, bool *ret_changed)
{
    const struct remark remark = {.note = record_field(given, REMARK_FIELD_NOTE, NULL)};
    const char *name, *value;
    size_t position = 0, size;
    bool changed = remark.note != NULL &&
                   !account_field_is(previous, REMARK_FIELD_NOTE, remark.note, strlen(remark.note));

    record_draft_start(ret_draft, RECORD_ACCOUNT, previous->where, previous->name, previous->where, previous);
    while (record_next(previous, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (account_property(given, name, NULL) == NULL)
            account_add_property(ret_draft, name, value, size);
    position = 0;
    while (record_next(given, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size)) {
        changed = changed || !account_field_is(previous, name - strlen(ACCOUNT_PROPERTY_PREFIX), value, size);
        account_add_property(ret_draft, name, value, size);
    }
    add_remarks(ret_draft, &remark, previous);
    token_carry(ret_draft, previous, clock_wall_ms());
    enum status status = account_complete(vault, ret_draft, failure);
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
    return status == STATUS_OK ? account_write(vault, &record, "account", writer, failure) : status;
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
        if (status == STATUS_OK)
            status = account_check_unnamed(&bindings, property, failure);
    }
    return status;
}

/* Replaces `previous` by the draft if the bindings allow it, and keeps what it was if that was something
 * else. */
static enum status replace(struct vault *vault, const struct record *previous, struct record_draft *draft,
                           struct leaf *leaf, struct json_writer *writer, struct failure *failure)
{
    enum status status = account_complete(vault, draft, failure);
    struct record next = record_draft_preview(draft);
    if (status == STATUS_OK)
        status = binding_check_names(vault, &next, failure);
    if (status == STATUS_OK)
        status = account_keep(vault, previous, draft, failure);
    return status == STATUS_OK ? account_write_and_answer(vault, draft, leaf, writer, failure) : status;
}

enum status account_set(struct vault *vault, const char *account, const struct json *properties,
                        const struct json *unset, const struct remark *remark, struct leaf *leaf,
                        struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const char *name, *value;
    size_t position = 0, size;

    enum status status = account_resolve_for(vault, account, leaf, failure, &previous);
    if (status != STATUS_OK)
        return status;
    status = account_check_properties(properties, failure);
    if (status == STATUS_OK)
        status = check_unset(vault, &previous, properties, unset, failure);
    if (status != STATUS_OK)
        return status;
    record_draft_start(&draft, RECORD_ACCOUNT, previous.where, previous.name, previous.where, &previous);
    while (record_next(&previous, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (json_member(properties, name) == NULL && !array_has(unset, name))
            account_add_property(&draft, name, value, size);
    account_add_properties(&draft, properties);
    add_remarks(&draft, remark, &previous);
    token_carry(&draft, &previous, clock_wall_ms());
    return replace(vault, &previous, &draft, leaf, writer, failure);
}

void account_resume(struct record_draft *draft, const struct record *previous, const char *label,
                    const struct remark *remark)
{
    record_draft_resume(draft, RECORD_ACCOUNT, previous->where, label, previous->where, previous);
    account_copy_properties(draft, previous, NULL);
    record_draft_copy(draft, previous, ACCOUNT_FIELD_RESTORED);
    remark_add(draft, remark, previous);
}

/* The same with the grant, which has not changed. */
static void resume(const struct record *previous, const char *label, const struct remark *remark,
                   struct record_draft *draft)
{
    account_resume(draft, previous, label, remark);
    token_carry(draft, previous, clock_wall_ms());
}

enum status account_annotate(struct vault *vault, const char *account, const struct remark *remark,
                             struct leaf *leaf, struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    enum status status = account_resolve_for(vault, account, leaf, failure, &previous);
    if (status != STATUS_OK)
        return status;
    resume(&previous, previous.name, remark, &draft);
    status = account_complete(vault, &draft, failure);
    return status == STATUS_OK ? account_write_and_answer(vault, &draft, leaf, writer, failure) : status;
}

/* The account, the past of it, and which revision of that is meant. */
static enum status find_revision(struct vault *vault, const char *account, uint64_t revision,
                                 struct leaf *leaf, struct failure *failure, struct record *ret_account,
                                 struct record *ret_past, uint64_t *ret_number)
{
    struct past_owner owner;

    enum status status = account_resolve_for(vault, account, leaf, failure, ret_account);
    if (status != STATUS_OK)
        return status;
    past_of_account(&owner, ret_account);
    status = past_find(vault, &owner, failure, ret_past);
    return status == STATUS_OK ? past_choose(ret_past, &owner, revision, failure, ret_number) : status;
}

static void add_revision(struct record_draft *draft, const struct record *past, uint64_t number,
                         const struct record *previous)
{
    const char *name, *value;
    size_t position = 0, size;

    while (past_next(past, number, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (!token_is_of_grant(previous, name))
            account_add_property(draft, name, value, size);
    position = 0;
    while (record_next(previous, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (token_is_of_grant(previous, name))
            account_add_property(draft, name, value, size);
}

enum status account_restore(struct vault *vault, const char *account, uint64_t revision, struct leaf *leaf,
                            struct failure *failure, struct json_writer *writer, uint64_t *ret_revision)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_reset) struct record past = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    struct remark remark = {.has_expiry = true};
    uint64_t number;

    enum status status = find_revision(vault, account, revision, leaf, failure, &previous, &past, &number);
    if (status != STATUS_OK)
        return status;
    const char *expires = past_field(&past, number, REMARK_FIELD_EXPIRES, NULL);
    if (expires != NULL)
        (void)text_to_number(expires, UINT64_MAX, &remark.expires_ms);
    record_draft_start(&draft, RECORD_ACCOUNT, previous.where, previous.name, previous.where, &previous);
    add_revision(&draft, &past, number, &previous);
    remark_add(&draft, &remark, &previous);
    token_carry(&draft, &previous, clock_wall_ms());
    struct record next = record_draft_preview(&draft);
    status = account_check_lost(vault, &previous, &next, failure);
    if (status == STATUS_OK && token_has_grant(&previous) && account_has_same_properties(&previous, &next))
        status = failure_set(failure, STATUS_REFUSED,
                             "revision %" PRIu64
                             " of %s:%s differs from what it has in tokens at most, which are not put back",
                             number, previous.where, previous.name);
    if (status == STATUS_OK)
        status = replace(vault, &previous, &draft, leaf, writer, failure);
    if (status == STATUS_OK)
        *ret_revision = number;
    return status;
}

enum status account_forget(struct vault *vault, const char *account, uint64_t revision, struct leaf *leaf,
                           struct failure *failure, uint64_t *ret_count)
{
    CLEANUP(record_reset) struct record record = {0};
    struct past_owner owner;

    enum status status = account_resolve_for(vault, account, leaf, failure, &record);
    if (status != STATUS_OK)
        return status;
    past_of_account(&owner, &record);
    return past_forget(vault, &owner, revision, failure, ret_count);
}

enum status account_history(struct vault *vault, const char *account, struct failure *failure,
                            struct json_writer *writer)
{
    CLEANUP(record_reset) struct record record = {0};
    CLEANUP(record_reset) struct record past = {0};
    struct past_owner owner;

    enum status status = account_resolve(vault, account, failure, &record);
    if (status != STATUS_OK)
        return status;
    past_of_account(&owner, &record);
    status = past_find(vault, &owner, failure, &past);
    if (status != STATUS_OK)
        return status;
    json_open_array(writer, "revisions");
    past_write(&past, &record, NULL, NULL, writer);
    json_close_array(writer);
    return STATUS_OK;
}

enum status account_rename(struct vault *vault, const char *account, const char *label, struct leaf *leaf,
                           struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_reset) struct record taken = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const struct remark remark = {0};
    bool found = false;

    enum status status = account_resolve_for(vault, account, leaf, failure, &previous);
    if (status != STATUS_OK)
        return status;
    status = name_check_label(label, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_ACCOUNT, previous.where, label, failure, &taken, &found);
    if (status != STATUS_OK)
        return status;
    if (found && memcmp(taken.id, previous.id, sizeof taken.id) != 0)
        return failure_set(failure, STATUS_EXISTS, "there is an account %s:%s already", previous.where,
                           label);
    resume(&previous, label, &remark, &draft);
    status = account_complete(vault, &draft, failure);
    return status == STATUS_OK ? account_write_and_answer(vault, &draft, leaf, writer, failure) : status;
}

enum status account_check_unbound(struct vault *vault, const struct record *account, struct failure *failure)
{
    CLEANUP(records_reset) struct records bindings = {0};
    char places[FAILURE_SENTENCE_MAX];
    size_t at = 0;

    enum status status = binding_list_of(vault, account, failure, &bindings);
    if (status != STATUS_OK || bindings.count == 0)
        return status;
    for (size_t i = 0; i < bindings.count && at < sizeof places; i++)
        at += (size_t)snprintf(places + at, sizeof places - at, "%s%s as %s", i == 0 ? "" : ", ",
                               bindings.items[i].where, bindings.items[i].name);
    return failure_set(failure, STATUS_IN_USE, "%s:%s is bound at %s; unbind it there first", account->where,
                       account->name, places);
}

enum status account_remove(struct vault *vault, const char *account, struct leaf *leaf,
                           struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};
    struct past_owner owner;

    enum status status = account_resolve_for(vault, account, leaf, failure, &record);
    if (status != STATUS_OK)
        return status;
    status = account_check_unbound(vault, &record, failure);
    if (status != STATUS_OK)
        return status;
    past_of_account(&owner, &record);
    status = past_remove(vault, &owner, failure);
    return status == STATUS_OK ? record_remove(vault, &record, failure) : status;
}

static int compare_accounts(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    int order = strcmp(a->where, b->where);

    return order != 0 ? order : strcmp(a->name, b->name);
}

enum status account_list(struct vault *vault, const char *app, const struct remark_filter *filter,
                         struct failure *failure, struct json_writer *writer)
{
    CLEANUP(records_reset) struct records accounts = {0};

    enum status status = app == NULL ? record_list_accounts(vault, failure, &accounts)
                                     : account_find_all(vault, app, failure, &accounts);
    if (status != STATUS_OK)
        return status;
    if (accounts.count > 1)
        qsort(accounts.items, accounts.count, sizeof accounts.items[0], compare_accounts);
    json_open_array(writer, "accounts");
    for (size_t i = 0; status == STATUS_OK && i < accounts.count; i++)
        if (remark_passes(filter, &accounts.items[i]))
            status = account_write(vault, &accounts.items[i], NULL, writer, failure);
    json_close_array(writer);
    return status;
}
