/* All SQL text of stepvault: the tables, format by format, and the statements the store runs on them.
 *
 * Nothing is stored that the vault does not authenticate, so every table is WITHOUT ROWID or has an INTEGER
 * PRIMARY KEY that means something. The CHECKs keep our own mistakes out; a hostile file may have any type
 * anywhere, so who reads looks at types and lengths again (row.c). */
#ifndef STEPVAULT_STORE_SCHEMA_H
#define STEPVAULT_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define SCHEMA_APPLICATION_ID 0x53564c54 /* "SVLT" */

enum schema_statement {
    SCHEMA_BEGIN,
    SCHEMA_COMMIT,
    SCHEMA_ROLLBACK,
    SCHEMA_PUT_HEADER,
    SCHEMA_GET_HEADER,
    SCHEMA_SET_EPOCH,
    SCHEMA_PUT_RECORD,
    SCHEMA_REMOVE_RECORD,
    SCHEMA_FIND_BY_ID,
    SCHEMA_FIND_BY_NAME,
    SCHEMA_FIND_BY_PLACE,
    SCHEMA_FIND_BY_LINK,
    SCHEMA_PAGE_BY_ID,
    SCHEMA_PAGE_BY_PLACE,
    SCHEMA_PAGE_BY_LINK,
    SCHEMA_WALK_RECORDS,
    SCHEMA_WALK_NAMES,
    SCHEMA_WALK_PLACES,
    SCHEMA_WALK_LINKS,
    SCHEMA_PUT_SLOT,
    SCHEMA_REMOVE_SLOT,
    SCHEMA_LIST_SLOTS,
    SCHEMA_COUNT_OTHER_SLOTS,
    /* The numbered blobs, each group in the order of enum store_table. */
    SCHEMA_PUT_LEAF,
    SCHEMA_PUT_TILE,
    SCHEMA_PUT_SEGMENT,
    SCHEMA_PUT_CHECKPOINT,
    SCHEMA_REMOVE_LEAF,
    SCHEMA_REMOVE_TILE,
    SCHEMA_REMOVE_SEGMENT,
    SCHEMA_REMOVE_CHECKPOINT,
    SCHEMA_LIST_LEAVES,
    SCHEMA_LIST_TILES,
    SCHEMA_LIST_SEGMENTS,
    SCHEMA_LIST_CHECKPOINTS,
    SCHEMA_PUT_STATE,
    SCHEMA_GET_STATE,
    SCHEMA_CLEAR_RECORDS,
    SCHEMA_CLEAR_SLOTS,
    SCHEMA_CLEAR_SEGMENTS,
    SCHEMA_CLEAR_CHECKPOINTS,
    SCHEMA_CLEAR_STATE,
    SCHEMA_COUNT_FREE,
    SCHEMA_LIST_PAGES,
    SCHEMA_VERIFY,
    SCHEMA_VERIFY_ALL,
    SCHEMA_HAS_STRANGERS,
    SCHEMA_STATEMENT_COUNT
};

/* The SQL of each statement. */
extern const char *const schema_statements[SCHEMA_STATEMENT_COUNT];

/* Runs all migrations on an empty database, inside the caller's transaction, and marks it as ours. An SQLite
 * code. */
int schema_create(sqlite3 *handle);

/* Take the indices of the tables away, and make them again, in the caller's transaction. SQLite codes. */
int schema_drop_indices(sqlite3 *handle);
int schema_make_indices(sqlite3 *handle);

/* Whether the database has exactly the tables and indices of STORE_FORMAT, by their text. An SQLite code. */
int schema_compare(sqlite3 *handle, bool *ret_same);

#endif
