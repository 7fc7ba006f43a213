/* Looking up, checking and filling in. */
#include "oauth/discovery.h"

#include "base/cleanup.h"
#include "base/url.h"
#include "oauth/http.h"
#include "oauth/reply.h"

#include <stdio.h>
#include <string.h>

#define PEER_SIZE 160
#define DOCUMENT "the issuer's document"

static const char rfc8414[] = "/.well-known/oauth-authorization-server";
static const char openid[] = "/.well-known/openid-configuration";

/* ---- places ---- */

static bool append_origin(struct secret *destination, const struct url *url)
{
    return secret_append_text(destination, url->secure ? "https://" : "http://") &&
           secret_append(destination, url->authority, url->authority_size);
}

enum status discovery_place(const char *issuer, unsigned number, struct failure *failure,
                            struct secret *ret_url)
{
    struct url url;
    enum status status = url_parse(issuer, "the issuer", failure, &url);
    bool appended;

    if (status != STATUS_OK)
        return status;
    if (url.query != NULL)
        return failure_set(failure, STATUS_INVALID, "the issuer has a query");
    if (url.path_size > 0 && url.path[url.path_size - 1] == '/')
        url.path_size--;
    secret_clear(ret_url);
    appended = append_origin(ret_url, &url);
    if (number == 0)
        appended = appended && secret_append_text(ret_url, rfc8414) &&
                   secret_append(ret_url, url.path, url.path_size);
    else
        appended = appended && secret_append(ret_url, url.path, url.path_size) &&
                   secret_append_text(ret_url, openid);
    return appended ? STATUS_OK : failure_set_no_memory(failure);
}

enum status discovery_issuer(const char *text, struct failure *failure, struct secret *ret_issuer)
{
    struct url url;
    enum status status = url_parse(text, "the metadata_url", failure, &url);
    const char *path = url.path;
    size_t size = url.path_size;
    const size_t prefix = strlen(rfc8414);
    const size_t suffix = strlen(openid);

    if (status != STATUS_OK)
        return status;
    if (size >= prefix && memcmp(path, rfc8414, prefix) == 0 && (size == prefix || path[prefix] == '/')) {
        path += prefix;
        size -= prefix;
    } else if (size >= suffix && memcmp(path + size - suffix, openid, suffix) == 0) {
        size -= suffix;
    } else {
        return failure_set(failure, STATUS_INVALID,
                           "the metadata_url is at no place that says whose document it is");
    }
    secret_clear(ret_issuer);
    if (!append_origin(ret_issuer, &url) || !secret_append(ret_issuer, path, size))
        return failure_set_no_memory(failure);
    return STATUS_OK;
}

/* ---- filling in ---- */

static const struct {
    const char *fact;
    const char *member; /* of the document */
} endpoints[] = {
    {"authorize_url", "authorization_endpoint"       },
    {"token_url",     "token_endpoint"               },
    {"device_url",    "device_authorization_endpoint"},
    {"revoke_url",    "revocation_endpoint"          },
};
#define ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))

/* The address that the document has as `member`; NULL: none. */
static enum status find_address(const struct errand *errand, const struct json *document, const char *member,
                                struct failure *failure, const char **ret_text)
{
    const char *text = json_member_text(document, member);
    struct failure ignored;
    struct url url;

    *ret_text = text;
    if (text == NULL)
        return STATUS_OK;
    if (url_parse(text, member, &ignored, &url) != STATUS_OK)
        return failure_set(failure, STATUS_INVALID, "the %s in " DOCUMENT " is no address", member);
    if (!url.secure && !(errand->provider->loopback && url_is_loopback(&url)))
        return failure_set(failure, STATUS_INVALID, "the %s in " DOCUMENT " is not https", member);
    return STATUS_OK;
}

/* How the client says who it is: the standard's usual where the document does not say. */
static const char *choose_client_auth(const struct errand *errand, const struct json *document)
{
    const struct json *methods = json_member(document, "token_endpoint_auth_methods_supported");

    if (errand->client_secret == NULL)
        return "none";
    if (methods == NULL || json_has_text(methods, "client_secret_basic"))
        return "basic";
    return "body";
}

static void add_fact(const struct errand *errand, struct json_writer *writer, const char *name,
                     const char *text)
{
    if (text != NULL && json_member(errand->provider->oauth, name) == NULL)
        json_add_text(writer, name, text);
}

