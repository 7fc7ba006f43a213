/* The OAuth facts of an entry, member by member. */
#include "catalog/facts.h"

#include "catalog/placeholder.h"

#include <stdio.h>
#include <string.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Where in which entry something is wrong. */
struct place {
    const char *what;
    const char *method;
    struct failure *failure;
};

static enum status fault(const struct place *place, const char *member, const char *name, const char *reason)
{
    return failure_set(place->failure, STATUS_INVALID, "%s: methods.%s.oauth%s%s%s%s %s", place->what,
                       place->method, member != NULL ? "." : "", member != NULL ? member : "",
                       name != NULL ? "." : "", name != NULL ? name : "", reason);
}

/* ---- what follows from them ---- */

bool facts_has_grant(const struct json *oauth, const char *grant)
{
    const struct json *grants = json_member(oauth, "grants");

    return grants != NULL ? json_has_text(grants, grant) : strcmp(grant, "authorization_code") == 0;
}

const char *facts_authorize_parameter(const struct json *oauth, const char *name)
{
    const char *called = NULL;

    if (strcmp(name, "scope") == 0)
        called = json_member_text(oauth, "scope_parameter");
    if (called == NULL)
        called = json_member_text(json_member(oauth, "authorize_rename"), name);
    if (called == NULL)
        called = json_member_text(json_member(oauth, "rename"), name);
    return called != NULL ? called : name;
}

enum facts_redirect facts_redirect(const struct json *oauth)
{
    if (json_member_is(oauth, "redirect", "https"))
        return FACTS_REDIRECT_HTTPS;
    return json_member_is(oauth, "redirect", "name") ? FACTS_REDIRECT_NAME : FACTS_REDIRECT_LOOPBACK;
}

/* Where an entry says nothing of ports: a client is registered with one address, so they stay the same; three
 * because one may be in use; below 32768, from where on Linux hands out ports to whoever connects. */
static const uint16_t usual_ports[] = {28710, 28711, 28712};

size_t facts_ports(const struct json *oauth, uint16_t ret_ports[FACTS_PORTS_MAX])
{
    const struct json *ports = json_member(oauth, "redirect_ports");
    size_t count;

    if (ports == NULL) {
        memcpy(ret_ports, usual_ports, sizeof(usual_ports));
        return LENGTH_OF(usual_ports);
    }
    count = json_kind(ports) == JSON_KIND_ARRAY ? json_count(ports) : 0;
    for (size_t i = 0; i < count; i++) {
        int64_t port = 0;

        json_number(json_at(ports, i), &port);
        ret_ports[i] = (uint16_t)port;
    }
    return count;
}

void facts_redirect_uri(const struct json *oauth, uint16_t port, char ret_uri[FACTS_URI_MAX])
{
    const char *host = json_member_text(oauth, "redirect_host");
    const char *path = json_member_text(oauth, "redirect_path");
    char number[8] = "";

    if (port != 0)
        snprintf(number, sizeof(number), ":%u", (unsigned)port);
    snprintf(ret_uri, FACTS_URI_MAX, "http://%s%s%s", host != NULL ? host : "127.0.0.1", number,
             path != NULL ? path : "/callback");
}

/* ---- what is checked ---- */

static enum status check_addresses(const struct app_method *method, const struct place *place)
{
    static const struct {
        const char *name;
        bool shown; /* to a person, or opened in a browser */
    } addresses[] = {
        {"issuer",        true },
        {"metadata_url",  true },
        {"authorize_url", true },
        {"token_url",     false},
        {"refresh_url",   false},
        {"device_url",    false},
        {"revoke_url",    false},
        {"revoke_page",   true }
    };

    for (size_t i = 0; i < LENGTH_OF(addresses); i++) {
        const char *text = json_member_text(method->oauth, addresses[i].name);
        const char *reason = text != NULL ? placeholder_url_fault(method, text) : NULL;

        if (text != NULL && reason == NULL)
            reason = placeholder_property_fault(method, text, addresses[i].shown);
        if (reason != NULL)
            return fault(place, addresses[i].name, NULL, reason);
    }
    return STATUS_OK;
}

/* A request with a parameter twice is to be refused (RFC 6749 3.1). */
static bool is_said_anyway(const struct json *oauth, const char *name)
{
    static const char *const standard[] = {
        "response_type",         "client_id", "redirect_uri", "state", "code_challenge",
        "code_challenge_method", "scope",
    };

    for (size_t i = 0; i < LENGTH_OF(standard); i++) {
        if (strcmp(facts_authorize_parameter(oauth, standard[i]), name) == 0)
            return true;
    }
    return json_member_is(oauth, "user_scope_parameter", name);
}

