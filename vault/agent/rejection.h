/* An access token that an API does not take (status 401) although it has not ended: its grant may have been
 * revoked, or the provider has ended the token early. Whoever sent it has the account's tokens renewed ONCE,
 * and then asks the same once more (research 3.2 and 3.3). However many ask, of one generation one renewal
 * comes, and none of a generation that came of a rejection.
 *
 * Whoever was answered REJECTION_STATUS for the first time calls rejection_start with the generation of the
 * token that it sent (token_generation), waits while rejection_is_pending, and asks for the outcome. With
 * REJECTION_RETRY it reads the account anew (account_find_again) and asks once more, with a leaf of its own.
 * With the others the answer stands: REJECTION_FINAL where the token cannot be renewed, or renewing it was
 * refused as dead; REJECTION_UNKNOWN where it could not be renewed now, and the failure says why. In any case
 * rejection_freep ends it, while the vault is open.
 *
 * All of it between turns, from the slices of a job (job.h) that keeps the vault open; the renewal has turns
 * and leaves of its own (renewal.h). */
#ifndef STEPVAULT_AGENT_REJECTION_H
#define STEPVAULT_AGENT_REJECTION_H

#include "base/status.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Of HTTP: what an API says of a token that it does not take. */
#define REJECTION_STATUS 401

struct session;
struct rejection;

enum rejection_outcome { REJECTION_RETRY, REJECTION_FINAL, REJECTION_UNKNOWN };

/* `generation`: of the token that was refused. STATUS_NOT_FOUND: there is no such account any more;
 * STATUS_LOCKED: the vault is being locked. */
enum status rejection_start(struct session *session, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                            struct failure *failure, struct rejection **ret_rejection);

/* True while a renewal is under way. */
bool rejection_is_pending(const struct rejection *rejection);

/* Once that is over. `ret_why` is set to a sentence, or its status is STATUS_OK where there is none; of
 * REJECTION_RETRY it has none. */
enum rejection_outcome rejection_find_outcome(const struct rejection *rejection, struct failure *ret_why);

void rejection_freep(struct rejection **rejection);

#endif
