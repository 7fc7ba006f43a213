/* What a login does with the user's vault. Runs as the user. */
#ifndef STEPVAULT_HELPER_LOGIN_H
#define STEPVAULT_HELPER_LOGIN_H

#include "base/secret.h"
#include "base/status.h"
#include "message.h"

/* What came of it: entries for the session, and how many it may not have. All zero is the valid empty value.
 */
struct login {
    struct secret block; /* NAME=value, each ended by a NUL */
    uint32_t count;
    uint32_t skipped;
};
void login_reset(struct login *login);

/* A job's secrets, wiped as soon as their keys are derived. All zero is the valid empty value. */
struct login_secrets {
    struct secret password;
    struct secret new_password;
    struct secret keys;
};
void login_secrets_reset(struct login_secrets *secrets);

/* Does it. `secrets` are wiped on the way. What is in `ret_login` counts with MESSAGE_DONE alone, and is the
 * caller's to reset in any case. */
enum message_reason login_do(const struct message_job *job, struct login_secrets *secrets,
                             struct login *ret_login);

#endif
