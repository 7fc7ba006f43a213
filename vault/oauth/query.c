/* Looking for parameters. */
#include "oauth/query.h"

#include "base/text.h"
#include "base/url.h"

#include <string.h>

static bool decode_value(const char *at, const char *end, struct secret *value)
{
    while (at < end) {
        int byte = url_decode_byte(&at, end);

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

        if (url_part_is(at, equals != NULL ? equals : stop, name)) {
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
