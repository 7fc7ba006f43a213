/* The forms of `export`: what a step received, as other programs read it.
 *
 * Each form is exact: what its readers read back is the value byte for byte, or nothing is written and the
 * failure names the variable and says why. */
#ifndef STEPVAULT_LAUNCH_FORMAT_H
#define STEPVAULT_LAUNCH_FORMAT_H

#include "base/secret.h"
#include "base/status.h"
#include "client/received.h"

#include <stdbool.h>

/* A row of the table of forms. */
struct format;

/* STATUS_USAGE, with the one that may be meant or all of them, where there is none of that name. */
enum status format_find(const char *name, struct failure *failure, const struct format **ret_format);

/* The form of `export` where none is said. */
const struct format *format_default(void);

/* Whether the form is of the accounts' document, and not of the variables. */
bool format_is_document(const struct format *format);

/* Appends all of what was received. STATUS_INVALID or STATUS_TOO_LARGE where the form cannot say a value. */
enum status format_write(const struct format *format, const struct received *received,
                         struct failure *failure, struct secret *text);

#endif
