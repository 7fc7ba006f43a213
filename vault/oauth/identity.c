/* The request as the entry says, and what is read of its reply. */
#include "oauth/identity.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "catalog/path.h"
#include "oauth/http.h"
#include "oauth/reply.h"
#include "oauth/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PEER_SIZE 160

/* What one request is made of; the texts of headers stand here. */
struct asking {
    const struct provider *provider;
    const struct json *properties;
    const struct json *entry;
    struct fault *fault;
    struct secret url;
    struct secret body;
    struct secret values[HTTP_HEADERS_MAX];
    struct http_request http;
};

static void asking_reset(struct asking *asking)
{
    secret_reset(&asking->url);
    secret_reset(&asking->body);
    for (size_t i = 0; i < HTTP_HEADERS_MAX; i++)
        secret_reset(&asking->values[i]);
}

/* Fills in a template; what the account does not have leaves `*ret_filled` false. */
static enum verdict fill(struct asking *asking, const char *template, struct secret *text, bool *ret_filled)
{
    struct failure failure;
    enum status status = provider_fill(asking->provider, asking->properties, template, &failure, text);

    *ret_filled = status == STATUS_OK;
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? VERDICT_OK : fault_of(asking->fault, &failure);
}

static enum verdict add_query(struct asking *asking)
{
    enum verdict verdict = VERDICT_OK;
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (verdict == VERDICT_OK &&
           json_next(json_member(asking->provider->request, "query"), &iterator, &name, &template)) {
        CLEANUP(secret_reset) struct secret value = {0};
        bool filled;

        verdict = fill(asking, json_text(template, NULL), &value, &filled);
        if (verdict == VERDICT_OK && filled && !url_append_parameter(&asking->url, name, secret_text(&value)))
            verdict = fault_set_no_memory(asking->fault);
    }
    return verdict;
}

static enum verdict make_url(struct asking *asking)
{
    const char *base = json_member_text(asking->provider->request, "base");
    const char *url = json_member_text(asking->entry, "url");
    CLEANUP(secret_reset) struct secret template = {0};
    struct failure failure;

    if ((url == NULL || url[0] == '/') && !secret_append_text(&template, base != NULL ? base : ""))
        return fault_set_no_memory(asking->fault);
    if (url != NULL && !secret_append_text(&template, url))
        return fault_set_no_memory(asking->fault);
    if (provider_fill_url(asking->provider, asking->properties, secret_text(&template), &failure,
                          &asking->url) != STATUS_OK)
        return fault_of(asking->fault, &failure);
    return add_query(asking);
}

static enum verdict add_header(struct asking *asking, const char *name, struct secret *value)
{
    struct secret *kept = &asking->values[asking->http.header_count % HTTP_HEADERS_MAX];

    if (asking->http.header_count < HTTP_HEADERS_MAX) {
        *kept = *value;
        *value = (struct secret){0};
    }
    return http_add_header(&asking->http, name, secret_text(kept))
               ? VERDICT_OK
               : fault_set(asking->fault, VERDICT_REFUSED, "the header %s of %s cannot be sent", name,
                           asking->http.peer);
}

static bool has_header(const struct json *headers, const char *name)
{
    void *iterator = NULL;
    const struct json *value;
    const char *other;

    while (json_next(headers, &iterator, &other, &value)) {
        if (strcasecmp(other, name) == 0)
            return true;
    }
    return false;
}

/* Those of `headers` that `instead` does not have. */
static enum verdict add_headers(struct asking *asking, const struct json *headers, const struct json *instead)
{
    enum verdict verdict = VERDICT_OK;
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (verdict == VERDICT_OK && json_next(headers, &iterator, &name, &template)) {
        CLEANUP(secret_reset) struct secret value = {0};
        bool filled;

        if (has_header(instead, name))
            continue;
        verdict = fill(asking, json_text(template, NULL), &value, &filled);
        if (verdict == VERDICT_OK && filled)
            verdict = add_header(asking, name, &value);
    }
    return verdict;
}

static enum verdict add_basic(struct asking *asking)
{
    const struct json *basic = json_member(asking->provider->request, "basic");
    CLEANUP(secret_reset) struct secret user = {0};
    CLEANUP(secret_reset) struct secret password = {0};
    CLEANUP(secret_reset) struct secret value = {0};
    bool has_user = false, has_password = false;
    enum verdict verdict;

