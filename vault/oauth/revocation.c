/* One request for each token, and what came of it. */
#include "oauth/revocation.h"

#include "base/cleanup.h"
#include "base/url.h"
#include "oauth/reply.h"
#include "oauth/token_request.h"

#include <stdio.h>
#include <string.h>

#define PEER_SIZE 160
#define TOKENS_MAX 4
#define SECONDS 12u /* for each token: the agent waits a minute for all of them */

static const char refresh_token[] = "refresh_token";
static const char access_token[] = "access_token";

struct token {
    const char *property;
    const char *hint; /* as RFC 7009 calls its kind, and the answer */
    bool revoked;
};

struct revoking {
    const struct errand *errand;
    struct fault *fault;
    char peer[PEER_SIZE];
    struct token tokens[TOKENS_MAX];
    size_t count;
};

typedef enum verdict revoke_token(struct revoking *revoking, const struct token *token, const char *text,
                                  struct http_reply *ret_reply);

static enum verdict revoke_by_rfc(struct revoking *revoking, const struct token *token, const char *text,
                                  struct http_reply *ret_reply)
{
    struct token_request request = {.endpoint = "revoke_url",
                                    .fixed = "",
                                    .auth = "revoke_auth",
                                    .format = "revoke_format",
                                    .seconds = SECONDS};

    token_request_set(&request, "token", text);
    token_request_set(&request, "token_type_hint", token->hint);
    return token_request_send(revoking->errand, &request, revoking->peer, revoking->fault, ret_reply);
}

/* A request without a body to revoke_url, filled in; `bearer` is its token of authorization, or NULL, and
 * `parameter` what `token` is in its query, or NULL. */
static enum verdict ask(struct revoking *revoking, const char *method, const char *bearer,
                        const char *parameter, struct http_reply *ret_reply)
{
    const struct provider *provider = revoking->errand->provider;
    CLEANUP(secret_reset) struct secret url = {0};
    CLEANUP(secret_reset) struct secret header = {0};
    struct http_request http = {
        .method = method, .loopback = provider->loopback, .peer = revoking->peer, .seconds = SECONDS};
    struct failure failure;

    if (provider_endpoint(provider, revoking->errand->properties, "revoke_url", &failure, &url) != STATUS_OK)
        return fault_of(revoking->fault, &failure);
    if ((parameter != NULL && !url_append_parameter(&url, "token", parameter)) ||
        !secret_append_text(&header, "Bearer ") || !secret_append_text(&header, bearer != NULL ? bearer : ""))
        return fault_set_no_memory(revoking->fault);
    if (bearer != NULL && !http_add_header(&http, "Authorization", secret_text(&header)))
        return fault_set(revoking->fault, VERDICT_REFUSED, "the access token holds a control character");
    http.url = secret_text(&url);
    return http_send(&http, revoking->fault, ret_reply);
}

static enum verdict revoke_by_bearer(struct revoking *revoking, const struct token *token, const char *text,
                                     struct http_reply *ret_reply)
{
    (void)token;
    return ask(revoking, "POST", text, NULL, ret_reply);
}

static enum verdict revoke_by_delete(struct revoking *revoking, const struct token *token, const char *text,
                                     struct http_reply *ret_reply)
{
    (void)token;
    (void)text;
    return ask(revoking, "DELETE", NULL, NULL, ret_reply);
}

static enum verdict revoke_by_get(struct revoking *revoking, const struct token *token, const char *text,
                                  struct http_reply *ret_reply)
{
    (void)token;
    return ask(revoking, "GET", NULL, text, ret_reply);
}

static bool is_any(const char *template, const struct token *token)
{
    (void)template;
    (void)token;
    return true;
}

static bool is_access_token(const char *template, const struct token *token)
{
    (void)template;
    return strcmp(token->hint, access_token) == 0;
}

/* The one that the address has in it. */
static bool is_in_address(const char *template, const struct token *token)
{
    const char *found = strstr(template, token->property);

    return found != NULL && found > template && found[-1] == '{' && found[strlen(token->property)] == '}';
}

