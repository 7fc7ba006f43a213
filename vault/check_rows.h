/* The rows of a check: each record opened, held to what its document says, and counted into the sum. For
 * check.c. */
#ifndef STEPVAULT_CHECK_ROWS_H
#define STEPVAULT_CHECK_ROWS_H

#include "base/secret.h"
#include "state.h"
#include "store/store.h"
#include "vault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_binding;
struct check_place;

struct check_rows {
    struct vault *vault;
    struct check_place *places; /* hashed already */
    bool remember; /* the vault remembers no row yet: it does from now on; else each is compared with what it
                      remembers */
    struct state found; /* sum and count of the rows */
    uint64_t records;
    uint64_t wrong; /* of them */
    struct failure first_wrong;
    struct secret document; /* the one at hand */
    struct check_binding *bindings;
    size_t binding_count;
    size_t binding_capacity;
    size_t binding_next;
};

/* Begins with all rows that are no records. */
enum status check_rows_start(struct check_rows *rows, struct vault *vault, bool remember,
                             struct failure *failure);
void check_rows_reset(struct check_rows *rows);

/* A store_visit on struct check_rows. A record that is wrong is noted, and no failure. */
enum status check_rows_visit(void *context, const struct store_record *row, struct failure *failure);

/* Once all were visited: holds at most `limit` bindings to the accounts they name. Nothing may have been
 * written meanwhile. */
enum status check_rows_bindings(struct check_rows *rows, size_t limit, struct failure *failure,
                                bool *ret_done);

#endif
