/* Building and sending token requests. */
#include "oauth/token_request.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/url.h"
#include "oauth/scope.h"

#include <stdio.h>
#include <string.h>

#define PEER_SIZE 160
#define FIXED_MAX 64 /* as many as a map in an entry has */

bool token_request_set(struct token_request *request, const char *name, const char *value)
{
    size_t at = 0;

    if (value == NULL)
        return true;
    while (at < request->count && strcmp(request->parameters[at].name, name) != 0)
        at++;
    if (at == TOKEN_REQUEST_PARAMETERS_MAX)
        return false;
    request->parameters[at] = (struct token_parameter){name, value};
    if (at == request->count)
        request->count++;
    return true;
}

/* ---- the client ---- */

static bool set_in_body(struct token_request *request, const struct errand *errand)
{
    return token_request_set(request, "client_id", errand->client_id) &&
           token_request_set(request, "client_secret", errand->client_secret);
}

static bool set_id_in_body(struct token_request *request, const struct errand *errand)
{
    return token_request_set(request, "client_id", errand->client_id);
}

static bool set_nothing(struct token_request *request, const struct errand *errand)
{
    (void)request;
    (void)errand;
    return true;
}

/* `user:password` of HTTP's Basic, in base64. */
static bool append_basic(struct secret *header, const char *user, const char *password,
                         bool (*append)(struct secret *text, const char *value))
{
    CLEANUP(secret_reset) struct secret pair = {0};

    return append(&pair, user) && secret_append_byte(&pair, ':') && append(&pair, password) &&
           secret_append_text(header, "Basic ") && text_append_base64(header, pair.bytes, pair.size);
}

static bool make_basic(const struct errand *errand, struct secret *header)
{
    return append_basic(header, errand->client_id, errand->client_secret, url_append_encoded);
}

static bool make_basic_raw(const struct errand *errand, struct secret *header)
{
    return append_basic(header, errand->client_id, errand->client_secret, secret_append_text);
}

/* The key of the platform is the user, and there is no password. */
static bool make_secret_key(const struct errand *errand, struct secret *header)
{
    return append_basic(header, errand->client_secret, "", secret_append_text);
}

static const struct client_auth {
    const char *name;
    bool (*set)(struct token_request *request, const struct errand *errand);
    bool (*make_header)(const struct errand *errand,
                        struct secret *header); /* of Authorization; NULL: none */
} client_auths[] = {
    {"none",       set_id_in_body, NULL           },
    {"body",       set_in_body,    NULL           },
    {"basic",      set_nothing,    make_basic     },
    {"basic_raw",  set_nothing,    make_basic_raw },
    {"secret_key", set_nothing,    make_secret_key},
};

/* A client without secret has nothing to show but its id. */
static const struct client_auth *client_auth(const struct errand *errand, const struct token_request *request)
{
    const char *usual = provider_fact(errand->provider, "client_auth", "body");
    const char *name = request->auth != NULL ? provider_fact(errand->provider, request->auth, usual) : usual;
    size_t count = errand->client_secret != NULL ? sizeof(client_auths) / sizeof(client_auths[0]) : 0;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(client_auths[i].name, name) == 0)
            return &client_auths[i];
    }
    return &client_auths[0];
}

/* ---- the body ---- */

static const char *renamed(const struct provider *provider, const struct token_request *request,
                           const char *name)
{
    const char *other = NULL;

    if (request->at_token_endpoint)
        other = json_member_text(json_member(provider->oauth, "token_rename"), name);
    if (other == NULL)
        other = json_member_text(json_member(provider->oauth, "rename"), name);
    return other != NULL ? other : name;
}

static bool write_form(const struct provider *provider, const struct token_request *request,
                       struct secret *body)
{
    bool written = true;

    for (size_t i = 0; written && i < request->count; i++) {
        const struct token_parameter *parameter = &request->parameters[i];

        written = (i == 0 || secret_append_byte(body, '&')) &&
                  url_append_encoded(body, renamed(provider, request, parameter->name)) &&
                  secret_append_byte(body, '=') && url_append_encoded(body, parameter->value);
    }
    return written;
}

static bool write_json(const struct provider *provider, const struct token_request *request,
                       struct secret *body)
{
    struct json_writer writer;

    json_writer_start(&writer, body);
    json_open_object(&writer, NULL);
    for (size_t i = 0; i < request->count; i++)
        json_add_text(&writer, renamed(provider, request, request->parameters[i].name),
                      request->parameters[i].value);
    json_close_object(&writer);
    return !writer.failed;
}

/* The texts of the fixed parameters that a request was given. */
struct fixed {
    struct secret values[FIXED_MAX];
    size_t count;
};

