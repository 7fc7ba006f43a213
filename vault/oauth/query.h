/* Parameters in the form that addresses and forms have them (application/x-www-form-urlencoded). Each is
 * looked for where it stands, so nothing is kept of those that nobody asks for. */
#ifndef STEPVAULT_OAUTH_QUERY_H
#define STEPVAULT_OAUTH_QUERY_H

#include "base/secret.h"

#include <stddef.h>

#define QUERY_VALUE_MAX 16384 /* bytes of a value, decoded */

enum query_found {
    QUERY_ABSENT,
    QUERY_FOUND,
    QUERY_UNUSABLE, /* there more than once, wrongly encoded, too long, not UTF-8, or memory is out */
};

/* The value of the parameter `name` among the `size` bytes of `query`, decoded. A parameter that is wrongly
 * encoded spoils only itself. `ret_value` is emptied first. */
enum query_found query_find(const char *query, size_t size, const char *name, struct secret *ret_value);

#endif