static enum status write_facts(const struct errand *errand, const char *issuer, const struct json *document,
                               struct failure *failure, struct json_writer *writer)
{
    bool says_issuer = json_member_boolean(document, "authorization_response_iss_parameter_supported", false);
    bool takes_s256 = json_has_text(json_member(document, "code_challenge_methods_supported"), "S256");
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    json_open_object(writer, "oauth");
    json_add_text(writer, "issuer", issuer);
    while (json_next(errand->provider->oauth, &iterator, &name, &value)) {
        if (strcmp(name, "issuer") != 0)
            json_add_value(writer, name, value);
    }
    for (size_t i = 0; i < ENDPOINTS; i++) {
        const char *address;

        if (find_address(errand, document, endpoints[i].member, failure, &address) != STATUS_OK)
            return failure->status;
        add_fact(errand, writer, endpoints[i].fact, address);
    }
    add_fact(errand, writer, "iss", says_issuer ? "required" : NULL);
    add_fact(errand, writer, "client_auth", choose_client_auth(errand, document));
    add_fact(errand, writer, "pkce", takes_s256 ? "required" : NULL);
    json_close_object(writer);
    return STATUS_OK;
}

/* Who it was that connected can be asked of OpenID's endpoint for that, if the token is for it. */
static enum status write_test(const struct errand *errand, const struct json *document,
                              struct failure *failure, struct json_writer *writer)
{
    const char *address;
    enum status status = find_address(errand, document, "userinfo_endpoint", failure, &address);

    if (status != STATUS_OK || address == NULL || errand->provider->test != NULL ||
        !json_has_text(errand->scopes, "openid"))
        return status;
    json_open_object(writer, "test");
    json_add_text(writer, "method", "GET");
    json_add_text(writer, "url", address);
    json_add_text(writer, "id", "sub");
    json_add_text(writer, "name", "name");
    json_close_object(writer);
    return STATUS_OK;
}

static enum status write_method(const struct errand *errand, const char *issuer, const struct json *document,
                                struct failure *failure, struct json_writer *writer)
{
    const struct app_method *method = errand->provider->method;
    enum status status;
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    json_open_object(writer, method->name);
    while (json_next(method->entry, &iterator, &name, &value)) {
        if (strcmp(name, "oauth") != 0)
            json_add_value(writer, name, value);
    }
    status = write_test(errand, document, failure, writer);
    if (status == STATUS_OK)
        status = write_facts(errand, issuer, document, failure, writer);
    json_close_object(writer);
    return status;
}

static enum status check_issuer(const char *issuer, const char *said, struct failure *failure)
{
    const size_t size = strlen(issuer);

    if (said == NULL)
        return failure_set(failure, STATUS_INVALID, DOCUMENT " does not say whose it is");
    if (strcmp(said, issuer) == 0)
        return STATUS_OK;
    if (strncmp(said, issuer, size) == 0 && strcmp(said + size, "/") == 0)
        return failure_set(failure, STATUS_REFUSED, DOCUMENT " has a / at the end of the issuer's name");
    return failure_set(failure, STATUS_REFUSED, DOCUMENT " is that of another issuer");
}

enum status discovery_fill(const struct errand *errand, const char *issuer, const struct json *document,
                           struct failure *failure, struct secret *ret_provider)
{
    enum status status = check_issuer(issuer, json_member_text(document, "issuer"), failure);
    struct json_writer writer;
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    if (status != STATUS_OK)
        return status;
    secret_clear(ret_provider);
    json_writer_start(&writer, ret_provider);
    json_open_object(&writer, NULL);
    while (json_next(errand->provider->app->document, &iterator, &name, &value)) {
        if (strcmp(name, "methods") != 0)
            json_add_value(&writer, name, value);
    }
    json_open_object(&writer, "methods");
    status = write_method(errand, issuer, document, failure, &writer);
    json_close_object(&writer);
    json_close_object(&writer);
    return status == STATUS_OK && writer.failed ? failure_set_no_memory(failure) : status;
}

/* ---- looking up ---- */

static bool lacks_something(const struct errand *errand)
{
    static const char *const needed[][3] = {
        [ERRAND_BROWSER] = {"token_url",      "authorize_url"},
        [ERRAND_PASTE] = {"token_url",                "authorize_url"},
        [ERRAND_DEVICE] = {"token_url","device_url"},
        [ERRAND_CLIENT_CREDENTIALS] = {"token_url"     },
        [ERRAND_IMPORT] = {"token_url"               },
        [ERRAND_NO_FLOW] = {NULL          },
    };

    for (size_t i = 0; needed[errand->flow][i] != NULL; i++) {
        if (provider_fact(errand->provider, needed[errand->flow][i], NULL) == NULL)
            return true;
    }
    return false;
}

