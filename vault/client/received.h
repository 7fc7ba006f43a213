/* What a step received: the reply of Project in the form `environment`, taken apart. */
#ifndef STEPVAULT_CLIENT_RECEIVED_H
#define STEPVAULT_CLIENT_RECEIVED_H

#include "base/secret.h"
#include "base/status.h"
#include "client/wire.h"

#include <stdbool.h>
#include <stddef.h>

/* All zero is the valid empty value. Everything is in secret memory. */
struct received {
    struct secret block;  /* NAME=value entries, each ended by a NUL */
    const char **entries; /* into the block; NULL at [count] */
    size_t count;
    struct secret auths;             /* the accounts' document, JSON text; empty where it was not asked for */
    struct secret credentials_block; /* likewise NAME=value entries */
    const char **credentials;        /* as `entries`: NAME is the name of a file */
    size_t credential_count;
    struct secret resolved_block; /* likewise */
    const char **resolved;        /* as `entries`: the values of references */
    size_t resolved_count;
};

#define RECEIVED_CREDENTIAL_MAX 255 /* bytes of a credential's name */

/* What was asked for beside the environment. */
enum received_part { RECEIVED_AUTHS = 1, RECEIVED_CREDENTIALS = 2, RECEIVED_REFERENCES = 4 };

/* Reads the reply's parameters. STATUS_PROTOCOL where a member is missing or malformed, an entry is no
 * variable (or the name of a credential is none of a file in its folder), or the document is no JSON object:
 * an agent does not do that. `parts` is a set of enum received_part. */
enum status received_read(struct wire_value parameters, unsigned parts, struct failure *failure,
                          struct received *ret_received);

/* Value of the variable `name`, or NULL. */
const char *received_variable(const struct received *received, const char *name);

/* Wipes, frees and empties. */
void received_reset(struct received *received);

#endif
