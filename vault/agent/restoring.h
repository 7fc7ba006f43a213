/* What one connection has staged to be restored (StageRestore, Restore): from its first call to the exchange
 * of the files, an error, the connection's end, or the lock. */
#ifndef STEPVAULT_AGENT_RESTORING_H
#define STEPVAULT_AGENT_RESTORING_H

#include "base/status.h"
#include "restoration.h"

#define RESTORING_IDLE_MS 600000u /* a person reads what will be lost, and types a passphrase */

struct session;
struct restoring;

enum status restoring_start(struct session *session, struct failure *failure,
                            struct restoring **ret_restoring);
void restoring_freep(struct restoring **restoring);

/* What is staged; NULL once the vault was locked. */
struct restoration *restoring_staged(const struct restoring *restoring);

/* Before the agent ends: what was staged is removed. */
void restoring_drop_all(struct session *session);

#endif
