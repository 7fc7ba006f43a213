/* Joining of scopes. */
#include "oauth/scope.h"

#include "base/words.h"
#include "catalog/facts.h"

#include <string.h>

/* The separator as `scope_separator` calls it. */
static char separator_of(const struct provider *provider)
{
    return strcmp(provider_fact(provider, "scope_separator", "space"), "comma") == 0 ? ',' : ' ';
}

static bool append_all(struct secret *text, char separator, const struct json *scopes)
{
    const char separators[] = {separator, '\0'};
    bool appended = true;

    for (size_t i = 0; appended && i < json_count(scopes); i++) {
        size_t size = 0;
        const char *scope = json_text(json_at(scopes, i), &size);

        if (size > 0 && !words_has(secret_text(text), separators, scope, size))
            appended = words_append(text, separator, scope, size);
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
