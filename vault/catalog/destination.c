/* Reading of an entry's request without the rest of the catalogue's code. */
#include "catalog/destination.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/outgoing.h"

#include <stdio.h>
#include <string.h>

#define ENTRY "the entry of the app"

/* The only one there is. */
static const struct json *find_method(const struct json *document)
{
    const struct json *methods = json_member(document, "methods");
    const struct json *method;
    void *iterator = NULL;
    const char *name;

    return json_count(methods) == 1 && json_next(methods, &iterator, &name, &method) ? method : NULL;
}

enum status destination_open(const char *entry, struct failure *failure, struct destination *ret_destination)
{
    CLEANUP(destination_reset) struct destination destination = {0};
    const struct json *method;
    const char *signature;
    enum status status = json_parse(entry, strlen(entry), ENTRY, failure, &destination.document);

    if (status != STATUS_OK)
        return status;
    destination.title = json_member_text(destination.document, "title");
    method = find_method(destination.document);
    if (destination.title == NULL || method == NULL)
        return failure_set(failure, STATUS_INVALID, ENTRY " is none with one method");
    destination.fields = json_member(method, "fields");
    destination.request = json_member(method, "request");
    destination.loopback = json_member_boolean(json_member(method, "oauth"), "loopback", false);
    signature = json_member_text(destination.request, "signature");
    if (signature != NULL)
        return failure_set(failure, STATUS_REFUSED,
                           "requests to %s are signed (%s), which the catalogue's facts alone cannot do",
                           destination.title, signature);
    if (json_member_text(destination.request, "base") == NULL)
        return failure_set(failure, STATUS_REFUSED, "nothing is known of where requests to %s go",
                           destination.title);
    *ret_destination = destination;
    destination = (struct destination){0};
    return STATUS_OK;
}

void destination_reset(struct destination *destination)
{
    json_freep(&destination->document);
    *destination = (struct destination){0};
}

/* ---- templates ---- */

/* The next name between braces; `*at` is moved behind it. */
static bool next_name(const char **at, char ret_name[NAME_PROPERTY_MAX + 1])
{
    const char *open = strchr(*at, '{');
    size_t size = open != NULL ? strcspn(open + 1, "{}") : 0;

    if (open == NULL || open[1 + size] != '}' || size > NAME_PROPERTY_MAX)
        return false;
    memcpy(ret_name, open + 1, size);
    ret_name[size] = '\0';
    *at = open + size + 2;
    return true;
}

static bool template_names(const char *template, const char *property)
{
    char name[NAME_PROPERTY_MAX + 1];

    while (template != NULL && next_name(&template, name)) {
        if (strcmp(name, property) == 0)
            return true;
    }
    return false;
}

static bool any_template_names(const struct json *templates, const char *property)
{
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (json_next(templates, &iterator, &name, &template)) {
        if (template_names(json_text(template, NULL), property))
            return true;
    }
    return false;
}

bool destination_needs(const struct destination *destination, const char *property)
{
    const struct json *request = destination->request;

    return template_names(json_member_text(request, "base"), property) ||
           any_template_names(json_member(request, "headers"), property) ||
           any_template_names(json_member(request, "query"), property) ||
           any_template_names(json_member(request, "basic"), property);
}

bool destination_is_credential(const struct json *request, const char *template)
{
    const struct json *caller = json_member(request, "caller");
    char name[NAME_PROPERTY_MAX + 1];

    while (template != NULL && next_name(&template, name)) {
        if (json_member(caller, name) == NULL)
            return true;
    }
    return false;
}

/* What stands for a name: the account's, else what the entry has for accounts or callers without one. */
static const char *find_value(const struct destination *destination, const char *name,
                              destination_value *value, const void *context)
{
    const char *found = value(context, name);

    if (found == NULL || found[0] == '\0')
        found = json_member_text(json_member(destination->fields, name), "default");
    if (found == NULL)
        found = json_member_text(json_member(json_member(destination->request, "caller"), name), "example");
    return found;
}

static enum status say_missing(const struct destination *destination, const char *name,
                               struct failure *failure)
{
    return failure_set(failure, STATUS_NOT_FOUND,
                       "the account has no %s, which the base of %s's addresses needs", name,
                       destination->title);
}

