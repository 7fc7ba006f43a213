/* Jobs for stepvault-oauth that are made of an account's record. */
#include "token_interior.h"

#include "account_interior.h"
#include "base/cleanup.h"
#include "registration.h"

#include <string.h>

void token_job_reset(struct token_job *job)
{
    secret_reset(&job->line);
    *job = (struct token_job){.generation = 0};
}

/* What templates of this purpose may ask for: nobody here looks into the provider's document, so it is by
 * name. */
static bool is_for(enum token_purpose purpose, const char *property)
{
    if (purpose == TOKEN_REFRESH)
        return !token_is_token(property) || token_is_refresh_token(property);
    return purpose == TOKEN_REVOKE || !token_is_refresh_token(property);
}

static void write_properties(const struct record *account, enum token_purpose purpose, bool values,
                             struct json_writer *writer)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(account, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size)) {
        if (!is_for(purpose, name))
            continue;
        if (values)
            json_add_bytes(writer, name, value, size);
        else
            json_add_text(writer, NULL, name);
    }
}

static void write_start(const struct token_fields *fields, enum token_purpose purpose,
                        struct json_writer *writer)
{
    static const char *const words[] = {
        [TOKEN_REFRESH] = "refresh", [TOKEN_TEST] = "test", [TOKEN_REVOKE] = "revoke"};

    json_add_text(writer, "job", words[purpose]);
    if (purpose != TOKEN_REFRESH || strcmp(fields->grant, TOKEN_CLIENT_CREDENTIALS) != 0)
        return;
    json_add_text(writer, "flow", TOKEN_CLIENT_CREDENTIALS);
    json_add_words(writer, "scopes", fields->requested, " ");
}

/* The names alone, for the leaf. */
static bool describe(const struct record *account, const struct token_fields *fields,
                     enum token_purpose purpose, struct leaf *leaf)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    json_add_text(&writer, "client", fields->client);
    json_open_array(&writer, "properties");
    write_properties(account, purpose, false, &writer);
    json_close_array(&writer);
    return leaf_add_details(leaf, &writer);
}

enum status token_write_job(struct vault *vault, const struct record *account, enum token_purpose purpose,
                            struct leaf *leaf, struct failure *failure, struct secret *ret_line)
{
    CLEANUP(record_reset) struct record registration = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    struct token_fields fields;
    struct json_writer writer;

    if (!token_fields_read(account, &fields))
        return failure_set(failure, STATUS_REFUSED, "%s:%s was not connected by OAuth", account->where,
                           account->name);
    enum status status = registration_resolve(vault, account->where, fields.client, failure, &registration);
    if (status != STATUS_OK)
        return status;
    json_writer_start(&writer, &line);
    json_open_object(&writer, NULL);
    write_start(&fields, purpose, &writer);
    json_add_text(&writer, "provider", fields.provider);
    registration_write_job(&registration, purpose != TOKEN_TEST, &writer);
    json_open_object(&writer, "properties");
    write_properties(account, purpose, true, &writer);
    json_close_object(&writer);
    json_close_object(&writer);
    if (writer.failed || !describe(account, &fields, purpose, leaf))
        return failure_set_no_memory(failure);
    *ret_line = line;
    line = (struct secret){0};
    return STATUS_OK;
}
