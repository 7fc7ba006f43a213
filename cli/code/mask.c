/* Values as they are, looked for one by one. */
#include "code/mask.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

#define MASK_INPUT_MAX ((size_t)4 * 1024 * 1024)

struct mask {
    struct secret text; /* NAME=value\0... */
};

static const char *entry_next(const struct mask *mask, const char *entry)
{
    const char *end = (const char *)mask->text.bytes + mask->text.size;
    const char *next = entry == NULL ? (const char *)mask->text.bytes : entry + strlen(entry) + 1;

    return next != NULL && next < end ? next : NULL;
}

enum status mask_load(int descriptor, struct failure *failure, struct mask **ret_mask)
{
    struct mask *mask = secret_allocate(sizeof(*mask));
    enum status status;

    if (mask == NULL)
        return failure_set_no_memory(failure);
    status = file_read_all(descriptor, MASK_INPUT_MAX, "the values to mask", failure, &mask->text);
    if (status == STATUS_OK && mask->text.size > 0 && mask->text.bytes[mask->text.size - 1] != '\0')
        status = failure_set(failure, STATUS_PROTOCOL, "the values to mask are not NAME=value entries");
    for (const char *entry = NULL; status == STATUS_OK && (entry = entry_next(mask, entry)) != NULL;) {
        if (strchr(entry, '=') == NULL)
            status = failure_set(failure, STATUS_PROTOCOL, "the values to mask are not NAME=value entries");
    }
    if (status == STATUS_OK)
        *ret_mask = mask;
    else
        mask_freep(&mask);
    return status;
}

void mask_freep(struct mask **mask)
{
    if (*mask != NULL)
        secret_reset(&(*mask)->text);
    secret_free(*mask);
    *mask = NULL;
}

const char *mask_short_name(const struct mask *mask, size_t index)
{
    (void)mask;
    (void)index;
    return NULL;
}

static size_t match_length(const struct mask *mask, const uint8_t *bytes, size_t size)
{
    size_t longest = 0;

    for (const char *entry = NULL; (entry = entry_next(mask, entry)) != NULL;) {
        const char *value = strchr(entry, '=') + 1;
        size_t length = strlen(value);

        if (length >= MASK_VALUE_MIN && length > longest && length <= size &&
            memcmp(bytes, value, length) == 0)
            longest = length;
    }
    return longest;
}

bool mask_append(const struct mask *mask, const void *bytes, size_t size, struct secret *destination)
{
    const uint8_t *text = bytes;

    if (!secret_reserve(destination, size))
        return false;
    for (size_t at = 0, step; at < size; at += step) {
        step = match_length(mask, text + at, size - at);
        if (step > 0)
            secret_append_text(destination, MASK_TEXT);
        else
            secret_append_byte(destination, text[at]);
        step = step > 0 ? step : 1;
    }
    return true;
}

enum status mask_json(const struct mask *mask, const void *text, size_t size, struct failure *failure,
                      struct secret *destination)
{
    return mask_append(mask, text, size, destination) ? STATUS_OK : failure_set_no_memory(failure);
}
