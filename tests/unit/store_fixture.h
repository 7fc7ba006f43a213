/* What the tests of the store share: a private folder with one vault in it, and calls that must succeed. */
#ifndef STEPVAULT_TESTS_STORE_FIXTURE_H
#define STEPVAULT_TESTS_STORE_FIXTURE_H

#include "store/store.h"

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char path[96]; /* of the vault, which setup does not make */
    struct failure failure;
};

static const struct store_header fixture_header = {.vault_id = "sixteen bytes id", .epoch = 7};

static int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL) {
        return -1;
    }
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/stepvault-store-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL) {
        free(fixture);
        return -1;
    }
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/vault.db", fixture->folder);
    *state = fixture;
    return 0;
}

static int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    DIR *folder = opendir(fixture->folder);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char path[sizeof(fixture->folder) + sizeof(entry->d_name) + 1];
        (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, entry->d_name);
        if (unlink(path) != 0) {
            (void)rmdir(path);
        }
    }
    (void)closedir(folder);
    int result = rmdir(fixture->folder);
    free(fixture);
    return result;
}

/* `path` with a suffix; static, until the next call. */
static inline const char *fixture_beside(const struct fixture *fixture, const char *suffix)
{
    static char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s%s", fixture->path, suffix);
    return path;
}

static inline bool fixture_exists(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

/* Makes and publishes a vault. */
static inline enum status fixture_make(const char *path, const struct store_header *header,
                                       struct failure *failure, struct store **ret_store)
{
    struct store *store = NULL;
    enum status status = store_create(path, header, failure, &store);
    if (status == STATUS_OK)
        status = store_publish(store, failure);
    if (status != STATUS_OK) {
        store_freep(&store);
        return status;
    }
    *ret_store = store;
    return STATUS_OK;
}

/* Making a vault that may fail. */
static inline enum status fixture_try(struct fixture *fixture)
{
    struct store *store = NULL;
    enum status status = fixture_make(fixture->path, &fixture_header, &fixture->failure, &store);
    store_freep(&store);
    return status;
}

static inline void fixture_sleep_us(long microseconds)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

static inline struct store *fixture_create(struct fixture *fixture)
{
    struct store *store = NULL;
    assert_int_equal(fixture_make(fixture->path, &fixture_header, &fixture->failure, &store), STATUS_OK);
    return store;
}

static inline struct store *fixture_open(struct fixture *fixture)
{
    struct store *store = NULL;
    enum status status = store_open(fixture->path, 2000, &fixture->failure, &store);
    if (status != STATUS_OK) {
        print_error("%s\n", fixture->failure.sentence);
    }
    assert_int_equal(status, STATUS_OK);
    return store;
}

/* Opening must fail with this status and a sentence that has `word`. */
static inline void fixture_refuse(struct fixture *fixture, enum status expected, const char *word)
{
    struct store *store = NULL;
    enum status status = store_open(fixture->path, 0, &fixture->failure, &store);
    if (status != expected || strstr(fixture->failure.sentence, word) == NULL) {
        print_error("status %d: %s\n", status, fixture->failure.sentence);
    }
    assert_int_equal(status, expected);
    assert_null(store);
    assert_non_null(strstr(fixture->failure.sentence, word));
}

static inline void fixture_begin(struct fixture *fixture, struct store *store)
{
    assert_int_equal(store_begin(store, &fixture->failure), STATUS_OK);
}

static inline void fixture_commit(struct fixture *fixture, struct store *store)
{
    assert_int_equal(store_commit(store, &fixture->failure), STATUS_OK);
}

/* A record whose columns are made of these numbers. */
static inline struct store_record fixture_record(uint8_t id, uint8_t place, uint8_t name, uint8_t link)
{
    static const uint8_t finals[32] = "finals finals finals finals fin";
    static const uint8_t body[64] = "body of a record, sealed";
    struct store_record record = {
        .finals = finals,
        .finals_size = sizeof(finals),
        .version = 3,
        .epoch = 7,
        .body = body,
        .body_size = sizeof(body),
    };
    memset(record.id, id, sizeof(record.id));
    memset(record.place, place, sizeof(record.place));
    memset(record.name, name, sizeof(record.name));
    memset(record.link, link, sizeof(record.link));
    return record;
}

/* A vault with three records, one slot, one blob in each table and a state; closed. */
static inline void fixture_fill(struct fixture *fixture)
{
    struct store *store = fixture_create(fixture);
    struct store_slot slot = {
        .id = {9}, .kind = 1, .memory_kib = 65536, .passes = 3, .lanes = 4, .created_ms = 5};
    fixture_begin(fixture, store);
    for (uint8_t i = 1; i <= 3; i++) {
        struct store_record record = fixture_record(i, 40, (uint8_t)(50 + i), 60);
        assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_OK);
    }
    assert_int_equal(store_put_slot(store, &slot, &fixture->failure), STATUS_OK);
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        assert_int_equal(store_put_blob(store, (enum store_table)table, 0, "blob", 4, &fixture->failure),
                         STATUS_OK);
    }
    assert_int_equal(store_put_state(store, 1, 3, "sealed", 6, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    store_freep(&store);
}

static inline enum status fixture_count_record(void *context, const struct store_record *record,
                                               struct failure *failure)
{
    (void)record;
    (void)failure;
    ++*(size_t *)context;
    return STATUS_OK;
}

/* How many records a scan visits, which must succeed. */
static inline size_t fixture_count(struct fixture *fixture, struct store *store)
{
    size_t count = 0;
    assert_int_equal(store_scan(store, fixture_count_record, &count, &fixture->failure), STATUS_OK);
    return count;
}

/* Changes the closed file as somebody with SQLite at hand would. */
static inline void fixture_edit(const struct fixture *fixture, const char *sql)
{
    sqlite3 *handle = NULL;
    char *error = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &handle), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s: %s", sql, error);
    }
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

/* The page that a table or an index of the closed file begins at. */
static inline uint32_t fixture_root_of(const struct fixture *fixture, const char *tree)
{
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, "SELECT rootpage FROM sqlite_schema WHERE name = ?1", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_text(statement, 1, tree, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    uint32_t root = (uint32_t)sqlite3_column_int(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    return root;
}

#endif
