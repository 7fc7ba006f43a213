/* What a step gets, from the question to the entry in the log. */
#include "projection.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "binding.h"
#include "borrow.h"
#include "delivery.h"
#include "form.h"
#include "log.h"
#include "past.h"
#include "placement.h"
#include "record.h"
#include "resolution.h"
#include "token.h"
#include "variable.h"

#include <stdlib.h>
#include <string.h>

#define PROPERTY_PREFIX "property/"

static const struct record *find_path(const struct records *placed)
{
    for (size_t i = 0; i < placed->count; i++)
        if (placed->items[i].kind == RECORD_PATH)
            return &placed->items[i];
    return NULL;
}

/* Everything placed at the step and above it, up to a boundary: at most nine look-ups. */
static enum status collect(struct vault *vault, const char *step, bool own, struct failure *failure,
                           struct delivery_levels *levels)
{
    char path[NAME_PATH_MAX + 1], parent[NAME_PATH_MAX + 1];

    enum status status = name_check_path(step, failure);
    if (status != STATUS_OK)
        return status;
    memcpy(path, step, strlen(step) + 1);
    for (;;) {
        const struct records *placed;
        status = borrow_placed(vault, path, failure, &placed);
        if (status != STATUS_OK)
            return status;
        levels->placed[levels->count++] = placed;
        const struct record *record = find_path(placed);
        if (levels->count == 1 && (record == NULL || !placement_is_step(record)))
            return placement_missing(vault, step, failure);
        if (own || (record != NULL && placement_is_boundary(record)) || !name_path_parent(parent, path))
            return STATUS_OK;
        memcpy(path, parent, sizeof path);
    }
}

/* The names that go out, for the log. */
static enum status describe(const struct delivery *delivery, const struct resolution *resolution,
                            const struct projection_request *request, struct leaf *leaf,
                            struct failure *failure)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    delivery_write_leaf(delivery, request->deliver_env, request->deliver_auths, request->deliver_credentials,
                        &writer);
    if (request->references != NULL)
        resolution_write_leaf(resolution, &writer);
    return leaf_add_details(leaf, &writer) ? STATUS_OK : failure_set_no_memory(failure);
}

/* Where credentials are the only delivery the variables are among them, and the environment has none. */
static bool credentials_alone(const struct projection_request *request)
{
    return request->deliver_credentials && !request->deliver_env && !request->deliver_auths;
}

static void render(const struct vault *vault, const struct delivery *delivery,
                   const struct resolution *resolution, const struct projection_request *request,
                   struct json_writer *writer)
{
    const struct delivery none = {0};
    const bool alone = credentials_alone(request);
    const struct delivery *environment = alone ? &none : delivery;

    if (request->block_form) {
        if (request->references != NULL)
            resolution_write_block(resolution, writer);
        delivery_write_block(environment, writer);
        delivery_write_drop(vault, environment, request->inherited, request->keep, writer);
        if (request->deliver_auths)
            delivery_write_document(delivery, writer);
        if (request->deliver_credentials)
            delivery_write_entries(delivery, alone, writer);
        return;
    }
    if (request->references != NULL)
        resolution_write_json(resolution, writer);
    delivery_write_json(environment, writer);
    if (request->deliver_auths)
        delivery_write_auths(delivery, "auths", writer);
    if (request->deliver_credentials)
        delivery_write_credentials(delivery, alone, writer);
}

/* What the step gets, and what of it the references ask for. */
static enum status choose(struct vault *vault, const struct projection_request *request, struct leaf *leaf,
                          struct failure *failure, struct delivery_levels *levels,
                          struct delivery **ret_delivery, struct resolution *ret_resolution)
{
    static const struct delivery_levels nothing = {0};

    enum status status = collect(vault, request->step, request->own, failure, levels);
    if (status == STATUS_OK)
        status = delivery_choose(vault, request->references_only ? &nothing : levels, request->deliver_env,
                                 NULL, NULL, failure, ret_delivery);
    if (status == STATUS_OK && request->references != NULL)
        status = resolution_make(vault, request->step, levels, request->deliver_env ? *ret_delivery : NULL,
                                 request->references, leaf, failure, ret_resolution);
    return status;
}

/* Whether the account gives the step a token, in one of the forms that were asked for; or would, if it had
 * its access token. */
