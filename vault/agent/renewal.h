/* Renewals: the refreshing of accounts' tokens, each by one helper for all who wait for it (oauth.md 3.1).
 * What is asked for in a turn is begun after it, in a turn of the agent's own: the intent is durable before
 * the helper has the refresh token, and what comes back is durable before anybody is woken. An answer that
 * cannot be stored stays in memory, and is tried again each second: the provider may have ended what it
 * replaces. */
#ifndef STEPVAULT_AGENT_RENEWAL_H
#define STEPVAULT_AGENT_RENEWAL_H

#include "agent/parking.h"
#include "base/status.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RENEWAL_AGAIN_MS 1000u /* after an answer could not be stored */

struct session;
struct renewal; /* one account's */

/* What a call does that meets an account whose token should be renewed, or has ended; `usable`: it may be
 * handed out as it is, and then nobody waits longer than PARKING_PATIENCE_MS, unless the agent is there for
 * one command, which waits for its end anyway; nor for the request of an agent that has ended. `before` is
 * the call's parking of its last serving, or NULL. STATUS_OK: take it as it is; STATUS_WAITS: the call is
 * parked at `*parking`, once it has met its other accounts, too. */
enum status renewal_wait(struct session *session, const uint8_t id[STORE_ID_SIZE], bool usable,
                         const struct parking *before, struct failure *failure, struct parking **parking);

/* Asks for a renewal, unless one is under way, and waits for it. `force` as in token_begin. */
enum status renewal_ask(struct session *session, const uint8_t id[STORE_ID_SIZE], bool force,
                        struct parking *parking, struct failure *failure);

/* The same for tokens of `generation` that an API has refused: none begins where the account has others by
 * then. */
enum status renewal_ask_instead(struct session *session, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                                struct parking *parking, struct failure *failure);

/* Waits for the renewal of the account that is under way, if there is one. */
enum status renewal_join(struct session *session, const uint8_t id[STORE_ID_SIZE], struct parking *parking,
                         struct failure *failure);

/* Between turns: stores what was answered, begins what was asked for. */
void renewals_work(struct session *session);

/* When that has something to do: clock_monotonic_ms; 0: nothing, before a helper answers. */
uint64_t renewals_due(const struct session *session);

/* Those of which a request may have reached a provider and nothing is stored yet. */
size_t renewals_under_way(const struct session *session);

/* The agent is to end: what is not begun never will be. */
void renewals_abandon(struct session *session);

/* Before the vault is closed: nothing can be stored any more. All who wait are woken. */
void renewals_drop_all(struct session *session);

#endif
