/* Bindings, and the final variable names that follow from them. */
#include "binding.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "placement.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_ACCOUNT "account"
#define FIELD_ALLOWED "allowed"
#define ONLY_PREFIX "only/"
#define RENAME_PREFIX "environment/"
#define PROPERTY_PREFIX "property/"
#define WITHHELD_PROPERTY "oauth_refresh_token"

bool binding_allows_dangerous_names(const struct record *binding)
{
    return record_has(binding, FIELD_ALLOWED);
}

bool binding_account_id(const struct record *binding, uint8_t ret_id[STORE_ID_SIZE])
{
    const char *id = record_field(binding, FIELD_ACCOUNT, NULL);

    return id != NULL && text_from_hex(ret_id, STORE_ID_SIZE, id);
}

static bool is_renamed(const struct record *binding, const char *property)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(binding, RENAME_PREFIX, &position, &name, &value, &size))
        if (strcmp(value, property) == 0)
            return true;
    return false;
}

static bool is_listed(const struct record *binding, const char *property, bool *ret_any)
{
    const char *name, *value;
    size_t position = 0, size;

    *ret_any = false;
    while (record_next(binding, ONLY_PREFIX, &position, &name, &value, &size)) {
        *ret_any = true;
        if (strcmp(name, property) == 0)
            return true;
    }
    return false;
}

bool binding_names_property(const struct record *binding, const char *property)
{
    bool any;

    return is_listed(binding, property, &any) || is_renamed(binding, property);
}

/* A step gets it only where its binding asks for it by name. */
static bool is_withheld(const struct record *account, const char *property)
{
    return strcmp(property, WITHHELD_PROPERTY) == 0 ||
           (token_is_refresh_token(property) && token_has_grant(account));
}

bool binding_gives_property(const struct record *binding, const struct record *account, const char *property)
{
    bool any;

    if (is_listed(binding, property, &any) || is_renamed(binding, property))
        return true;
    return !any && !is_withheld(account, property);
}

/* The next name the binding gives to the property at hand. */
static bool next_rename(struct binding_walk *walk)
{
    const char *name, *property;
    size_t size;

    while (record_next(walk->binding, RENAME_PREFIX, &walk->rename_position, &name, &property, &size))
        if (strcmp(property, walk->property) == 0) {
            snprintf(walk->name, sizeof walk->name, "%s", name);
            return true;
        }
    walk->within = false;
    return false;
}

bool binding_next(struct binding_walk *walk)
{
    if (walk->within && next_rename(walk))
        return true;
    while (record_next(walk->account, PROPERTY_PREFIX, &walk->property_position, &walk->property,
                       &walk->value, &walk->value_size)) {
        if (!binding_gives_property(walk->binding, walk->account, walk->property))
            continue;
        walk->rename_position = 0;
        walk->within = true;
        if (!next_rename(walk))
            name_derive_variable(walk->name, walk->binding->name, walk->property);
        return true;
    }
    return false;
}

void binding_write(const struct record *binding, const struct record *account, const char *key,
                   struct json_writer *writer)
{
    const char *name, *value;
    size_t position = 0, size;

    json_open_object(writer, key);
    json_add_text(writer, "path", binding->where);
    json_add_text(writer, "alias", binding->name);
    json_add_text(writer, "account", record_field(binding, FIELD_ACCOUNT, NULL));
    json_add_text(writer, "app", account->where);
    json_add_text(writer, "label", account->name);
    json_open_array(writer, "only");
    while (record_next(binding, ONLY_PREFIX, &position, &name, &value, &size))
        json_add_text(writer, NULL, name);
    json_close_array(writer);
    json_open_object(writer, "environment");
    for (position = 0; record_next(binding, RENAME_PREFIX, &position, &name, &value, &size);)
        json_add_text(writer, name, value);
    json_close_object(writer);
    json_close_object(writer);
}

static int compare_bindings(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    int order = strcmp(a->where, b->where);

    return order != 0 ? order : strcmp(a->name, b->name);
}

enum status binding_list_of(struct vault *vault, const struct record *account, struct failure *failure,
                            struct records *ret_bindings)
{
    char id[33];

