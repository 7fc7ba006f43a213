/* The parts of `audit` beside cmd_audit.c, which has the rows of all of them. */
#ifndef STEPVAULT_CLI_AUDIT_H
#define STEPVAULT_CLI_AUDIT_H

#include "base/status.h"
#include "command.h"
#include "exchange.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

enum status audit_log(struct invocation *invocation, struct failure *failure);
enum status audit_export(struct invocation *invocation, struct failure *failure);
enum status audit_who(struct invocation *invocation, struct failure *failure);
enum status audit_verify(struct invocation *invocation, struct failure *failure);
enum status audit_prove(struct invocation *invocation, struct failure *failure);
enum status audit_prune(struct invocation *invocation, struct failure *failure);

/* Asks `question`, a ReadLog, and visits the parameters of each reply, oldest entries first, until one visit
 * sets `*ret_enough` or fails. */
typedef enum status audit_visit(void *context, const struct json *parameters, struct failure *failure,
                                bool *ret_enough);
enum status audit_read(const struct invocation *invocation, struct question *question, audit_visit *visit,
                       void *context, struct failure *failure);

/* Says that an answer lacks what was pruned, if anything was. */
void audit_note_pruned(int64_t pruned);

/* Adds `since` where the option was given. */
enum status audit_add_since(const struct invocation *invocation, struct question *question,
                            struct failure *failure);

#endif
