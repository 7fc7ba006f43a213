/* Templates: texts in which `{name}` stands for a property of the account, or for a value that the calling
 * code gives. What is checked here is that each name is known, and that an address can lead nowhere but over
 * https to a host that the entry means. */
#ifndef STEPVAULT_CATALOG_PLACEHOLDER_H
#define STEPVAULT_CATALOG_PLACEHOLDER_H

#include "catalog/app.h"

#include <stdbool.h>

/* What is wrong with `text` as a template of `method`, a part of a sentence; NULL: nothing. Static. */
const char *placeholder_fault(const struct app_method *method, const char *text);

/* The same for what is made without a calling code: a name must be a property's. What is `shown`, to a person
 * or in an address that a browser opens, can have none that is hidden. */
const char *placeholder_property_fault(const struct app_method *method, const char *text, bool shown);

/* The same for an address: it begins with https://, or with a field all of whose values do, and every field
 * in its host has a pattern or a list of values. Where the method's facts say `loopback`, it may also begin
 * with http:// and this machine's own 127.0.0.1, [::1] or localhost. */
const char *placeholder_url_fault(const struct app_method *method, const char *text);

/* The same for what a database or ssh is reached by: `postgresql://{user}:{password}@{host}`. */
const char *placeholder_connection_fault(const struct app_method *method, const char *text);

#endif