static enum status check_parameters(const struct app_method *method, const struct place *place)
{
    static const char *const maps[] = {"authorize_params", "token_params", "refresh_params", "device_params"};

    for (size_t i = 0; i < LENGTH_OF(maps); i++) {
        void *iterator = NULL;
        const struct json *text;
        const char *name;

        while (json_next(json_member(method->oauth, maps[i]), &iterator, &name, &text)) {
            const char *reason = placeholder_property_fault(method, json_text(text, NULL), i == 0);

            if (reason == NULL && i == 0 && is_said_anyway(method->oauth, name))
                reason = "is said by stepvault itself";
            if (reason != NULL)
                return fault(place, maps[i], name, reason);
        }
    }
    return STATUS_OK;
}

/* Every grant has the endpoint that it begins at; with an issuer or metadata they are looked up. */
static enum status check_endpoints(const struct app_method *method, const struct place *place)
{
    const struct json *oauth = method->oauth;
    const char *issuer = json_member_text(oauth, "issuer");

    if (issuer != NULL && strpbrk(issuer, "?#") != NULL)
        return fault(place, "issuer", NULL, "has a query or a fragment");
    if (issuer != NULL || json_member(oauth, "metadata_url") != NULL)
        return STATUS_OK;
    if (json_member(oauth, "token_url") == NULL)
        return fault(place, NULL, NULL, "has no token_url, nor an issuer or metadata_url to find it by");
    if (json_member(oauth, "authorize_url") == NULL && facts_has_grant(oauth, "authorization_code"))
        return fault(place, NULL, NULL, "has neither an authorize_url nor grants that need none");
    if (json_member(oauth, "device_url") == NULL && facts_has_grant(oauth, "device_code"))
        return fault(place, NULL, NULL, "has the grant device_code and no device_url");
    return STATUS_OK;
}

static bool ends_in(const char *text, const char *end)
{
    return strlen(text) > strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* The properties that a second token is kept as: secrets that an account can lack. */
static enum status check_second_token(const struct app_method *method, const struct place *place)
{
    static const char *const members[] = {"property", "refresh_property"};
    const struct json *second = json_member(method->oauth, "second_token");

    for (size_t i = 0; i < LENGTH_OF(members); i++) {
        const char *name = json_member_text(second, members[i]);
        const struct app_field *field = name != NULL ? app_find_field(method, name) : NULL;

        if (name != NULL && (field == NULL || !field->hidden || field->required))
            return fault(place, "second_token", members[i], "is no field that is hidden and optional");
        if (name != NULL && i == 1 && !ends_in(name, "_refresh_token"))
            return fault(place, "second_token", members[i], "does not end in _refresh_token");
    }
    return STATUS_OK;
}

/* What makes no sense together. */
static enum status check_pairs(const struct app_method *method, const struct place *place)
{
    static const char *const of_scopes[] = {"scopes", "scope_parameter", "user_scope_parameter"};
    static const char *const of_loopback[] = {"redirect_host", "redirect_ports", "redirect_path"};
    const struct json *oauth = method->oauth;
    const char *client_auth = json_member_text(oauth, "client_auth");

    for (size_t i = 0; i < LENGTH_OF(of_scopes); i++) {
        if (!json_member_boolean(oauth, "takes_scope", true) && json_member(oauth, of_scopes[i]) != NULL)
            return fault(place, of_scopes[i], NULL, "is there, and takes_scope is false");
    }
    for (size_t i = 0; i < LENGTH_OF(of_loopback); i++) {
        if (facts_redirect(oauth) != FACTS_REDIRECT_LOOPBACK && json_member(oauth, of_loopback[i]) != NULL)
            return fault(place, of_loopback[i], NULL, "is there, and redirect is not loopback");
    }
    if (json_member_is(oauth, "client_auth_also", client_auth != NULL ? client_auth : "body"))
        return fault(place, "client_auth_also", NULL, "is what client_auth is");
    return STATUS_OK;
}

enum status facts_check(const struct app_method *method, const char *what, struct failure *failure)
{
    const struct place place = {.what = what, .method = method->name, .failure = failure};
    enum status status;

    if (method->oauth == NULL)
        return STATUS_OK;
    status = check_addresses(method, &place);
    if (status == STATUS_OK)
        status = check_parameters(method, &place);
    if (status == STATUS_OK)
        status = check_endpoints(method, &place);
    if (status == STATUS_OK)
        status = check_second_token(method, &place);
    return status == STATUS_OK ? check_pairs(method, &place) : status;
}
