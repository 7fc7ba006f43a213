/* Paths into a provider's reply: the names of members from the top down with a `.` between them, and for an
 * array the place of an element (`accounts.0.id`). A name that has a dot in it cannot be said. */
#ifndef STEPVAULT_CATALOG_PATH_H
#define STEPVAULT_CATALOG_PATH_H

#include "json/json.h"

#define PATH_SIZE_MAX 256 /* bytes of a path */

/* NULL if `path` is one; else what is wrong with it, a part of a sentence. Static. */
const char *path_fault(const char *path);

/* What stands there; NULL if nothing does, or null. `path` has no fault. */
const struct json *path_find(const struct json *reply, const char *path);

/* The object around what the path leads to (`authed_user` for `authed_user.access_token`, and for one name
 * the reply itself); NULL if there is none. */
const struct json *path_find_around(const struct json *reply, const char *path);

#endif
