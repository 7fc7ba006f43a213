/* The flow of the authorization code (RFC 6749, 4.1): a person is sent to the provider, with PKCE's challenge
 * (RFC 7636, S256; never plain) and a state of this attempt alone, and the code that comes back, by the
 * browser to our listener or by hand, is exchanged for tokens. */
#ifndef STEPVAULT_OAUTH_AUTHORIZE_H
#define STEPVAULT_OAUTH_AUTHORIZE_H

#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/input.h"
#include "oauth/reply.h"

/* Waits at most the errand's seconds for the answer, tells by a notice which address is to be opened and
 * which pasted ones are of no use, exchanges the code, and only then shows the browser its page, so that the
 * page is true. VERDICT_CANCELLED: nobody answered in time, or `input` ended. */
enum verdict authorize_connect(const struct errand *errand, struct input *input, struct fault *fault,
                               struct reply *ret_reply);

#endif
