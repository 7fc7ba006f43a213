/* What the parts of the account share: account.c, account_find.c, account_property.c, account_connect.c and
 * token_renewal.c. */
#ifndef STEPVAULT_ACCOUNT_INTERIOR_H
#define STEPVAULT_ACCOUNT_INTERIOR_H

#include "account.h"

#define ACCOUNT_PROPERTY_PREFIX "property/"

/* STATUS_INVALID or STATUS_TOO_LARGE for a name that is none, or a value that is no text or too long. */
enum status account_check_properties(const struct json *properties, struct failure *failure);

void account_add_property(struct record_draft *draft, const char *property, const char *value, size_t size);
/* All of them; or those of `record` that are not in `instead` (NULL: nothing). */
void account_add_properties(struct record_draft *draft, const struct json *properties);
void account_copy_properties(struct record_draft *draft, const struct record *record,
                             const struct json *instead);

/* A draft that has all its properties gets its final names, unless it breaks the limits of one account. */
enum status account_complete(struct vault *vault, struct record_draft *draft, struct failure *failure);

bool account_field_is(const struct record *record, const char *field, const char *value, size_t size);
/* The same properties, with the same values; or of the same names. */
bool account_has_same_properties(const struct record *one, const struct record *other);
bool account_has_same_names(const struct record *one, const struct record *other);

/* STATUS_IN_USE where a binding names a property that `account` has and `next` has not. */
enum status account_check_lost(struct vault *vault, const struct record *account, const struct record *next,
                               struct failure *failure);
/* The same of one property. */
enum status account_check_unnamed(const struct records *bindings, const char *property,
                                  struct failure *failure);

/* A draft that differs from `previous` in its remarks, its label or its grant at most: all but the grant is
 * in it, and `updated` is when the properties were set. */
void account_resume(struct record_draft *draft, const struct record *previous, const char *label,
                    const struct remark *remark);

/* The label of a new account, or why there can be none. */
enum status account_choose_label(struct vault *vault, const char *app, const char *label,
                                 struct failure *failure, const char **ret_label);

/* Writes a complete draft, and answers with the account as it now stands, and the leaf's names. */
enum status account_write_and_answer(struct vault *vault, const struct record_draft *draft, struct leaf *leaf,
                                     struct json_writer *writer, struct failure *failure);

/* Writes the Account object, with its bindings. */
enum status account_write(struct vault *vault, const struct record *account, const char *key,
                          struct json_writer *writer, struct failure *failure);

/* STATUS_EXISTS etc. for an app that no new account can be of. */
enum status account_check_new_app(const char *app, struct failure *failure);

#endif
