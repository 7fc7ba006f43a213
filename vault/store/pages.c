/* Whether the pages of the vault's trees are theirs alone: room that is used twice, or not at all, would do
 * its harm when something is written there. A page of an index that is listed as free, too, would be taken
 * for another place in that index, and what it listed be hidden.
 *
 * SQLite's quick_check of one table sees no list of free pages, and that of all tables reads the whole log.
 * So the list is walked here, and compared with the pages of every tree but the log's own (leaves, tiles):
 * what is written over one of those is noticed when it is read, as each is sealed or hashed for its number.
 *
 * Behind the last page there must be nothing: SQLite would never look there, and so nobody would.
 */
#include "base/cleanup.h"
#include "store/frames.h"
#include "store/interior.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_COUNT_AT 28u
#define FIRST_TRUNK_AT 32u
#define FREE_COUNT_AT 36u
#define RESERVED_AT 20u
#define TRUNK_LEAVES_MAX (FRAMES_PAGE_SIZE / 4 - 2)
#define LOCK_PAGE (0x40000000u / FRAMES_PAGE_SIZE + 1) /* SQLite's locks lie there; it is never used */

static const char *const trees[] = {
    "sqlite_schema", "header",       "slots",    "records",     "records_name",
    "records_place", "records_link", "segments", "checkpoints", "state",
};

struct free_list {
    struct store *store;
    struct failure *failure;
    struct frames frames;
    uint8_t *marks; /* a bit for each page that is on the list */
    uint32_t pages; /* of the file */
    uint32_t left;  /* that the header counts and the walk did not meet yet */
};

static enum status disagree(const struct free_list *list)
{
    return failure_set(list->failure, STATUS_CORRUPT,
                       "the vault %s is damaged: its list of free pages is wrong", list->store->sqlite->path);
}

static uint32_t load_u32(const uint8_t *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof(number));
    return be32toh(number);
}

static bool is_marked(const struct free_list *list, uint32_t page)
{
    return (list->marks[page / 8] >> page % 8 & 1) != 0;
}

/* False for what cannot be free, and for what was met before. */
static bool mark(struct free_list *list, uint32_t page)
{
    if (page < 2 || page > list->pages || page == LOCK_PAGE || list->left == 0 || is_marked(list, page))
        return false;
    list->marks[page / 8] |= (uint8_t)(1u << page % 8);
    list->left--;
    return true;
}

static enum status walk_list(struct free_list *list, uint32_t trunk)
{
    uint8_t page[FRAMES_PAGE_SIZE];
    enum status status = STATUS_OK;
    while (status == STATUS_OK && trunk != 0) {
        if (!mark(list, trunk))
            return disagree(list);
        status = frames_read_page(list->store->sqlite, &list->frames, trunk, list->failure, page);
        const uint32_t leaves = status == STATUS_OK ? load_u32(page + 4) : 0;
        if (leaves > TRUNK_LEAVES_MAX)
            return disagree(list);
        for (uint32_t i = 0; i < leaves; i++)
            if (!mark(list, load_u32(page + 8 + 4 * (size_t)i)))
                return disagree(list);
        trunk = load_u32(page);
    }
    return status == STATUS_OK && list->left > 0 ? disagree(list) : status;
}

/* `expected` free pages is what SQLite counts; a file that tells us something else is not read as SQLite
 * does. */
static enum status read_list(struct free_list *list, uint32_t expected)
{
    uint8_t header[FRAMES_PAGE_SIZE];
    enum status status = frames_load(list->store->sqlite, list->failure, &list->frames);
    if (status == STATUS_OK)
        status = frames_read_page(list->store->sqlite, &list->frames, 1, list->failure, header);
    if (status != STATUS_OK)
        return status;
    list->pages = load_u32(header + PAGE_COUNT_AT);
    list->left = load_u32(header + FREE_COUNT_AT);
    if (list->left != expected || list->left >= list->pages || header[RESERVED_AT] != 0)
        return disagree(list);
    list->marks = calloc(list->pages / 8 + 1, 1);
    if (list->marks == NULL)
        return failure_set_no_memory(list->failure);
    return walk_list(list, load_u32(header + FIRST_TRUNK_AT));
}

