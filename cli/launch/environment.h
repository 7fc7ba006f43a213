/* The child's environment, built as a value: our own is never edited. */
#ifndef STEPVAULT_LAUNCH_ENVIRONMENT_H
#define STEPVAULT_LAUNCH_ENVIRONMENT_H

#include "base/nameset.h"
#include "base/secret.h"
#include "base/status.h"
#include "client/received.h"
#include "launch/envfile.h"

#include <stdbool.h>
#include <stddef.h>

#define ENVIRONMENT_DELIVERED                                                                                \
    "STEPVAULT_DELIVERED" /* names a run delivered, for a run within it to take out */

/* What the environment is made of. The sets borrow their names. */
struct environment_plan {
    bool pristine;
    struct nameset keep;  /* of --keep */
    struct nameset outer; /* delivered by an outer run */
    struct nameset drop;  /* the agent's answer */
    const struct received *received;
    const struct envfile *envfile;  /* settled; beats what was received */
    const char *auths_path;         /* or NULL */
    const char *credentials_folder; /* or NULL */
};

/* Puts what the caller's environment says of an outer run into `plan`->outer. False when memory is out. */
bool environment_read_outer(struct environment_plan *plan);

/* True if `plan` lets the name of the caller's environment (`size` bytes) through, as far as is known without
 * the agent. */
bool environment_passes(struct environment_plan *plan, const char *name, size_t size);

/* Appends the JSON list of the names that pass, but for those that --pristine keeps, which are never dropped,
 * and those that no vault can know (not UTF-8, over 255 bytes). STATUS_TOO_LARGE where they are more than a
 * request holds. */
enum status environment_append_names(struct environment_plan *plan, struct failure *failure,
                                     struct secret *parameters);

struct environment {
    const char *
        *entries; /* NULL at [count]; borrowed from the caller's environment, the projection and `own` */
    size_t count;
    struct secret own; /* STEPVAULT_ entries */
};

enum status environment_build(struct environment_plan *plan, struct failure *failure,
                              struct environment *ret_environment);

/* Value of `name`, or NULL. */
const char *environment_value(const struct environment *environment, const char *name);

/* STATUS_TOO_LARGE, naming the largest entry and how much is too much, where the kernel would not take the
 * environment with these arguments. */
enum status environment_check_size(const struct environment *environment, const char *program,
                                   char *const argv[], struct failure *failure);

void environment_plan_reset(struct environment_plan *plan);
void environment_reset(struct environment *environment);

#endif
