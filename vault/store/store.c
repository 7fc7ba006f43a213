/* store.h on SQLite: the file and its batches. What is in its tables is read and written in tables.c. */
#include "store/store.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/interior.h"
#include "store/row.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REOPEN_WAIT_MS 1000u
#define POLL_NS 2000000L        /* between two looks at another process's lock, at least */
#define POLL_SPREAD_NS 6000000L /* and at most so much more, or two that look at once would do so again */

/* ---- Opening and making ---- */

static struct store *store_allocate(void)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store != NULL) {
        store->draft.folder = -1;
        store->place = QUEUE_NONE;
    }
    return store;
}

/* What we do not take for a vault is not ours to fold either. */
static void leave_unread(struct store *store, const struct disk_file *file)
{
    struct failure ignored;
    (void)store_watch(store, file, &ignored);
    store_leave(store);
}

static enum status open_checked(const char *path, bool immutable, const struct disk_file *file,
                                struct failure *failure, struct store **ret_store)
{
    CLEANUP(store_freep) struct store *store = store_allocate();
    if (store == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the vault %s", path);
    enum status status = sqlite_connect(path, immutable, failure, &store->sqlite);
    if (status == STATUS_OK)
        status = disk_check_same(path, file, failure);
    if (status == STATUS_OK)
        status = sqlite_identify(store->sqlite, failure);
    if (status == STATUS_OK)
        status = sqlite_take(store->sqlite, failure);
    if (status == STATUS_OK)
        status = store_watch(store, file, failure);
    if (status == STATUS_OK)
        *ret_store = TAKE(store);
    else if (store->sqlite != NULL &&
             (status == STATUS_FOREIGN || status == STATUS_FORMAT || status == STATUS_CORRUPT))
        leave_unread(store, file);
    return status;
}

static void pause_before_next_look(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)nanosleep(&(struct timespec){.tv_nsec = POLL_NS + now.tv_nsec % POLL_SPREAD_NS}, NULL);
}

/* The head of the queue waits only for who is not in it. Each look is a connection of its own (see
 * sqlite_take). */
static enum status open_waiting(const char *path, const struct disk_file *file, unsigned wait_ms,
                                struct failure *failure, struct store **ret_store)
{
    const uint64_t deadline = clock_monotonic_ms() + wait_ms;
    CLEANUP(queue_leave) int place = QUEUE_NONE;
    enum status status = queue_enter(path, wait_ms, failure, &place);
    if (status != STATUS_OK)
        return status;
    status = open_checked(path, false, file, failure, ret_store);
    while (status == STATUS_BUSY && clock_monotonic_ms() < deadline) {
        pause_before_next_look();
        status = open_checked(path, false, file, failure, ret_store);
    }
    if (status == STATUS_OK)
        (*ret_store)->place = cleanup_take_descriptor(&place);
    return status;
}

enum status store_open(const char *path, unsigned wait_ms, struct failure *failure, struct store **ret_store)
{
    struct disk_file file;
    enum status status = disk_check(path, failure, &file);
    if (status != STATUS_OK)
        return status;
    if (file.writable) {
        status = open_waiting(path, &file, wait_ms, failure, ret_store);
        if (status != STATUS_LOG_UNWRITABLE)
            return status;
    }
    /* A read-only disk, or one so full that it has no room for a write-ahead log: what is there can still be
     * read. */
    if (file.unrecovered)
        return failure_set(failure, STATUS_LOG_UNWRITABLE,
                           "the vault %s was not closed cleanly and cannot be recovered: it is read-only",
                           path);
    return open_checked(path, true, &file, failure, ret_store);
}

void store_freep(struct store **store)
{
    if (*store == NULL)
        return;
    store_release(*store);
    queue_leave(&(*store)->place);
    disk_draft_drop(&(*store)->draft);
    free((*store)->path);
    free(*store);
    *store = NULL;
}

static enum status put_header(struct sqlite *sqlite, const struct store_header *header,
                              struct failure *failure)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_statement(sqlite, SCHEMA_PUT_HEADER, failure, &statement);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_blob(statement, 1, header->vault_id, sizeof(header->vault_id), SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, header->epoch);
    return sqlite_run(sqlite, statement, failure);
}

