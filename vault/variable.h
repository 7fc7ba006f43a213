/* Variables: named secret strings placed at paths, and blocks that hide an inherited name.
 * All checks come before the first change, so a refusal leaves the turn as it was. */
#ifndef STEPVAULT_VARIABLE_H
#define STEPVAULT_VARIABLE_H

#include "record.h"
#include "remark.h"
#include "vault.h"
#include "json/json.h"

struct variable_change {
    const char *path;
    const char *name;
    const void *value; /* bytes without NUL, at most NAME_VALUE_MAX */
    size_t size;
    bool allow_dangerous_name;
    struct remark remark; /* an expiry goes with the value that it was said of, a note stays */
};

/* Another value than the one that is there is kept as an old one (past.h). */
enum status variable_set(struct vault *vault, const struct variable_change *change, struct failure *failure,
                         bool *ret_replaced);

/* Changes note and expiry alone. A block has no expiry. */
enum status variable_annotate(struct vault *vault, const char *path, const char *name,
                              const struct remark *remark, struct failure *failure);

/* Sets the old value `revision` (0: the newest old one) again, with the expiry it had, and with its note
 * where the name has none now. */
enum status variable_restore(struct vault *vault, const char *path, const char *name, uint64_t revision,
                             bool allow_dangerous_name, struct failure *failure, uint64_t *ret_revision);

/* Forgets an old value, or all of them for 0. The value in force stays. */
enum status variable_forget(struct vault *vault, const char *path, const char *name, uint64_t revision,
                            struct failure *failure, uint64_t *ret_count);

/* Writes an array member `versions` of Revision objects; `name` NULL: of all at the path that have old
 * values.
 */
enum status variable_history(struct vault *vault, const char *path, const char *name, struct failure *failure,
                             struct json_writer *writer);

/* Removes what is placed exactly there, a block included, and keeps the value as an old one; STATUS_NOT_FOUND
 * names where else the name is placed. */
enum status variable_unset(struct vault *vault, const char *path, const char *name, struct failure *failure);

enum status variable_block(struct vault *vault, const char *path, const char *name, struct failure *failure);

/* For import.c, too. Keeps the value of `previous` as an old one, unless `next` (NULL: it is unset) has the
 * same. */
enum status variable_keep(struct vault *vault, const struct record *previous,
                          const struct variable_change *next, struct failure *failure);

/* The one final name of a variable, which a block takes as well. */
void variable_add_finals(struct vault *vault, struct record_draft *draft);

/* For import.c: what variable_set refuses without a look at the vault, and the record that it would write in
 * place of `previous` (NULL: none). The draft borrows path and name. */
enum status variable_check(const struct variable_change *change, struct failure *failure);
void variable_draft(struct vault *vault, const struct variable_change *change, const struct record *previous,
                    struct record_draft *ret_draft);

/* STATUS_NOT_FOUND with how its last value comes back, or where else the name is placed. */
enum status variable_missing(struct vault *vault, const char *path, const char *name,
                             struct failure *failure);

/* Writes an array member `variables` of Variable objects; `path` NULL: all. */
enum status variable_list(struct vault *vault, const char *path, const struct remark_filter *filter,
                          struct failure *failure, struct json_writer *writer);

#endif
