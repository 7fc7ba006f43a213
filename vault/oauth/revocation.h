/* The job `revoke`: tells the provider that tokens are not to be good any more (RFC 7009, or as the provider
 * has it), the refresh token first, because most let the rest of the grant end with it. */
#ifndef STEPVAULT_OAUTH_REVOCATION_H
#define STEPVAULT_OAUTH_REVOCATION_H

#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/input.h"

/* Writes the line of the answer `revoked`, with what the provider took; none of it where there is no way to
 * revoke. A fault only if there is one, and nothing was taken. */
enum verdict revocation_run(struct errand *errand, struct input *input, struct fault *fault,
                            struct secret *ret_line);

#endif
