/* store.h on SQLite: records, slots, numbered blobs and the state. */
#include "store/store.h"

#include "base/cleanup.h"
#include "store/interior.h"
#include "store/row.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SCHEMA_REMOVE_LEAF - SCHEMA_PUT_LEAF == STORE_TABLE_COUNT &&
                   SCHEMA_LIST_LEAVES - SCHEMA_REMOVE_LEAF == STORE_TABLE_COUNT,
               "one statement of each kind for each table of blobs");

static const char *const blob_tables[STORE_TABLE_COUNT] = {
    [STORE_LEAVES] = "leaves",
    [STORE_TILES] = "tiles",
    [STORE_SEGMENTS] = "segments",
    [STORE_CHECKPOINTS] = "checkpoints",
};

/* ---- Binding ---- */

/* Remembers the first thing that could not be bound. */
struct binder {
    sqlite3_stmt *statement;
    int code;
};

static void bind_blob(struct binder *binder, int position, const void *bytes, size_t size)
{
    int code = sqlite3_bind_blob64(binder->statement, position, size == 0 ? "" : bytes, size, SQLITE_STATIC);
    binder->code = binder->code == SQLITE_OK ? code : binder->code;
}

static void bind_number(struct binder *binder, int position, uint64_t number)
{
    int code = number > INT64_MAX ? SQLITE_CONSTRAINT
                                  : sqlite3_bind_int64(binder->statement, position, (int64_t)number);
    binder->code = binder->code == SQLITE_OK ? code : binder->code;
}

static enum status run_bound(struct store *store, const struct binder *binder, struct failure *failure)
{
    if (binder->code != SQLITE_OK) {
        sqlite_finish(binder->statement);
        return sqlite_fail(store->sqlite, binder->code, failure);
    }
    return sqlite_run(store->sqlite, binder->statement, failure);
}

static enum status remove_by_id(struct store *store, enum schema_statement which,
                                const uint8_t id[STORE_ID_SIZE], struct failure *failure)
{
    struct binder binder = {0};
    enum status status = store_writing_statement(store, which, failure, &binder.statement);
    if (status != STATUS_OK)
        return status;
    bind_blob(&binder, 1, id, STORE_ID_SIZE);
    return run_bound(store, &binder, failure);
}

/* ---- Records ---- */

enum status store_put_record(struct store *store, const struct store_record *record, struct failure *failure)
{
    struct binder binder = {0};
    enum status status = store_writing_statement(store, SCHEMA_PUT_RECORD, failure, &binder.statement);
    if (status != STATUS_OK)
        return status;
    bind_blob(&binder, 1, record->id, sizeof(record->id));
    bind_blob(&binder, 2, record->place, sizeof(record->place));
    bind_blob(&binder, 3, record->name, sizeof(record->name));
    bind_blob(&binder, 4, record->link, sizeof(record->link));
    bind_blob(&binder, 5, record->finals, record->finals_size);
    bind_number(&binder, 6, record->version);
    bind_number(&binder, 7, record->epoch);
    bind_blob(&binder, 8, record->body, record->body_size);
    return run_bound(store, &binder, failure);
}

enum status store_remove_record(struct store *store, const uint8_t id[STORE_ID_SIZE], struct failure *failure)
{
    return remove_by_id(store, SCHEMA_REMOVE_RECORD, id, failure);
}

