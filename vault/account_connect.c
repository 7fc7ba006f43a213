/* Accounts connected by OAuth: new ones, and those that are connected anew. */
#include "account_interior.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "binding.h"
#include "registration.h"
#include "token_interior.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *identity_of(const struct record *account)
{
    struct token_fields fields;

    return token_fields_read(account, &fields) ? fields.identity : NULL;
}

static bool is_same_identity(const struct record *account, const struct token_result *result)
{
    const char *identity = identity_of(account);

    return identity != NULL && result->identity != NULL && strcmp(identity, result->identity) == 0;
}

/* `twin`: another account of the app that is the same person's. */
static enum status write_twin(struct vault *vault, const char *app, const char *label,
                              const struct token_result *result, struct json_writer *writer,
                              struct failure *failure)
{
    CLEANUP(records_reset) struct records accounts = {0};
    char name[REGISTRATION_NAME_SIZE];

    enum status status = record_list_linked(vault, RECORD_LINK_APP, app, failure, &accounts);
    for (size_t i = 0; status == STATUS_OK && i < accounts.count; i++) {
        const struct record *account = &accounts.items[i];
        if (strcmp(account->name, label) == 0 || !is_same_identity(account, result))
            continue;
        snprintf(name, sizeof name, "%s:%s", account->where, account->name);
        json_add_text(writer, "twin", name);
        break;
    }
    return status;
}

/* Walks what the person gave, but for what the provider gave, too: the refresh token that was imported, if it
 * was renewed. */
static bool next_given(const struct account_connection *connection, void **iterator, const char **ret_name,
                       const struct json **ret_value)
{
    while (json_next(connection->properties, iterator, ret_name, ret_value)) {
        if (json_member(connection->result->properties, *ret_name) == NULL)
            return true;
    }
    return false;
}

static enum status check_properties(const struct account_connection *connection, struct failure *failure)
{
    enum status status = account_check_properties(connection->result->properties, failure);

    return status == STATUS_OK && connection->properties != NULL
               ? account_check_properties(connection->properties, failure)
               : status;
}

static void add_properties(struct record_draft *draft, const struct account_connection *connection)
{
    const struct json *value;
    void *iterator = NULL;
    const char *name;

    account_add_properties(draft, connection->result->properties);
    while (next_given(connection, &iterator, &name, &value)) {
        size_t size;
        const char *text = json_text(value, &size);
        account_add_property(draft, name, text, size);
    }
}

static enum status describe(const struct account_connection *connection, const char *client,
                            uint64_t generation, struct leaf *leaf, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret object = {0};
    const struct json *value;
    struct json_writer writer;
    void *iterator = NULL;
    const char *name;

    leaf_open_details(&writer, &object);
    json_add_text(&writer, "grant", connection->grant.grant);
    json_add_text(&writer, "client", client);
    json_add_number(&writer, "generation", generation);
    json_open_array(&writer, "properties");
    while (json_next(connection->result->properties, &iterator, &name, &value))
        json_add_text(&writer, NULL, name);
    iterator = NULL;
    while (next_given(connection, &iterator, &name, &value))
        json_add_text(&writer, NULL, name);
    json_close_array(&writer);
    if (connection->result->scopes != NULL)
        json_add_text(&writer, "scopes", connection->result->scopes);
    return leaf_add_details(leaf, &writer) ? STATUS_OK : failure_set_no_memory(failure);
}

/* Refresh tokens are good for the client that they were given to, which may have got another id while a
 * person consented. */
static enum status check_client(const struct account_connection *connection,
                                const struct record *registration, struct failure *failure)
{
    const char *given = json_member_text(connection->result->properties, "oauth_client_id");

    if (given == NULL || strcmp(given, record_field(registration, REGISTRATION_FIELD_ID, NULL)) == 0)
        return STATUS_OK;
    return failure_set(failure, STATUS_REFUSED,
                       "the client %s:%s has another client id by now than these tokens were given to",
                       registration->where, registration->name);
}

/* The grant as the record has it: its client by its whole name. */
static enum status settle_grant(struct vault *vault, const struct account_connection *connection,
                                const char *app, struct failure *failure,
                                char ret_client[REGISTRATION_NAME_SIZE], struct token_grant *ret_grant)
{
    CLEANUP(record_reset) struct record registration = {0};

    if (!token_grant_is_known(connection->grant.grant))
        return failure_set(failure, STATUS_INVALID, "there is no such grant of OAuth");
    enum status status = registration_resolve(vault, app, connection->grant.client, failure, &registration);
    if (status == STATUS_OK)
        status = check_client(connection, &registration, failure);
    if (status != STATUS_OK)
        return status;
    registration_name(&registration, ret_client);
    *ret_grant = connection->grant;
    ret_grant->client = ret_client;
    return STATUS_OK;
}

