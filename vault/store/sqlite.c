/* The connection to SQLite: settings, lock, statements, and what its result codes mean. */
#include "store/sqlite.h"

#include "base/cleanup.h"
#include "store/disk.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define FOLD_PAGES 1000 /* in the write-ahead log when a commit folds it into the file */
#define NARROW_ROOM "PRAGMA cache_size = -2000"
#define WIDE_ROOM "PRAGMA cache_size = -98304"
#define RESERVE_STEP 65536
#define RESERVE_SIZE                                                                                         \
    ((FOLD_PAGES + 100) * (4096 + 24)) /* and a last batch; a frame has 24 bytes of header                   \
                                        */

static const struct {
    int option;
    int value;
} switches[] = {
    {SQLITE_DBCONFIG_DEFENSIVE,             1},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA,        0},
    {SQLITE_DBCONFIG_ENABLE_TRIGGER,        0},
    {SQLITE_DBCONFIG_ENABLE_VIEW,           0},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_DQS_DDL,               0},
    {SQLITE_DBCONFIG_DQS_DML,               0},
};

/* Our own statements and rows stay far below; a hostile schema is parsed before it can be compared. */
static const struct {
    int limit;
    int value;
} limits[] = {
    {SQLITE_LIMIT_LENGTH,          4 * 1024 * 1024},
    {SQLITE_LIMIT_SQL_LENGTH,      16 * 1024      },
    {SQLITE_LIMIT_COLUMN,          32             },
    {SQLITE_LIMIT_EXPR_DEPTH,      32             },
    {SQLITE_LIMIT_COMPOUND_SELECT, 2              },
    {SQLITE_LIMIT_FUNCTION_ARG,    8              },
    {SQLITE_LIMIT_ATTACHED,        0              },
    {SQLITE_LIMIT_VARIABLE_NUMBER, 16             },
    {SQLITE_LIMIT_TRIGGER_DEPTH,   1              },
    {SQLITE_LIMIT_WORKER_THREADS,  0              },
};

/* Before the file is first read. Exclusive locking comes first, so that the index of the write-ahead log is
 * in our memory and not in a file beside the vault. */
static const char *const first_settings[] = {
    "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA mmap_size = 0",    "PRAGMA temp_store = MEMORY",
    "PRAGMA cell_size_check = ON",     "PRAGMA page_size = 4096", "PRAGMA secure_delete = ON",
};

/* These have SQLite read the schema. */
static const char *const settings[] = {
    "PRAGMA synchronous = FULL",
    NARROW_ROOM,
};

static const struct {
    int code;
    enum status status;
    const char *what;
} outcomes[] = {
    {SQLITE_FULL,              STATUS_LOG_UNWRITABLE, "cannot be written: disk full"                     },
    {SQLITE_READONLY,          STATUS_LOG_UNWRITABLE, "cannot be written: it is read-only"               },
    {SQLITE_IOERR_WRITE,       STATUS_LOG_UNWRITABLE, "cannot be written: input/output error"            },
    {SQLITE_IOERR_FSYNC,       STATUS_LOG_UNWRITABLE, "cannot be synced: input/output error"             },
    {SQLITE_IOERR_DIR_FSYNC,   STATUS_LOG_UNWRITABLE, "cannot be synced: input/output error"             },
    {SQLITE_IOERR_TRUNCATE,    STATUS_LOG_UNWRITABLE, "cannot be written: input/output error"            },
    {SQLITE_IOERR,             STATUS_FAILED,         "cannot be read or written: input/output error"    },
    {SQLITE_CANTOPEN_SYMLINK,  STATUS_FOREIGN,        "is reached through a symbolic link"               },
    {SQLITE_CANTOPEN,          STATUS_LOG_UNWRITABLE, "cannot be written: its write-ahead log is missing"},
    {SQLITE_CORRUPT,           STATUS_CORRUPT,        "is damaged"                                       },
    {SQLITE_NOTADB,            STATUS_CORRUPT,        "is damaged"                                       },
    {SQLITE_BUSY,              STATUS_BUSY,           "is held by another process"                       },
    {SQLITE_NOMEM,             STATUS_NO_MEMORY,      "needs more memory than there is"                  },
    {SQLITE_TOOBIG,            STATUS_TOO_LARGE,      "takes no row this large"                          },
    {SQLITE_CONSTRAINT_UNIQUE, STATUS_EXISTS,         "has another record of this name"                  },
    {SQLITE_CONSTRAINT,        STATUS_INVALID,        "takes no row of this form"                        },
};

