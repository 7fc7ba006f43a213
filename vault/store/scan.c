/* store.h on SQLite: one walk of the table of records, and one of each of its indices, compared. */
#include "store/store.h"

#include "base/cleanup.h"
#include "store/interior.h"
#include "store/row.h"
#include "store/tally.h"

#include <stddef.h>
#include <stdlib.h>
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

enum scan_stage {
    SCAN_RECORDS,
    SCAN_INDICES,
    SCAN_PAGES = SCAN_INDICES + INDEX_COUNT,
    SCAN_STRANGERS,
    SCAN_DONE
};

struct store_scan {
    struct store *store;
    struct store_scan *next; /* of the store's */
    store_visit *visit;
    void *context;
    unsigned stage; /* of enum scan_stage; between the indices it counts them */
    bool stale;     /* something was written since it began */
    struct tally_key key;
    struct tally expected[INDEX_COUNT];
    struct tally tally;      /* of the index at hand */
    sqlite3_stmt *statement; /* of the walk at hand: its own, as others walk meanwhile */
    uint8_t last[STORE_LOOKUP_SIZE + STORE_ID_SIZE];
    bool any; /* `last` is something */
};

static enum status disagree(const struct store_scan *scan, struct failure *failure)
{
    return failure_set(failure, STATUS_CORRUPT, "the vault %s is damaged: its tables and indices disagree",
                       scan->store->sqlite->path);
}

/* A tree whose walk ascends is one in which every search finds what it has: the keys on its interior pages
 * are rows or entries themselves and stand in the walk between those of the pages below. That holds for a
 * walk from end to end only, so nothing here begins anew in the middle. */
static bool ascends(struct store_scan *scan, const uint8_t *entry, size_t size)
{
    bool above = !scan->any || memcmp(scan->last, entry, size) < 0;

    memcpy(scan->last, entry, size);
    scan->any = true;
    return above;
}

static enum status take_record(struct store_scan *scan, const struct row *row)
{
    struct store_record record;
    enum status status = row_record(row, &record);

    if (status == STATUS_OK && !ascends(scan, record.id, sizeof(record.id)))
        status = disagree(scan, row->failure);
    for (size_t i = 0; i < INDEX_COUNT && status == STATUS_OK; i++)
        tally_add(&scan->expected[i], &scan->key, (const uint8_t *)&record + indices[i].column, record.id);
    if (status == STATUS_OK && scan->visit != NULL)
        status = scan->visit(scan->context, &record, row->failure);
    return status;
}

static enum status take_entry(struct store_scan *scan, const struct row *row)
{
    uint8_t entry[STORE_LOOKUP_SIZE + STORE_ID_SIZE];

    if (!row_fixed(row, 0, STORE_LOOKUP_SIZE, entry) ||
        !row_fixed(row, 1, STORE_ID_SIZE, entry + STORE_LOOKUP_SIZE))
        return STATUS_CORRUPT;
    if (!ascends(scan, entry, sizeof(entry)))
        return disagree(scan, row->failure);
    tally_add(&scan->tally, &scan->key, entry, entry + STORE_LOOKUP_SIZE);
    return STATUS_OK;
}

static enum status begin_walk(struct store_scan *scan, struct failure *failure)
{
    enum schema_statement which =
        scan->stage == SCAN_RECORDS ? SCHEMA_WALK_RECORDS : indices[scan->stage - SCAN_INDICES].walk;
    int code =
        sqlite3_prepare_v2(scan->store->sqlite->handle, schema_statements[which], -1, &scan->statement, NULL);

    scan->any = false;
    tally_start(&scan->tally);
    return code == SQLITE_OK ? STATUS_OK : sqlite_fail_reading(scan->store->sqlite, code, failure);
}

static void end_walk(struct store_scan *scan)
{
    (void)sqlite3_finalize(scan->statement);
    scan->statement = NULL;
}

/* Goes on with a walk for at most `*limit` rows, which are counted off. */
static enum status walk(struct store_scan *scan, size_t *limit, struct failure *failure)
{
    enum status (*take)(struct store_scan *, const struct row *) =
        scan->stage == SCAN_RECORDS ? take_record : take_entry;
    struct row row = {.sqlite = scan->store->sqlite, .table = "records", .failure = failure};
    enum status status = scan->statement == NULL ? begin_walk(scan, failure) : STATUS_OK;
    int code = SQLITE_ROW;

