/* Variables: named secret strings placed at paths, and blocks that hide an inherited name.
 * All checks come before the first change, so a refusal leaves the turn as it was. */
#ifndef STEPVAULT_VARIABLE_H
#define STEPVAULT_VARIABLE_H

#include "record.h"
#include "vault.h"
#include "json/json.h"

struct variable_change {
    const char *path;
    const char *name;
    const void *value; /* bytes without NUL, at most NAME_VALUE_MAX */
    size_t size;
    const char *note; /* one line of text; NULL: as it was */
    bool allow_dangerous_name;
};

enum status variable_set(struct vault *vault, const struct variable_change *change, struct failure *failure,
                         bool *ret_replaced);

/* Removes what is placed exactly there, a block included; STATUS_NOT_FOUND names where else the name is
 * placed. */
enum status variable_unset(struct vault *vault, const char *path, const char *name, struct failure *failure);

enum status variable_block(struct vault *vault, const char *path, const char *name, struct failure *failure);

/* For import.c: what variable_set refuses without a look at the vault, and the record that it would write in
 * place of `previous` (NULL: none). The draft borrows path and name. */
enum status variable_check(const struct variable_change *change, struct failure *failure);
void variable_draft(struct vault *vault, const struct variable_change *change, const struct record *previous,
                    struct record_draft *ret_draft);

/* STATUS_NOT_FOUND with where else the name is placed. */
enum status variable_missing(struct vault *vault, const char *path, const char *name,
                             struct failure *failure);

/* Writes an array member `variables` of {path, name, blocked, updated}; `path` NULL: all. */
enum status variable_list(struct vault *vault, const char *path, struct failure *failure,
                          struct json_writer *writer);

#endif