    account_id(account, id);
    enum status status = record_list_linked(vault, RECORD_LINK_BOUND, id, failure, ret_bindings);
    if (status == STATUS_OK && ret_bindings->count > 1)
        qsort(ret_bindings->items, ret_bindings->count, sizeof ret_bindings->items[0], compare_bindings);
    return status;
}

void binding_add_finals(struct vault *vault, struct record_draft *draft, const struct record *binding,
                        const struct record *account)
{
    struct binding_walk walk = {.binding = binding, .account = account};

    while (binding_next(&walk))
        record_draft_add_final(vault, draft, walk.name);
}

enum status binding_renew_names(struct vault *vault, const struct record *account, struct failure *failure)
{
    CLEANUP(records_reset) struct records bindings = {0};

    enum status status = binding_list_of(vault, account, failure, &bindings);
    for (size_t i = 0; status == STATUS_OK && i < bindings.count; i++) {
        CLEANUP(record_draft_reset) struct record_draft draft = {0};
        const struct record *binding = &bindings.items[i];
        char id[33];

        account_id(account, id);
        record_draft_start(&draft, RECORD_BINDING, binding->where, binding->name, id, binding);
        record_draft_copy(&draft, binding, FIELD_ACCOUNT);
        record_draft_copy(&draft, binding, ONLY_PREFIX);
        record_draft_copy(&draft, binding, RENAME_PREFIX);
        record_draft_copy(&draft, binding, FIELD_ALLOWED);
        binding_add_finals(vault, &draft, binding, account);
        status = record_write(vault, &draft, failure, NULL);
    }
    return status;
}

static enum status no_property(const struct record *account, const char *property, struct failure *failure)
{
    return failure_set(failure, STATUS_NOT_FOUND, "%s:%s has no property %s", account->where, account->name,
                       property);
}

static enum status check_only(const struct json *only, const struct record *account, struct failure *failure)
{
    for (size_t i = 0; only != NULL && i < json_count(only); i++) {
        const char *property = json_text(json_at(only, i), NULL);
        if (property == NULL)
            return failure_set(failure, STATUS_INVALID, "`only` is a list of property names");
        enum status status = name_check_property(property, failure);
        if (status != STATUS_OK)
            return status;
        if (account_property(account, property, NULL) == NULL)
            return no_property(account, property, failure);
    }
    return STATUS_OK;
}

static enum status check_renames(const struct json *environment, const struct record *account,
                                 struct failure *failure)
{
    const struct json *value;
    void *iterator = NULL;
    const char *name;

    while (environment != NULL && json_next(environment, &iterator, &name, &value)) {
        const char *property = json_text(value, NULL);
        enum status status = name_check_variable(name, failure);
        if (status == STATUS_OK)
            status = property == NULL ? failure_set(failure, STATUS_INVALID,
                                                    "%s is not given the name of a property", name)
                                      : name_check_property(property, failure);
        if (status != STATUS_OK)
            return status;
        if (account_property(account, property, NULL) == NULL)
            return no_property(account, property, failure);
    }
    return STATUS_OK;
}

static bool draft_has(const struct record_draft *draft, const char *field)
{
    struct record record = record_draft_preview(draft);

    return record_has(&record, field);
}

static void fill_draft(struct record_draft *draft, const struct binding_change *change, const char *account)
{
    char field[sizeof RENAME_PREFIX + NAME_VARIABLE_MAX];
    const struct json *value;
    void *iterator = NULL;
    const char *name;

    record_draft_add_text(draft, FIELD_ACCOUNT, account);
    for (size_t i = 0; change->only != NULL && i < json_count(change->only); i++) {
        snprintf(field, sizeof field, ONLY_PREFIX "%s", json_text(json_at(change->only, i), NULL));
        if (!draft_has(draft, field))
            record_draft_add_text(draft, field, "");
    }
    while (change->environment != NULL && json_next(change->environment, &iterator, &name, &value)) {
        snprintf(field, sizeof field, RENAME_PREFIX "%s", name);
        record_draft_add_text(draft, field, json_text(value, NULL));
    }
    if (change->allow_dangerous_name)
        record_draft_add_text(draft, FIELD_ALLOWED, "");
}

