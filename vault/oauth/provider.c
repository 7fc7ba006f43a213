/* Opening of provider documents, and the filling in of their templates. */
#include "oauth/provider.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/url.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT "the provider document"

/* ---- opening ---- */

static enum status take_method(struct provider *provider, struct failure *failure)
{
    if (provider->app->method_count != 1)
        return failure_set(failure, STATUS_INVALID, DOCUMENT " has not exactly one method");
    provider->method = &provider->app->methods[0];
    provider->oauth = provider->method->oauth;
    provider->request = json_member(provider->method->entry, "request");
    provider->test = json_member(provider->method->entry, "test");
    provider->loopback = json_member_boolean(provider->oauth, "loopback", false);
    return STATUS_OK;
}

enum status provider_open_any(const char *text, struct failure *failure, struct provider **ret_provider)
{
    CLEANUP(provider_freep) struct provider *provider = calloc(1, sizeof(*provider));
    enum status status;

    if (provider == NULL || !secret_append_text(&provider->text, text))
        return failure_set_no_memory(failure);
    status = app_parse(provider->text.bytes, provider->text.size, DOCUMENT, failure, &provider->app);
    if (status == STATUS_OK)
        status = take_method(provider, failure);
    if (status == STATUS_OK)
        *ret_provider = TAKE(provider);
    return status;
}

enum status provider_open(const char *text, struct failure *failure, struct provider **ret_provider)
{
    CLEANUP(provider_freep) struct provider *provider = NULL;
    enum status status = provider_open_any(text, failure, &provider);

    if (status != STATUS_OK)
        return status;
    if (provider->oauth == NULL)
        return failure_set(failure, STATUS_INVALID, DOCUMENT " has no facts of OAuth");
    *ret_provider = TAKE(provider);
    return STATUS_OK;
}

void provider_freep(struct provider **provider)
{
    if (*provider == NULL)
        return;
    secret_reset(&(*provider)->text);
    app_freep(&(*provider)->app);
    free(*provider);
    *provider = NULL;
}

const char *provider_title(const struct provider *provider)
{
    return provider->app->title;
}

const char *provider_fact(const struct provider *provider, const char *name, const char *fallback)
{
    const char *text = json_member_text(provider->oauth, name);

    return text != NULL ? text : fallback;
}

const char *provider_value(const struct provider *provider, const struct json *properties, const char *name)
{
    const struct app_field *field = app_find_field(provider->method, name);
    const char *value = json_member_text(properties, name);

    if (value != NULL && value[0] != '\0')
        return value;
    if (field != NULL)
        return field->fallback;
    return json_member_text(json_member(json_member(provider->request, "caller"), name), "example");
}

/* ---- templates ---- */

/* How a value stands where it is put. */
enum manner {
    MANNER_PLAIN,
    MANNER_HOST,   /* as it is, of bytes that end no host */
    MANNER_ENCODED /* percent-encoded */
};

struct filling {
    const struct provider *provider;
    const struct json *properties;
    struct failure *failure;
    struct secret *text;
    /* Of the template of an address; NULL: it is of none, and all is plain. Up to the first, which is not
     * NULL only where it begins with an address, it is plain; up to the second it is a host. */
    const char *plain_end;
    const char *host_end;
};

static enum manner manner_at(const struct filling *filling, const char *at)
{
    if (filling->host_end == NULL || (filling->plain_end != NULL && at < filling->plain_end))
        return MANNER_PLAIN;
    return at < filling->host_end ? MANNER_HOST : MANNER_ENCODED;
}

static bool has_control(const char *value)
{
    for (; *value != '\0'; value++) {
        if ((unsigned char)*value < ' ' || *value == 0x7f)
            return true;
    }
    return false;
}

static bool ends_host(const char *value)
{
    return strpbrk(value, "/?#@%\\") != NULL;
}

