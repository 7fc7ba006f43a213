/* How an account stands that was connected by OAuth, in lists and tables. */
#ifndef STEPVAULT_CLI_HEALTH_H
#define STEPVAULT_CLI_HEALTH_H

#include "output.h"
#include "json/json.h"

/* The next cell: `healthy, ends in 52m`, `needs reconnect: ...`; empty for an account that was not connected.
 */
void health_add(struct output_table *table, const struct json *account);

/* A row `what  it is` for each thing that is known of how the account was connected. */
void health_add_rows(struct output_table *table, const struct json *account);

#endif
