/* Reading the fields of a document (record.h). */
#include "record.h"

#include "base/text.h"

#include <string.h>

/* One field of a document; false at the end or where the bytes are not a field. */
static bool field_read(const uint8_t *bytes, size_t size, size_t *position, const char **ret_name,
                       const char **ret_value, size_t *ret_size)
{
    size_t at = *position;

    if (size - at < RECORD_FIELD_OVERHEAD)
        return false;
    size_t name_size = (size_t)bytes[at] << 8 | bytes[at + 1];
    if (size - at < RECORD_FIELD_OVERHEAD + name_size)
        return false;
    const uint8_t *name = bytes + at + 2;
    const uint8_t *length = name + name_size + 1;
    size_t value_size = seal_load_u32(length);
    if (size - at - RECORD_FIELD_OVERHEAD - name_size < value_size)
        return false;
    const uint8_t *value = length + 4;
    if (name_size == 0 || memchr(name, 0, name_size) != NULL || name[name_size] != 0 ||
        value[value_size] != 0)
        return false;
    *ret_name = (const char *)name;
    *ret_value = (const char *)value;
    *ret_size = value_size;
    *position = at + RECORD_FIELD_OVERHEAD + name_size + value_size;
    return true;
}

bool record_fields_are_sound(const uint8_t *bytes, size_t size)
{
    const char *name, *value;
    size_t position = 0, value_size;

    while (position < size)
        if (!field_read(bytes, size, &position, &name, &value, &value_size))
            return false;
    return true;
}

bool record_next(const struct record *record, const char *prefix, size_t *position, const char **ret_rest,
                 const char **ret_value, size_t *ret_size)
{
    size_t prefix_size = strlen(prefix);
    const char *name;

    while (*position < record->size) {
        if (!field_read(record->document, record->size, position, &name, ret_value, ret_size))
            return false;
        if (strncmp(name, prefix, prefix_size) == 0) {
            *ret_rest = name + prefix_size;
            return true;
        }
    }
    return false;
}

const char *record_field(const struct record *record, const char *name, size_t *ret_size)
{
    const char *rest, *value;
    size_t position = 0, size;

    while (record_next(record, name, &position, &rest, &value, &size)) {
        if (*rest != '\0')
            continue;
        if (ret_size != NULL)
            *ret_size = size;
        return value;
    }
    return NULL;
}

bool record_has(const struct record *record, const char *name)
{
    return record_field(record, name, NULL) != NULL;
}

uint64_t record_number(const struct record *record, const char *field)
{
    const char *text = record_field(record, field, NULL);
    uint64_t number = 0;

    if (text != NULL)
        (void)text_to_number(text, UINT64_MAX, &number);
    return number;
}
