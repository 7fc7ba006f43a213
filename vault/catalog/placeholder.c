/* Reading of templates; nothing is filled in here. */
#include "catalog/placeholder.h"

#include "base/name.h"

#include <string.h>

static const char https[] = "https://";

/* The length of the name between `{` at `text` and its `}`; 0 if there is none. */
static size_t name_length(const char *text)
{
    size_t length = strcspn(text + 1, "{}");

    return text[1 + length] == '}' && length <= NAME_PROPERTY_MAX ? length : 0;
}

static const struct app_field *find_field(const struct app_method *method, const char *name, size_t length)
{
    char copy[NAME_PROPERTY_MAX + 1];

    memcpy(copy, name, length);
    copy[length] = '\0';
    return app_find_field(method, copy);
}

static bool is_of_caller(const struct app_method *method, const char *name, size_t length)
{
    char copy[NAME_PROPERTY_MAX + 1];

    memcpy(copy, name, length);
    copy[length] = '\0';
    return json_member(json_member(json_member(method->entry, "request"), "caller"), copy) != NULL;
}

const char *placeholder_fault(const struct app_method *method, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        size_t length;

        if (*at == '}')
            return "has a } without its {";
        if (*at != '{')
            continue;
        length = name_length(at);
        if (length == 0)
            return "has a { without a name and its }";
        if (find_field(method, at + 1, length) == NULL && !is_of_caller(method, at + 1, length))
            return "names a field that is not there";
        at += length + 1;
    }
    return NULL;
}

const char *placeholder_property_fault(const struct app_method *method, const char *text, bool shown)
{
    const char *fault = placeholder_fault(method, text);

    if (fault != NULL)
        return fault;
    for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
        const struct app_field *field = find_field(method, at + 1, name_length(at));

        if (field == NULL)
            return "names what only the calling code knows";
        if (shown && field->hidden)
            return "would show a field that is hidden";
    }
    return NULL;
}

/* A value put into a host's name may not end it: `evil.example/` would get the secret that was meant for the
 * host. */
static const char *host_fault(const struct app_method *method, const char *host, const char *end)
{
    for (const char *at = host; at < end; at++) {
        const struct app_field *field;
        size_t length;

        if (*at != '{')
            continue;
        length = name_length(at);
        field = find_field(method, at + 1, length);
        if (field != NULL && field->pattern == NULL && field->values == NULL)
            return "has a field in its host that has neither a pattern nor values";
        at += length + 1;
    }
    return NULL;
}

static const char *bytes_fault(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\' || *text == '<' || *text == '>')
            return "has a byte that no address has";
    }
    return NULL;
}

/* True if `text` begins with http:// and a name of this machine, and nothing can make it the name of another.
 */
static bool is_loopback(const char *text)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const char *behind = text + strlen(hosts[i]);

        if (strncmp(text, hosts[i], strlen(hosts[i])) != 0)
            continue;
        if (*behind == ':')
            behind += 1 + strspn(behind + 1, "0123456789");
        return *behind == '\0' || strchr("/?#", *behind) != NULL;
    }
    return false;
}

/* True if every value that the field takes begins with https://; a pattern of alternatives is not looked
 * into. */
static bool is_address(const struct app_field *field)
{
    bool is = field->values != NULL;

    for (size_t i = 0; is && i < json_count(field->values); i++)
        is = strncmp(json_text(json_at(field->values, i), NULL), https, strlen(https)) == 0;
    return is || (field->pattern != NULL && strncmp(field->pattern, https, strlen(https)) == 0 &&
                  strchr(field->pattern, '|') == NULL);
}

const char *placeholder_url_fault(const struct app_method *method, const char *text)
{
    const struct app_field *field;
    const char *fault = placeholder_fault(method, text);

    if (fault == NULL)
        fault = bytes_fault(text);
    if (fault != NULL)
        return fault;
    if (strncmp(text, https, strlen(https)) == 0) {
        const char *host = text + strlen(https);

        if (*host == '\0' || *host == '/')
            return "has no host";
        return host_fault(method, host, host + strcspn(host, "/?#"));
    }
    if (json_member_boolean(method->oauth, "loopback", false) && is_loopback(text))
        return NULL;
    field = *text == '{' ? find_field(method, text + 1, name_length(text)) : NULL;
    if (field == NULL || !is_address(field))
        return "does not begin with https://";
    return text[name_length(text) + 2] == '\0' || text[name_length(text) + 2] == '/'
               ? NULL
               : "goes on after a field that is an address with something else than /";
}

const char *placeholder_connection_fault(const struct app_method *method, const char *text)
{
    static const char *const schemes[] = {"postgresql://", "mysql://", "mongodb+srv://", "ssh://", "sftp://"};
    const char *fault = placeholder_fault(method, text);

    if (fault == NULL)
        fault = bytes_fault(text);
    for (size_t i = 0; fault == NULL && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return NULL;
    }
    return fault != NULL ? fault : "is of a scheme that is not known";
}
