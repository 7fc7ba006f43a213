/* Moving a path, and everything at and below it, to another. */
#ifndef STEPVAULT_MOVE_H
#define STEPVAULT_MOVE_H

#include "vault.h"
#include "json/json.h"

/* One call moves no more: nobody else is served meanwhile. */
#define MOVE_RECORDS_MAX 10000u

struct move_change {
    const char *path;
    const char *to;
    bool dry_run; /* decides and counts, and changes nothing */
};

/* Moves the path with what lies below it: variables and blocks, bindings, boundaries, notes, old values.
 * Writes `paths`, `variables` and `accounts`, how many are moved, and `gained`, `lost` and `changed`, the
 * names that the path inherits at its new place and not at its old one, the other way round, and from another
 * placing. STATUS_IN_USE says what `to` is used for; STATUS_INVALID for `/`, for a `to` at or below the path,
 * and where a path would get too long; STATUS_TOO_LARGE for more than MOVE_RECORDS_MAX records. */
enum status move_path(struct vault *vault, const struct move_change *change, struct failure *failure,
                      struct json_writer *writer);

#endif
