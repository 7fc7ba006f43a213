/* What is asked for, judged, and made into the helper's job. */
#include "account.h"
#include "agent/requesting.h"
#include "base/cleanup.h"
#include "base/outgoing.h"
#include "base/text.h"
#include "base/url.h"
#include "catalog/destination.h"
#include "token.h"

#include <string.h>

#define ENTRY_MAX (64u * 1024u)
#define BASE64_MAX ((OUTGOING_BODY_MAX + 2) / 3 * 4)
#define METHOD_USUAL "GET"
#define PROPERTIES "property/" /* what their fields in the record begin with */

/* Where it goes. */
struct wanted {
    const char *entry;
    struct destination destination;
    struct secret origin;
};

static void wanted_reset(struct wanted *wanted)
{
    destination_reset(&wanted->destination);
    secret_reset(&wanted->origin);
}

static const char *method_of(const struct json *parameters)
{
    const char *method = json_member_text(parameters, "method");

    return method != NULL ? method : METHOD_USUAL;
}

static enum status check_form(const struct json *parameters, struct failure *failure)
{
    const struct json *headers = json_member(parameters, "headers");
    const char *entry = json_member_text(parameters, "provider");
    size_t body = 0;
    enum status status = outgoing_check_method(method_of(parameters), failure);

    if (status == STATUS_OK)
        status = outgoing_check_url(json_member_text(parameters, "url"), failure);
    if (status == STATUS_OK && json_count(headers) > OUTGOING_HEADERS_MAX)
        status = failure_set(failure, STATUS_TOO_LARGE, "there are over %d headers", OUTGOING_HEADERS_MAX);
    for (size_t at = 0; status == STATUS_OK && at < json_count(headers); at++)
        status = outgoing_check_header(json_text(json_at(headers, at), NULL), failure);
    (void)json_text(json_member(parameters, "body_base64"), &body);
    if (status == STATUS_OK && body > BASE64_MAX)
        status = failure_set(failure, STATUS_TOO_LARGE, "the body of the request is over %d KiB",
                             OUTGOING_BODY_MAX / 1024);
    if (status == STATUS_OK && entry != NULL && strlen(entry) > ENTRY_MAX)
        status = failure_set(failure, STATUS_TOO_LARGE, "the app's entry is over %u KiB", ENTRY_MAX / 1024);
    return status;
}

/* An account that was connected has its own, which no caller can change. */
static enum status find_entry(const struct record *account, const struct json *parameters,
                              struct failure *failure, const char **ret_entry)
{
    const char *given = json_member_text(parameters, "provider");
    const char *own = token_provider(account);

    if (own != NULL && given != NULL)
        return failure_set(failure, STATUS_INVALID, "%s:%s was connected, and has an entry of its own",
                           account->where, account->name);
    *ret_entry = own != NULL ? own : given;
    if (*ret_entry == NULL)
        return failure_set(failure, STATUS_INVALID,
                           "%s:%s was not connected, so the call has to bring its app's entry",
                           account->where, account->name);
    return STATUS_OK;
}

static const char *find_value(const void *context, const char *name)
{
    return account_property(context, name, NULL);
}

/* A refresh token is for its issuer alone. */
static void write_properties(const struct record *account, const struct destination *destination, bool values,
                             struct json_writer *writer)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(account, PROPERTIES, &position, &name, &value, &size)) {
        if (token_is_refresh_token(name) || !destination_needs(destination, name))
            continue;
        if (values)
            json_add_bytes(writer, name, value, size);
        else
            json_add_text(writer, NULL, name);
    }
}

/* Neither path nor query: they may hold anything. */
static enum status describe(const struct record *account, const struct wanted *wanted, const char *method,
                            struct leaf *leaf, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    json_add_text(&writer, "method", method);
    json_add_text(&writer, "host", strstr(secret_text(&wanted->origin), "://") + 3);
    json_open_array(&writer, "properties");
    write_properties(account, &wanted->destination, false, &writer);
    json_close_array(&writer);
    return leaf_add_details(leaf, &writer) ? STATUS_OK : failure_set_no_memory(failure);
}

static enum status write_line(const struct record *account, const struct wanted *wanted,
                              const struct json *parameters, struct failure *failure, struct secret *line)
{
    struct json_writer writer;

    json_writer_start(&writer, line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "job", "request");
    json_add_text(&writer, "provider", wanted->entry);
    json_add_text(&writer, "method", method_of(parameters));
    json_add_text(&writer, "url", json_member_text(parameters, "url"));
    json_add_text(&writer, "origin", secret_text(&wanted->origin));
    if (json_member(parameters, "headers") != NULL)
        json_add_value(&writer, "headers", json_member(parameters, "headers"));
    if (json_member(parameters, "body_base64") != NULL)
        json_add_value(&writer, "body_base64", json_member(parameters, "body_base64"));
    json_open_object(&writer, "properties");
    write_properties(account, &wanted->destination, true, &writer);
    json_close_object(&writer);
    json_close_object(&writer);
    return writer.failed ? failure_set_no_memory(failure) : STATUS_OK;
}

static enum status judge_request(const struct record *account, const struct json *parameters,
                                 struct failure *failure, struct wanted *wanted)
{
    const struct json *headers = json_member(parameters, "headers");
    const char *url = json_member_text(parameters, "url");
    enum status status = check_form(parameters, failure);

    if (status == STATUS_OK)
        status = find_entry(account, parameters, failure, &wanted->entry);
    if (status == STATUS_OK)
        status = destination_open(wanted->entry, failure, &wanted->destination);
    if (status == STATUS_OK)
        status = destination_origin(&wanted->destination, find_value, account, failure, &wanted->origin);
    if (status == STATUS_OK)
        status = destination_check_url(&wanted->destination, secret_text(&wanted->origin), url, failure);
    if (status == STATUS_OK && !outgoing_is_whole(url))
        status = destination_check_base(&wanted->destination, find_value, account, failure);
    for (size_t at = 0; status == STATUS_OK && at < json_count(headers); at++)
        status =
            destination_check_header(&wanted->destination, json_text(json_at(headers, at), NULL), failure);
    return status;
}

enum status requesting_check(const struct record *account, const struct json *parameters,
                             struct failure *failure)
{
    CLEANUP(wanted_reset) struct wanted wanted = {0};

    return judge_request(account, parameters, failure, &wanted);
}

enum status requesting_write(const struct record *account, const struct json *parameters, struct leaf *leaf,
                             struct failure *failure, struct secret *ret_line)
{
    CLEANUP(wanted_reset) struct wanted wanted = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    enum status status = judge_request(account, parameters, failure, &wanted);

    if (status == STATUS_OK)
        status = write_line(account, &wanted, parameters, failure, &line);
    if (status == STATUS_OK)
        status = describe(account, &wanted, method_of(parameters), leaf, failure);
    if (status != STATUS_OK)
        return status;
    *ret_line = line;
    line = (struct secret){0};
    return STATUS_OK;
}