enum status sqlite_fail(const struct sqlite *sqlite, int code, struct failure *failure)
{
    if (code == SQLITE_NOTADB && !sqlite->identified)
        return failure_set(failure, STATUS_FOREIGN, "%s is not a stepvault vault", sqlite->path);
    const int spellings[] = {code, code & 0xff};
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        for (size_t j = 0; j < sizeof(outcomes) / sizeof(outcomes[0]); j++) {
            if (outcomes[j].code == spellings[i])
                return failure_set(failure, outcomes[j].status, "the vault %s %s", sqlite->path,
                                   outcomes[j].what);
        }
    }
    return failure_set(failure, STATUS_FAILED, "the vault %s cannot be used: %s", sqlite->path,
                       sqlite3_errstr(code));
}

enum status sqlite_fail_reading(const struct sqlite *sqlite, int code, struct failure *failure)
{
    const bool damaged = code == SQLITE_FULL || code == SQLITE_TOOBIG;

    return sqlite_fail(sqlite, damaged ? SQLITE_CORRUPT : code, failure);
}

enum status sqlite_fail_step(const struct sqlite *sqlite, sqlite3_stmt *statement, int code,
                             struct failure *failure)
{
    return sqlite3_stmt_readonly(statement) != 0 ? sqlite_fail_reading(sqlite, code, failure)
                                                 : sqlite_fail(sqlite, code, failure);
}

/* `file:` URI of an absolute path, which has at most DISK_PATH_MAX bytes. */
static void format_uri(char destination[3 * DISK_PATH_MAX + 32], const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-";
    static const char digits[] = "0123456789abcdef";
    char *end = stpcpy(destination, "file:");
    for (const char *byte = path; *byte != '\0'; byte++) {
        if (strchr(plain, *byte) != NULL) {
            *end++ = *byte;
        } else {
            *end++ = '%';
            *end++ = digits[(unsigned char)*byte >> 4];
            *end++ = digits[(unsigned char)*byte & 15];
        }
    }
    (void)stpcpy(end, "?immutable=1");
}

static int open_handle(struct sqlite *sqlite)
{
    const int flags =
        SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (!sqlite->immutable)
        return sqlite3_open_v2(sqlite->path, &sqlite->handle, flags | SQLITE_OPEN_READWRITE, NULL);
    char uri[3 * DISK_PATH_MAX + 32];
    format_uri(uri, sqlite->path);
    return sqlite3_open_v2(uri, &sqlite->handle, flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
}

static int apply(sqlite3 *handle, const char *const *list, size_t count)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < count && code == SQLITE_OK; i++)
        code = sqlite3_exec(handle, list[i], NULL, NULL, NULL);
    return code;
}

static int note_commit(void *context, sqlite3 *handle, const char *database, int frames)
{
    struct sqlite *sqlite = context;
    (void)handle;
    (void)database;
    sqlite->frames = frames;
    sqlite->failed = false;
    sqlite->folded = false;
    return SQLITE_OK;
}

enum status sqlite_connect(const char *path, bool immutable, struct failure *failure,
                           struct sqlite **ret_sqlite)
{
    CLEANUP(sqlite_freep) struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
    if (sqlite == NULL || (sqlite->path = strdup(path)) == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the vault %s", path);
    sqlite->immutable = immutable;
    sqlite->fold_at = FOLD_PAGES;
    sqlite->frames = -1;
    int code = open_handle(sqlite);
    if (code == SQLITE_CANTOPEN && sqlite->handle != NULL)
        return failure_set_errno(failure, STATUS_FAILED, sqlite3_system_errno(sqlite->handle),
                                 "the vault %s cannot be opened", path);
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]) && code == SQLITE_OK; i++)
        code = sqlite3_db_config(sqlite->handle, switches[i].option, switches[i].value, NULL);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]) && code == SQLITE_OK; i++)
        (void)sqlite3_limit(sqlite->handle, limits[i].limit, limits[i].value);
    if (code == SQLITE_OK)
        (void)sqlite3_wal_hook(sqlite->handle, note_commit, sqlite);
    if (code == SQLITE_OK)
        code = apply(sqlite->handle, first_settings, sizeof(first_settings) / sizeof(first_settings[0]));
    if (code != SQLITE_OK)
        return sqlite_fail(sqlite, code, failure);
    *ret_sqlite = TAKE(sqlite);
    return STATUS_OK;
}

