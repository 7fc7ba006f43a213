/* Filling in of the entry's templates. */
#include "oauth/message.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/outgoing.h"
#include "base/text.h"
#include "base/url.h"
#include "catalog/destination.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void message_start(struct message *message, const struct provider *provider, const struct json *properties,
                   struct fault *fault)
{
    *message = (struct message){.provider = provider, .properties = properties, .fault = fault};
    snprintf(message->peer, sizeof(message->peer), "the API of %s", provider_title(provider));
    message->http.peer = message->peer;
    message->http.loopback = provider->loopback;
}

void message_reset(struct message *message)
{
    secret_reset(&message->url);
    secret_reset(&message->body);
    for (size_t i = 0; i < HTTP_HEADERS_MAX; i++)
        secret_reset(&message->values[i]);
}

static bool takes_secret(const struct message *message, const char *template)
{
    const struct app_method *method = message->provider->method;
    char name[NAME_PROPERTY_MAX + 3];

    for (size_t i = 0; i < method->field_count; i++) {
        snprintf(name, sizeof(name), "{%s}", method->fields[i].name);
        if (method->fields[i].hidden && strstr(template, name) != NULL)
            return true;
    }
    return false;
}

/* Fills in a template; what the account does not have leaves `*ret_filled` false. */
static enum verdict fill(struct message *message, const char *template, struct secret *text, bool *ret_filled)
{
    struct failure failure;
    enum status status = provider_fill(message->provider, message->properties, template, &failure, text);

    *ret_filled = status == STATUS_OK;
    message->secrets += *ret_filled && takes_secret(message, template);
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? VERDICT_OK
                                                             : fault_of(message->fault, &failure);
}

/* ---- the address ---- */

static enum verdict add_query(struct message *message)
{
    enum verdict verdict = VERDICT_OK;
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (verdict == VERDICT_OK &&
           json_next(json_member(message->provider->request, "query"), &iterator, &name, &template)) {
        CLEANUP(secret_reset) struct secret value = {0};
        bool filled;

        if (destination_has_parameter(secret_text(&message->url), name))
            continue;
        verdict = fill(message, json_text(template, NULL), &value, &filled);
        if (verdict == VERDICT_OK && filled &&
            !url_append_parameter(&message->url, name, secret_text(&value)))
            verdict = fault_set_no_memory(message->fault);
    }
    return verdict;
}

enum verdict message_set_url(struct message *message, const char *url)
{
    const char *base = json_member_text(message->provider->request, "base");
    CLEANUP(secret_reset) struct secret template = {0};
    struct failure failure;
    enum verdict verdict;

    if ((url == NULL || !outgoing_is_whole(url)) && !secret_append_text(&template, base != NULL ? base : ""))
        return fault_set_no_memory(message->fault);
    if (url != NULL && !secret_append_text(&template, url))
        return fault_set_no_memory(message->fault);
    if (provider_fill_url(message->provider, message->properties, secret_text(&template), &failure,
                          &message->url) != STATUS_OK)
        return fault_of(message->fault, &failure);
    message->secrets += takes_secret(message, secret_text(&template));
    verdict = add_query(message);
    message->http.url = secret_text(&message->url);
    return verdict;
}

/* ---- headers ---- */

static enum verdict add_kept(struct message *message, const char *name, const char *value)
{
    return http_add_header(&message->http, name, value)
               ? VERDICT_OK
               : fault_set(message->fault, VERDICT_REFUSED, "the header %s of %s cannot be sent", name,
                           message->http.peer);
}

enum verdict message_add_header(struct message *message, const char *name, struct secret *value)
{
    struct secret *kept = &message->values[message->http.header_count % HTTP_HEADERS_MAX];

    if (message->http.header_count < HTTP_HEADERS_MAX) {
        *kept = *value;
        *value = (struct secret){0};
    }
    return add_kept(message, name, secret_text(kept));
}

/* Name and value are kept together, with a NUL between them. */
enum verdict message_add_line(struct message *message, const char *line)
{
    struct secret *kept = &message->values[message->http.header_count % HTTP_HEADERS_MAX];
    const size_t value = (size_t)(outgoing_header_value(line) - line);

    if (message->http.header_count == HTTP_HEADERS_MAX)
        return fault_set(message->fault, VERDICT_REFUSED, "there are over %d headers", HTTP_HEADERS_MAX);
    if (!secret_append_text(kept, line))
        return fault_set_no_memory(message->fault);
    *strchr((char *)kept->bytes, ':') = '\0';
    return add_kept(message, (const char *)kept->bytes, (const char *)kept->bytes + value);
}

static bool lines_have(const struct json *lines, const char *name)
{
    for (size_t i = 0; i < json_count(lines); i++) {
        if (outgoing_header_is(json_text(json_at(lines, i), NULL), name))
            return true;
    }
    return false;
}

bool message_has_header(const struct json *headers, const char *name)
{
    void *iterator = NULL;
    const struct json *value;
    const char *other;

    if (headers != NULL && json_kind(headers) == JSON_KIND_ARRAY)
        return lines_have(headers, name);
    while (json_next(headers, &iterator, &other, &value)) {
        if (strcasecmp(other, name) == 0)
            return true;
    }
    return false;
}

enum verdict message_add_headers(struct message *message, const struct json *headers,
                                 const struct json *instead)
{
    enum verdict verdict = VERDICT_OK;
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (verdict == VERDICT_OK && json_next(headers, &iterator, &name, &template)) {
        CLEANUP(secret_reset) struct secret value = {0};
        bool filled;

        if (message_has_header(instead, name))
            continue;
        verdict = fill(message, json_text(template, NULL), &value, &filled);
        if (verdict == VERDICT_OK && filled)
            verdict = message_add_header(message, name, &value);
    }
    return verdict;
}

static enum verdict add_basic(struct message *message)
{
    const struct json *basic = json_member(message->provider->request, "basic");
    CLEANUP(secret_reset) struct secret user = {0};
    CLEANUP(secret_reset) struct secret password = {0};
    CLEANUP(secret_reset) struct secret value = {0};
    bool has_user = false, has_password = false;
    enum verdict verdict;

    if (basic == NULL)
        return VERDICT_OK;
    verdict = fill(message, json_member_text(basic, "user"), &user, &has_user);
    if (verdict == VERDICT_OK)
        verdict = fill(message, json_member_text(basic, "password"), &password, &has_password);
    if (verdict != VERDICT_OK || !has_user || !has_password)
        return verdict;
    if (!secret_append_byte(&user, ':') || !secret_append(&user, password.bytes, password.size) ||
        !secret_append_text(&value, "Basic ") || !text_append_base64(&value, user.bytes, user.size))
        return fault_set_no_memory(message->fault);
    return message_add_header(message, "Authorization", &value);
}

enum verdict message_add_credentials(struct message *message, const struct json *instead)
{
    enum verdict verdict =
        message_add_headers(message, json_member(message->provider->request, "headers"), instead);

    return verdict == VERDICT_OK ? add_basic(message) : verdict;
}
