/* The tables of what an entry may say. vault/catalog/README.md explains every member; a test compares the
 * two. */
#include "catalog/shape.h"

#include "base/name.h"
#include "catalog/path.h"

#include <string.h>

#define CHOICES(...)                                                                                         \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }

const char *const shape_kinds[] = {"oauth2", "api_key", "basic", "custom", NULL};

static const char *const client_auths[] = {"none", "body", "basic", "basic_raw", "secret_key", NULL};
static const char *const grants[] = {"authorization_code", "device_code", "client_credentials", "jwt_bearer",
                                     NULL};
static const char *const formats[] = {"form", "json", NULL};
static const char *const test_methods[] = {"GET", "POST", NULL};
/* G grant, A Auth.js, B better-auth, R arctic, O goth, S social-core, X golang/oauth2, M amp-labs, C
 * OpenConnector, D the vendor's own pages; N Nango and n n8n only compared. */
static const char *const sources[] = {"GABROSXMCDNn", NULL};

static const char *parameter_fault(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || *at == '{' || *at == '}' || *at == '"' || *at == ':')
            return "has a name that no header or parameter has";
    }
    return name[0] != '\0' ? NULL : "has an empty name";
}

static enum status check_parameter(const char *name, struct failure *failure)
{
    const char *reason = parameter_fault(name);

    return reason == NULL ? STATUS_OK : failure_set(failure, STATUS_INVALID, "%s", reason);
}

/* Nothing in it needs escaping, so that every provider compares the same text. */
static const char *redirect_path_fault(const char *path)
{
    size_t length = strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~-");

    if (path[0] != '/' || path[length] != '\0')
        return "is not a / and letters, digits, /, ., _, ~ and - behind it";
    return length <= SHAPE_REDIRECT_PATH_MAX ? NULL : "is longer than 128 bytes";
}

/* What the standards call the parameters of our requests; nothing else can be called otherwise. */
static enum status check_standard_parameter(const char *name, struct failure *failure)
{
    static const char *const standard[] = {
        "client_id",     "client_secret", "code",       "code_challenge", "code_challenge_method",
        "code_verifier", "device_code",   "grant_type", "redirect_uri",   "refresh_token",
        "response_type", "scope",         "state",      "token",          "token_type_hint"};

    for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++) {
        if (strcmp(name, standard[i]) == 0)
            return STATUS_OK;
    }
    return failure_set(failure, STATUS_INVALID, "has a name that no parameter has in the standards");
}

