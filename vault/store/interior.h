/* What the files that implement store.h share. */
#ifndef STEPVAULT_STORE_INTERIOR_H
#define STEPVAULT_STORE_INTERIOR_H

#include "store/disk.h"
#include "store/queue.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <stdbool.h>

/* The file and its write-ahead log as we left them (watch.c). */
struct watch {
    bool begun; /* not for a vault in the making */
    bool left;  /* nothing is written to them any more */
    bool moved; /* what we have open is as we left it, but has another name or none */
    struct disk_mark file;
    struct disk_mark log;
    struct disk_mark seen_file; /* by the last look */
    struct disk_mark seen_log;
};

struct store {
    struct sqlite *sqlite;
    int place; /* in the queue (queue.h), for as long as the file is open */
    bool in_batch;
    bool loading;  /* within store_load_begin and store_load_end, without indices */
    bool wide;     /* store_widen was called in this batch */
    bool unfolded; /* store_fold has something to do */
    struct watch watch;
    char *path;              /* of a vault in the making, whose file has another name until it is published */
    struct disk_draft draft; /* its folder is -1 for a vault that is there already */
    struct store_scan *scans; /* those that are under way */
};

/* Before anything is written: ends the walks that are under way, which see the rows as they were. */
void store_scans_interrupt(struct store *store);

/* Steps to the first row of a statement that has at most one; false at its end or on an error. */
bool store_step_once(struct store *store, sqlite3_stmt *statement, struct failure *failure,
                     enum status *ret_status);

/* The statement of something that writes, which is STATUS_FAILED outside a batch. */
enum status store_writing_statement(struct store *store, enum schema_statement which, struct failure *failure,
                                    sqlite3_stmt **ret_statement);

/* Begins to watch the files of a store that was just opened as `file`. */
enum status store_watch(struct store *store, const struct disk_file *file, struct failure *failure);
/* After we wrote: this is how the files are to be. The main file is written only by folding. */
void store_mark(struct store *store, bool folded);
/* Closes the connection, without harm to files that are not ours. */
void store_release(struct store *store);

/* STATUS_CORRUPT unless the pages of every tree but the log's are its own alone, and the last thing in the
 * file (pages.c). */
enum status store_check_pages(struct store *store, struct failure *failure);

#endif