static void fixed_reset(struct fixed *fixed)
{
    for (size_t i = 0; i < fixed->count; i++)
        secret_reset(&fixed->values[i]);
}

/* Those that need what the account does not have are left out. */
static enum verdict set_fixed(struct token_request *request, const struct errand *errand, struct fault *fault,
                              struct fixed *fixed)
{
    const struct json *templates =
        json_member(errand->provider->oauth, request->fixed != NULL ? request->fixed : "token_params");
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (fixed->count < FIXED_MAX && json_next(templates, &iterator, &name, &template)) {
        struct secret *value = &fixed->values[fixed->count++];
        struct failure failure;
        enum status status =
            provider_fill(errand->provider, errand->properties, json_text(template, NULL), &failure, value);

        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK)
            return fault_of(fault, &failure);
        if (!token_request_set(request, name, secret_text(value)))
            return fault_set_no_memory(fault);
    }
    return VERDICT_OK;
}

/* ---- sending ---- */

static bool is_json(const struct provider *provider, const struct token_request *request)
{
    const char *usual = provider_fact(provider, "body_format", "form");

    return strcmp(request->format != NULL ? provider_fact(provider, request->format, usual) : usual,
                  "json") == 0;
}

enum verdict token_request_send(const struct errand *errand, struct token_request *request, const char *peer,
                                struct fault *fault, struct http_reply *ret_reply)
{
    const struct provider *provider = errand->provider;
    const struct client_auth *auth = client_auth(errand, request);
    const char *endpoint = request->endpoint != NULL ? request->endpoint : "token_url";
    bool json = is_json(provider, request);
    CLEANUP(secret_reset) struct secret url = {0};
    CLEANUP(secret_reset) struct secret body = {0};
    CLEANUP(secret_reset) struct secret header = {0};
    CLEANUP(fixed_reset) struct fixed fixed = {0};
    struct http_request http = {.method = "POST",
                                .loopback = provider->loopback,
                                .peer = peer,
                                .body = &body,
                                .seconds = request->seconds};
    struct failure failure;
    enum verdict verdict;

    if (provider_endpoint(provider, errand->properties, endpoint, &failure, &url) != STATUS_OK)
        return fault_of(fault, &failure);
    verdict = set_fixed(request, errand, fault, &fixed);
    if (verdict != VERDICT_OK)
        return verdict;
    if (!auth->set(request, errand) || !(json ? write_json : write_form)(provider, request, &body) ||
        (auth->make_header != NULL && !auth->make_header(errand, &header)))
        return fault_set_no_memory(fault);
    http.url = secret_text(&url);
    http.content_type = json ? "application/json" : "application/x-www-form-urlencoded";
    if (header.size > 0)
        http_add_header(&http, "Authorization", secret_text(&header));
    return http_send(&http, fault, ret_reply);
}

enum verdict token_request_exchange(const struct errand *errand, struct token_request *request,
                                    struct fault *fault, struct reply *ret_reply)
{
    CLEANUP(http_reply_reset) struct http_reply http = {0};
    char peer[PEER_SIZE];
    enum verdict verdict;

    snprintf(peer, sizeof(peer), "the token endpoint of %s", provider_title(errand->provider));
    request->at_token_endpoint = true;
    verdict = token_request_send(errand, request, peer, fault, &http);
    if (verdict != VERDICT_OK)
        return verdict;
    return reply_read_tokens(errand->provider, &http, peer, request->purpose, fault, ret_reply);
}

/* No scope is sent: what was granted is what is renewed. */
enum verdict token_request_refresh(const struct errand *errand, const char *refresh_token, unsigned seconds,
                                   struct fault *fault, struct reply *ret_reply)
{
    bool has_own = provider_fact(errand->provider, "refresh_url", NULL) != NULL;
    struct token_request request = {.endpoint = has_own ? "refresh_url" : NULL,
                                    .fixed = "refresh_params",
                                    .seconds = seconds,
                                    .purpose = REPLY_RENEWAL};

    token_request_set(&request, "grant_type", "refresh_token");
    token_request_set(&request, "refresh_token", refresh_token);
    return token_request_exchange(errand, &request, fault, ret_reply);
}

enum verdict token_request_client_credentials(const struct errand *errand, struct fault *fault,
                                              struct reply *ret_reply)
{
    CLEANUP(secret_reset) struct secret scopes = {0};
    struct token_request request = {.purpose = REPLY_REPEATED};

    if (!scope_join_client(errand->provider, errand->scopes, &scopes))
        return fault_set_no_memory(fault);
    token_request_set(&request, "grant_type", "client_credentials");
    token_request_set(&request, "scope", scopes.size > 0 ? secret_text(&scopes) : NULL);
    return token_request_exchange(errand, &request, fault, ret_reply);
}
