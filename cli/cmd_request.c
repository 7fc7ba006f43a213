/* request: a request to an app's API, with an account's credentials that nobody here sees. */
#include "base/cleanup.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "catalog/destination.h"
#include "catalog/provider.h"
#include "command.h"
#include "exchange.h"
#include "output.h"
#include "payload.h"

#include <string.h>
#include <strings.h>

#define JSON_BODY_MAX (16u * 1024 * 1024) /* bytes of a body that is to stand in one document */

#define NAME_SIZE 256 /* of a header, with its NUL */

struct target {
    const char *account;
    const char *method; /* NULL: the usual one */
    const char *url;
};

/* The reply, as far as it is kept. */
struct received {
    bool include;
    bool json;
    int64_t status; /* 0: nothing has come yet */
    struct answer head;
    struct secret body; /* with --json */
};

static void received_reset(struct received *received)
{
    exchange_answer_reset(&received->head);
    secret_reset(&received->body);
}

static struct target read_target(const struct invocation *invocation)
{
    const char *last = command_argument(invocation, 2);

    return (struct target){.account = command_argument(invocation, 0),
                           .method = last != NULL ? command_argument(invocation, 1) : NULL,
                           .url = last != NULL ? last : command_argument(invocation, 1)};
}

/* ---- the app's entry, for an account that was not connected ---- */

/* Whether the account has what requests of this method are authorised with. */
static bool fits_account(const struct app_method *method, const struct json *account)
{
    const struct destination destination = {.request = json_member(method->entry, "request")};
    const struct json *properties = json_member(account, "properties");
    bool any = false;

    for (size_t i = 0; i < method->field_count; i++) {
        const struct app_field *field = &method->fields[i];

        if (!field->hidden || !destination_needs(&destination, field->name))
            continue;
        if (json_has_text(properties, field->name))
            any = true;
        else if (field->required)
            return false;
    }
    return any;
}

static bool is_makeable(const struct app_method *method)
{
    const struct json *request = json_member(method->entry, "request");

    return json_member_text(request, "base") != NULL && json_member(request, "signature") == NULL;
}

/* A token that was typed is likelier one that a person made than one that OAuth gave. What cannot be made by
 * data is refused by the agent, with the reason. */
static const struct app_method *choose_method(const struct app *app, const struct json *account)
{
    const struct app_method *granted = NULL;
    const struct app_method *other = NULL;

    for (size_t i = 0; i < app->method_count; i++) {
        const struct app_method *method = &app->methods[i];

        if (!is_makeable(method))
            other = other != NULL ? other : method;
        else if (fits_account(method, account) && method->kind != APP_OAUTH2)
            return method;
        else if (fits_account(method, account) && granted == NULL)
            granted = method;
    }
    return granted != NULL ? granted : other;
}

static enum status write_entry(const struct json *account, struct failure *failure, struct secret *ret_text)
{
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(app_freep) struct app *other = NULL;
    char slug[NAME_APP_MAX + 1];
    const struct json *oauth = NULL;
    const struct app_method *method;
    enum status status = catalog_slug(json_member_text(account, "app"), failure, slug);

    if (status == STATUS_OK)
        status = catalog_find(slug, failure, &app, NULL);
    if (status != STATUS_OK)
        return status;
    method = choose_method(app, account);
    if (method == NULL)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "%s:%s lacks a property with which requests to %s are authorised", slug,
                           json_member_text(account, "label"), app->title);
    status = catalog_oauth(method, failure, &other, &oauth);
    return status == STATUS_OK ? provider_write_any(app, method, oauth, failure, ret_text) : status;
}

/* ---- the call ---- */

