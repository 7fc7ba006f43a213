/* The jobs `connect` and `refresh`: by some flow or with a refresh token, tokens are got and told. */
#ifndef STEPVAULT_OAUTH_CONNECT_H
#define STEPVAULT_OAUTH_CONNECT_H

#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/input.h"

/* Both write the line of the answer `tokens` on VERDICT_OK. */
enum verdict connect_run(struct errand *errand, struct input *input, struct fault *fault,
                         struct secret *ret_line);

/* Each refresh token is used once. If the second one fails, what the first gave is told all the same, since
 * its old one is used up. */
enum verdict connect_refresh(struct errand *errand, struct input *input, struct fault *fault,
                             struct secret *ret_line);

#endif
