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
    struct secret auths; /* the accounts' document, JSON text; empty where it was not asked for */
};

/* Reads the reply's parameters. STATUS_PROTOCOL where a member is missing or malformed, an entry is no
 * variable, or the document is no JSON object: an agent does not do that. `auths` says whether the document
 * was asked for. */
enum status received_read(struct wire_value parameters, bool auths, struct failure *failure,
                          struct received *ret_received);

/* Value of the variable `name`, or NULL. */
const char *received_variable(const struct received *received, const char *name);

/* Wipes, frees and empties. */
void received_reset(struct received *received);

#endif