static enum status find_account(const struct invocation *invocation, const char *name,
                                struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    const struct json *account;
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    if (status != STATUS_OK)
        return status;
    exchange_question(&question, "ShowAccount");
    json_add_text(&question.writer, "account", name);
    status = exchange_ask(&exchange, &question, failure, ret_answer);
    if (status != STATUS_OK)
        return status;
    account = json_member(ret_answer->parameters, "account");
    if (json_member_text(account, "id") == NULL || json_member_text(account, "app") == NULL ||
        json_member_text(account, "label") == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no account");
    return STATUS_OK;
}

static enum status write_question(const struct invocation *invocation, const struct target *target,
                                  const struct payload *payload, const struct json *account,
                                  struct failure *failure, struct question *question)
{
    CLEANUP(secret_reset) struct secret entry = {0};
    enum status status = STATUS_OK;

    exchange_question(question, "Request");
    question->ask.more = true;
    json_add_text(&question->writer, "account", json_member_text(account, "id"));
    json_add_text(&question->writer, "method",
                  target->method != NULL ? target->method
                  : payload->has_body    ? "POST"
                                         : "GET");
    json_add_text(&question->writer, "url", target->url);
    payload_write(payload, &invocation->options, &question->writer);
    /* One that was connected has its own. */
    if (json_member(account, "health") == NULL) {
        status = write_entry(account, failure, &entry);
        json_add_bytes(&question->writer, "provider", entry.bytes, entry.size);
    }
    return status;
}

/* ---- the reply ---- */

static enum status print_head(const struct json *reply, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret lines = {0};
    const struct json *headers = json_member(reply, "headers");
    const char *first = json_member_text(reply, "line");
    bool complete = secret_append_format(&lines, "%s\n", first != NULL ? first : "");

    for (size_t i = 0; complete && i < json_count(headers); i++) {
        const char *line = json_text(json_at(headers, i), NULL);

        complete = line == NULL || secret_append_format(&lines, "%s\n", line);
    }
    if (!complete || !secret_append_byte(&lines, '\n'))
        return failure_set_no_memory(failure);
    return output_write(lines.bytes, lines.size, failure);
}

static enum status take_body(struct received *received, const char *base64, size_t size,
                             struct failure *failure)
{
    CLEANUP(secret_reset) struct secret bytes = {0};

    if (!text_append_from_base64(&bytes, base64, size))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has a body that is not base64");
    if (!received->json)
        return output_write(bytes.bytes, bytes.size, failure);
    if (received->body.size + bytes.size > JSON_BODY_MAX)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the reply is over %u MiB, which is too much for --json",
                           JSON_BODY_MAX / 1024 / 1024);
    return secret_append(&received->body, bytes.bytes, bytes.size) ? STATUS_OK
                                                                   : failure_set_no_memory(failure);
}

static enum status take_reply(struct received *received, struct answer *answer, struct failure *failure)
{
    const struct json *reply = answer->parameters;
    size_t size;
    const char *body = json_text(json_member(reply, "body_base64"), &size);

    if (body != NULL)
        return take_body(received, body, size, failure);
    if (json_member(reply, "status") == NULL)
        return STATUS_OK;
    received->status = json_member_number(reply, "status", 0);
    received->head = *answer;
    *answer = (struct answer){0};
    return received->include && !received->json ? print_head(reply, failure) : STATUS_OK;
}

/* The size of a line's name; 0 if there is none, or too long a one. */
static size_t name_size(const char *line)
{
    size_t size = line != NULL ? strcspn(line, ":") : 0;

    return size < NAME_SIZE && line != NULL && line[size] == ':' ? size : 0;
}

static bool same_name(const char *line, const char *other)
{
    return name_size(line) == name_size(other) && strncasecmp(line, other, name_size(line)) == 0;
}

/* The values of all lines from `first` on that have its name, under that in small letters. */
static void write_values(const struct json *lines, size_t first, struct json_writer *writer)
{
    const char *line = json_text(json_at(lines, first), NULL);
    const size_t size = name_size(line);
    char name[NAME_SIZE];

    for (size_t at = 0; at < size; at++)
        name[at] = line[at] >= 'A' && line[at] <= 'Z' ? (char)(line[at] + 'a' - 'A') : line[at];
    name[size] = '\0';
    json_open_array(writer, name);
    for (size_t at = first; at < json_count(lines); at++) {
        const char *other = json_text(json_at(lines, at), NULL);

        if (same_name(line, other))
            json_add_text(writer, NULL, other + size + 1 + strspn(other + size + 1, " "));
    }
    json_close_array(writer);
}