/* Takes a PRAGMA's answer out of its one row. */
typedef void take_answer(sqlite3_stmt *statement, void *ret_answer);

static void take_number(sqlite3_stmt *statement, void *ret_number)
{
    *(int64_t *)ret_number = sqlite3_column_int64(statement, 0);
}

/* Whether a mode is that of the write-ahead log. */
static void take_wal(sqlite3_stmt *statement, void *ret_wal)
{
    *(bool *)ret_wal = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
}

/* Steps a PRAGMA once. An SQLite code. */
static int ask_pragma(sqlite3 *handle, const char *sql, take_answer *take, void *ret_answer)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        take(statement, ret_answer);
        code = SQLITE_OK;
    }
    (void)sqlite3_finalize(statement);
    return code;
}

enum status sqlite_take(struct sqlite *sqlite, struct failure *failure)
{
    int code = SQLITE_OK;
    bool wal = true;
    if (!sqlite->immutable)
        code = ask_pragma(sqlite->handle, "PRAGMA journal_mode = WAL", take_wal, &wal);
    if (code != SQLITE_OK)
        return sqlite_fail(sqlite, code, failure);
    code = apply(sqlite->handle, settings, sizeof(settings) / sizeof(settings[0]));
    if (code != SQLITE_OK)
        return sqlite_fail_reading(sqlite, code, failure);
    if (!wal)
        return failure_set(failure, STATUS_FAILED, "the vault %s cannot have a write-ahead log",
                           sqlite->path);
    return STATUS_OK;
}

/* What the head of an SQLite file says that is the same for every vault, by place. Nothing else stands in for
 * it: the rows do not depend on it, and a later version of SQLite may give meaning to what has none now. */
static const struct {
    size_t place;
    uint8_t size;
    uint8_t bytes[20];
} constants[] = {
    {16, 2,  {0x10, 0x00}       }, /* page size */
    {20, 4,  {0, 64, 32, 32}    }, /* no reserved room; fractions */
    {44, 16, {[3] = 4, [15] = 1}}, /* schema format; cache size; no vacuum; UTF-8 */
    {64, 4,  {0}                }, /* no incremental vacuum */
    {72, 20, {0}                }, /* reserved */
};

/* An SQLite code. */
static int compare_head(sqlite3 *handle, bool *ret_same)
{
    sqlite3_file *file = NULL;
    uint8_t head[100];
    bool same = true;
    int code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file);
    if (code == SQLITE_OK)
        code = file->pMethods->xRead(file, head, sizeof(head), 0);
    if (code != SQLITE_OK)
        return code;
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        same = same && memcmp(head + constants[i].place, constants[i].bytes, constants[i].size) == 0;
    *ret_same = same;
    return SQLITE_OK;
}

enum status sqlite_identify(struct sqlite *sqlite, struct failure *failure)
{
    int64_t application = 0;
    int64_t format = 0;
    bool same = false;
    int code = ask_pragma(sqlite->handle, "PRAGMA application_id", take_number, &application);
    if (code == SQLITE_OK && application != SCHEMA_APPLICATION_ID)
        return failure_set(failure, STATUS_FOREIGN, "%s is not a stepvault vault", sqlite->path);
    if (code == SQLITE_OK) {
        sqlite->identified = true;
        code = ask_pragma(sqlite->handle, "PRAGMA user_version", take_number, &format);
    }
    if (code == SQLITE_OK && format != STORE_FORMAT)
        return failure_set(failure, STATUS_FORMAT,
                           "the vault %s has format %lld; this program reads format %u", sqlite->path,
                           (long long)format, STORE_FORMAT);
    if (code == SQLITE_OK)
        code = schema_compare(sqlite->handle, &same);
    if (code == SQLITE_ERROR || (code == SQLITE_OK && !same))
        return failure_set(failure, STATUS_CORRUPT, "the vault %s is damaged: its schema was changed",
                           sqlite->path);
    if (code == SQLITE_OK)
        code = compare_head(sqlite->handle, &same);
    if (code == SQLITE_OK && !same)
        return failure_set(failure, STATUS_CORRUPT, "the vault %s is damaged: the file's head was changed",
                           sqlite->path);
    return code == SQLITE_OK ? STATUS_OK : sqlite_fail_reading(sqlite, code, failure);
}

enum status sqlite_create_schema(struct sqlite *sqlite, struct failure *failure)
{
    int code = schema_create(sqlite->handle);
    if (code != SQLITE_OK)
        return sqlite_fail(sqlite, code, failure);
    sqlite->identified = true;
    return STATUS_OK;
}

