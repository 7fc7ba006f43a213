/* The rules, and the table of headers that are not for callers. */
#include "base/outgoing.h"

#include <string.h>
#include <strings.h>

static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-";

/* What RFC 9110 lets stand in a header's name. */
static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* A name that ends in `-` stands for all that begin so. */
static const char *const refused_headers[] = {
    "Authorization",
    "Cookie",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Upgrade",
    "HTTP2-Settings",
    "TE",
    "Trailer",
    "Expect",
    "Max-Forwards",
    "Via",
    "Forwarded",
    "X-Forwarded-",
    "Proxy-",
    "Sec-",
    /* The log has the method. */
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
};

enum status outgoing_check_method(const char *method, struct failure *failure)
{
    size_t size = strlen(method);

    if (size == 0 || size > OUTGOING_METHOD_MAX || strspn(method, capitals) != size)
        return failure_set(failure, STATUS_INVALID,
                           "a method of HTTP is at most %d capital letters, such as GET",
                           OUTGOING_METHOD_MAX);
    if (strcmp(method, "CONNECT") == 0 || strcmp(method, "TRACE") == 0)
        return failure_set(failure, STATUS_REFUSED, "the method %s is not for requests with credentials",
                           method);
    return STATUS_OK;
}

bool outgoing_is_whole(const char *url)
{
    return url[0] != '\0' && url[0] != '/' && url[0] != '?';
}

/* What people would ask themselves about, before url_parse says that there is no host. */
static const char *authority_fault(const char *authority)
{
    size_t size = strcspn(authority, "/?");

    for (size_t at = 0; at < size; at++) {
        if (authority[at] == '@')
            return "has a user before its host";
        if (authority[at] == '%' || authority[at] == '\\')
            return "has an encoded byte in its host";
        if ((unsigned char)authority[at] >= 0x80)
            return "has a host that is not of ASCII letters, digits, . and -";
    }
    return NULL;
}

static const char *text_fault(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return "has a control character";
        if (*at == '#')
            return "has a fragment, which is never sent";
    }
    return NULL;
}

static const char *url_fault(const char *text)
{
    const char *scheme = strstr(text, "://");
    const char *fault = text_fault(text);

    if (fault != NULL)
        return fault;
    if (strlen(text) > URL_SIZE_MAX / 2)
        return "is longer than an address may be";
    if (strncmp(text, "//", 2) == 0)
        return "begins with //, which some take for a host";
    if (!outgoing_is_whole(text))
        return NULL;
    return scheme != NULL ? authority_fault(scheme + 3) : "begins with neither https:// nor /";
}

enum status outgoing_check_url(const char *text, struct failure *failure)
{
    /* What follows a base is judged as it would be behind any host. */
    char whole[URL_SIZE_MAX] = "https://a";
    const char *fault = url_fault(text);
    enum status status;
    struct url url;

    if (fault != NULL)
        return failure_set(failure, STATUS_INVALID, "the address %s", fault);
    if (!outgoing_is_whole(text))
        memcpy(whole + strlen(whole), text, strlen(text) + 1);
    status = url_parse(outgoing_is_whole(text) ? text : whole, "the address", failure, &url);
    if (status == STATUS_OK && url_steps_up(&url))
        return failure_set(failure, STATUS_INVALID, "the address has . or .. in its path");
    return status;
}

static size_t name_size(const char *line)
{
    size_t size = strspn(line, token);

    return line[size] == ':' ? size : 0;
}

bool outgoing_header_is(const char *line, const char *name)
{
    return name_size(line) == strlen(name) && strncasecmp(line, name, strlen(name)) == 0;
}

const char *outgoing_header_value(const char *line)
{
    const char *value = line + name_size(line) + 1;

    return value + strspn(value, " ");
}

static bool is_refused(const char *line, const char *name)
{
    return name[strlen(name) - 1] == '-' ? strncasecmp(line, name, strlen(name)) == 0
                                         : outgoing_header_is(line, name);
}

enum status outgoing_check_header(const char *line, struct failure *failure)
{
    size_t size = name_size(line);

    if (strlen(line) > OUTGOING_HEADER_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "a header is over %d bytes", OUTGOING_HEADER_MAX);
    if (size == 0)
        return failure_set(failure, STATUS_INVALID, "a header is not of the form Name: value");
    for (const char *at = line; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return failure_set(failure, STATUS_INVALID, "the header %.*s has a control character", (int)size,
                               line);
    }
    for (size_t at = 0; at < sizeof(refused_headers) / sizeof(refused_headers[0]); at++) {
        if (is_refused(line, refused_headers[at]))
            return failure_set(failure, STATUS_REFUSED, "the header %.*s is not for callers to set",
                               (int)size, line);
    }
    return STATUS_OK;
}