/* Of each name all values, in the order in which they came. */
static void write_headers(const struct json *lines, struct json_writer *writer)
{
    json_open_object(writer, "headers");
    for (size_t i = 0; i < json_count(lines); i++) {
        const char *line = json_text(json_at(lines, i), NULL);
        bool again = name_size(line) == 0;

        for (size_t before = 0; before < i && !again; before++)
            again = same_name(line, json_text(json_at(lines, before), NULL));
        if (!again)
            write_values(lines, i, writer);
    }
    json_close_object(writer);
}

static enum status print_document(const struct received *received, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    const struct secret *body = &received->body;
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_add_number(&writer, "status", (uint64_t)received->status);
    write_headers(json_member(received->head.parameters, "headers"), &writer);
    if (text_is_utf8(body->bytes, body->size) &&
        (body->size == 0 || memchr(body->bytes, '\0', body->size) == NULL))
        json_add_bytes(&writer, "body", body->bytes, body->size);
    else
        json_add_base64(&writer, "body_base64", body->bytes, body->size);
    json_close_object(&writer);
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set(failure, STATUS_TOO_LARGE, "the reply is too large for one document");
    return output_write(text.bytes, text.size, failure);
}

static enum status tell_status(const struct received *received, const char *account, struct failure *failure)
{
    static const int redirects[] = {301, 302, 303, 307, 308};

    if (received->status == 0)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's replies have no status");
    if (received->status >= 200 && received->status <= 299)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof(redirects) / sizeof(redirects[0]); i++) {
        if (received->status == redirects[i])
            return failure_set(failure, STATUS_FAILED,
                               "the API of %s answers with a redirect (status %d), which is not followed",
                               account, redirects[i]);
    }
    return failure_set(failure, STATUS_FAILED, "the API of %s answers with status %d", account,
                       (int)received->status);
}

static enum status receive(struct exchange *exchange, struct question *question, struct failure *failure,
                           struct received *received)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status = exchange_ask(exchange, question, failure, &answer);

    while (status == STATUS_OK) {
        bool continues = answer.continues;

        status = take_reply(received, &answer, failure);
        if (status != STATUS_OK || !continues)
            return status;
        status = exchange_next(exchange, failure, &answer);
    }
    return status;
}

static enum status cmd_request(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer shown = {0};
    CLEANUP(payload_reset) struct payload payload = {0};
    CLEANUP(received_reset)
    struct received received = {.include = option_flag(&invocation->options, "include"),
                                .json = option_flag(&invocation->options, "json")};
    const struct target target = read_target(invocation);
    const struct json *account;
    enum status status = payload_read(&invocation->options, failure, &payload);

    if (status == STATUS_OK)
        status = find_account(invocation, target.account, failure, &shown);
    if (status != STATUS_OK)
        return status;
    account = json_member(shown.parameters, "account");
    status = exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);
    if (status == STATUS_OK)
        status = write_question(invocation, &target, &payload, account, failure, &question);
    if (status == STATUS_OK)
        status = receive(&exchange, &question, failure, &received);
    if (status == STATUS_OK && received.json && received.status != 0)
        status = print_document(&received, failure);
    return status == STATUS_OK ? tell_status(&received, json_member_text(account, "app"), failure) : status;
}

/* ---- the command ---- */

static const struct option_rule request_options[] = {
    {"header",                                                "HEADER", true, "A header, `Name: value`; -H for short."},
    {"data",                                                   "DATA", true, "The body: text, @FILE, or - for stdin; -d for short."},
    {"include",                                                       NULL, false, "Prints the status line and the headers first."},
    {"json",NULL, false, "Prints one JSON document: status, headers, and body or body_base64."},
    {0},
};

/* clang-format off */
const struct command cmd_request_commands[] = {
    {
        .name = "request", .run = cmd_request, .options = request_options, .least = 2, .most = 3,
        .arguments = {"ACCOUNT", "METHOD", "URL"},
        .usage = "ACCOUNT [METHOD] URL [-H HEADER]... [-d DATA]... [--include] [--json]",
        .summary = "make an authorised request to an app's API",
        .help = "Makes an HTTPS request to the app's API with the credentials of ACCOUNT, which go where the catalogue says "
                "and are shown to nobody here, and prints the reply's body. URL is whole, or what follows the app's base "
                "(`app show`); its host must be that of the app. METHOD is GET, or POST with -d. Exit status 1 if the "
                "reply's status is not 2xx; no redirect is followed.",
    },
    {0},
};
/* clang-format on */
