/* References: a text that stands for one value that a step gets, in an env file or a template.
 *
 *     stepvault://APP/PROPERTY, stepvault://APP:LABEL/PROPERTY, stepvault://env/NAME
 *
 * There are no escapes, and nothing may stand before or behind. A reference is no secret; what follows a
 * broken one may be, so no sentence here repeats any of it. */
#ifndef STEPVAULT_BASE_REFERENCE_H
#define STEPVAULT_BASE_REFERENCE_H

#include "base/name.h"
#include "base/status.h"

#include <stdbool.h>

#define REFERENCE_SCHEME "stepvault://"
#define REFERENCE_VARIABLES "env" /* in the place of the app: a variable is meant, so no app is called so */
#define REFERENCE_MAX                                                                                        \
    (sizeof REFERENCE_SCHEME - 1 + NAME_APP_MAX + 1 + NAME_LABEL_MAX + 1 + NAME_VARIABLE_MAX)

struct reference {
    char app[NAME_APP_MAX + 1];     /* empty: `name` is a variable's */
    char label[NAME_LABEL_MAX + 1]; /* empty: none was said */
    const char *name;               /* of the property or variable; the end of the parsed text */
};

/* Reads a whole text. STATUS_INVALID says which part breaks its rule. */
enum status reference_parse(const char *text, struct failure *failure, struct reference *ret_reference);

/* True if the text has the scheme at its beginning, or anywhere. */
bool reference_begins(const char *text);
bool reference_is_within(const char *text);

#endif
