/* The answer of an errand that got tokens: what of the replies becomes properties of the account. */
#ifndef STEPVAULT_OAUTH_TOKENS_H
#define STEPVAULT_OAUTH_TOKENS_H

#include "base/secret.h"
#include "oauth/errand.h"
#include "oauth/identity.h"
#include "oauth/reply.h"

#include <stdbool.h>

/* What there is to tell; all but `errand` and `reply` may be NULL. */
struct tokens {
    const struct errand *errand;
    const struct reply *reply;
    const struct reply *second;      /* to the request that renewed the second token */
    const struct identity *identity; /* of whoever connected */
    const char *requested;           /* the scopes that were asked for, separated by blanks; of connecting */
    uint64_t soonest_ms;             /* due at the latest then, whatever the replies say; 0: nothing */
};

/* Writes the properties to be stored as an object: the access token; a refresh token, if one came; the second
 * ones likewise; the client's id; and each field that is taken from the reply, the redirect or the identity,
 * if there is something that fits it. */
bool tokens_write_properties(const struct tokens *tokens, struct json_writer *writer, const char *key);

/* Writes the whole answer. False when memory is out. */
bool tokens_write_answer(const struct tokens *tokens, struct secret *line);

#endif
