/* Accounts: connected accounts of apps, with named properties. */
#ifndef STEPVAULT_ACCOUNT_H
#define STEPVAULT_ACCOUNT_H

#include "leaf.h"
#include "record.h"
#include "remark.h"
#include "token.h"
#include "vault.h"
#include "json/json.h"

#define ACCOUNT_PROPERTIES_MAX 256

/* When the account came back with a restored copy, of one whose issuer may have given a newer refresh token
 * since and take this one for stolen. Goes when properties are set. */
#define ACCOUNT_FIELD_RESTORED "restored"

/* Each of these fills account, app and label of `leaf` (never NULL) as soon as they are known. Objects
 * written are the Account of the interface, under key `account`. `remark` is never NULL. */
enum status account_add(struct vault *vault, const char *app, const char *label,
                        const struct json *properties, const struct remark *remark, struct leaf *leaf,
                        struct failure *failure, struct json_writer *writer);
enum status account_show(struct vault *vault, const char *account, struct failure *failure,
                         struct json_writer *writer);
/* `unset` is an array of property names or NULL. A property that a binding names cannot be unset. A change
 * drops the expiry that `remark` does not give again; the properties as they were are kept as old ones
 * (past.h).
 */
enum status account_set(struct vault *vault, const char *account, const struct json *properties,
                        const struct json *unset, const struct remark *remark, struct leaf *leaf,
                        struct failure *failure, struct json_writer *writer);
/* Changes note and expiry alone. */
enum status account_annotate(struct vault *vault, const char *account, const struct remark *remark,
                             struct leaf *leaf, struct failure *failure, struct json_writer *writer);
/* Gives the account all its properties, and the expiry, of the old revision (0: the newest old one) again, by
 * the rules of account_set. */
enum status account_restore(struct vault *vault, const char *account, uint64_t revision, struct leaf *leaf,
                            struct failure *failure, struct json_writer *writer, uint64_t *ret_revision);
/* Forgets an old revision, or all of them for 0. */
enum status account_forget(struct vault *vault, const char *account, uint64_t revision, struct leaf *leaf,
                           struct failure *failure, uint64_t *ret_count);
/* Writes an array member `versions` of Revision objects. */
enum status account_history(struct vault *vault, const char *account, struct failure *failure,
                            struct json_writer *writer);
enum status account_rename(struct vault *vault, const char *account, const char *label, struct leaf *leaf,
                           struct failure *failure, struct json_writer *writer);
enum status account_remove(struct vault *vault, const char *account, struct leaf *leaf,
                           struct failure *failure);
/* Writes an array member `accounts`; `app` NULL: all. An app that is written with `_` is found with `-`, too.
 */
enum status account_list(struct vault *vault, const char *app, const struct remark_filter *filter,
                         struct failure *failure, struct json_writer *writer);

/* The accounts of an app, as account_list has it. */
enum status account_find_all(struct vault *vault, const char *app, struct failure *failure,
                             struct records *ret_accounts);

/* An account connected by OAuth (account_connect.c). Texts are borrowed. */
struct account_connection {
    const char *app;     /* of a new account */
    const char *label;   /* of a new account; NULL: as account_add has it */
    const char *account; /* NULL: a new one; else the one that is connected anew */
    bool other_identity; /* that one may have been somebody else's until now */
    struct token_grant grant;
    /* What the person gave of it, by name; NULL: nothing. Those of `result` go before. */
    const struct json *properties;
    const struct token_result *result; /* that was given */
    struct remark remark;
};
/* Adds the account; or gives `account` the new grant and its properties in place of the old ones, without an
 * old revision: id, label, bindings, note and the properties that are not given stay, a refresh token too
 * where none came and the identity is the same. STATUS_REFUSED where the identity is another and
 * other_identity is not set; STATUS_IN_USE where a binding names a token that is not given any more. Beside
 * `account` writes `twin` (app:label) where the app has another account of the same identity: its provider
 * may have ended that one's grant. Leaf: app, label, account, and in its details grant, client, generation,
 * the names of the properties, and the scopes that were given. */
enum status account_connect(struct vault *vault, const struct account_connection *connection,
                            struct leaf *leaf, struct failure *failure, struct json_writer *writer);
/* STATUS_IN_USE lists the bindings that stand in the way of account_remove: for whoever does something first
 * that cannot be taken back. */
enum status account_check_unbound(struct vault *vault, const struct record *account, struct failure *failure);

/* For the other nouns. Finds the account that `account` means: `app`, `app:label` or the id. STATUS_AMBIGUOUS
 * lists the choices. */
enum status account_resolve(struct vault *vault, const char *account, struct failure *failure,
                            struct record *ret_record);
/* The same, and fills the leaf as the nouns do. */
enum status account_resolve_for(struct vault *vault, const char *account, struct leaf *leaf,
                                struct failure *failure, struct record *ret_record);

/* One that was found before, by its id: it may have other properties by now. Fills the leaf as the nouns do.
 * STATUS_NOT_FOUND: it is not there any more. */
enum status account_find_again(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct leaf *leaf,
                               struct failure *failure, struct record *ret_account);

/* For import.c: the record of a new account, after the checks of account_add that need no look at the vault;
 * and `previous` with the properties and the note of `given`, after those of account_set. `*ret_changed` is
 * false where it had them already. Drafts borrow the names. */
enum status account_draft(struct vault *vault, const char *app, const char *label,
                          const struct json *properties, const struct remark *remark, struct failure *failure,
                          struct record_draft *ret_draft);
/* Keeps the properties of `previous` as an old revision, unless the draft that is to replace it has the same.
 */
enum status account_keep(struct vault *vault, const struct record *previous, const struct record_draft *next,
                         struct failure *failure);
enum status account_merge(struct vault *vault, const struct record *previous, const struct record *given,
                          struct failure *failure, struct record_draft *ret_draft, bool *ret_changed);

/* The names that an account derives under its app's default alias, because an inherited variable of such a
 * name is dropped. Of a draft that has its properties; part of account_draft and account_merge. */
void account_add_finals(struct vault *vault, struct record_draft *draft);

/* Its id in hexadecimal. */
void account_id(const struct record *account, char destination[33]);

/* Fills account, app and label of the leaf. */
void account_name_in_leaf(const struct record *account, struct leaf *leaf);

/* The value of a property, NULL if it has none of that name. */
const char *account_property(const struct record *account, const char *property, size_t *ret_size);

#endif
