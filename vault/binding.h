/* Bindings: an account placed at a path under an alias. */
#ifndef STEPVAULT_BINDING_H
#define STEPVAULT_BINDING_H

#include "base/name.h"
#include "leaf.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

struct binding_change {
    const char *path;
    const char *account;
    const char *alias;              /* NULL: the app's */
    const struct json *only;        /* array of property names, or NULL for all */
    const struct json *environment; /* object of final name to property, or NULL */
    bool replace;
    bool allow_dangerous_name;
};

/* Fills the leaf as account.h says. Writes `binding` and `changed`. */
enum status binding_bind(struct vault *vault, const struct binding_change *change, struct leaf *leaf,
                         struct failure *failure, struct json_writer *writer);
enum status binding_unbind(struct vault *vault, const char *path, const char *alias, struct leaf *leaf,
                           struct failure *failure);

/* For the other nouns. The bindings of an account, in order of path and alias. */
enum status binding_list_of(struct vault *vault, const struct record *account, struct failure *failure,
                            struct records *ret_bindings);

/* STATUS_OK if the names that the bindings of `account` would give, with the properties it has here, break no
 * rule and clash with nothing: for an account about to be written. */
enum status binding_check_names(struct vault *vault, const struct record *account, struct failure *failure);

/* Recomputes the final names of every binding of an account whose properties changed. */
enum status binding_renew_names(struct vault *vault, const struct record *account, struct failure *failure);

/* True if the binding names the property, in `only` or by a final name of its own. */
bool binding_names_property(const struct record *binding, const char *property);

/* True if the step gets the property of the account: every one but a refresh token, or those the binding
 * names. Of an account without a grant, where names are whatever somebody chose, a refresh token is
 * `oauth_refresh_token` alone. */
bool binding_gives_property(const struct record *binding, const struct record *account, const char *property);

/* True if dangerous final names were allowed at bind. */
bool binding_allows_dangerous_names(const struct record *binding);

/* The id of the bound account. False if the record is not what a binding is. */
bool binding_account_id(const struct record *binding, uint8_t ret_id[STORE_ID_SIZE]);

/* Walks the final variables of a binding: each property it gives under its own names, or else the derived
 * one. Zero the walk but for the two records; the name is valid until the next step. */
struct binding_walk {
    const struct record *binding;
    const struct record *account;
    size_t property_position;
    size_t rename_position;
    bool within; /* a property is being renamed; more names of it may follow */
    const char *property;
    const char *value;
    size_t value_size;
    char name[NAME_VARIABLE_MAX + 1];
};
bool binding_next(struct binding_walk *walk);

/* The final names that the binding gives of the account. */
void binding_add_finals(struct vault *vault, struct record_draft *draft, const struct record *binding,
                        const struct record *account);

/* Writes one Binding object. */
void binding_write(const struct record *binding, const struct record *account, const char *key,
                   struct json_writer *writer);

#endif
