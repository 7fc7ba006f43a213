/* What lists say of notes, expiries and age, of variables and accounts alike. */
#ifndef STEPVAULT_CLI_DUE_H
#define STEPVAULT_CLI_DUE_H

#include "output.h"
#include "json/json.h"

/* Adds one cell: what is due of the item (`expired`, `expires in 6 days`, `stale`, `restored`), and
 * `otherwise` if nothing is. */
void due_add_state(struct output_table *table, const struct json *item, const char *otherwise);

/* Adds two cells: until when it is good, and its note. */
void due_add_remarks(struct output_table *table, const struct json *item);

/* Prints the `revisions` of a reply; their names, too, where `named`. */
enum status due_print_history(const struct json *revisions, bool named, struct failure *failure);

#endif