/* clang-format off */
static const struct schema_member field_shape[] = {
    {.name = "title", .type = SCHEMA_TEXT, .required = true},
    {.name = "hidden", .type = SCHEMA_BOOLEAN},
    {.name = "optional", .type = SCHEMA_BOOLEAN},
    {.name = "pattern", .type = SCHEMA_TEXT},
    {.name = "values", .type = SCHEMA_TEXTS},
    {.name = "default", .type = SCHEMA_TEXT},
    {.name = "example", .type = SCHEMA_TEXT},
    {.name = "from", .type = SCHEMA_CHOICE, .choices = CHOICES("token", "redirect", "userinfo")},
    {.name = "as", .type = SCHEMA_TEXT},
    {0},
};
static const struct schema_member caller_shape[] = {
    {.name = "title", .type = SCHEMA_TEXT, .required = true},
    {.name = "example", .type = SCHEMA_TEXT},
    {0},
};
static const struct schema_member basic_shape[] = {
    {.name = "user", .type = SCHEMA_TEXT, .required = true, .may_be_empty = true},
    {.name = "password", .type = SCHEMA_TEXT, .required = true, .may_be_empty = true},
    {0},
};
static const struct schema_member request_shape[] = {
    {.name = "base", .type = SCHEMA_TEXT},
    {.name = "connection", .type = SCHEMA_TEXT},
    {.name = "headers", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "query", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "basic", .type = SCHEMA_OBJECT, .shape = basic_shape},
    {.name = "signature", .type = SCHEMA_CHOICE, .choices = CHOICES("aws_sigv4", "jwt_bearer", "oauth1")},
    {.name = "caller", .type = SCHEMA_OBJECTS, .shape = caller_shape, .check_name = name_check_property},
    {0},
};
static const struct schema_member test_shape[] = {
    {.name = "method", .type = SCHEMA_CHOICE, .required = true, .choices = test_methods},
    {.name = "url", .type = SCHEMA_TEXT},
    {.name = "headers", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "body", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "expect", .type = SCHEMA_TEXT, .check_text = path_fault},
    {.name = "id", .type = SCHEMA_TEXT, .check_text = path_fault},
    {.name = "name", .type = SCHEMA_TEXT, .check_text = path_fault},
    {0},
};
static const struct schema_member second_token_shape[] = {
    {.name = "path", .type = SCHEMA_TEXT, .required = true, .check_text = path_fault},
    {.name = "property", .type = SCHEMA_TEXT, .required = true},
    {.name = "refresh_property", .type = SCHEMA_TEXT},
    {0},
};
static const struct schema_member oauth_shape[] = {
    {.name = "issuer", .type = SCHEMA_TEXT},
    {.name = "metadata_url", .type = SCHEMA_TEXT},
    {.name = "authorize_url", .type = SCHEMA_TEXT},
    {.name = "token_url", .type = SCHEMA_TEXT},
    {.name = "refresh_url", .type = SCHEMA_TEXT},
    {.name = "device_url", .type = SCHEMA_TEXT},
    {.name = "revoke_url", .type = SCHEMA_TEXT},
    {.name = "loopback", .type = SCHEMA_BOOLEAN},
    {.name = "iss", .type = SCHEMA_CHOICE, .choices = CHOICES("checked", "required", "ignored")},
    {.name = "revoke_style", .type = SCHEMA_CHOICE, .choices = CHOICES("bearer", "delete", "get")},
    {.name = "revoke_auth", .type = SCHEMA_CHOICE, .choices = client_auths},
    {.name = "revoke_format", .type = SCHEMA_CHOICE, .choices = formats},
    {.name = "revoke_page", .type = SCHEMA_TEXT},
    {.name = "grants", .type = SCHEMA_TEXTS, .choices = grants},
    {.name = "client_auth", .type = SCHEMA_CHOICE, .choices = client_auths},
    {.name = "client_auth_also", .type = SCHEMA_CHOICE, .choices = client_auths},
    {.name = "body_format", .type = SCHEMA_CHOICE, .choices = formats},
    {.name = "pkce", .type = SCHEMA_CHOICE, .choices = CHOICES("required", "supported", "tolerated", "off")},
    {.name = "scope_separator", .type = SCHEMA_CHOICE, .choices = CHOICES("space", "comma")},
    {.name = "scope_parameter", .type = SCHEMA_TEXT, .check_text = parameter_fault},
    {.name = "takes_scope", .type = SCHEMA_BOOLEAN},
    {.name = "scopes", .type = SCHEMA_TEXTS},
    {.name = "user_scope_parameter", .type = SCHEMA_TEXT, .check_text = parameter_fault},
    {.name = "authorize_params", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "token_params", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "refresh_params", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "device_params", .type = SCHEMA_MAP, .check_name = check_parameter},
    {.name = "rename", .type = SCHEMA_MAP, .check_name = check_standard_parameter},
    {.name = "authorize_rename", .type = SCHEMA_MAP, .check_name = check_standard_parameter},
    {.name = "token_rename", .type = SCHEMA_MAP, .check_name = check_standard_parameter},
    {.name = "repeat_state", .type = SCHEMA_BOOLEAN},
    {.name = "redirect", .type = SCHEMA_CHOICE, .choices = CHOICES("loopback", "https", "name")},
    {.name = "redirect_host", .type = SCHEMA_CHOICE, .choices = CHOICES("localhost", "127.0.0.1", "[::1]")},
    {.name = "redirect_ports", .type = SCHEMA_PORTS},
    {.name = "redirect_path", .type = SCHEMA_TEXT, .check_text = redirect_path_fault},
    {.name = "code_parameter", .type = SCHEMA_TEXT, .check_text = parameter_fault},
    {.name = "token_paths", .type = SCHEMA_TEXTS, .check_text = path_fault},
    {.name = "second_token", .type = SCHEMA_OBJECT, .shape = second_token_shape},
    {.name = "ok_path", .type = SCHEMA_TEXT, .check_text = path_fault},
    {.name = "error_path", .type = SCHEMA_TEXT, .check_text = path_fault},
    {.name = "error_synonyms", .type = SCHEMA_TEXTS},
    {.name = "expires", .type = SCHEMA_CHOICE, .choices = CHOICES("in", "ms", "at", "session", "none")},
    {.name = "lifetime_seconds", .type = SCHEMA_NUMBER},
    {.name = "margin_seconds", .type = SCHEMA_NUMBER},
    {.name = "rotation", .type = SCHEMA_CHOICE, .choices = CHOICES("none", "no", "soft", "yes", "opt_in")},
    {.name = "refresh_kills_access", .type = SCHEMA_BOOLEAN},
    {.name = "leeway_seconds", .type = SCHEMA_NUMBER},
    {.name = "refresh_lifetime_days", .type = SCHEMA_NUMBER},
    {.name = "idle_days", .type = SCHEMA_NUMBER},
    {.name = "absolute_days", .type = SCHEMA_NUMBER},
    {.name = "keep_alive_days", .type = SCHEMA_NUMBER},
    {.name = "one_grant_per_account", .type = SCHEMA_BOOLEAN},
    {0},
};
static const struct schema_member method_shape[] = {
    {.name = "kind", .type = SCHEMA_CHOICE, .required = true, .choices = shape_kinds},
    {.name = "title", .type = SCHEMA_TEXT, .required = true},
    {.name = "docs", .type = SCHEMA_TEXT},
    {.name = "fields", .type = SCHEMA_OBJECTS, .shape = field_shape, .check_name = name_check_property},
    {.name = "request", .type = SCHEMA_OBJECT, .required = true, .shape = request_shape},
    {.name = "test", .type = SCHEMA_OBJECT, .shape = test_shape},
    {.name = "whoami", .type = SCHEMA_OBJECT, .shape = test_shape},
    {.name = "scopes", .type = SCHEMA_TEXTS},
    {.name = "oauth", .type = SCHEMA_OBJECT_OR_TEXT, .shape = oauth_shape},
    {.name = "notes", .type = SCHEMA_TEXTS},
    {.name = "sources", .type = SCHEMA_LETTERS, .choices = sources},
    {0},
};
const struct schema_member shape_app[] = {
    {.name = "slug", .type = SCHEMA_TEXT, .required = true},
    {.name = "title", .type = SCHEMA_TEXT, .required = true},
    {.name = "also", .type = SCHEMA_TEXTS},
    {.name = "overrides", .type = SCHEMA_BOOLEAN},
    {.name = "methods", .type = SCHEMA_OBJECTS, .required = true, .shape = method_shape, .check_name = name_check_alias},
    {0},
};
/* clang-format on */
