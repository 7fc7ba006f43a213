/* Looking for parameters. */
#include "oauth/query.h"

#include "base/text.h"

#include <string.h>

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* The byte at *at, which it steps over; -1 if it is wrongly encoded. */
static int decode_byte(const char **at, const char *end)
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

static bool name_is(const char *at, const char *end, const char *name)
{
    for (; at < end; name++) {
        int byte = decode_byte(&at, end);

        if (byte <= 0 || byte != (uint8_t)*name)
            return false;
    }
    return *name == '\0';
}

static bool decode_value(const char *at, const char *end, struct secret *value)
{
    while (at < end) {
        int byte = decode_byte(&at, end);

        if (byte < 0 || value->size == QUERY_VALUE_MAX || !secret_append_byte(value, (uint8_t)byte))
            return false;
    }
    return value->size == 0 || text_is_utf8(value->bytes, value->size);
}

enum query_found query_find(const char *query, size_t size, const char *name, struct secret *ret_value)
{
    const char *end = query + size;
    enum query_found found = QUERY_ABSENT;

    secret_clear(ret_value);
    for (const char *at = query; at < end;) {
        const char *separator = memchr(at, '&', (size_t)(end - at));
        const char *stop = separator != NULL ? separator : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));

        if (name_is(at, equals != NULL ? equals : stop, name)) {
            const char *value = equals != NULL ? equals + 1 : stop;

            found =
                found == QUERY_ABSENT && decode_value(value, stop, ret_value) ? QUERY_FOUND : QUERY_UNUSABLE;
        }
        at = separator != NULL ? stop + 1 : end;
    }
    if (found != QUERY_FOUND)
        secret_clear(ret_value);
    return found;
}