static enum status append_value(struct filling *filling, const char *name, enum manner manner)
{
    const struct app_field *field = app_find_field(filling->provider->method, name);
    const char *value = provider_value(filling->provider, filling->properties, name);
    enum status status = STATUS_OK;
    bool appended;

    if (value == NULL)
        return failure_set(filling->failure, STATUS_NOT_FOUND, "the account has no %s, which is needed",
                           name);
    if (field != NULL)
        status = app_check_value(field, value, filling->failure);
    if (status != STATUS_OK)
        return status;
    if (has_control(value))
        return failure_set(filling->failure, STATUS_INVALID, "the value of %s holds a control character",
                           name);
    if (manner == MANNER_HOST && ends_host(value))
        return failure_set(filling->failure, STATUS_INVALID, "the value of %s is no part of a host's name",
                           name);
    appended = manner == MANNER_ENCODED ? url_append_encoded(filling->text, value)
                                        : secret_append_text(filling->text, value);
    return appended ? STATUS_OK : failure_set_no_memory(filling->failure);
}

/* `template` was checked with its document, so each brace has its other. */
static enum status fill(struct filling *filling, const char *template)
{
    enum status status = STATUS_OK;

    for (const char *at = template; status == STATUS_OK && *at != '\0';) {
        size_t plain = strcspn(at, "{");
        char name[NAME_PROPERTY_MAX + 1];
        size_t length;

        if (!secret_append(filling->text, at, plain))
            return failure_set_no_memory(filling->failure);
        at += plain;
        if (*at == '\0')
            break;
        length = strcspn(at + 1, "}");
        if (at[1 + length] == '\0' || length > NAME_PROPERTY_MAX)
            return failure_set(filling->failure, STATUS_INVALID, "a template has a { without its }");
        memcpy(name, at + 1, length);
        name[length] = '\0';
        status = append_value(filling, name, manner_at(filling, at));
        at += length + 2;
    }
    return status;
}

enum status provider_fill(const struct provider *provider, const struct json *properties,
                          const char *template, struct failure *failure, struct secret *ret_text)
{
    struct filling filling = {
        .provider = provider, .properties = properties, .failure = failure, .text = ret_text};

    secret_clear(ret_text);
    return fill(&filling, template);
}

/* Nothing, where the template begins with a property that is a whole address. */
static const char *host_end(const char *template)
{
    const char *host = strstr(template, "://");

    return template[0] != '{' && host != NULL ? host + 3 + strcspn(host + 3, "/?") : template;
}

static enum status check_url(const struct provider *provider, const char *text, struct failure *failure)
{
    struct url url;
    enum status status = url_parse(text, "an address of the provider", failure, &url);

    if (status != STATUS_OK)
        return status;
    if (!url.secure && !(provider->loopback && url_is_loopback(&url)))
        return failure_set(failure, STATUS_INVALID, "an address of the provider is not https");
    if (url_steps_up(&url))
        return failure_set(failure, STATUS_INVALID, "an address of the provider has . or .. in its path");
    return STATUS_OK;
}

enum status provider_fill_url(const struct provider *provider, const struct json *properties,
                              const char *template, struct failure *failure, struct secret *ret_url)
{
    struct filling filling = {.provider = provider,
                              .properties = properties,
                              .failure = failure,
                              .text = ret_url,
                              .plain_end = template[0] == '{' ? template + 1 : NULL,
                              .host_end = host_end(template)};
    enum status status;

    secret_clear(ret_url);
    status = fill(&filling, template);
    return status == STATUS_OK ? check_url(provider, secret_text(ret_url), failure) : status;
}

enum status provider_endpoint(const struct provider *provider, const struct json *properties,
                              const char *name, struct failure *failure, struct secret *ret_url)
{
    const char *template = provider_fact(provider, name, NULL);

    if (template == NULL)
        return failure_set(failure, STATUS_NOT_FOUND, "%s has no %s", provider_title(provider), name);
    return provider_fill_url(provider, properties, template, failure, ret_url);
}