static bool gives_token(const struct delivery *delivery, const struct projection_request *request,
                        const struct delivery_account *account)
{
    const char *name, *value;
    size_t position = 0, size;

    if (account_property(account->account, TOKEN_ACCESS_PROPERTY, NULL) == NULL)
        return binding_gives_property(account->binding, account->account, TOKEN_ACCESS_PROPERTY);
    for (size_t i = 0; request->deliver_env && i < delivery->count; i++)
        if (delivery->variables[i].source == account->binding && delivery->variables[i].property != NULL &&
            token_is_token(delivery->variables[i].property))
            return true;
    if (!request->deliver_auths && !request->deliver_credentials)
        return false;
    while (record_next(account->account, PROPERTY_PREFIX, &position, &name, &value, &size))
        if (token_is_token(name) && binding_gives_property(account->binding, account->account, name))
            return true;
    return false;
}

/* A token that is fresh costs two walks of its record's fields. */
static bool is_fresh(const struct record *account, uint64_t now_ms)
{
    struct failure ignored;

    return !token_is_due(account, now_ms) && token_check_deliverable(account, now_ms, &ignored) == STATUS_OK;
}

static enum status renew(const struct projection_request *request, const struct record *account,
                         uint64_t now_ms, struct failure *failure, bool *ret_waits)
{
    enum status usable = token_check_deliverable(account, now_ms, failure);
    struct failure refused;

    if (request->renew == NULL || !token_is_due(account, now_ms))
        return usable;
    enum status status = request->renew(request->context, account, usable == STATUS_OK, &refused);
    if (status == STATUS_OK)
        return usable;
    if (status == STATUS_WAITS)
        *ret_waits = true;
    else
        *failure = refused;
    return status == STATUS_WAITS ? STATUS_OK : status;
}

/* All are asked for before the step waits for any. */
static enum status renew_tokens(const struct delivery *delivery, const struct resolution *resolution,
                                const struct projection_request *request, struct failure *failure)
{
    const uint64_t now_ms = clock_wall_ms();
    const struct record *account;
    size_t position = 0;
    bool waits = false;
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < delivery->account_count; i++) {
        account = delivery->accounts[i].account;
        if (!is_fresh(account, now_ms) && gives_token(delivery, request, &delivery->accounts[i]))
            status = renew(request, account, now_ms, failure, &waits);
    }
    while (status == STATUS_OK && (account = resolution_next_token(resolution, &position)) != NULL)
        if (!is_fresh(account, now_ms))
            status = renew(request, account, now_ms, failure, &waits);
    return status == STATUS_OK && waits ? failure_set(failure, STATUS_WAITS, "a token is being renewed")
                                        : status;
}

enum status projection_project(struct vault *vault, const struct projection_request *request,
                               struct leaf *leaf, struct failure *failure, struct json_writer *writer)
{
    struct delivery_levels levels = {0};
    CLEANUP(delivery_freep) struct delivery *delivery = NULL;
    CLEANUP(resolution_reset) struct resolution resolution = {0};

    if (json_count(request->inherited) > PROJECTION_INHERITED_MAX ||
        json_count(request->keep) > PROJECTION_KEEP_MAX)
        return failure_set(
            failure, STATUS_TOO_LARGE,
            "at most %u inherited names and %u to keep are looked at (run --pristine inherits few)",
            PROJECTION_INHERITED_MAX, PROJECTION_KEEP_MAX);
    borrow_begin(vault);
    enum status status = choose(vault, request, leaf, failure, &levels, &delivery, &resolution);
    if (status == STATUS_OK)
        status = renew_tokens(delivery, &resolution, request, failure);
    if (status != STATUS_OK)
        return status;
    if (request->deliver_auths && delivery->account_count == 0 && !request->empty_auths)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "no account is bound at %s or above it, so there is no auths document to deliver "
                           "(stepvault bind %s ACCOUNT binds one)",
                           request->step, request->step);
    if (request->deliver_credentials) {
        status = delivery_check_credentials(delivery, request->step, credentials_alone(request), failure);
        if (status != STATUS_OK)
            return status;
    }
    size_t size = delivery_size(delivery, request->deliver_auths, request->deliver_credentials) +
                  resolution_size(&resolution);
    if (size > PROJECTION_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the step %s would get %zu bytes, and %u is the most",
                           request->step, size, PROJECTION_MAX);
    render(vault, delivery, &resolution, request, writer);
    if (writer->failed)
        return failure_set_no_memory(failure);
    status = describe(delivery, &resolution, request, leaf, failure);
    if (status == STATUS_OK) {
        leaf->granted = true;
        status = log_append(vault, leaf, failure);
    }
    /* The refusal's leaf names nothing as handed out, and is small enough to be one. */
    if (status != STATUS_OK)
        secret_reset(&leaf->details);
    return status;
}

