/* The connection to SQLite: how it is opened and hardened, its statements, and what its errors mean to us.
 *
 * No sentence has text of SQLite's that could hold what is in a row: only its codes are used. */
#ifndef STEPVAULT_STORE_SQLITE_H
#define STEPVAULT_STORE_SQLITE_H

#include "base/status.h"
#include "store/schema.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct sqlite {
    sqlite3 *handle;
    sqlite3_stmt *statements[SCHEMA_STATEMENT_COUNT]; /* prepared when first used */
    char *path;
    bool immutable;  /* on a disk that is read-only: no locks, no writes */
    bool identified; /* known to be a vault */
    int fold_at; /* frames in the write-ahead log at which a commit folds it into the file; 0: none does */
    int frames;  /* in it after our last commit; -1: we made none yet */
    bool held;   /* no commit is folded until it is false again (snapshot.h) */
    bool failed; /* a commit since then, whose frames may lie behind those all the same */
    bool folded; /* all of them are in the file, and nothing is read from the log */
};

/* Connects to the file at `path` with every setting that protects us from what is in it; nothing is read yet.
 * The file is only looked at, without locks, if `immutable`. */
enum status sqlite_connect(const char *path, bool immutable, struct failure *failure,
                           struct sqlite **ret_sqlite);

/* Takes the exclusive lock and the write-ahead log, which stay with us until the end (not when immutable).
 * STATUS_BUSY at once if another process has the lock: a connection that failed so must be closed, as it
 * keeps a shared lock, and two that wait with one wait for each other. */
enum status sqlite_take(struct sqlite *sqlite, struct failure *failure);

/* Whether this is a vault (STATUS_FOREIGN), of our format (STATUS_FORMAT), with exactly our schema
 * (STATUS_CORRUPT). */
enum status sqlite_identify(struct sqlite *sqlite, struct failure *failure);

/* Makes the tables in an empty file, in the caller's transaction. */
enum status sqlite_create_schema(struct sqlite *sqlite, struct failure *failure);

/* After a commit: folds the write-ahead log into the file if it is long, and says whether it did. */
bool sqlite_fold_long(struct sqlite *sqlite);

/* Folds the write-ahead log into the file, completely and durably, and empties it. */
enum status sqlite_fold(struct sqlite *sqlite, struct failure *failure);

/* Folds it, completely and durably, and leaves it as long as it is. */
enum status sqlite_fold_in_place(struct sqlite *sqlite, struct failure *failure);

/* Gives the write-ahead log the size on disk that it reaches before it is folded; as far as the disk lets us.
 */
void sqlite_reserve(struct sqlite *sqlite);

/* Room for a batch that writes much, and back: pages held in memory, and no folding by its commit. */
void sqlite_set_room(struct sqlite *sqlite, bool wide);

/* Drops every page and the schema from memory, so that they are read again. */
enum status sqlite_forget(struct sqlite *sqlite, struct failure *failure);

/* Closing will neither fold the write-ahead log nor remove it. */
void sqlite_keep_files(struct sqlite *sqlite);

/* Closes (SQLite folds the write-ahead log if it can) and frees. */
void sqlite_freep(struct sqlite **sqlite);

/* The prepared statement, ready for binding; whoever steps it ends with sqlite_finish or sqlite_run. */
enum status sqlite_statement(struct sqlite *sqlite, enum schema_statement which, struct failure *failure,
                             sqlite3_stmt **ret_statement);

/* Steps a statement that gives no rows to its end and makes it ready again. */
enum status sqlite_run(struct sqlite *sqlite, sqlite3_stmt *statement, struct failure *failure);

/* Makes a statement ready again and forgets what was bound. */
void sqlite_finish(sqlite3_stmt *statement);

/* The status and sentence of an SQLite (extended) result code. */
enum status sqlite_fail(const struct sqlite *sqlite, int code, struct failure *failure);

/* The same where nothing was to be written: SQLite then says that the disk is full of the number of a page
 * that no file can have, and too large of a size that no row of ours has, and both are damage. */
enum status sqlite_fail_reading(const struct sqlite *sqlite, int code, struct failure *failure);

/* The same of a code that stepping a statement gave. */
enum status sqlite_fail_step(const struct sqlite *sqlite, sqlite3_stmt *statement, int code,
                             struct failure *failure);

#endif
