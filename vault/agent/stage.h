/* What one connection has staged of an import (StageImport): from its first call to the commit, an error, the
 * connection's end, or the lock. All stages together are bounded (P7). */
#ifndef STEPVAULT_AGENT_STAGE_H
#define STEPVAULT_AGENT_STAGE_H

#include "base/status.h"
#include "import.h"

#include <stdbool.h>
#include <stddef.h>

#define STAGE_COUNT_MAX 200000u     /* names in all stages together */
#define STAGE_BYTES_MAX (64u << 20) /* of names and values in all stages together */
#define STAGE_IDLE_MS 60000u        /* a connection with a stage has so long for its next call */

struct session;
struct stage;

/* For the session's open vault. A stage of a caller who brought a key for a locked vault keeps it open until
 * it is freed. */
enum status stage_start(struct session *session, struct failure *failure, struct stage **ret_stage);
void stage_freep(struct stage **stage);
/* The same within a turn, which closes a vault that it kept open. */
void stage_end(struct stage **stage);

/* Its import; NULL once the vault was locked or given a new key. */
struct import *stage_import(const struct stage *stage);

/* To be called after something was staged: STATUS_TOO_LARGE if that was too much. */
enum status stage_check(const struct stage *stage, struct failure *failure);

/* Before the vault is closed, or when it has a new key: nothing staged is of use any more. */
void stage_drop_all(struct session *session);

#endif
