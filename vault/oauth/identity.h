/* Whose account it is, and whether it works: a request to the provider's API that changes nothing (`test` and
 * `whoami` of the entry). */
#ifndef STEPVAULT_OAUTH_IDENTITY_H
#define STEPVAULT_OAUTH_IDENTITY_H

#include "base/secret.h"
#include "oauth/fault.h"
#include "oauth/provider.h"
#include "json/json.h"

#include <stdbool.h>

#define IDENTITY_TEXT_MAX 1024 /* bytes of an id or a name */

/* All zero is the valid empty value. */
struct identity {
    bool works;
    unsigned status;       /* of HTTP */
    struct json *document; /* the reply; NULL if it is no JSON */
    struct secret id;      /* empty: not said */
    struct secret name;    /* likewise; one line without what could steer a terminal */
};

/* Sends `entry`, which is the provider's `test` or `whoami`, with these properties, and waits `seconds` at
 * most. That the account does not work is no fault; that nobody could be asked is one. */
enum verdict identity_ask(const struct provider *provider, const struct json *properties,
                          const struct json *entry, unsigned seconds, struct fault *fault,
                          struct identity *ret_identity);

/* Writes the member `identity`, if there is something to say. */
void identity_write(const struct identity *identity, struct json_writer *writer);

void identity_reset(struct identity *identity);

#endif