/* STATUS_NOT_FOUND: SQLite does not tell the pages of this tree. */
static enum status compare_tree(const struct free_list *list, const char *tree)
{
    sqlite3_stmt *statement = NULL;
    uint32_t count = 0;
    int code = SQLITE_DONE;
    enum status status = sqlite_statement(list->store->sqlite, SCHEMA_LIST_PAGES, list->failure, &statement);
    if (status != STATUS_OK)
        return STATUS_NOT_FOUND;
    (void)sqlite3_bind_text(statement, 1, tree, -1, SQLITE_STATIC);
    while (status == STATUS_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite3_int64 page = sqlite3_column_int64(statement, 0);
        if (page < 1 || page > list->pages || is_marked(list, (uint32_t)page) || ++count > list->pages)
            status = disagree(list);
    }
    if (status == STATUS_OK && code != SQLITE_DONE)
        status = sqlite_fail_step(list->store->sqlite, statement, code, list->failure);
    sqlite_finish(statement);
    return status == STATUS_OK && count == 0 ? STATUS_NOT_FOUND : status;
}

static enum status compare_free(struct store *store, uint32_t free_pages, struct failure *failure)
{
    struct free_list list = {.store = store, .failure = failure};
    enum status status = read_list(&list, free_pages);
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]) && status == STATUS_OK; i++)
        status = compare_tree(&list, trees[i]);
    frames_reset(&list.frames);
    free(list.marks);
    return status;
}

static enum status count_free(struct store *store, struct failure *failure, uint32_t *ret_count)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_statement(store->sqlite, SCHEMA_COUNT_FREE, failure, &statement);
    if (status != STATUS_OK)
        return status;
    if (store_step_once(store, statement, failure, &status))
        *ret_count = (uint32_t)sqlite3_column_int64(statement, 0);
    sqlite_finish(statement);
    return status;
}

static uint64_t size_of_pages(const uint8_t header[FRAMES_PAGE_SIZE])
{
    return (uint64_t)load_u32(header + PAGE_COUNT_AT) * FRAMES_PAGE_SIZE;
}

/* Pages are never given back, so that a file may lack pages that the write-ahead log has, but has none that
 * the log does not count: also where a crash left them half folded. */
static enum status check_size(const struct store *store, struct failure *failure)
{
    struct sqlite *sqlite = store->sqlite;
    struct frames frames = {0};
    uint8_t header[FRAMES_PAGE_SIZE];
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int code = sqlite3_file_control(sqlite->handle, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file);
    if (code == SQLITE_OK)
        code = file->pMethods->xFileSize(file, &size);
    if (code != SQLITE_OK)
        return sqlite_fail(sqlite, code, failure);
    enum status status = frames_read_page(sqlite, &frames, 1, failure, header);
    if (status == STATUS_OK && (uint64_t)size > size_of_pages(header))
        status = frames_load(sqlite, failure, &frames);
    if (status == STATUS_OK && frames.count > 0)
        status = frames_read_page(sqlite, &frames, 1, failure, header);
    frames_reset(&frames);
    if (status == STATUS_OK && (uint64_t)size > size_of_pages(header))
        status = failure_set(failure, STATUS_CORRUPT,
                             "the vault %s is damaged: it has %lld bytes, and should have %llu", sqlite->path,
                             (long long)size, (unsigned long long)size_of_pages(header));
    return status;
}

/* SQLite's own look at the pages of the table and its indices, or of all. */
static enum status run_quick_check(struct store *store, enum schema_statement which, struct failure *failure)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_statement(store->sqlite, which, failure, &statement);
    if (status != STATUS_OK)
        return status;
    if (store_step_once(store, statement, failure, &status)) {
        const char *verdict = (const char *)sqlite3_column_text(statement, 0);
        if (verdict == NULL || strcmp(verdict, "ok") != 0)
            status =
                failure_set(failure, STATUS_CORRUPT,
                            "the vault %s is damaged: its tables and indices disagree", store->sqlite->path);
    }
    sqlite_finish(statement);
    return status;
}

enum status store_check_pages(struct store *store, struct failure *failure)
{
    uint32_t free_pages = 0;
    enum status status = run_quick_check(store, SCHEMA_VERIFY, failure);
    if (status == STATUS_OK)
        status = check_size(store, failure);
    if (status == STATUS_OK)
        status = count_free(store, failure, &free_pages);
    if (status != STATUS_OK || free_pages == 0)
        return status;
    status = compare_free(store, free_pages, failure);
    /* An SQLite that was built without dbstat. */
    return status == STATUS_NOT_FOUND ? run_quick_check(store, SCHEMA_VERIFY_ALL, failure) : status;
}