/* Two sources of one final name at one path are an error that names both. */
static enum status check_collision(struct vault *vault, const struct record *binding,
                                   const struct binding_walk *mine, const struct records *placed,
                                   struct failure *failure)
{
    struct binding_walk self = {.binding = binding, .account = mine->account};

    while (binding_next(&self) && self.property_position < mine->property_position)
        if (strcmp(self.name, mine->name) == 0)
            return failure_set(failure, STATUS_INVALID,
                               "%s would come from both %s.%s and %s.%s; rename one with --env", mine->name,
                               binding->name, self.property, binding->name, mine->property);
    for (size_t i = 0; i < placed->count; i++) {
        CLEANUP(record_reset) struct record account = {0};
        const struct record *other = &placed->items[i];
        uint8_t id[STORE_ID_SIZE];
        bool found;

        if (other->kind != RECORD_BINDING || strcmp(other->name, binding->name) == 0 ||
            !binding_account_id(other, id))
            continue;
        enum status status = record_find_by_id(vault, id, failure, &account, &found);
        if (status != STATUS_OK)
            return status;
        /* Another alias of the same account gives what the account is about to have. */
        bool same = memcmp(id, mine->account->id, sizeof id) == 0;
        struct binding_walk theirs = {.binding = other, .account = same ? mine->account : &account};
        while (found && binding_next(&theirs))
            if (strcmp(theirs.name, mine->name) == 0)
                return failure_set(failure, STATUS_INVALID,
                                   "%s would come from both %s.%s and %s.%s at %s; rename one with --env",
                                   mine->name, other->name, theirs.property, binding->name, mine->property,
                                   binding->where);
    }
    return STATUS_OK;
}

static enum status check_names(struct vault *vault, const struct record *binding,
                               const struct record *account, const struct records *placed,
                               struct failure *failure)
{
    struct binding_walk walk = {.binding = binding, .account = account};

    while (binding_next(&walk)) {
        enum status status = name_check_variable(walk.name, failure);
        if (status != STATUS_OK)
            return status;
        if (name_is_dangerous(walk.name) && !binding_allows_dangerous_names(binding))
            return failure_set(
                failure, STATUS_REFUSED,
                "%s (from %s.%s) steers the loader, a shell or an interpreter of every program that gets it; "
                "--allow-dangerous-name binds it all the same",
                walk.name, binding->name, walk.property);
        status = check_collision(vault, binding, &walk, placed, failure);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Every field of these kinds that `one` has, `other` has with the same value. */
static bool has_fields_of(const struct record *other, const struct record *one)
{
    static const char *const prefixes[] = {FIELD_ACCOUNT, ONLY_PREFIX, RENAME_PREFIX, FIELD_ALLOWED};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const char *rest, *value;
        size_t position = 0, size;
        while (record_next(one, prefixes[i], &position, &rest, &value, &size)) {
            const char *theirs = record_field(other, rest - strlen(prefixes[i]), NULL);
            if (theirs == NULL || strcmp(theirs, value) != 0)
                return false;
        }
    }
    return true;
}

/* Same account, same properties, same names, in whatever order: nothing to change. */
static bool is_same(const struct record *previous, const struct record_draft *draft)
{
    struct record next = record_draft_preview(draft);

    return has_fields_of(previous, &next) && has_fields_of(&next, previous);
}

static const struct record *find_alias(const struct records *placed, const char *alias)
{
    for (size_t i = 0; i < placed->count; i++)
        if (placed->items[i].kind == RECORD_BINDING && strcmp(placed->items[i].name, alias) == 0)
            return &placed->items[i];
    return NULL;
}

static enum status write_binding(struct vault *vault, struct record_draft *draft,
                                 const struct record *account, struct json_writer *writer,
                                 struct failure *failure)
{
    struct record binding = record_draft_preview(draft);

    enum status status = placement_use(vault, draft->where, failure);
    if (status != STATUS_OK)
        return status;
    binding_add_finals(vault, draft, &binding, account);
    status = record_write(vault, draft, failure, NULL);
    if (status == STATUS_OK)
        binding_write(&binding, account, "binding", writer);
    return status;
}

static enum status check_change(struct vault *vault, const struct binding_change *change, struct leaf *leaf,
                                struct failure *failure, struct record *ret_account)
{
    enum status status = name_check_path(change->path, failure);