/* ---- A new one ---- */

static enum status add(struct vault *vault, const struct account_connection *connection, struct leaf *leaf,
                       struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    char client[REGISTRATION_NAME_SIZE];
    struct token_grant grant;
    const char *label = NULL;

    enum status status = account_choose_label(vault, connection->app, connection->label, failure, &label);
    if (status == STATUS_OK)
        status = check_properties(connection, failure);
    if (status == STATUS_OK)
        status = settle_grant(vault, connection, connection->app, failure, client, &grant);
    if (status != STATUS_OK)
        return status;
    record_draft_start(&draft, RECORD_ACCOUNT, connection->app, label, connection->app, NULL);
    add_properties(&draft, connection);
    remark_add(&draft, &connection->remark, NULL);
    token_add_grant(&draft, &grant, connection->result, NULL);
    status = account_complete(vault, &draft, failure);
    if (status == STATUS_OK)
        status = describe(connection, client, 1, leaf, failure);
    if (status == STATUS_OK)
        status = account_write_and_answer(vault, &draft, leaf, writer, failure);
    return status == STATUS_OK
               ? write_twin(vault, connection->app, label, connection->result, writer, failure)
               : status;
}

/* ---- One in its place ---- */

static enum status check_identity(const struct record *previous, const struct account_connection *connection,
                                  struct failure *failure)
{
    const struct token_result *result = connection->result;
    const char *identity = identity_of(previous);

    if (connection->other_identity || identity == NULL || result->identity == NULL ||
        strcmp(identity, result->identity) == 0)
        return STATUS_OK;
    return failure_set(failure, STATUS_REFUSED, "%s:%s is of %s, and what was connected is of %s",
                       previous->where, previous->name, identity, result->identity);
}

/* What it had and was not given again: all of it of the same person, and of another one nothing that is a
 * token. */
static void copy_rest(struct record_draft *draft, const struct record *previous,
                      const struct account_connection *connection)
{
    const struct token_result *result = connection->result;
    const char *identity = identity_of(previous);
    bool other = identity != NULL && result->identity != NULL && strcmp(identity, result->identity) != 0;
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(previous, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (json_member(result->properties, name) == NULL &&
            json_member(connection->properties, name) == NULL && !(other && token_is_token(name)))
            account_add_property(draft, name, value, size);
}

static enum status check_replacement(struct vault *vault, const struct record *previous,
                                     struct record_draft *draft, struct failure *failure)
{
    enum status status = account_complete(vault, draft, failure);
    const struct record next = record_draft_preview(draft);

    if (status == STATUS_OK)
        status = account_check_lost(vault, previous, &next, failure);
    if (status == STATUS_OK)
        status = binding_check_names(vault, &next, failure);
    return status;
}

static enum status reconnect(struct vault *vault, const struct account_connection *connection,
                             struct leaf *leaf, struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const struct token_result *result = connection->result;
    char client[REGISTRATION_NAME_SIZE];
    struct token_fields before;
    struct token_grant grant;

    enum status status = account_resolve_for(vault, connection->account, leaf, failure, &previous);
    if (status != STATUS_OK)
        return status;
    status = check_identity(&previous, connection, failure);
    if (status == STATUS_OK)
        status = check_properties(connection, failure);
    if (status == STATUS_OK)
        status = settle_grant(vault, connection, previous.where, failure, client, &grant);
    if (status != STATUS_OK)
        return status;
    (void)token_fields_read(&previous, &before);
    record_draft_start(&draft, RECORD_ACCOUNT, previous.where, previous.name, previous.where, &previous);
    copy_rest(&draft, &previous, connection);
    add_properties(&draft, connection);
    struct remark remark = connection->remark;
    remark.has_expiry = true;
    remark_add(&draft, &remark, &previous);
    token_add_grant(&draft, &grant, result, &previous);
    status = check_replacement(vault, &previous, &draft, failure);
    if (status == STATUS_OK)
        status = describe(connection, client, before.generation + 1, leaf, failure);
    if (status == STATUS_OK)
        status = account_write_and_answer(vault, &draft, leaf, writer, failure);
    return status == STATUS_OK ? write_twin(vault, previous.where, previous.name, result, writer, failure)
                               : status;
}

enum status account_connect(struct vault *vault, const struct account_connection *connection,
                            struct leaf *leaf, struct failure *failure, struct json_writer *writer)
{
    return connection->account != NULL ? reconnect(vault, connection, leaf, failure, writer)
                                       : add(vault, connection, leaf, failure, writer);
}
