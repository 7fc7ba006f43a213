/* The job `test`: does the account work? */
#ifndef STEPVAULT_OAUTH_TRIAL_H
#define STEPVAULT_OAUTH_TRIAL_H

#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/input.h"

/* Sends the entry's `test`, else its `whoami`, and writes the line of the answer `tested`. VERDICT_REFUSED if
 * the entry has neither. */
enum verdict trial_run(struct errand *errand, struct input *input, struct fault *fault,
                       struct secret *ret_line);

#endif
