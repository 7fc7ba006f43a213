/* Values in, patterns of all their forms, and one finder of them. */
#include "code/mask.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "code/stream.h"

#include <string.h>

#define INPUT_MAX ((size_t)8 * 1024 * 1024) /* several times what a projection may hold */
#define PIECE ((size_t)64 * 1024)
#define FORMS_LARGE ((size_t)32 * 1024 * 1024) /* bytes; a list that grows no more from there on is full */

struct mask {
    struct finder *finder;
    struct secret short_names; /* NUL-terminated */
};

/* A list of forms has as much room as a secret, which is more than a finder takes. */
static enum status forms_failed(const struct pattern_list *list, struct failure *failure)
{
    if (list->bytes.size > FORMS_LARGE)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the values are too large to be looked for in all their forms");
    return failure_set_no_memory(failure);
}

static enum status entry_add(struct mask *mask, struct pattern_list *list, const char *entry,
                             struct failure *failure)
{
    const char *separator = strchr(entry, '=');
    size_t size;

    if (separator == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the values to mask are not NAME=value entries");
    size = strlen(separator + 1);
    if (size >= MASK_VALUE_MIN)
        return pattern_add_forms(list, separator + 1, size) ? STATUS_OK : forms_failed(list, failure);
    return secret_append(&mask->short_names, entry, (size_t)(separator - entry)) &&
                   secret_append_byte(&mask->short_names, '\0')
               ? STATUS_OK
               : failure_set_no_memory(failure);
}

static enum status entries_add(struct mask *mask, struct pattern_list *list, const struct secret *text,
                               struct failure *failure)
{
    const char *entry = (const char *)text->bytes;
    const char *const end = entry + text->size;
    enum status status = STATUS_OK;

    if (text->size > 0 && end[-1] != '\0')
        return failure_set(failure, STATUS_PROTOCOL, "the values to mask end within an entry");
    for (; status == STATUS_OK && entry < end; entry += strlen(entry) + 1)
        status = entry_add(mask, list, entry, failure);
    return status;
}

enum status mask_load(int descriptor, struct failure *failure, struct mask **ret_mask)
{
    CLEANUP(mask_freep) struct mask *mask = secret_allocate(sizeof(*mask));
    CLEANUP(pattern_reset) struct pattern_list list = {0};
    CLEANUP(secret_reset) struct secret text = {0};
    enum status status;

    if (mask == NULL)
        return failure_set_no_memory(failure);
    status = file_read_all(descriptor, INPUT_MAX, "the values to mask", failure, &text);
    if (status == STATUS_OK)
        status = entries_add(mask, &list, &text, failure);
    if (status != STATUS_OK)
        return status;
    pattern_sort(&list);
    status = finder_make(&list, failure, &mask->finder);
    if (status == STATUS_OK)
        *ret_mask = TAKE(mask);
    return status;
}

void mask_freep(struct mask **mask)
{
    if (*mask != NULL) {
        finder_freep(&(*mask)->finder);
        secret_reset(&(*mask)->short_names);
    }
    secret_free(*mask);
    *mask = NULL;
}

const struct finder *mask_finder(const struct mask *mask)
{
    return mask->finder;
}

const char *mask_short_name(const struct mask *mask, size_t index)
{
    const char *name = (const char *)mask->short_names.bytes;
    const char *const end = name + mask->short_names.size;

    for (; name < end && index > 0; index--)
        name += strlen(name) + 1;
    return name < end ? name : NULL;
}

bool mask_append(const struct mask *mask, const void *bytes, size_t size, struct secret *destination)
{
    CLEANUP(stream_freep) struct stream *stream = stream_make(mask->finder, size < PIECE ? size : PIECE);

    return stream != NULL && stream_scrub(stream, bytes, size, destination);
}