static const struct style {
    const char *name;
    bool (*takes)(const char *template, const struct token *token);
    revoke_token *revoke;
} styles[] = {
    {"rfc7009", is_any,          revoke_by_rfc   },
    {"bearer",  is_access_token, revoke_by_bearer},
    {"delete",  is_in_address,   revoke_by_delete},
    {"get",     is_any,          revoke_by_get   },
};

static const struct style *style_of(const struct provider *provider)
{
    const char *name = provider_fact(provider, "revoke_style", "");

    for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
        if (strcmp(styles[i].name, name) == 0)
            return &styles[i];
    }
    return &styles[0];
}

static void list_tokens(struct revoking *revoking)
{
    const struct json *second = json_member(revoking->errand->provider->oauth, "second_token");
    const struct token tokens[TOKENS_MAX] = {
        {"oauth_refresh_token", refresh_token, false},
        {                       json_member_text(second,  "refresh_property"), refresh_token, false},
        {                       "oauth_access_token",         access_token,         false     },
        { json_member_text(second,         "property"),                 access_token,      false},
    };

    for (size_t i = 0; i < TOKENS_MAX; i++) {
        if (tokens[i].property != NULL &&
            json_member_text(revoking->errand->properties, tokens[i].property) != NULL)
            revoking->tokens[revoking->count++] = tokens[i];
    }
}

static bool revoke_all(struct revoking *revoking)
{
    const struct style *style = style_of(revoking->errand->provider);
    const char *template = provider_fact(revoking->errand->provider, "revoke_url", "");
    bool any = false;
    bool failed = false;

    for (size_t i = 0; i < revoking->count; i++) {
        CLEANUP(http_reply_reset) struct http_reply reply = {0};
        struct token *token = &revoking->tokens[i];
        const char *text = json_member_text(revoking->errand->properties, token->property);

        if (!style->takes(template, token))
            continue;
        token->revoked = style->revoke(revoking, token, text, &reply) == VERDICT_OK &&
                         reply_read_done(revoking->errand->provider, &reply, revoking->peer,
                                         revoking->fault) == VERDICT_OK;
        any = any || token->revoked;
        failed = failed || !token->revoked;
    }
    return any || !failed;
}

/* A kind is revoked if all of its tokens are. */
static void write_kind(const struct revoking *revoking, const char *hint, struct json_writer *writer)
{
    size_t found = 0;
    size_t revoked = 0;

    for (size_t i = 0; i < revoking->count; i++) {
        found += strcmp(revoking->tokens[i].hint, hint) == 0;
        revoked += strcmp(revoking->tokens[i].hint, hint) == 0 && revoking->tokens[i].revoked;
    }
    if (found > 0 && found == revoked)
        json_add_text(writer, NULL, hint);
}

static bool write_answer(const struct revoking *revoking, struct secret *line)
{
    const struct errand *errand = revoking->errand;
    CLEANUP(secret_reset) struct secret page = {0};
    struct json_writer writer;
    struct failure ignored;

    json_writer_start(&writer, line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "answer", "revoked");
    json_open_array(&writer, "revoked");
    write_kind(revoking, refresh_token, &writer);
    write_kind(revoking, access_token, &writer);
    json_close_array(&writer);
    if (provider_endpoint(errand->provider, errand->properties, "revoke_page", &ignored, &page) == STATUS_OK)
        json_add_text(&writer, "page", secret_text(&page));
    json_close_object(&writer);
    return !writer.failed;
}

enum verdict revocation_run(struct errand *errand, struct input *input, struct fault *fault,
                            struct secret *ret_line)
{
    struct revoking revoking = {.errand = errand, .fault = fault};

    (void)input;
    snprintf(revoking.peer, sizeof(revoking.peer), "the revocation endpoint of %s",
             provider_title(errand->provider));
    if (provider_fact(errand->provider, "revoke_url", NULL) != NULL) {
        list_tokens(&revoking);
        if (!revoke_all(&revoking))
            return fault->verdict;
    }
    return write_answer(&revoking, ret_line) ? VERDICT_OK : fault_set_no_memory(fault);
}
