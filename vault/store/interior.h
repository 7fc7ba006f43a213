/* What the files that implement store.h share. */
#ifndef STEPVAULT_STORE_INTERIOR_H
#define STEPVAULT_STORE_INTERIOR_H

#include "store/disk.h"
#include "store/queue.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <stdbool.h>

struct store {
    struct sqlite *sqlite;
    int place; /* in the queue (queue.h), for as long as the file is open */
    bool in_batch;
    bool loading;            /* within store_load_begin and store_load_end, without indices */
    bool wide;               /* store_widen was called in this batch */
    bool unfolded;           /* store_fold has something to do */
    char *path;              /* of a vault in the making, whose file has another name until it is published */
    struct disk_draft draft; /* its folder is -1 for a vault that is there already */
};

/* Steps to the first row of a statement that has at most one; false at its end or on an error. */
bool store_step_once(struct store *store, sqlite3_stmt *statement, struct failure *failure,
                     enum status *ret_status);

/* The statement of something that writes, which is STATUS_FAILED outside a batch. */
enum status store_writing_statement(struct store *store, enum schema_statement which, struct failure *failure,
                                    sqlite3_stmt **ret_statement);

#endif