/* Not found: there is no document of anybody there. */
static enum verdict fetch(const struct errand *errand, const char *url, struct fault *fault, bool *ret_found,
                          struct json **ret_document)
{
    CLEANUP(http_reply_reset) struct http_reply reply = {0};
    CLEANUP(json_freep) struct json *document = NULL;
    struct http_request request = {.method = "GET", .url = url, .loopback = errand->provider->loopback};
    char peer[PEER_SIZE];
    enum verdict verdict;

    snprintf(peer, sizeof(peer), "the issuer of %s", provider_title(errand->provider));
    request.peer = peer;
    verdict = http_send(&request, fault, &reply);
    if (verdict != VERDICT_OK)
        return verdict;
    fault->retry_ms = reply.retry_ms;
    if (reply.status >= 500 || reply.status == 429)
        return fault_set(fault, VERDICT_TRANSIENT, "%s answers with status %u", peer, reply.status);
    *ret_found = reply.status == 200 &&
                 reply_parse("application/json", reply.body.bytes, reply.body.size, &document) &&
                 json_kind(document) == JSON_KIND_OBJECT;
    if (*ret_found)
        *ret_document = TAKE(document);
    return VERDICT_OK;
}

/* What is asked, and where: a place of its own, or the well-known ones. */
static enum status find_issuer(const struct errand *errand, struct failure *failure, struct secret *ret_own,
                               struct secret *ret_issuer)
{
    const struct provider *provider = errand->provider;
    enum status status = STATUS_OK;

    if (provider_fact(provider, "metadata_url", NULL) != NULL)
        status = provider_endpoint(provider, errand->properties, "metadata_url", failure, ret_own);
    if (status != STATUS_OK)
        return status;
    if (provider_fact(provider, "issuer", NULL) != NULL)
        return provider_endpoint(provider, errand->properties, "issuer", failure, ret_issuer);
    return discovery_issuer(secret_text(ret_own), failure, ret_issuer);
}

static enum verdict look_up(const struct errand *errand, struct secret *issuer, struct fault *fault,
                            struct json **ret_document)
{
    CLEANUP(secret_reset) struct secret url = {0};
    struct failure failure;
    struct fault missed = {0};
    bool found = false;
    bool down =
        false; /* one place is, which may be that of the document: the others are asked all the same */
    bool has_own;

    if (find_issuer(errand, &failure, &url, issuer) != STATUS_OK)
        return fault_of(fault, &failure);
    has_own = url.size > 0;
    for (unsigned number = 0; !found && number < (has_own ? 1 : DISCOVERY_PLACES); number++) {
        enum verdict verdict;

        if (!has_own && discovery_place(secret_text(issuer), number, &failure, &url) != STATUS_OK)
            return fault_of(fault, &failure);
        verdict = fetch(errand, secret_text(&url), &missed, &found, ret_document);
        if (verdict != VERDICT_OK && verdict != VERDICT_TRANSIENT) {
            *fault = missed;
            return verdict;
        }
        if (verdict != VERDICT_OK && !down)
            *fault = missed;
        down = down || verdict != VERDICT_OK;
    }
    if (!found && down)
        return VERDICT_TRANSIENT;
    if (!found)
        return fault_set(fault, VERDICT_REFUSED, "the issuer of %s has no document of its endpoints",
                         provider_title(errand->provider));
    return VERDICT_OK;
}

enum verdict discovery_complete(struct errand *errand, struct fault *fault)
{
    CLEANUP(json_freep) struct json *document = NULL;
    CLEANUP(secret_reset) struct secret issuer = {0};
    CLEANUP(secret_reset) struct secret text = {0};
    struct provider *provider;
    struct failure failure;
    enum verdict verdict;

    if (!lacks_something(errand) || (provider_fact(errand->provider, "issuer", NULL) == NULL &&
                                     provider_fact(errand->provider, "metadata_url", NULL) == NULL))
        return VERDICT_OK;
    verdict = look_up(errand, &issuer, fault, &document);
    fault->sent = false;
    if (verdict != VERDICT_OK)
        return verdict;
    if (discovery_fill(errand, secret_text(&issuer), document, &failure, &text) != STATUS_OK ||
        provider_open(secret_text(&text), &failure, &provider) != STATUS_OK)
        return fault_of(fault, &failure);
    provider_freep(&errand->provider);
    errand->provider = provider;
    errand->provider_is_new = true;
    return VERDICT_OK;
}
