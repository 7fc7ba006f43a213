/* The tables of format 1 and the statements, as data; how a file gets them and whether it has them. */
#include "store/schema.h"

#include "store/store.h"

#include <stdio.h>
#include <string.h>

struct object {
    const char *type;
    const char *name;
    const char *table;
    const char *sql; /* as sqlite_schema keeps it: the text of the CREATE, byte by byte */
};

struct migration {
    uint32_t format; /* that the file has afterwards */
    const struct object *objects;
    size_t count;
};

#define BLOB_TABLE(name)                                                                                     \
    {                                                                                                        \
        "table", name, name,                                                                                 \
            "CREATE TABLE " name " (\n"                                                                      \
            "    number INTEGER PRIMARY KEY CHECK (number >= 0),\n"                                          \
            "    bytes BLOB NOT NULL CHECK (length(bytes) > 0)\n"                                            \
            ") STRICT"                                                                                       \
    }

static const struct object format_1[] = {
    {"table", "header",        "header",
     "CREATE TABLE header (\n"
     "    id INTEGER PRIMARY KEY CHECK (id = 0),\n"
     "    vault_id BLOB NOT NULL CHECK (length(vault_id) = 16),\n"
     "    epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295)\n"
     ") STRICT"                                                                               },
    {"table", "slots",         "slots",
     "CREATE TABLE slots (\n"
     "    id BLOB PRIMARY KEY CHECK (length(id) = 16),\n"
     "    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 4294967295),\n"
     "    memory_kib INTEGER NOT NULL CHECK (memory_kib BETWEEN 0 AND 4294967295),\n"
     "    passes INTEGER NOT NULL CHECK (passes BETWEEN 0 AND 4294967295),\n"
     "    lanes INTEGER NOT NULL CHECK (lanes BETWEEN 0 AND 4294967295),\n"
     "    salt BLOB NOT NULL CHECK (length(salt) = 16),\n"
     "    created_ms INTEGER NOT NULL CHECK (created_ms >= 0),\n"
     "    commitment BLOB NOT NULL CHECK (length(commitment) = 32),\n"
     "    wrapped BLOB NOT NULL CHECK (length(wrapped) = 72)\n"
     ") STRICT, WITHOUT ROWID"                                                                },
    {"table", "records",       "records",
     "CREATE TABLE records (\n"
     "    id BLOB PRIMARY KEY CHECK (length(id) = 16),\n"
     "    place BLOB NOT NULL CHECK (length(place) = 16),\n"
     "    name BLOB NOT NULL CHECK (length(name) = 16),\n"
     "    link BLOB NOT NULL CHECK (length(link) = 16),\n"
     "    finals BLOB NOT NULL CHECK (length(finals) % 16 = 0),\n"
     "    version INTEGER NOT NULL CHECK (version >= 0),\n"
     "    epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),\n"
     "    body BLOB NOT NULL CHECK (length(body) > 0)\n"
     ") STRICT, WITHOUT ROWID"                                                                },
    {"index", "records_name",  "records", "CREATE UNIQUE INDEX records_name ON records (name)"},
    {"index", "records_place", "records", "CREATE INDEX records_place ON records (place)"     },
    {"index", "records_link",  "records", "CREATE INDEX records_link ON records (link)"       },
    BLOB_TABLE("leaves"),
    BLOB_TABLE("tiles"),
    BLOB_TABLE("segments"),
    BLOB_TABLE("checkpoints"),
    {"table", "state",         "state",
     "CREATE TABLE state (\n"
     "    id INTEGER PRIMARY KEY CHECK (id = 0),\n"
     "    log_size INTEGER NOT NULL CHECK (log_size >= 0),\n"
     "    record_count INTEGER NOT NULL CHECK (record_count >= 0),\n"
     "    sealed BLOB NOT NULL CHECK (length(sealed) > 0)\n"
     ") STRICT"                                                                               },
};

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct migration migrations[] = {
    {1, format_1, LENGTH_OF(format_1)},
};

#define RECORD_COLUMNS "id, place, name, link, finals, version, epoch, body"
#define PUT_BLOB(table) "INSERT OR REPLACE INTO " table " (number, bytes) VALUES (?1, ?2)"
#define REMOVE_BLOB(table) "DELETE FROM " table " WHERE number = ?1"
#define LIST_BLOBS(table) "SELECT number, bytes FROM " table " WHERE number >= ?1 ORDER BY number LIMIT ?2"

