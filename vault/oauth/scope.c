/* Joining of scopes. */
#include "oauth/scope.h"

#include "catalog/facts.h"

#include <string.h>

/* The separator as `scope_separator` calls it. */
static char separator_of(const struct provider *provider)
{
    return strcmp(provider_fact(provider, "scope_separator", "space"), "comma") == 0 ? ',' : ' ';
}

static bool has(const struct secret *text, char separator, const char *scope)
{
    const size_t size = strlen(scope);

    for (const char *at = secret_text(text); *at != '\0';) {
        size_t length = strcspn(at, (const char[]){separator, '\0'});

        if (length == size && memcmp(at, scope, size) == 0)
            return true;
        at += length + (at[length] != '\0');
    }
    return false;
}

static bool append_all(struct secret *text, char separator, const struct json *scopes)
{
    bool appended = true;

    for (size_t i = 0; appended && i < json_count(scopes); i++) {
        const char *scope = json_text(json_at(scopes, i), NULL);

        if (scope[0] == '\0' || has(text, separator, scope))
            continue;
        appended = (text->size == 0 || secret_append_byte(text, (uint8_t)separator)) &&
                   secret_append_text(text, scope);
    }
    return appended;
}

bool scope_join(const struct provider *provider, const struct json *asked, struct secret *text)
{
    const char separator = separator_of(provider);

    if (!json_member_boolean(provider->oauth, "takes_scope", true))
        return true;
    if (json_count(asked) == 0)
        asked = json_member(provider->method->entry, "scopes");
    return append_all(text, separator, json_member(provider->oauth, "scopes")) &&
           append_all(text, separator, asked);
}

bool scope_join_asked(const struct provider *provider, const struct json *asked, struct secret *text)
{
    return append_all(text, separator_of(provider), asked);
}

bool scope_join_client(const struct provider *provider, const struct json *asked, struct secret *text)
{
    if (!facts_has_grant(provider->oauth, "authorization_code"))
        return scope_join(provider, asked, text);
    return !json_member_boolean(provider->oauth, "takes_scope", true) ||
           scope_join_asked(provider, asked, text);
}
