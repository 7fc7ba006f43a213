/* Whose account was connected, and where it is kept: as which one, in the place of which, under what label.
 */
#ifndef STEPVAULT_CLI_IDENTITY_H
#define STEPVAULT_CLI_IDENTITY_H

#include "attempt.h"
#include "base/name.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>

#define IDENTITY_ACCOUNT_SIZE 128

struct identity_place {
    char account[IDENTITY_ACCOUNT_SIZE]; /* id of the one that it takes the place of; empty: a new one */
    char label[NAME_LABEL_MAX + 1];      /* of a new one; empty: the agent's default */
    bool other_identity;                 /* it was somebody else's, and the person knows */
};

/* Before anybody is bothered: STATUS_EXISTS where --label names an account that is there. */
enum status identity_check_label(const struct attempt *attempt, struct failure *failure);

/* `given` is the last reply of Connect. Where the same identity is connected already, or an account gets
 * another's, the person decides; without a terminal STATUS_EXISTS or STATUS_REFUSED says which option does,
 * but for an import of the same identity, which is kept under a label of its own. */
enum status identity_choose_place(const struct attempt *attempt, const struct json *given,
                                  struct failure *failure, struct identity_place *ret_place);

/* What was connected, on stderr. `kept` is the reply of KeepAccount. */
void identity_tell(const struct json *given, const struct json *kept);

/* `base` made into a label, at most as long as one is; empty where nothing is left. */
void identity_make_label(const char *base, char destination[NAME_LABEL_MAX + 1]);

#endif