const char *const schema_statements[SCHEMA_STATEMENT_COUNT] = {
    [SCHEMA_BEGIN] = "BEGIN IMMEDIATE",
    [SCHEMA_COMMIT] = "COMMIT",
    [SCHEMA_ROLLBACK] = "ROLLBACK",
    [SCHEMA_PUT_HEADER] = "INSERT INTO header (id, vault_id, epoch) VALUES (0, ?1, ?2)",
    [SCHEMA_GET_HEADER] = "SELECT vault_id, epoch FROM header WHERE id = 0",
    [SCHEMA_SET_EPOCH] = "UPDATE header SET epoch = ?1 WHERE id = 0",
    /* Not INSERT OR REPLACE: that would silently remove another record that has this name. */
    [SCHEMA_PUT_RECORD] = "INSERT INTO records (" RECORD_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                          " ON CONFLICT (id) DO UPDATE SET place = excluded.place, name = excluded.name,"
                          " link = excluded.link, finals = excluded.finals, version = excluded.version,"
                          " epoch = excluded.epoch, body = excluded.body",
    [SCHEMA_REMOVE_RECORD] = "DELETE FROM records WHERE id = ?1",
    [SCHEMA_FIND_BY_ID] = "SELECT " RECORD_COLUMNS " FROM records WHERE id = ?1",
    [SCHEMA_FIND_BY_NAME] = "SELECT " RECORD_COLUMNS " FROM records WHERE name = ?1",
    [SCHEMA_FIND_BY_PLACE] = "SELECT " RECORD_COLUMNS " FROM records WHERE place = ?1 ORDER BY id",
    [SCHEMA_FIND_BY_LINK] = "SELECT " RECORD_COLUMNS " FROM records WHERE link = ?1 ORDER BY id",
    [SCHEMA_PAGE_BY_ID] = "SELECT " RECORD_COLUMNS " FROM records WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SCHEMA_PAGE_BY_PLACE] =
        "SELECT " RECORD_COLUMNS " FROM records WHERE place = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    [SCHEMA_PAGE_BY_LINK] =
        "SELECT " RECORD_COLUMNS " FROM records WHERE link = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    /* No ORDER BY, which SQLite might sort for: these are to come as they stand in the file. */
    [SCHEMA_WALK_RECORDS] = "SELECT " RECORD_COLUMNS " FROM records NOT INDEXED",
    [SCHEMA_WALK_NAMES] = "SELECT name, id FROM records INDEXED BY records_name",
    [SCHEMA_WALK_PLACES] = "SELECT place, id FROM records INDEXED BY records_place",
    [SCHEMA_WALK_LINKS] = "SELECT link, id FROM records INDEXED BY records_link",
    [SCHEMA_PUT_SLOT] = "INSERT OR REPLACE INTO slots (id, kind, memory_kib, passes, lanes, salt, created_ms,"
                        " commitment, wrapped) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SCHEMA_REMOVE_SLOT] = "DELETE FROM slots WHERE id = ?1",
    [SCHEMA_LIST_SLOTS] = "SELECT id, kind, memory_kib, passes, lanes, salt, created_ms, commitment, wrapped"
                          " FROM slots ORDER BY id",
    [SCHEMA_COUNT_OTHER_SLOTS] = "SELECT count(*) FROM slots WHERE id <> ?1",
    [SCHEMA_PUT_LEAF] = PUT_BLOB("leaves"),
    [SCHEMA_PUT_TILE] = PUT_BLOB("tiles"),
    [SCHEMA_PUT_SEGMENT] = PUT_BLOB("segments"),
    [SCHEMA_PUT_CHECKPOINT] = PUT_BLOB("checkpoints"),
    [SCHEMA_REMOVE_LEAF] = REMOVE_BLOB("leaves"),
    [SCHEMA_REMOVE_TILE] = REMOVE_BLOB("tiles"),
    [SCHEMA_REMOVE_SEGMENT] = REMOVE_BLOB("segments"),
    [SCHEMA_REMOVE_CHECKPOINT] = REMOVE_BLOB("checkpoints"),
    [SCHEMA_LIST_LEAVES] = LIST_BLOBS("leaves"),
    [SCHEMA_LIST_TILES] = LIST_BLOBS("tiles"),
    [SCHEMA_LIST_SEGMENTS] = LIST_BLOBS("segments"),
    [SCHEMA_LIST_CHECKPOINTS] = LIST_BLOBS("checkpoints"),
    [SCHEMA_PUT_STATE] =
        "INSERT OR REPLACE INTO state (id, log_size, record_count, sealed) VALUES (0, ?1, ?2, ?3)",
    [SCHEMA_GET_STATE] = "SELECT log_size, record_count, sealed FROM state WHERE id = 0",
    /* Without WHERE, so that whole pages are freed, and secure_delete overwrites them: of rows that go one by
     * one a copy can be left where a page was split. */
    [SCHEMA_CLEAR_RECORDS] = "DELETE FROM records",
    [SCHEMA_CLEAR_SLOTS] = "DELETE FROM slots",
    [SCHEMA_CLEAR_SEGMENTS] = "DELETE FROM segments",
    [SCHEMA_CLEAR_CHECKPOINTS] = "DELETE FROM checkpoints",
    [SCHEMA_CLEAR_STATE] = "DELETE FROM state",
    [SCHEMA_COUNT_FREE] = "PRAGMA freelist_count",
    [SCHEMA_LIST_PAGES] = "SELECT pageno FROM dbstat WHERE name = ?1",
    [SCHEMA_VERIFY] = "PRAGMA quick_check(records)",
    [SCHEMA_VERIFY_ALL] = "PRAGMA quick_check",
    /* Rows that the CHECKs forbid, but that whoever edits the file can write. */
    [SCHEMA_HAS_STRANGERS] = "SELECT (SELECT count(*) FROM header) <> 1 OR (SELECT count(*) FROM state) > 1"
                             " OR EXISTS (SELECT 1 FROM leaves WHERE number < 0)"
                             " OR EXISTS (SELECT 1 FROM tiles WHERE number < 0)"
                             " OR EXISTS (SELECT 1 FROM segments WHERE number < 0)"
                             " OR EXISTS (SELECT 1 FROM checkpoints WHERE number < 0)",
};

