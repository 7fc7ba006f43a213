/* One walk down, name by name. */
#include "catalog/path.h"

#include <string.h>

const char *path_fault(const char *path)
{
    size_t length = strlen(path);

    for (const char *at = path; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~')
            return "has a byte that no path has";
        if (*at == '.' && (at == path || at[1] == '.' || at[1] == '\0'))
            return "has an empty name in its path";
    }
    if (length == 0)
        return "is empty";
    return length <= PATH_SIZE_MAX ? NULL : "is longer than 256 bytes";
}

/* The element whose place `digits` says; NULL if that is no place in it. */
static const struct json *find_element(const struct json *array, const char *digits)
{
    size_t place = 0;

    if (strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 9)
        return NULL;
    for (; *digits != '\0'; digits++)
        place = place * 10 + (size_t)(*digits - '0');
    if (place >= json_count(array) || json_kind(json_at(array, place)) == JSON_KIND_NULL)
        return NULL;
    return json_at(array, place);
}

/* As far as `end`, which is the path's end or one of its dots. */
static const struct json *walk(const struct json *value, const char *path, const char *end)
{
    while (value != NULL && path < end) {
        char name[PATH_SIZE_MAX + 1];
        size_t length = strcspn(path, ".");

        memcpy(name, path, length);
        name[length] = '\0';
        if (json_kind(value) == JSON_KIND_ARRAY)
            value = find_element(value, name);
        else
            value = json_member(value, name);
        path += length + 1;
    }
    return value;
}

const struct json *path_find(const struct json *reply, const char *path)
{
    return walk(reply, path, path + strlen(path));
}

const struct json *path_find_around(const struct json *reply, const char *path)
{
    const char *last = strrchr(path, '.');

    return last != NULL ? walk(reply, path, last) : reply;
}
