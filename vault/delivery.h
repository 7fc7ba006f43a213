/* Delivery: which of the things placed above a step it gets under which name, and every form in which it is
 * rendered. */
#ifndef STEPVAULT_DELIVERY_H
#define STEPVAULT_DELIVERY_H

#include "base/name.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

#define DELIVERY_LEVELS_MAX (NAME_PATH_WORDS_MAX + 1u)

/* What is placed at each path from the step upwards, as far as it inherits; borrowed. */
struct delivery_levels {
    const struct records *placed[DELIVERY_LEVELS_MAX];
    unsigned count;
};

/* An account the step gets, under the alias of its binding. */
struct delivery_account {
    const struct record *binding;
    const struct record *account;
    unsigned level;
};

/* A final variable. Blocked ones take the name and give nothing. */
struct delivery_variable {
    char *name;
    const char *value;
    size_t size;
    unsigned level;
    const struct record *source; /* the variable's record, or the binding's */
    const char *property;        /* of a derived one; else NULL */
    bool blocked;
};

struct delivery {
    struct delivery_account *accounts;
    size_t account_count;
    size_t account_capacity;
    struct delivery_variable *variables;
    size_t count;
    size_t capacity;
    uint32_t *index; /* open addressing over names; entry + 1, 0 is free */
    size_t index_capacity;
};

void delivery_freep(struct delivery **delivery);

/* Told of each candidate in turn: what became of it, and the path (or, for a conflict, the source) that
 * decided it. */
struct delivery_note {
    const char *name;
    const char *kind; /* variable, account or derived */
    const struct record *record;
    const char *property;
    const char *state; /* given, blocked, hidden, conflict */
    const char *by;
};
typedef void delivery_observe(const struct delivery_note *note, void *context);

/* Chooses by the one rule of placing: the nearest wins; within a level a variable beats a derived name, and
 * two derived sources of one name are an error naming both. With an `observe`, conflicts and dangerous names
 * are told, not refused. `levels` must outlive the result. */
enum status delivery_choose(struct vault *vault, const struct delivery_levels *levels, bool derive,
                            delivery_observe *observe, void *context, struct failure *failure,
                            struct delivery **ret_delivery);

/* Bytes of all values, names and documents, for the bound on a projection. The variables are counted once,
 * wherever they go. */
size_t delivery_size(const struct delivery *delivery, bool auths, bool credentials);

/* STATUS_NOT_FOUND where the folder of credentials would be empty, which would hide a missing binding;
 * STATUS_REFUSED where a file in it would be taken for something else. `alone`: the variables are in the
 * folder, too. */
enum status delivery_check_credentials(const struct delivery *delivery, const char *step, bool alone,
                                       struct failure *failure);

/* The variable of that name; NULL where the step gets none. */
const struct delivery_variable *delivery_find(const struct delivery *delivery, const char *name);

/* Members of a reply, or of the leaf. */
void delivery_write_json(const struct delivery *delivery,
                         struct json_writer *writer); /* variables, variables_base64 */
void delivery_write_auths(const struct delivery *delivery, const char *key, struct json_writer *writer);
void delivery_write_block(const struct delivery *delivery, struct json_writer *writer);    /* environment */
void delivery_write_document(const struct delivery *delivery, struct json_writer *writer); /* auths_base64 */
/* credentials, credentials_base64 */
void delivery_write_credentials(const struct delivery *delivery, bool alone, struct json_writer *writer);
/* credentials_entries */
void delivery_write_entries(const struct delivery *delivery, bool alone, struct json_writer *writer);
/* drop */
void delivery_write_drop(const struct vault *vault, const struct delivery *delivery,
                         const struct json *inherited, const struct json *keep, struct json_writer *writer);
/* alias, id, app and label */
void delivery_write_account(const struct delivery_account *account, struct json_writer *writer);
void delivery_write_leaf(const struct delivery *delivery, bool env, bool auths, bool credentials,
                         struct json_writer *writer);

#endif
