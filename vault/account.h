/* Accounts: connected accounts of apps, with named properties. */
#ifndef STEPVAULT_ACCOUNT_H
#define STEPVAULT_ACCOUNT_H

#include "leaf.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

#define ACCOUNT_PROPERTIES_MAX 256

/* Each of these fills account, app and label of `leaf` (never NULL) as soon as they are known. Objects
 * written are the Account of the interface, under key `account`. */
enum status account_add(struct vault *vault, const char *app, const char *label,
                        const struct json *properties, struct leaf *leaf, struct failure *failure,
                        struct json_writer *writer);
enum status account_show(struct vault *vault, const char *account, struct failure *failure,
                         struct json_writer *writer);
/* `unset` is an array of property names or NULL. A property that a binding names cannot be unset. */
enum status account_set(struct vault *vault, const char *account, const struct json *properties,
                        const struct json *unset, struct leaf *leaf, struct failure *failure,
                        struct json_writer *writer);
enum status account_rename(struct vault *vault, const char *account, const char *label, struct leaf *leaf,
                           struct failure *failure, struct json_writer *writer);
enum status account_remove(struct vault *vault, const char *account, struct leaf *leaf,
                           struct failure *failure);
/* Writes an array member `accounts`; `app` NULL: all. */
enum status account_list(struct vault *vault, const char *app, struct failure *failure,
                         struct json_writer *writer);

/* For the other nouns. Finds the account that `account` means: `app`, `app:label` or the id. STATUS_AMBIGUOUS
 * lists the choices. */
enum status account_resolve(struct vault *vault, const char *account, struct failure *failure,
                            struct record *ret_record);

/* For import.c: the record of a new account, after the checks of account_add that need no look at the vault;
 * and `previous` with the properties and the note of `given`, after those of account_set. `*ret_changed` is
 * false where it had them already. Drafts borrow the names. */
enum status account_draft(struct vault *vault, const char *app, const char *label,
                          const struct json *properties, const char *note, struct failure *failure,
                          struct record_draft *ret_draft);
enum status account_merge(struct vault *vault, const struct record *previous, const struct record *given,
                          struct failure *failure, struct record_draft *ret_draft, bool *ret_changed);

/* Its id in hexadecimal. */
void account_id(const struct record *account, char destination[33]);

/* Fills account, app and label of the leaf. */
void account_name_in_leaf(const struct record *account, struct leaf *leaf);

/* The value of a property, NULL if it has none of that name. */
const char *account_property(const struct record *account, const char *property, size_t *ret_size);

#endif