enum status destination_check_base(const struct destination *destination, destination_value *value,
                                   const void *context, struct failure *failure)
{
    const char *template = json_member_text(destination->request, "base");
    char name[NAME_PROPERTY_MAX + 1];

    while (next_name(&template, name)) {
        if (find_value(destination, name, value, context) == NULL)
            return say_missing(destination, name, failure);
    }
    return STATUS_OK;
}

static enum status append_value(const struct destination *destination, const char *name,
                                destination_value *value, const void *context, struct failure *failure,
                                struct secret *text)
{
    const char *found = find_value(destination, name, value, context);

    if (found == NULL)
        return say_missing(destination, name, failure);
    return secret_append_text(text, found) ? STATUS_OK : failure_set_no_memory(failure);
}

/* ---- where it goes ---- */

static enum status fill_base(const struct destination *destination, destination_value *value,
                             const void *context, struct failure *failure, struct secret *text)
{
    const char *template = json_member_text(destination->request, "base");
    char name[NAME_PROPERTY_MAX + 1];
    enum status status = STATUS_OK;

    /* What stands behind the host may hold anything, and is not wanted. */
    while (status == STATUS_OK) {
        const char *at = template;

        if (!next_name(&at, name))
            return secret_append_text(text, template) ? STATUS_OK : failure_set_no_memory(failure);
        if (!secret_append(text, template, strcspn(template, "{")))
            return failure_set_no_memory(failure);
        if (text->size > 8 && memchr(text->bytes + 8, '/', text->size - 8) != NULL)
            return STATUS_OK;
        status = append_value(destination, name, value, context, failure, text);
        template = at;
    }
    return status;
}

enum status destination_origin(const struct destination *destination, destination_value *value,
                               const void *context, struct failure *failure, struct secret *ret_origin)
{
    CLEANUP(secret_reset) struct secret base = {0};
    enum status status = fill_base(destination, value, context, failure, &base);
    size_t scheme;
    struct url url;

    if (status == STATUS_OK)
        status = url_parse(secret_text(&base), "the base of the app's addresses", failure, &url);
    if (status != STATUS_OK)
        return status;
    if (!url.secure && !(destination->loopback && url_is_loopback(&url)))
        return failure_set(failure, STATUS_REFUSED, "the base of the app's addresses is not https");
    scheme = (size_t)(url.authority - secret_text(&base));
    secret_clear(ret_origin);
    return secret_append(ret_origin, base.bytes, scheme + url.authority_size)
               ? STATUS_OK
               : failure_set_no_memory(failure);
}

bool destination_has_parameter(const char *url, const char *name)
{
    const char *at = strchr(url, '?');

    while (at != NULL) {
        at++;
        if (url_part_is(at, at + strcspn(at, "=&"), name))
            return true;
        at = strchr(at, '&');
    }
    return false;
}

static enum status check_origin(const struct destination *destination, const char *origin, const char *text,
                                struct failure *failure)
{
    struct url base, url;
    enum status status = url_parse(origin, "the base of the app's addresses", failure, &base);

    if (status == STATUS_OK)
        status = url_parse(text, "the address", failure, &url);
    if (status != STATUS_OK || url_is_same_origin(&base, &url))
        return status;
    if (base.secure && !url.secure)
        return failure_set(failure, STATUS_REFUSED, "the address is not https");
    return failure_set(failure, STATUS_REFUSED, "the host %.*s is not that of %s, which is %.*s",
                       (int)url.authority_size, url.authority, destination->title, (int)base.authority_size,
                       base.authority);
}

enum status destination_check_url(const struct destination *destination, const char *origin, const char *url,
                                  struct failure *failure)
{
    const struct json *query = json_member(destination->request, "query");
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (json_next(query, &iterator, &name, &template)) {
        if (destination_is_credential(destination->request, json_text(template, NULL)) &&
            destination_has_parameter(url, name))
            return failure_set(failure, STATUS_REFUSED, "the parameter %s is the credential's own", name);
    }
    return outgoing_is_whole(url) ? check_origin(destination, origin, url, failure) : STATUS_OK;
}

enum status destination_check_header(const struct destination *destination, const char *line,
                                     struct failure *failure)
{
    const struct json *headers = json_member(destination->request, "headers");
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (json_next(headers, &iterator, &name, &template)) {
        if (outgoing_header_is(line, name) &&
            destination_is_credential(destination->request, json_text(template, NULL)))
            return failure_set(failure, STATUS_REFUSED, "the header %s is the credential's own", name);
    }
    return STATUS_OK;
}