    if (basic == NULL)
        return VERDICT_OK;
    verdict = fill(asking, json_member_text(basic, "user"), &user, &has_user);
    if (verdict == VERDICT_OK)
        verdict = fill(asking, json_member_text(basic, "password"), &password, &has_password);
    if (verdict != VERDICT_OK || !has_user || !has_password)
        return verdict;
    if (!secret_append_byte(&user, ':') || !secret_append(&user, password.bytes, password.size) ||
        !secret_append_text(&value, "Basic ") || !text_append_base64(&value, user.bytes, user.size))
        return fault_set_no_memory(asking->fault);
    return add_header(asking, "Authorization", &value);
}

static enum verdict make_body(struct asking *asking)
{
    const struct json *body = json_member(asking->entry, "body");
    struct json_writer writer;

    if (body == NULL)
        return VERDICT_OK;
    json_writer_start(&writer, &asking->body);
    json_add_value(&writer, NULL, body);
    asking->http.content_type =
        has_header(json_member(asking->entry, "headers"), "Content-Type") ? NULL : "application/json";
    asking->http.body = &asking->body;
    return writer.failed ? fault_set_no_memory(asking->fault) : VERDICT_OK;
}

static enum verdict make_request(struct asking *asking)
{
    const struct json *own = json_member(asking->entry, "headers");
    enum verdict verdict = make_url(asking);

    if (verdict == VERDICT_OK)
        verdict = add_headers(asking, json_member(asking->provider->request, "headers"), own);
    if (verdict == VERDICT_OK)
        verdict = add_headers(asking, own, NULL);
    if (verdict == VERDICT_OK)
        verdict = add_basic(asking);
    return verdict == VERDICT_OK ? make_body(asking) : verdict;
}

/* ---- the reply ---- */

/* Something that is neither null, nor false, nor an empty text. */
static bool stands(const struct json *value)
{
    const char *text = json_text(value, NULL);
    bool flag = true;

    json_boolean(value, &flag);
    return value != NULL && flag && (text == NULL || text[0] != '\0');
}

static void take_line(const struct json *entry, const char *which, const struct json *document,
                      struct secret *line)
{
    const char *path = json_member_text(entry, which);
    const struct json *value = path != NULL ? path_find(document, path) : NULL;

    if (value == NULL || !reply_append_text(value, line) || line->size == 0 ||
        line->size > IDENTITY_TEXT_MAX) {
        secret_clear(line);
        return;
    }
    line->size = text_make_plain((char *)line->bytes);
}

static void read_reply(const struct json *entry, const struct http_reply *http, struct identity *identity)
{
    const char *expect = json_member_text(entry, "expect");

    identity->status = http->status;
    reply_parse(http->content_type, http->body.bytes, http->body.size, &identity->document);
    identity->works = http->status >= 200 && http->status <= 299 &&
                      (expect == NULL || stands(path_find(identity->document, expect)));
    if (!identity->works || identity->document == NULL)
        return;
    take_line(entry, "id", identity->document, &identity->id);
    take_line(entry, "name", identity->document, &identity->name);
}

enum verdict identity_ask(const struct provider *provider, const struct json *properties,
                          const struct json *entry, unsigned seconds, struct fault *fault,
                          struct identity *ret_identity)
{
    CLEANUP(asking_reset)
    struct asking asking = {.provider = provider, .properties = properties, .entry = entry, .fault = fault};
    CLEANUP(http_reply_reset) struct http_reply http = {0};
    char peer[PEER_SIZE];
    enum verdict verdict;

    snprintf(peer, sizeof(peer), "the API of %s", provider_title(provider));
    asking.http.peer = peer;
    asking.http.method = json_member_text(entry, "method");
    asking.http.loopback = provider->loopback;
    asking.http.seconds = seconds;
    verdict = make_request(&asking);
    if (verdict != VERDICT_OK)
        return verdict;
    asking.http.url = secret_text(&asking.url);
    verdict = http_send(&asking.http, fault, &http);
    if (verdict == VERDICT_OK)
        read_reply(entry, &http, ret_identity);
    return verdict;
}

void identity_write(const struct identity *identity, struct json_writer *writer)
{
    if (identity->id.size + identity->name.size == 0)
        return;
    json_open_object(writer, "identity");
    if (identity->id.size > 0)
        json_add_text(writer, "id", secret_text(&identity->id));
    if (identity->name.size > 0)
        json_add_text(writer, "name", secret_text(&identity->name));
    json_close_object(writer);
}

void identity_reset(struct identity *identity)
{
    json_freep(&identity->document);
    secret_reset(&identity->id);
    secret_reset(&identity->name);
}
