/* Old values: what a variable, or an account's properties, were before they were replaced or unset. They lie
 * in a record of their own for each variable and account, which no projection opens (P10), and stay there
 * until newer ones push them out, they are forgotten, or the account or the variable's step is removed.
 *
 * Revisions count from 1; the newest old one is the number below the value that is in force. */
#ifndef STEPVAULT_PAST_H
#define STEPVAULT_PAST_H

#include "base/name.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

#define PAST_REVISIONS_MAX 10u
#define PAST_BYTES_MAX (256u * 1024u) /* of one document of old values */

/* Whose past. */
struct past_owner {
    enum record_kind kind; /* RECORD_PAST_VARIABLE or RECORD_PAST_ACCOUNT */
    const char *where;     /* borrowed */
    const char *subject;   /* for sentences: NAME or the app; borrowed */
    char name[NAME_VARIABLE_MAX + 1];
};
/* `name` has passed its check. */
void past_of_variable(struct past_owner *owner, const char *path, const char *name);
void past_of_account(struct past_owner *owner, const struct record *account);

/* The past of `owner`; an empty record where it has none. */
enum status past_find(struct vault *vault, const struct past_owner *owner, struct failure *failure,
                      struct record *ret_past);

/* Keeps the value of `replaced`, but what came with a grant, as the newest old one, and drops the oldest
 * beyond the bounds; a value over PAST_BYTES_MAX leaves none. `unset`: it was taken away, not replaced. */
enum status past_keep(struct vault *vault, const struct past_owner *owner, const struct record *replaced,
                      bool unset, struct failure *failure);

/* The number of the value in force. */
uint64_t past_current(const struct record *past);

/* The old revision that `wanted` means: 0 is the newest. STATUS_NOT_FOUND where there is none. */
enum status past_choose(const struct record *past, const struct past_owner *owner, uint64_t wanted,
                        struct failure *failure, uint64_t *ret_number);

/* A field of an old revision, as record_field and record_next have it. `position` starts at 0. */
const char *past_field(const struct record *past, uint64_t number, const char *field, size_t *ret_size);
bool past_next(const struct record *past, uint64_t number, const char *prefix, size_t *position,
               const char **ret_rest, const char **ret_value, size_t *ret_size);

/* Forgets the revision `wanted`, or all old ones for 0. STATUS_NOT_FOUND where there is none. */
enum status past_forget(struct vault *vault, const struct past_owner *owner, uint64_t wanted,
                        struct failure *failure, uint64_t *ret_count);

/* Removes the past, if there is one, with what it belongs to. */
enum status past_remove(struct vault *vault, const struct past_owner *owner, struct failure *failure);

/* Writes a Revision object for each old revision, oldest first, and one for the `live` record (NULL: there is
 * none) within an open array; without values. `path` and `name` are members of each, unless they are NULL. */
void past_write(const struct record *past, const struct record *live, const char *path, const char *name,
                struct json_writer *writer);

#endif
