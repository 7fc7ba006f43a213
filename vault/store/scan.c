/* store.h on SQLite: one walk of the table of records, and one of each of its indices, compared. */
#include "store/store.h"

#include "store/interior.h"
#include "store/row.h"
#include "store/tally.h"

#include <stddef.h>
#include <string.h>

/* Each index, and the look-up of a record that it lists. */
static const struct {
    enum schema_statement walk;
    size_t column;
} indices[] = {
    {SCHEMA_WALK_NAMES,  offsetof(struct store_record, name) },
    {SCHEMA_WALK_PLACES, offsetof(struct store_record, place)},
    {SCHEMA_WALK_LINKS,  offsetof(struct store_record, link) },
};
#define INDEX_COUNT (sizeof(indices) / sizeof(indices[0]))

struct scan {
    struct store *store;
    struct failure *failure;
    struct tally_key key;
    struct tally expected[INDEX_COUNT];
};

static enum status disagree(const struct scan *scan)
{
    return failure_set(scan->failure, STATUS_CORRUPT,
                       "the vault %s is damaged: its tables and indices disagree", scan->store->sqlite->path);
}

/* A tree whose walk ascends is one in which every search finds what it has: the keys on its interior pages
 * are rows or entries themselves and stand in the walk between those of the pages below. That holds for a
 * walk from end to end only, so nothing here begins anew in the middle. */
static enum status walk_records(struct scan *scan, store_visit *visit, void *context)
{
    struct row row = {.sqlite = scan->store->sqlite, .table = "records", .failure = scan->failure};
    uint8_t last[STORE_ID_SIZE];
    bool first = true;
    int code = SQLITE_DONE;
    enum status status =
        sqlite_statement(scan->store->sqlite, SCHEMA_WALK_RECORDS, row.failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    while (status == STATUS_OK && (code = sqlite3_step(row.statement)) == SQLITE_ROW) {
        struct store_record record;
        status = row_record(&row, &record);
        if (status == STATUS_OK && !first && memcmp(last, record.id, sizeof(last)) >= 0)
            status = disagree(scan);
        for (size_t i = 0; i < INDEX_COUNT && status == STATUS_OK; i++)
            tally_add(&scan->expected[i], &scan->key, (const uint8_t *)&record + indices[i].column,
                      record.id);
        if (status == STATUS_OK && visit != NULL)
            status = visit(context, &record, scan->failure);
        if (status == STATUS_OK)
            memcpy(last, record.id, sizeof(last));
        first = false;
    }
    if (status == STATUS_OK && code != SQLITE_DONE)
        status = sqlite_fail(row.sqlite, code, row.failure);
    sqlite_finish(row.statement);
    return status;
}

static enum status walk_index(const struct scan *scan, enum schema_statement walk, struct tally *tally)
{
    struct row row = {.sqlite = scan->store->sqlite, .table = "records", .failure = scan->failure};
    uint8_t entry[STORE_LOOKUP_SIZE + STORE_ID_SIZE];
    uint8_t last[sizeof(entry)];
    int code = SQLITE_DONE;
    enum status status = sqlite_statement(scan->store->sqlite, walk, row.failure, &row.statement);
    if (status != STATUS_OK)
        return status;
    while (status == STATUS_OK && (code = sqlite3_step(row.statement)) == SQLITE_ROW) {
        if (!row_fixed(&row, 0, STORE_LOOKUP_SIZE, entry) ||
            !row_fixed(&row, 1, STORE_ID_SIZE, entry + STORE_LOOKUP_SIZE))
            status = STATUS_CORRUPT;
        else if (tally->count > 0 && memcmp(last, entry, sizeof(last)) >= 0)
            status = disagree(scan);
        else
            tally_add(tally, &scan->key, entry, entry + STORE_LOOKUP_SIZE);
        memcpy(last, entry, sizeof(last));
    }
    if (status == STATUS_OK && code != SQLITE_DONE)
        status = sqlite_fail(row.sqlite, code, row.failure);
    sqlite_finish(row.statement);
    return status;
}

static enum status compare_indices(const struct scan *scan)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < INDEX_COUNT && status == STATUS_OK; i++) {
        struct tally tally;
        tally_start(&tally);
        status = walk_index(scan, indices[i].walk, &tally);
        if (status == STATUS_OK && !tally_equal(&tally, &scan->expected[i]))
            status = disagree(scan);
    }
    return status;
}

/* Rows that no look-up of ours would ever meet. */
static enum status check_strangers(const struct scan *scan)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_statement(scan->store->sqlite, SCHEMA_HAS_STRANGERS, scan->failure, &statement);
    if (status != STATUS_OK)
        return status;
    if (store_step_once(scan->store, statement, scan->failure, &status) &&
        sqlite3_column_int(statement, 0) != 0)
        status = failure_set(scan->failure, STATUS_CORRUPT, "the vault %s has rows that no vault has",
                             scan->store->sqlite->path);
    sqlite_finish(statement);
    return status;
}

enum status store_scan(struct store *store, store_visit *visit, void *context, struct failure *failure)
{
    struct scan scan = {.store = store, .failure = failure};
    enum status status = tally_draw(failure, &scan.key);
    for (size_t i = 0; i < INDEX_COUNT; i++)
        tally_start(&scan.expected[i]);
    if (status == STATUS_OK)
        status = walk_records(&scan, visit, context);
    if (status == STATUS_OK)
        status = compare_indices(&scan);
    if (status == STATUS_OK)
        status = store_check_pages(store, failure);
    return status == STATUS_OK ? check_strangers(&scan) : status;
}