int schema_create(sqlite3 *handle)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < LENGTH_OF(migrations); i++) {
        for (size_t j = 0; j < migrations[i].count && code == SQLITE_OK; j++)
            code = sqlite3_exec(handle, migrations[i].objects[j].sql, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        char marks[96];
        (void)snprintf(marks, sizeof(marks), "PRAGMA application_id = %d; PRAGMA user_version = %u",
                       SCHEMA_APPLICATION_ID, migrations[LENGTH_OF(migrations) - 1].format);
        code = sqlite3_exec(handle, marks, NULL, NULL, NULL);
    }
    return code;
}

static int each_index(sqlite3 *handle, bool make)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < LENGTH_OF(format_1) && code == SQLITE_OK; i++) {
        char drop[64];
        if (strcmp(format_1[i].type, "index") != 0)
            continue;
        (void)snprintf(drop, sizeof(drop), "DROP INDEX %s", format_1[i].name);
        code = sqlite3_exec(handle, make ? format_1[i].sql : drop, NULL, NULL, NULL);
    }
    return code;
}

int schema_drop_indices(sqlite3 *handle)
{
    return each_index(handle, false);
}

int schema_make_indices(sqlite3 *handle)
{
    return each_index(handle, true);
}

/* Whether column `column` of the row is this text. */
static bool is_text(sqlite3_stmt *statement, int column, const char *text)
{
    return sqlite3_column_type(statement, column) == SQLITE_TEXT &&
           (size_t)sqlite3_column_bytes(statement, column) == strlen(text) &&
           memcmp(sqlite3_column_text(statement, column), text, strlen(text)) == 0;
}

/* The place of the row's object in format_1, or its length if the row is not exactly such an object. */
static size_t find_object(sqlite3_stmt *row)
{
    size_t i = 0;
    while (i < LENGTH_OF(format_1) &&
           !(is_text(row, 0, format_1[i].type) && is_text(row, 1, format_1[i].name) &&
             is_text(row, 2, format_1[i].table) && is_text(row, 3, format_1[i].sql)))
        i++;
    return i;
}

int schema_compare(sqlite3 *handle, bool *ret_same)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, "SELECT type, name, tbl_name, sql FROM sqlite_schema", -1,
                                  &statement, NULL);
    if (code != SQLITE_OK)
        return code;
    bool seen[LENGTH_OF(format_1)] = {false};
    size_t count = 0;
    bool same = true;
    while (same && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        size_t object = find_object(statement);
        same = object < LENGTH_OF(format_1) && !seen[object];
        if (same) {
            seen[object] = true;
            count++;
        }
    }
    (void)sqlite3_finalize(statement);
    if (same && code != SQLITE_DONE)
        return code;
    *ret_same = same && count == LENGTH_OF(format_1);
    return SQLITE_OK;
}
