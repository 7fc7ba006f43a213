/* A request with the account's credentials: what the server answers is passed on while it comes. */
#ifndef STEPVAULT_OAUTH_RELAY_H
#define STEPVAULT_OAUTH_RELAY_H

#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/input.h"

#define RELAY_BODY_MAX (64u * 1024 * 1024) /* bytes of a reply's body, decoded */
#define RELAY_SECONDS 300u                 /* that all of it may take */
#define RELAY_SILENCE_SECONDS 60u          /* that may pass without a byte */

/* VERDICT_REFUSED for what may not be sent; VERDICT_CANCELLED when the input ends meanwhile. */
enum verdict relay_run(struct errand *errand, struct input *input, struct fault *fault,
                       struct secret *ret_line);

#endif
