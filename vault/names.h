/* Names alone, for whoever types one: those that begin as what was typed, and the one that was meant by what
 * is not there. Bounded in time and number, because a person waits; what was left out is said. */
#ifndef STEPVAULT_NAMES_H
#define STEPVAULT_NAMES_H

#include "base/status.h"
#include "vault.h"
#include "json/json.h"

#include <stddef.h>

#define NAMES_MAX 500u
#define NAMES_TIME_MS 15u

struct names_request {
    const char *kind;    /* path, variable, inherited, past, account, client, app, alias, property */
    const char *prefix;  /* what the names begin with; "" for all */
    const char *path;    /* variable, past, alias: placed exactly there; inherited: above it */
    const char *account; /* property: whose */
};

/* Writes members `names`, an array of {name, detail} in order of name, and `more`, true where NAMES_MAX or
 * NAMES_TIME_MS cut it. Paths come one level at a time: the children of the prefix's parent, and below the
 * only one that fits. What is not there has no names; STATUS_INVALID for an unknown kind or a member that is
 * missing. */
enum status names_list(struct vault *vault, const struct names_request *request, struct failure *failure,
                       struct json_writer *writer);

/* The name nearest to `name`, and not the same, among its siblings: variables placed at `where`, apps of
 * accounts
 * (`where` NULL), labels of the app `where`, or paths right below `where`. `ret_near` is "" where none is
 * near. Looks at 1000 of them at most. */
enum names_sort { NAMES_VARIABLE, NAMES_APP, NAMES_LABEL, NAMES_PATH };
#define NAMES_NEAR_SIZE 256u
enum status names_near(struct vault *vault, enum names_sort sort, const char *where, const char *name,
                       struct failure *failure, char ret_near[NAMES_NEAR_SIZE]);

#endif