    row.statement = scan->statement;
    while (status == STATUS_OK && *limit > 0 && (code = sqlite3_step(row.statement)) == SQLITE_ROW) {
        status = take(scan, &row);
        (*limit)--;
    }
    if (status != STATUS_OK || code == SQLITE_ROW)
        return status;
    if (code != SQLITE_DONE)
        return sqlite_fail_step(row.sqlite, row.statement, code, failure);
    if (scan->stage != SCAN_RECORDS &&
        !tally_equal(&scan->tally, &scan->expected[scan->stage - SCAN_INDICES]))
        return disagree(scan, failure);
    end_walk(scan);
    scan->stage++;
    return STATUS_OK;
}

/* Rows that no look-up of ours would ever meet. */
static enum status check_strangers(const struct store_scan *scan, struct failure *failure)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_statement(scan->store->sqlite, SCHEMA_HAS_STRANGERS, failure, &statement);
    if (status != STATUS_OK)
        return status;
    if (store_step_once(scan->store, statement, failure, &status) && sqlite3_column_int(statement, 0) != 0)
        status = failure_set(failure, STATUS_CORRUPT, "the vault %s has rows that no vault has",
                             scan->store->sqlite->path);
    sqlite_finish(statement);
    return status;
}

enum status store_scan_start(struct store *store, store_visit *visit, void *context, struct failure *failure,
                             struct store_scan **ret_scan)
{
    CLEANUP(store_scan_freep) struct store_scan *scan = calloc(1, sizeof(*scan));

    if (scan == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for a look at all rows");
    scan->store = store;
    scan->visit = visit;
    scan->context = context;
    scan->next = store->scans;
    store->scans = scan;
    for (size_t i = 0; i < INDEX_COUNT; i++)
        tally_start(&scan->expected[i]);
    enum status status = tally_draw(failure, &scan->key);
    if (status == STATUS_OK)
        *ret_scan = TAKE(scan);
    return status;
}

void store_scan_freep(struct store_scan **scan)
{
    if (*scan == NULL)
        return;
    for (struct store_scan **link = &(*scan)->store->scans; *link != NULL; link = &(*link)->next) {
        if (*link == *scan) {
            *link = (*scan)->next;
            break;
        }
    }
    end_walk(*scan);
    free(*scan);
    *scan = NULL;
}

void store_scans_interrupt(struct store *store)
{
    for (struct store_scan *scan = store->scans; scan != NULL; scan = scan->next) {
        end_walk(scan);
        scan->stale = true;
    }
}

bool store_scan_is_stale(const struct store_scan *scan)
{
    return scan->stale;
}

bool store_scan_has_records(const struct store_scan *scan)
{
    return scan->stage > SCAN_RECORDS;
}

enum status store_scan_continue(struct store_scan *scan, size_t limit, struct failure *failure,
                                bool *ret_done)
{
    enum status status = STATUS_OK;

    if (scan->stale)
        return failure_set(failure, STATUS_FAILED, "the vault was written while its rows were looked at");
    while (status == STATUS_OK && limit > 0 && scan->stage < SCAN_PAGES)
        status = walk(scan, &limit, failure);
    if (status == STATUS_OK && limit > 0 && scan->stage == SCAN_PAGES) {
        status = store_check_pages(scan->store, failure);
        scan->stage++;
    }
    if (status == STATUS_OK && limit > 0 && scan->stage == SCAN_STRANGERS) {
        status = check_strangers(scan, failure);
        scan->stage++;
    }
    *ret_done = scan->stage == SCAN_DONE;
    return status;
}

enum status store_scan(struct store *store, store_visit *visit, void *context, struct failure *failure)
{
    CLEANUP(store_scan_freep) struct store_scan *scan = NULL;
    bool done;
    enum status status = store_scan_start(store, visit, context, failure, &scan);

    return status == STATUS_OK ? store_scan_continue(scan, SIZE_MAX, failure, &done) : status;
}