    if (status == STATUS_OK)
        status = account_resolve_for(vault, change->account, leaf, failure, ret_account);
    if (status != STATUS_OK)
        return status;
    if (change->alias == NULL)
        name_default_alias(leaf->alias, ret_account->where);
    else
        snprintf(leaf->alias, sizeof leaf->alias, "%s", change->alias);
    status = change->alias == NULL ? STATUS_OK : name_check_alias(change->alias, failure);
    if (status == STATUS_OK)
        status = check_only(change->only, ret_account, failure);
    return status == STATUS_OK ? check_renames(change->environment, ret_account, failure) : status;
}

enum status binding_bind(struct vault *vault, const struct binding_change *change, struct leaf *leaf,
                         struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(records_reset) struct records placed = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    enum status status = check_change(vault, change, leaf, failure, &account);
    if (status == STATUS_OK)
        status = record_list_placed(vault, change->path, failure, &placed);
    if (status != STATUS_OK)
        return status;
    const struct record *previous = find_alias(&placed, leaf->alias);
    const char *bound = previous == NULL ? NULL : record_field(previous, FIELD_ACCOUNT, NULL);
    if (bound != NULL && strcmp(bound, leaf->account) != 0 && !change->replace)
        return failure_set(failure, STATUS_EXISTS,
                           "another account is bound at %s as %s; --replace puts %s:%s in its place",
                           change->path, leaf->alias, account.where, account.name);
    record_draft_start(&draft, RECORD_BINDING, change->path, leaf->alias, leaf->account, previous);
    fill_draft(&draft, change, leaf->account);
    struct record binding = record_draft_preview(&draft);
    if (draft.failed)
        return failure_set_no_memory(failure);
    status = check_names(vault, &binding, &account, &placed, failure);
    if (status != STATUS_OK)
        return status;
    bool changed = previous == NULL || !is_same(previous, &draft);
    if (changed && bound != NULL && strcmp(bound, leaf->account) == 0 && !change->replace)
        return failure_set(
            failure, STATUS_EXISTS,
            "%s:%s is bound at %s as %s with other properties or names; --replace changes that",
            account.where, account.name, change->path, leaf->alias);
    if (changed)
        status = write_binding(vault, &draft, &account, writer, failure);
    else
        binding_write(previous, &account, "binding", writer);
    json_add_boolean(writer, "changed", changed);
    return status;
}

enum status binding_check_names(struct vault *vault, const struct record *account, struct failure *failure)
{
    CLEANUP(records_reset) struct records bindings = {0};

    enum status status = binding_list_of(vault, account, failure, &bindings);
    for (size_t i = 0; status == STATUS_OK && i < bindings.count; i++) {
        CLEANUP(records_reset) struct records placed = {0};
        status = record_list_placed(vault, bindings.items[i].where, failure, &placed);
        if (status == STATUS_OK)
            status = check_names(vault, &bindings.items[i], account, &placed, failure);
    }
    return status;
}

enum status binding_unbind(struct vault *vault, const char *path, const char *alias, struct leaf *leaf,
                           struct failure *failure)
{
    CLEANUP(record_reset) struct record binding = {0};
    CLEANUP(record_reset) struct record account = {0};
    uint8_t id[STORE_ID_SIZE];
    bool found;

    enum status status = name_check_path(path, failure);
    if (status == STATUS_OK)
        status = name_check_alias(alias, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_BINDING, path, alias, failure, &binding, &found);
    if (status != STATUS_OK)
        return status;
    if (!found)
        return failure_set(failure, STATUS_NOT_FOUND, "no account is bound at %s as %s", path, alias);
    snprintf(leaf->alias, sizeof leaf->alias, "%s", alias);
    if (binding_account_id(&binding, id))
        status = record_find_by_id(vault, id, failure, &account, &found);
    if (status != STATUS_OK)
        return status;
    if (found)
        account_name_in_leaf(&account, leaf);
    return record_remove(vault, &binding, failure);
}
