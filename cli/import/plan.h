/* What an import would bring: variables and accounts from whatever source, with what is left out and what is
 * refused, and why. Sources fill it; cmd_import.c checks, shows and sends it. Names, values and what they
 * came from lie in secret memory of the plan. */
#ifndef STEPVAULT_IMPORT_PLAN_H
#define STEPVAULT_IMPORT_PLAN_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PLAN_PROPERTIES_MAX 64               /* of one account */
#define PLAN_BYTES_MAX (48u * 1024u * 1024u) /* of all names and values */

enum plan_kind {
    PLAN_VARIABLE,
    PLAN_ACCOUNT,
    PLAN_LEFT_OUT, /* not a secret for a step: said, and no obstacle */
    PLAN_REFUSED   /* one of these, and nothing is imported */
};

struct plan_value {
    const char *name; /* of a property */
    const char *bytes;
    size_t size;
};

struct plan_row {
    enum plan_kind kind;
    const char *name;   /* the variable, or APP:LABEL; of the others what they would have been, or a title */
    const char *origin; /* "line 7", "the item GitHub" */
    const char *reason; /* why it is left out or refused; of the others what of it is left out; or NULL */
    struct plan_value value;       /* of a variable */
    const char *app, *label;       /* of an account */
    struct plan_value *properties; /* of an account */
    size_t property_count;
    char change; /* 'a' added, 'r' replaced, 'u' unchanged, once the agent has said so; else 0 */
};

struct plan_chunk;

/* All zero is the valid empty plan. */
struct plan {
    struct plan_row *rows;
    size_t count;
    size_t capacity;
    struct plan_chunk *chunks;
    size_t bytes;
    bool full;   /* PLAN_BYTES_MAX was passed */
    bool failed; /* memory is out; what was added since is not there */
};
void plan_reset(struct plan *plan);

/* Copies that last as long as the plan, with a NUL behind them. "" once memory is out, and then `failed` is
 * set: sources need not look. */
const char *plan_keep(struct plan *plan, const void *bytes, size_t size);
const char *plan_format(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each copies what it is given; `origin` and `reason` are kept as they are and must last. A value with a NUL
 * in it or over NAME_VALUE_MAX makes the row a refused one. */
void plan_add_variable(struct plan *plan, const char *name, const void *value, size_t size,
                       const char *origin, const char *reason);
void plan_add_account(struct plan *plan, const char *app, const char *label,
                      const struct plan_value *properties, size_t count, const char *origin,
                      const char *reason);
void plan_leave_out(struct plan *plan, const char *name, const char *origin, const char *reason);
void plan_refuse(struct plan *plan, const char *name, const char *origin, const char *reason);

/* Turns rows into refused ones whose names break their rules, and all that share a name. STATUS_NO_MEMORY or
 * STATUS_TOO_LARGE when the plan is not whole. */
enum status plan_check(struct plan *plan, bool allow_dangerous_name, struct failure *failure);

/* Leaves out what is refused so far, with the same reasons. */
void plan_skip_refused(struct plan *plan);

size_t plan_count(const struct plan *plan, enum plan_kind kind);

#endif