/* The value as an open record has it: the one in force, or an old revision. */
static enum status hand_out(const char *value, size_t size, struct vault *vault, struct leaf *leaf,
                            struct failure *failure, struct json_writer *writer)
{
    form_write(writer, true, "value", value, size);
    form_write(writer, false, "value_base64", value, size);
    if (writer->failed)
        return failure_set_no_memory(failure);
    leaf->granted = true;
    return log_append(vault, leaf, failure);
}

static enum status get_old(struct vault *vault, const char *path, const char *name, uint64_t revision,
                           struct leaf *leaf, struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record past = {0};
    struct past_owner owner;
    uint64_t number;
    size_t size;

    past_of_variable(&owner, path, name);
    enum status status = past_find(vault, &owner, failure, &past);
    if (status == STATUS_OK && revision == past_current(&past))
        return projection_get_variable(vault, path, name, 0, leaf, failure, writer);
    if (status == STATUS_OK)
        status = past_choose(&past, &owner, revision, failure, &number);
    if (status != STATUS_OK)
        return status;
    const char *value = past_field(&past, number, "value", &size);
    if (value == NULL)
        return failure_set(failure, STATUS_CORRUPT, "an old revision of %s has no value", name);
    return hand_out(value, size, vault, leaf, failure, writer);
}

enum status projection_get_variable(struct vault *vault, const char *path, const char *name,
                                    uint64_t revision, struct leaf *leaf, struct failure *failure,
                                    struct json_writer *writer)
{
    CLEANUP(record_reset) struct record record = {0};
    const char *value;
    size_t size;
    bool found;

    enum status status = name_check_path(path, failure);
    if (status == STATUS_OK)
        status = name_check_variable(name, failure);
    if (status == STATUS_OK && revision != 0)
        return get_old(vault, path, name, revision, leaf, failure, writer);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_VARIABLE, path, name, failure, &record, &found);
    if (status != STATUS_OK)
        return status;
    if (!found)
        return variable_missing(vault, path, name, failure);
    value = record_field(&record, "value", &size);
    if (value == NULL)
        return failure_set(failure, STATUS_NOT_FOUND, "%s is blocked at %s and has no value there", name,
                           path);
    return hand_out(value, size, vault, leaf, failure, writer);
}

/* Writes explanations as delivery_choose tells of them. */
struct explanation {
    struct vault *vault;
    struct json_writer *writer;
};

static void explain_name(const struct delivery_note *note, void *context)
{
    struct explanation *explanation = context;
    CLEANUP(record_reset) struct record account = {0};
    char source[NAME_ALIAS_MAX + NAME_PROPERTY_MAX + 8] = "";
    const struct record *owner = note->record->kind == RECORD_VARIABLE ? note->record : NULL;

    if (note->property != NULL)
        snprintf(source, sizeof source, "%s.%s", note->record->name, note->property);
    else if (note->record->kind == RECORD_BINDING) {
        struct failure ignored;
        const char *id = record_field(note->record, "account", NULL);
        if (id != NULL && account_resolve(explanation->vault, id, &ignored, &account) == STATUS_OK) {
            snprintf(source, sizeof source, "%s:%s", account.where, account.name);
            owner = &account;
        }
    }
    json_open_object(explanation->writer, NULL);
    json_add_text(explanation->writer, "name", note->name);
    json_add_text(explanation->writer, "kind", note->kind);
    json_add_text(explanation->writer, "path", note->record->where);
    json_add_text(explanation->writer, "source", source);
    json_add_text(explanation->writer, "state", note->state);
    json_add_text(explanation->writer, "by", note->by);
    if (owner != NULL)
        remark_write(owner, explanation->writer);
    json_close_object(explanation->writer);
}

static enum status explain(struct vault *vault, const char *path, struct failure *failure,
                           struct json_writer *writer)
{
    struct delivery_levels levels = {0};
    CLEANUP(delivery_freep) struct delivery *delivery = NULL;
    struct explanation explanation = {.vault = vault, .writer = writer};

    enum status status = collect(vault, path, false, failure, &levels);
    if (status != STATUS_OK)
        return status;
    placement_write(find_path(levels.placed[0]), "step", writer);
    json_open_array(writer, "names");
    status = delivery_choose(vault, &levels, true, explain_name, &explanation, failure, &delivery);
    json_close_array(writer);
    return status;
}

enum status projection_explain(struct vault *vault, const char *path, struct failure *failure,
                               struct json_writer *writer)
{
    borrow_begin(vault);
    enum status status = explain(vault, path, failure, writer);
    borrow_end(vault);
    return status;
}