/* An SQLite code. */
static int fold(struct sqlite *sqlite, int how)
{
    int frames = 0;
    int done = -1;
    int code = sqlite3_wal_checkpoint_v2(sqlite->handle, NULL, how, &frames, &done);
    sqlite->folded = code == SQLITE_OK && frames == done;
    return code;
}

bool sqlite_fold_long(struct sqlite *sqlite)
{
    if (sqlite->held || sqlite->fold_at == 0 || sqlite->frames < sqlite->fold_at)
        return false;
    (void)fold(sqlite, SQLITE_CHECKPOINT_PASSIVE);
    return true;
}

enum status sqlite_fold(struct sqlite *sqlite, struct failure *failure)
{
    int code = fold(sqlite, SQLITE_CHECKPOINT_TRUNCATE);
    return code == SQLITE_OK ? STATUS_OK : sqlite_fail(sqlite, code, failure);
}

enum status sqlite_fold_in_place(struct sqlite *sqlite, struct failure *failure)
{
    int code = fold(sqlite, SQLITE_CHECKPOINT_FULL);
    if (code != SQLITE_OK)
        return sqlite_fail(sqlite, code, failure);
    if (!sqlite->folded)
        return failure_set(failure, STATUS_FAILED, "the write-ahead log of the vault %s cannot be folded",
                           sqlite->path);
    return STATUS_OK;
}

void sqlite_reserve(struct sqlite *sqlite)
{
    static const uint8_t zeros[RESERVE_STEP];
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0;
    if (sqlite->immutable ||
        sqlite3_file_control(sqlite->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&log) !=
            SQLITE_OK ||
        log->pMethods == NULL || log->pMethods->xFileSize(log, &size) != SQLITE_OK)
        return;
    /* Behind its end SQLite sees frames that do not carry the log's salt, and so no frames. But first what
     * cut the log short must be safe: a power cut that kept the zeros alone would leave the first frames of
     * the old log valid, and those be played over what came after them. */
    int code = size < RESERVE_SIZE ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : SQLITE_OK;
    while (code == SQLITE_OK && size < RESERVE_SIZE) {
        code = log->pMethods->xWrite(log, zeros, sizeof(zeros), size);
        size += (sqlite3_int64)sizeof(zeros);
    }
    (void)log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

void sqlite_set_room(struct sqlite *sqlite, bool wide)
{
    (void)sqlite3_exec(sqlite->handle, wide ? WIDE_ROOM : NARROW_ROOM, NULL, NULL, NULL);
    sqlite->fold_at = wide ? 0 : FOLD_PAGES;
}

enum status sqlite_forget(struct sqlite *sqlite, struct failure *failure)
{
    int code = sqlite3_db_release_memory(sqlite->handle);
    if (code == SQLITE_OK)
        code = sqlite3_exec(sqlite->handle, "PRAGMA writable_schema = RESET", NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : sqlite_fail(sqlite, code, failure);
}

void sqlite_keep_files(struct sqlite *sqlite)
{
    (void)sqlite3_db_config(sqlite->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void sqlite_freep(struct sqlite **sqlite)
{
    if (*sqlite == NULL)
        return;
    for (size_t i = 0; i < SCHEMA_STATEMENT_COUNT; i++)
        (void)sqlite3_finalize((*sqlite)->statements[i]);
    (void)sqlite3_close((*sqlite)->handle);
    free((*sqlite)->path);
    free(*sqlite);
    *sqlite = NULL;
}

enum status sqlite_statement(struct sqlite *sqlite, enum schema_statement which, struct failure *failure,
                             sqlite3_stmt **ret_statement)
{
    if (sqlite->statements[which] == NULL) {
        int code = sqlite3_prepare_v3(sqlite->handle, schema_statements[which], -1, SQLITE_PREPARE_PERSISTENT,
                                      &sqlite->statements[which], NULL);
        if (code != SQLITE_OK)
            return sqlite_fail_reading(sqlite, code, failure);
    }
    *ret_statement = sqlite->statements[which];
    return STATUS_OK;
}

enum status sqlite_run(struct sqlite *sqlite, sqlite3_stmt *statement, struct failure *failure)
{
    int code = sqlite3_step(statement);
    sqlite_finish(statement);
    return code == SQLITE_DONE ? STATUS_OK : sqlite_fail(sqlite, code, failure);
}

void sqlite_finish(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}
