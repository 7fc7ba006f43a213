/* Asking a provider once about an account, by a helper: a job with one reply. */
#ifndef STEPVAULT_AGENT_ASKING_H
#define STEPVAULT_AGENT_ASKING_H

#include "base/secret.h"
#include "base/status.h"
#include "leaf.h"
#include "record.h"

struct job;
struct session;

/* Whether the account's token works (TestAccount). `line` is the helper's job, and is taken. A token that the
 * app does not take (401) is renewed once (rejection.h) and tried again, each request with a leaf in the name
 * of `caller`; what comes of it is noted in the account (token_note_trial). */
enum status asking_start_test(struct session *session, struct secret *line, const struct record *account,
                              const struct leaf_caller *caller, struct failure *failure,
                              struct job **ret_job);

/* Has its tokens revoked, as far as the provider lets us, and removes the account whatever came of it
 * (DisconnectAccount); `caller` stands in the leaf of the removal. A job that ends before has removed
 * nothing, and may be asked for again. */
enum status asking_start_end(struct session *session, struct secret *line, const struct record *account,
                             const struct leaf_caller *caller, struct failure *failure, struct job **ret_job);

#endif
