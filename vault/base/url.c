/* Reading and building of addresses. */
#include "base/url.h"

#include "base/text.h"

#include <string.h>

static const char digits[] = "0123456789";
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static enum status fault(struct failure *failure, const char *what, const char *reason)
{
    return failure_set(failure, STATUS_INVALID, "%s %s", what, reason);
}

/* What RFC 3986 lets stand in an address, but for the fragment's `#`. */
static bool is_of_url(char byte)
{
    return byte != '\0' && (strchr(digits, byte) != NULL || strchr(letters, byte) != NULL ||
                            strchr("-._~:/?[]@!$&'()*+,;=%", byte) != NULL);
}

static bool read_scheme(const char **at, bool *ret_secure)
{
    static const struct {
        const char *text;
        bool secure;
    } schemes[] = {
        {"https://", true },
        {"http://",  false}
    };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(*at, schemes[i].text, strlen(schemes[i].text)) != 0)
            continue;
        *at += strlen(schemes[i].text);
        *ret_secure = schemes[i].secure;
        return true;
    }
    return false;
}

static size_t host_length(const char *text)
{
    size_t length;

    if (*text != '[') {
        length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");
        return text[0] == '-' || text[0] == '.' ? 0 : length;
    }
    length = strspn(text + 1, "0123456789abcdefABCDEF:.");
    return length > 0 && text[1 + length] == ']' ? length + 2 : 0;
}

static bool read_port(const char **at, uint16_t *ret_port)
{
    size_t length = strspn(*at + 1, digits);
    char text[6];
    uint64_t port;

    if (length == 0 || length >= sizeof(text))
        return false;
    memcpy(text, *at + 1, length);
    text[length] = '\0';
    if (!text_to_number(text, UINT16_MAX, &port) || port == 0)
        return false;
    *ret_port = (uint16_t)port;
    *at += 1 + length;
    return true;
}

static bool read_authority(const char **at, struct url *url)
{
    size_t length = host_length(*at);

    if (length == 0 || length > URL_HOST_MAX)
        return false;
    url->authority = *at;
    for (size_t i = 0; i < length; i++) {
        char byte = (*at)[i];

        url->host[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    *at += length;
    if (**at == ':' && !read_port(at, &url->port))
        return false;
    url->authority_size = (size_t)(*at - url->authority);
    return **at == '\0' || **at == '/' || **at == '?';
}

enum status url_parse(const char *text, const char *what, struct failure *failure, struct url *ret_url)
{
    struct url url = {0};
    const char *at = text;

    if (strlen(text) > URL_SIZE_MAX)
        return fault(failure, what, "is longer than an address may be");
    for (; *at != '\0'; at++) {
        if (!is_of_url(*at))
            return fault(failure, what, "has a byte that no address has");
    }
    at = text;
    if (!read_scheme(&at, &url.secure))
        return fault(failure, what, "begins with neither https:// nor http://");
    if (!read_authority(&at, &url))
        return fault(failure, what, "has no host that can be reached");
    url.path = at;
    url.path_size = strcspn(at, "?");
    if (at[url.path_size] == '?')
        url.query = at + url.path_size + 1;
    *ret_url = url;
    return STATUS_OK;
}

bool url_is_loopback(const struct url *url)
{
    return strcmp(url->host, "127.0.0.1") == 0 || strcmp(url->host, "[::1]") == 0 ||
           strcmp(url->host, "localhost") == 0;
}

/* The dots of a part of a path; more than two are a name like any other. */
static size_t count_dots(const char *part, size_t size)
{
    size_t dots = 0;

    for (size_t at = 0; at < size; dots++) {
        if (part[at] == '.')
            at++;
        else if (size - at >= 3 && part[at] == '%' && part[at + 1] == '2' && (part[at + 2] | 0x20) == 'e')
            at += 3;
        else
            return 0;
    }
    return dots;
}

bool url_steps_up(const struct url *url)
{
    const char *end = url->path + url->path_size;

    for (const char *at = url->path; at < end;) {
        const char *next = memchr(at + 1, '/', (size_t)(end - at - 1));
        size_t size = (size_t)((next != NULL ? next : end) - at - 1);
        size_t dots = count_dots(at + 1, size);

        if (dots == 1 || dots == 2)
            return true;
        at += size + 1;
    }
    return false;
}

static uint16_t port_of(const struct url *url)
{
    return url->port != 0 ? url->port : url->secure ? 443 : 80;
}

bool url_is_same_origin(const struct url *one, const struct url *other)
{
    return one->secure == other->secure && port_of(one) == port_of(other) &&
           strcmp(one->host, other->host) == 0;
}

enum status url_check(const char *text, const char *what, struct failure *failure)
{
    struct url url;
    enum status status = url_parse(text, what, failure, &url);

    if (status == STATUS_OK && !url.secure && !url_is_loopback(&url))
        return fault(failure, what, "is not https");
    return status;
}

static bool is_unreserved(char byte)
{
    return strchr(digits, byte) != NULL || strchr(letters, byte) != NULL || strchr("-._~", byte) != NULL;
}

bool url_append_encoded(struct secret *destination, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t before = destination->size;

    for (; *text != '\0'; text++) {
        const uint8_t byte = (uint8_t)*text;
        const char encoded[] = {'%', hex[byte >> 4], hex[byte & 15]};
        bool appended = is_unreserved(*text) ? secret_append_byte(destination, byte)
                                             : secret_append(destination, encoded, sizeof(encoded));

        if (!appended) {
            destination->size = before;
            return false;
        }
    }
    return true;
}

bool url_append_parameter(struct secret *url, const char *name, const char *value)
{
    const char *joint = url->size > 0 && memchr(url->bytes, '?', url->size) != NULL ? "&" : "?";

    return secret_append_text(url, joint) && url_append_encoded(url, name) && secret_append_text(url, "=") &&
           url_append_encoded(url, value);
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

int url_decode_byte(const char **at, const char *end)
{
    const char *here = *at;
    int high, low;

    *at += 1;
    if (*here == '+')
        return ' ';
    if (*here != '%')
        return (uint8_t)*here;
    if (end - here < 3)
        return -1;
    high = hex_digit(here[1]);
    low = hex_digit(here[2]);
    *at += 2;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool url_part_is(const char *at, const char *end, const char *name)
{
    for (; at < end; name++) {
        int byte = url_decode_byte(&at, end);

        if (byte <= 0 || byte != (uint8_t)*name)
            return false;
    }
    return *name == '\0';
}
