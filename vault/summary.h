/* How many values of the vault have expired, expire soon, or are stale. Times are sealed, so this needs every
 * variable and account to be opened once after unlocking; what was seen is remembered with the row's term
 * (state.h) until the row is written again, and each call opens only as many as it has time for. */
#ifndef STEPVAULT_SUMMARY_H
#define STEPVAULT_SUMMARY_H

#include "vault.h"

#include <stdint.h>

struct summary {
    uint64_t expired;
    uint64_t expiring; /* and not expired */
    uint64_t stale;
    uint64_t unread; /* rows that there was no time to look at: the counts are without them */
};

/* Looks at rows that were not seen yet for at most `budget_ms`, and counts those that were. */
void summary_take(struct vault *vault, unsigned budget_ms, struct summary *ret_summary);

#endif
