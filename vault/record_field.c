/* Reading the fields of a document (record.h). */
#include "record.h"

#include "base/text.h"

#include <string.h>

struct field {
    const char *name;
    size_t name_size;
    const char *value;
    size_t size;
};

/* The field at `*position`; false at the end or where the bytes are not a field. */
static bool field_read(const uint8_t *bytes, size_t size, size_t *position, struct field *ret_field)
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
    if (name_size == 0 || name[name_size] != 0 || value[value_size] != 0)
        return false;
    *ret_field = (struct field){(const char *)name, name_size, (const char *)value, value_size};
    *position = at + RECORD_FIELD_OVERHEAD + name_size + value_size;
    return true;
}

bool record_fields_are_sound(const uint8_t *bytes, size_t size)
{
    struct field field;
    size_t position = 0;

    while (position < size)
        if (!field_read(bytes, size, &position, &field) || memchr(field.name, 0, field.name_size) != NULL)
            return false;
    return true;
}

bool record_next(const struct record *record, const char *prefix, size_t *position, const char **ret_rest,
                 const char **ret_value, size_t *ret_size)
{
    size_t prefix_size = strlen(prefix);
    struct field field;

    while (*position < record->size && field_read(record->document, record->size, position, &field)) {
        if (field.name_size < prefix_size || memcmp(field.name, prefix, prefix_size) != 0)
            continue;
        *ret_rest = field.name + prefix_size;
        *ret_value = field.value;
        *ret_size = field.size;
        return true;
    }
    return false;
}

const char *record_field(const struct record *record, const char *name, size_t *ret_size)
{
    size_t name_size = strlen(name), position = 0;
    struct field field;

    while (position < record->size && field_read(record->document, record->size, &position, &field)) {
        if (field.name_size != name_size || memcmp(field.name, name, name_size) != 0)
            continue;
        if (ret_size != NULL)
            *ret_size = field.size;
        return field.value;
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