/* Makes tables and header in the empty draft. */
static enum status fill_draft(struct store *store, const struct store_header *header, struct failure *failure)
{
    enum status status = sqlite_connect(store->draft.path, false, failure, &store->sqlite);
    if (status == STATUS_OK)
        status = sqlite_take(store->sqlite, failure);
    if (status == STATUS_OK)
        status = store_begin(store, failure);
    if (status == STATUS_OK)
        status = sqlite_create_schema(store->sqlite, failure);
    if (status == STATUS_OK)
        status = put_header(store->sqlite, header, failure);
    if (status == STATUS_OK)
        status = store_commit(store, failure);
    return status;
}

enum status store_create(const char *path, const struct store_header *header, struct failure *failure,
                         struct store **ret_store)
{
    CLEANUP(store_freep) struct store *store = store_allocate();
    if (store == NULL || (store->path = strdup(path)) == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the vault %s", path);
    enum status status = disk_draft_begin(path, failure, &store->draft);
    if (status != STATUS_OK)
        return status;
    bool empty = false;
    if (disk_exists(path, &empty)) {
        if (!empty)
            return failure_set(failure, STATUS_EXISTS, "there is a file at %s already", path);
        disk_remove(path);
    }
    status = fill_draft(store, header, failure);
    if (status == STATUS_OK)
        *ret_store = TAKE(store);
    return status;
}

enum status store_publish(struct store *store, struct failure *failure)
{
    CLEANUP(store_freep) struct store *published = NULL;
    enum status status = sqlite_fold(store->sqlite, failure);
    if (status != STATUS_OK)
        return status;
    sqlite_freep(&store->sqlite);
    status = disk_draft_publish(&store->draft, store->path, failure);
    if (status == STATUS_OK)
        status = store_open(store->path, REOPEN_WAIT_MS, failure, &published);
    if (status != STATUS_OK)
        return status;
    disk_draft_drop(&store->draft);
    store->sqlite = TAKE(published->sqlite);
    store->watch = published->watch;
    store->place = cleanup_take_descriptor(&published->place);
    return STATUS_OK;
}

enum status store_read_slots(const char *path, unsigned wait_ms, struct failure *failure,
                             struct store_header *ret_header, struct store_slot **ret_slots,
                             size_t *ret_count)
{
    CLEANUP(store_freep) struct store *store = NULL;
    struct store_header header;
    enum status status = store_open(path, wait_ms, failure, &store);
    if (status == STATUS_OK)
        status = store_get_header(store, failure, &header);
    if (status == STATUS_OK)
        status = store_list_slots(store, failure, ret_slots, ret_count);
    if (status == STATUS_OK)
        *ret_header = header;
    return status;
}

bool store_step_once(struct store *store, sqlite3_stmt *statement, struct failure *failure,
                     enum status *ret_status)
{
    int code = sqlite3_step(statement);
    *ret_status = code == SQLITE_ROW || code == SQLITE_DONE
                      ? STATUS_OK
                      : sqlite_fail_step(store->sqlite, statement, code, failure);
    return code == SQLITE_ROW;
}

enum status store_get_header(struct store *store, struct failure *failure, struct store_header *ret_header)
{
    struct row row = {.sqlite = store->sqlite, .table = "header", .failure = failure};
    enum status status = sqlite_statement(store->sqlite, SCHEMA_GET_HEADER, failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    struct store_header header;
    uint64_t epoch = 0;
    if (store_step_once(store, row.statement, failure, &status)) {
        if (row_fixed(&row, 0, sizeof(header.vault_id), header.vault_id) &&
            row_number(&row, 1, UINT32_MAX, &epoch)) {
            header.epoch = (uint32_t)epoch;
            *ret_header = header;
        } else {
            status = STATUS_CORRUPT;
        }
    } else if (status == STATUS_OK) {
        status = failure_set(failure, STATUS_CORRUPT, "the vault %s is damaged: it has no header",
                             store->sqlite->path);
    }
    sqlite_finish(row.statement);
    return status;
}

void store_reserve(struct store *store)
{
    struct failure ignored;

    queue_stay(store->place);
    /* What a killed process left in the write-ahead log may be what was to take rows out of the file. */
    bool folded = !store->sqlite->immutable && sqlite_fold(store->sqlite, &ignored) == STATUS_OK;
    sqlite_reserve(store->sqlite);
    store_mark(store, folded);
}

/* ---- Batches ---- */

static enum status run_plain(struct store *store, enum schema_statement which, struct failure *failure)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_statement(store->sqlite, which, failure, &statement);
    return status == STATUS_OK ? sqlite_run(store->sqlite, statement, failure) : status;
}

enum status store_begin(struct store *store, struct failure *failure)
{
    if (store->sqlite->immutable)
        return failure_set(failure, STATUS_LOG_UNWRITABLE, "the vault %s cannot be written: it is read-only",
                           store->sqlite->path);
    if (store->in_batch)
        return failure_set(failure, STATUS_FAILED, "a batch is open on the vault %s already",
                           store->sqlite->path);
    store_scans_interrupt(store);
    enum status status = run_plain(store, SCHEMA_BEGIN, failure);
    store->in_batch = status == STATUS_OK;
    return status;
}

/* SQLite ends the transaction by itself after some errors; what came later would then be committed alone. */
enum status store_writing_statement(struct store *store, enum schema_statement which, struct failure *failure,
                                    sqlite3_stmt **ret_statement)
{
    if (!store->in_batch || sqlite3_get_autocommit(store->sqlite->handle) != 0)
        return failure_set(failure, STATUS_FAILED, "the vault %s has no batch open to write in",
                           store->sqlite->path);
    return sqlite_statement(store->sqlite, which, failure, ret_statement);
}

void store_widen(struct store *store)
{
    if (!store->wide)
        sqlite_set_room(store->sqlite, true);
    store->wide = true;
}

enum status store_load_begin(struct store *store, struct failure *failure)
{
    store->loading = true;
    int code = schema_drop_indices(store->sqlite->handle);
    return code == SQLITE_OK ? STATUS_OK : sqlite_fail(store->sqlite, code, failure);
}

enum status store_load_end(struct store *store, struct failure *failure)
{
    int code = schema_make_indices(store->sqlite->handle);
    if (code != SQLITE_OK)
        return sqlite_fail(store->sqlite, code, failure);
    store->loading = false;
    return STATUS_OK;
}

static void end_batch(struct store *store)
{
    if (store->wide)
        sqlite_set_room(store->sqlite, false);
    store->unfolded = store->unfolded || store->wide;
    store->wide = false;
    store->loading = false;
    store->in_batch = false;
}

static void end_commit(struct store *store)
{
    const bool wide = store->wide;
    end_batch(store);
    const bool folded = !wide && sqlite_fold_long(store->sqlite);
    store_mark(store, folded);
}

bool store_fold(struct store *store)
{
    struct failure ignored;

    if (!store->unfolded || store->in_batch || store->sqlite->held)
        return !store->unfolded;
    store->unfolded = false;
    bool folded = sqlite_fold(store->sqlite, &ignored) == STATUS_OK;
    sqlite_reserve(store->sqlite);
    store_mark(store, true);
    (void)malloc_trim(0); /* what SQLite and the caller held of the batch goes back to the machine */
    return folded;
}

enum status store_commit(struct store *store, struct failure *failure)
{
    sqlite3_stmt *statement = NULL;
    enum status status = store_writing_statement(store, SCHEMA_COMMIT, failure, &statement);
    if (status == STATUS_OK && store->loading)
        status = failure_set(failure, STATUS_FAILED, "the vault %s would be left without its indices",
                             store->sqlite->path);
    if (status == STATUS_OK)
        status = sqlite_run(store->sqlite, statement, failure);
    store->sqlite->failed = store->sqlite->failed || status != STATUS_OK;
    if (status != STATUS_OK)
        store_rollback(store);
    else
        end_commit(store);
    return status;
}

void store_rollback(struct store *store)
{
    struct failure ignored;
    if (store->in_batch && sqlite3_get_autocommit(store->sqlite->handle) == 0)
        (void)run_plain(store, SCHEMA_ROLLBACK, &ignored);
    end_batch(store);
    store_mark(store, false); /* a large batch is in the log before it is committed */
}