static enum status find(struct store *store, enum schema_statement which, const uint8_t key[16],
                        struct failure *failure, struct store_rows *rows)
{
    struct row row = {.sqlite = store->sqlite, .table = "records", .failure = failure};
    enum status status = sqlite_statement(store->sqlite, which, failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_blob(row.statement, 1, key, 16, SQLITE_STATIC);
    return row_collect_records(&row, rows);
}

enum status store_find_by_id(struct store *store, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                             struct store_rows *rows)
{
    return find(store, SCHEMA_FIND_BY_ID, id, failure, rows);
}

enum status store_find_by_name(struct store *store, const uint8_t name[STORE_LOOKUP_SIZE],
                               struct failure *failure, struct store_rows *rows)
{
    return find(store, SCHEMA_FIND_BY_NAME, name, failure, rows);
}

enum status store_find_by_place(struct store *store, const uint8_t place[STORE_LOOKUP_SIZE],
                                struct failure *failure, struct store_rows *rows)
{
    return find(store, SCHEMA_FIND_BY_PLACE, place, failure, rows);
}

enum status store_find_by_link(struct store *store, const uint8_t link[STORE_LOOKUP_SIZE],
                               struct failure *failure, struct store_rows *rows)
{
    return find(store, SCHEMA_FIND_BY_LINK, link, failure, rows);
}

static void bind_limit(sqlite3_stmt *statement, int position, size_t limit)
{
    (void)sqlite3_bind_int64(statement, position, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
}

/* Every id is greater than the empty one. */
static void bind_after(sqlite3_stmt *statement, int position, const uint8_t *after)
{
    (void)sqlite3_bind_blob(statement, position, after == NULL ? (const void *)"" : after,
                            after == NULL ? 0 : (int)STORE_ID_SIZE, SQLITE_STATIC);
}

static enum status page(struct store *store, enum schema_statement which, const uint8_t key[16],
                        const uint8_t *after, size_t limit, struct failure *failure, struct store_rows *rows)
{
    struct row row = {.sqlite = store->sqlite, .table = "records", .failure = failure};
    enum status status = sqlite_statement(store->sqlite, which, failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_blob(row.statement, 1, key, 16, SQLITE_STATIC);
    bind_after(row.statement, 2, after);
    bind_limit(row.statement, 3, limit);
    return row_collect_records(&row, rows);
}

enum status store_page_by_id(struct store *store, const uint8_t *after, size_t limit, struct failure *failure,
                             struct store_rows *rows)
{
    struct row row = {.sqlite = store->sqlite, .table = "records", .failure = failure};
    enum status status = sqlite_statement(store->sqlite, SCHEMA_PAGE_BY_ID, failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    bind_after(row.statement, 1, after);
    bind_limit(row.statement, 2, limit);
    return row_collect_records(&row, rows);
}

enum status store_page_by_place(struct store *store, const uint8_t place[STORE_LOOKUP_SIZE],
                                const uint8_t *after, size_t limit, struct failure *failure,
                                struct store_rows *rows)
{
    return page(store, SCHEMA_PAGE_BY_PLACE, place, after, limit, failure, rows);
}

enum status store_page_by_link(struct store *store, const uint8_t link[STORE_LOOKUP_SIZE],
                               const uint8_t *after, size_t limit, struct failure *failure,
                               struct store_rows *rows)
{
    return page(store, SCHEMA_PAGE_BY_LINK, link, after, limit, failure, rows);
}

/* ---- Slots ---- */

/* STATUS_TOO_LARGE if there is no room for this slot: what could not be listed must not be put. */
static enum status check_slot_fits(struct store *store, const struct store_slot *slot,
                                   struct failure *failure)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_statement(store->sqlite, SCHEMA_COUNT_OTHER_SLOTS, failure, &statement);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_blob(statement, 1, slot->id, sizeof(slot->id), SQLITE_STATIC);
    if (store_step_once(store, statement, failure, &status) &&
        sqlite3_column_int64(statement, 0) >= STORE_SLOTS_MAX) {
        status = failure_set(failure, STATUS_TOO_LARGE, "the vault %s has %u slots already",
                             store->sqlite->path, STORE_SLOTS_MAX);
    }
    sqlite_finish(statement);
    return status;
}

enum status store_put_slot(struct store *store, const struct store_slot *slot, struct failure *failure)
{
    struct binder binder = {0};
    enum status status = check_slot_fits(store, slot, failure);
    if (status == STATUS_OK)
        status = store_writing_statement(store, SCHEMA_PUT_SLOT, failure, &binder.statement);
    if (status != STATUS_OK)
        return status;
    bind_blob(&binder, 1, slot->id, sizeof(slot->id));
    bind_number(&binder, 2, slot->kind);
    bind_number(&binder, 3, slot->memory_kib);
    bind_number(&binder, 4, slot->passes);
    bind_number(&binder, 5, slot->lanes);
    bind_blob(&binder, 6, slot->salt, sizeof(slot->salt));
    bind_number(&binder, 7, slot->created_ms);
    bind_blob(&binder, 8, slot->commitment, sizeof(slot->commitment));
    bind_blob(&binder, 9, slot->wrapped, sizeof(slot->wrapped));
    return run_bound(store, &binder, failure);
}

enum status store_remove_slot(struct store *store, const uint8_t id[STORE_ID_SIZE], struct failure *failure)
{
    return remove_by_id(store, SCHEMA_REMOVE_SLOT, id, failure);
}

static bool read_slot(const struct row *row, struct store_slot *ret_slot)
{
    uint32_t *const words[] = {&ret_slot->kind, &ret_slot->memory_kib, &ret_slot->passes, &ret_slot->lanes};
    for (int i = 0; i < 4; i++) {
        uint64_t number = 0;
        if (!row_number(row, 1 + i, UINT32_MAX, &number))
            return false;
        *words[i] = (uint32_t)number;
    }
    return row_fixed(row, 0, sizeof(ret_slot->id), ret_slot->id) &&
           row_fixed(row, 5, sizeof(ret_slot->salt), ret_slot->salt) &&
           row_number(row, 6, INT64_MAX, &ret_slot->created_ms) &&
           row_fixed(row, 7, sizeof(ret_slot->commitment), ret_slot->commitment) &&
           row_fixed(row, 8, sizeof(ret_slot->wrapped), ret_slot->wrapped);
}

enum status store_list_slots(struct store *store, struct failure *failure, struct store_slot **ret_slots,
                             size_t *ret_count)
{
    struct row row = {.sqlite = store->sqlite, .table = "slots", .failure = failure};
    enum status status = sqlite_statement(store->sqlite, SCHEMA_LIST_SLOTS, failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    CLEANUP(cleanup_free) struct store_slot *slots = calloc(STORE_SLOTS_MAX, sizeof(*slots));
    if (slots == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the slots of the vault");
    size_t count = 0;
    int code = SQLITE_DONE;
    while (status == STATUS_OK && (code = sqlite3_step(row.statement)) == SQLITE_ROW) {
        if (count == STORE_SLOTS_MAX) {
            status =
                failure_set(failure, STATUS_CORRUPT, "the vault %s is damaged: it has more than %u slots",
                            store->sqlite->path, STORE_SLOTS_MAX);
        } else {
            status = read_slot(&row, &slots[count]) ? STATUS_OK : STATUS_CORRUPT;
            /* Two slots of one id: a look-up would find either. */
            if (status == STATUS_OK && count > 0 &&
                memcmp(slots[count - 1].id, slots[count].id, STORE_ID_SIZE) >= 0)
                status = row_fail(&row, 0);
            count++;
        }
    }
    if (status == STATUS_OK && code != SQLITE_DONE)
        status = sqlite_fail_step(store->sqlite, row.statement, code, failure);
    sqlite_finish(row.statement);
    if (status == STATUS_OK) {
        *ret_slots = TAKE(slots);
        *ret_count = count;
    }
    return status;
}

/* ---- Numbered blobs ---- */

enum status store_put_blob(struct store *store, enum store_table table, uint64_t number, const void *bytes,
                           size_t size, struct failure *failure)
{
    struct binder binder = {0};
    enum status status = store_writing_statement(store, SCHEMA_PUT_LEAF + table, failure, &binder.statement);
    if (status != STATUS_OK)
        return status;
    bind_number(&binder, 1, number);
    bind_blob(&binder, 2, bytes, size);
    return run_bound(store, &binder, failure);
}

enum status store_remove_blob(struct store *store, enum store_table table, uint64_t number,
                              struct failure *failure)
{
    struct binder binder = {0};
    enum status status =
        store_writing_statement(store, SCHEMA_REMOVE_LEAF + table, failure, &binder.statement);
    if (status != STATUS_OK)
        return status;
    bind_number(&binder, 1, number);
    return run_bound(store, &binder, failure);
}

enum status store_list_blobs(struct store *store, enum store_table table, uint64_t first, size_t limit,
                             struct failure *failure, struct store_rows *rows)
{
    struct row row = {.sqlite = store->sqlite, .table = blob_tables[table], .failure = failure};
    enum status status = sqlite_statement(store->sqlite, SCHEMA_LIST_LEAVES + table, failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    /* No number is above INT64_MAX: from there on nothing is asked for. */
    (void)sqlite3_bind_int64(row.statement, 1, first > INT64_MAX ? INT64_MAX : (int64_t)first);
    bind_limit(row.statement, 2, first > INT64_MAX ? 0 : limit);
    return row_collect_blobs(&row, rows);
}

/* ---- A new epoch ---- */

enum status store_begin_epoch(struct store *store, uint32_t epoch, struct failure *failure)
{
    static const enum schema_statement clearing[] = {SCHEMA_CLEAR_RECORDS, SCHEMA_CLEAR_SLOTS,
                                                     SCHEMA_CLEAR_SEGMENTS, SCHEMA_CLEAR_CHECKPOINTS,
                                                     SCHEMA_CLEAR_STATE};
    struct binder binder = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof(clearing) / sizeof(clearing[0]); i++) {
        status = store_writing_statement(store, clearing[i], failure, &binder.statement);
        if (status == STATUS_OK)
            status = run_bound(store, &binder, failure);
    }
    if (status == STATUS_OK)
        status = store_writing_statement(store, SCHEMA_SET_EPOCH, failure, &binder.statement);
    if (status != STATUS_OK)
        return status;
    bind_number(&binder, 1, epoch);
    return run_bound(store, &binder, failure);
}

/* ---- State ---- */

enum status store_put_state(struct store *store, uint64_t log_size, uint64_t record_count, const void *sealed,
                            size_t size, struct failure *failure)
{
    struct binder binder = {0};
    enum status status = store_writing_statement(store, SCHEMA_PUT_STATE, failure, &binder.statement);
    if (status != STATUS_OK)
        return status;
    bind_number(&binder, 1, log_size);
    bind_number(&binder, 2, record_count);
    bind_blob(&binder, 3, sealed, size);
    return run_bound(store, &binder, failure);
}

/* Reads the state row. */
static enum status read_state(const struct row *row, uint64_t *ret_log_size, uint64_t *ret_record_count,
                              uint8_t **ret_sealed, size_t *ret_size)
{
    uint64_t log_size = 0;
    uint64_t record_count = 0;
    const void *sealed = NULL;
    size_t size = 0;
    if (!row_number(row, 0, INT64_MAX, &log_size) || !row_number(row, 1, INT64_MAX, &record_count) ||
        !row_blob(row, 2, 1, false, &sealed, &size))
        return STATUS_CORRUPT;
    uint8_t *copy = malloc(size);
    if (copy == NULL)
        return failure_set(row->failure, STATUS_NO_MEMORY, "out of memory for the state of the vault");
    *ret_log_size = log_size;
    *ret_record_count = record_count;
    *ret_sealed = memcpy(copy, sealed, size);
    *ret_size = size;
    return STATUS_OK;
}

enum status store_get_state(struct store *store, struct failure *failure, uint64_t *ret_log_size,
                            uint64_t *ret_record_count, uint8_t **ret_sealed, size_t *ret_size)
{
    struct row row = {.sqlite = store->sqlite, .table = "state", .failure = failure};
    enum status status = sqlite_statement(store->sqlite, SCHEMA_GET_STATE, failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    if (store_step_once(store, row.statement, failure, &status))
        status = read_state(&row, ret_log_size, ret_record_count, ret_sealed, ret_size);
    else if (status == STATUS_OK)
        status = failure_set(failure, STATUS_NOT_FOUND, "the vault %s has no state", store->sqlite->path);
    sqlite_finish(row.statement);
    return status;
}
