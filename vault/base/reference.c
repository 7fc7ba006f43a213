/* Taking a reference apart. */
#include "base/reference.h"

#include <string.h>

static enum status malformed(const char *what, struct failure *failure)
{
    return failure_set(failure, STATUS_INVALID,
                       "the reference %s; it is " REFERENCE_SCHEME
                       "APP[:LABEL]/PROPERTY or " REFERENCE_SCHEME REFERENCE_VARIABLES
                       "/NAME and nothing else",
                       what);
}

bool reference_begins(const char *text)
{
    return strncmp(text, REFERENCE_SCHEME, strlen(REFERENCE_SCHEME)) == 0;
}

bool reference_is_within(const char *text)
{
    return strstr(text, REFERENCE_SCHEME) != NULL;
}

/* Copies a part of at most `maximum` bytes; false where it is longer. */
static bool part_copy(char *destination, size_t maximum, const char *part, size_t size)
{
    if (size > maximum)
        return false;
    memcpy(destination, part, size);
    destination[size] = '\0';
    return true;
}

static enum status parse_account(const char *account, size_t size, struct failure *failure,
                                 struct reference *reference)
{
    const char *colon = memchr(account, ':', size);
    const size_t app_size = colon != NULL ? (size_t)(colon - account) : size;
    struct failure ignored;

    if (!part_copy(reference->app, NAME_APP_MAX, account, app_size) ||
        name_check_app(reference->app, &ignored) != STATUS_OK)
        return malformed("has no valid app", failure);
    if (colon != NULL && (!part_copy(reference->label, NAME_LABEL_MAX, colon + 1, size - app_size - 1) ||
                          name_check_label(reference->label, &ignored) != STATUS_OK))
        return malformed("has no valid label", failure);
    if (strcmp(reference->app, REFERENCE_VARIABLES) != 0)
        return STATUS_OK;
    if (colon != NULL)
        return malformed("has a label behind " REFERENCE_VARIABLES, failure);
    reference->app[0] = '\0';
    return STATUS_OK;
}

enum status reference_parse(const char *text, struct failure *failure, struct reference *ret_reference)
{
    struct reference reference = {.name = NULL};
    struct failure ignored;
    const char *account;
    const char *slash;
    enum status status;

    if (!reference_begins(text))
        return malformed("does not begin with " REFERENCE_SCHEME, failure);
    account = text + strlen(REFERENCE_SCHEME);
    slash = strchr(account, '/');
    if (slash == NULL)
        return malformed("has no / behind its app", failure);
    status = parse_account(account, (size_t)(slash - account), failure, &reference);
    if (status != STATUS_OK)
        return status;
    reference.name = slash + 1;
    if (reference.app[0] == '\0' && name_check_variable(reference.name, &ignored) != STATUS_OK)
        return malformed("has no valid name of a variable", failure);
    if (reference.app[0] != '\0' && name_check_property(reference.name, &ignored) != STATUS_OK)
        return malformed("has no valid name of a property", failure);
    *ret_reference = reference;
    return STATUS_OK;
}
