/* Where the answer of an authorization endpoint is to come: an address that the provider knows, and whether
 * something of ours listens there. */
#ifndef STEPVAULT_OAUTH_REDIRECT_H
#define STEPVAULT_OAUTH_REDIRECT_H

#include "base/secret.h"
#include "base/status.h"
#include "oauth/errand.h"
#include "oauth/loopback.h"

#define REDIRECT_HOST_MAX 32 /* bytes of [::1]:65535 and the like */

/* All zero is the valid empty value. */
struct redirect {
    struct secret uri;                /* as the provider gets it */
    struct loopback *loopback;        /* which may listen nowhere */
    char host[REDIRECT_HOST_MAX + 1]; /* of an address on loopback: what a browser says in Host */
    struct secret path;               /* likewise the path that it asks for */
};

/* Decides, and listens if the errand's flow is the browser's. The address is the registered one where the
 * client has one: one on loopback that names no port gets one; any other is sent as it is, and a person
 * brings the answer. Without one it is what the provider's facts say (catalog/facts.h), on the job's port,
 * the first free one of theirs, or any. STATUS_IN_USE: all the ports there are have other users.
 * STATUS_INVALID: the provider takes a registered address only, or the registered one and the job differ on
 * the port. */
enum status redirect_open(const struct errand *errand, struct failure *failure,
                          struct redirect *ret_redirect);
void redirect_reset(struct redirect *redirect);

#endif
