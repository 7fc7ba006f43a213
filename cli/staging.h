/* The way of an import to the agent: calls of StageImport on one connection, as many as it takes, and the
 * last one commits. */
#ifndef STEPVAULT_CLI_STAGING_H
#define STEPVAULT_CLI_STAGING_H

#include "base/status.h"
#include "command.h"
#include "import/plan.h"

#include <stdbool.h>
#include <stddef.h>

struct staging_counts {
    size_t added;
    size_t replaced;
    size_t unchanged;
};

/* Sends the variables, to be placed at `path`, and the accounts of a plan. The options `--replace`,
 * `--dry-run` and
 * `--allow-dangerous-name` are the invocation's. With --dry-run the agent changes nothing, and the rows'
 * `change` is set. */
enum status staging_send(const struct invocation *invocation, struct plan *plan, const char *path,
                         struct failure *failure, struct staging_counts *ret_counts);

#endif
