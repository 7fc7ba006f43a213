/* Variables: named secret strings placed at paths, and blocks that hide an inherited name.
 * All checks come before the first change, so a refusal leaves the turn as it was. */
#ifndef STEPVAULT_VARIABLE_H
#define STEPVAULT_VARIABLE_H

#include "vault.h"
#include "json/json.h"

struct variable_change {
    const char *path;
    const char *name;
    const void *value; /* bytes without NUL, at most NAME_VALUE_MAX */
    size_t size;
    bool allow_dangerous_name;
};

enum status variable_set(struct vault *vault, const struct variable_change *change, struct failure *failure,
                         bool *ret_replaced);

/* Removes what is placed exactly there, a block included; STATUS_NOT_FOUND names where else the name is
 * placed. */
enum status variable_unset(struct vault *vault, const char *path, const char *name, struct failure *failure);

enum status variable_block(struct vault *vault, const char *path, const char *name, struct failure *failure);

/* STATUS_NOT_FOUND with where else the name is placed. */
enum status variable_missing(struct vault *vault, const char *path, const char *name,
                             struct failure *failure);

/* Writes an array member `variables` of {path, name, blocked, updated}; `path` NULL: all. */
enum status variable_list(struct vault *vault, const char *path, struct failure *failure,
                          struct json_writer *writer);

#endif
