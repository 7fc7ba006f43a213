/* Noticing what others do to the files of an open store, and leaving alone what is not ours. */
#include "store_fixture.h"

#include "store/interior.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RECORDS 50u

/* SQLite calls these instead of the C library's. */
static bool disk_fails;
__attribute__((visibility("default"))) int fdatasync(int descriptor)
{
    errno = EIO;
    return disk_fails ? -1 : (int)syscall(SYS_fdatasync, descriptor);
}
__attribute__((visibility("default"))) int fsync(int descriptor)
{
    errno = EIO;
    return disk_fails ? -1 : (int)syscall(SYS_fsync, descriptor);
}

static int make_vault(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    fixture_begin(fixture, store);
    for (uint8_t i = 1; i <= RECORDS; i++) {
        struct store_record record = fixture_record(i, 100, (uint8_t)(100 + i), 60);
        assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_OK);
    }
    fixture_commit(fixture, store);
    store_freep(&store);
    return 0;
}

/* Longer than a tick of the clock that files are stamped with. */
static void let_time_pass(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* No descriptor of the vault's own process may do it: closing one drops SQLite's lock, which these tests do
 * without. */
static void patch(const char *path, off_t offset, const void *bytes, size_t size)
{
    int descriptor = open(path, O_WRONLY);
    assert_true(descriptor >= 0);
    assert_int_equal(pwrite(descriptor, bytes, size, offset), size);
    assert_int_equal(close(descriptor), 0);
}

static off_t size_of(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 ? facts.st_size : -1;
}

static void commit_one(struct fixture *fixture, struct store *store, uint8_t number)
{
    struct store_record record = fixture_record(number, 100, (uint8_t)(100 + number), 60);
    fixture_begin(fixture, store);
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
}

static void assert_look(struct fixture *fixture, struct store *store, enum status expected,
                        bool expected_touched)
{
    bool touched = false;
    enum status status = store_look(store, &fixture->failure, &touched);
    if (status != expected || touched != expected_touched)
        fail_msg("%d %d: %s", status, touched, status == STATUS_OK ? "" : fixture->failure.sentence);
}

static void what_we_write_ourselves_is_no_foreign_write(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    assert_look(fixture, store, STATUS_OK, false);
    store_reserve(store);
    assert_look(fixture, store, STATUS_OK, false);
    for (unsigned i = 0; i < 700; i++) { /* the log is folded once or more */
        commit_one(fixture, store, (uint8_t)(1 + i % RECORDS));
        assert_look(fixture, store, STATUS_OK, false);
        if (i % 100 == 0)
            let_time_pass();
    }
    fixture_begin(fixture, store);
    store_widen(store);
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(store_put_blob(store, STORE_TILES, i, "0123456789", 10, &fixture->failure),
                         STATUS_OK);
    fixture_commit(fixture, store);
    assert_look(fixture, store, STATUS_OK, false);
    store_fold(store);
    assert_look(fixture, store, STATUS_OK, false);
    fixture_begin(fixture, store);
    store_rollback(store);
    assert_look(fixture, store, STATUS_OK, false);
    store_freep(&store);
}

static void times_that_changed_are_told_until_they_are_accepted(void **state)
{
    struct fixture *fixture = *state;
    const char *const suffixes[] = {"", "-wal"};
    for (size_t i = 0; i < 2; i++) {
        struct store *store = fixture_open(fixture);
        commit_one(fixture, store, 1);
        let_time_pass();
        assert_int_equal(utimensat(AT_FDCWD, fixture_beside(fixture, suffixes[i]), NULL, 0), 0);
        assert_look(fixture, store, STATUS_OK, true);
        assert_look(fixture, store, STATUS_OK, true);
        store_accept(store);
        assert_look(fixture, store, STATUS_OK, false);
        store_freep(&store);
    }
}

static void another_size_is_foreign_and_leaves_everything_as_it_lies(void **state)
{
    static const char *const suffixes[] = {"", "-wal"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 4; i++) {
        char path[PATH_MAX];
        struct store *store = fixture_open(fixture);
        commit_one(fixture, store, 1);
        (void)snprintf(path, sizeof(path), "%s", fixture_beside(fixture, suffixes[i % 2]));
        off_t before = size_of(path);
        off_t other = before + (i < 2 ? 1 : -1);
        assert_int_equal(truncate(path, other), 0);
        assert_look(fixture, store, STATUS_FOREIGN, false);
        off_t log = size_of(fixture_beside(fixture, "-wal"));
        assert_true(log > 0);
        store_freep(&store);
        assert_int_equal(size_of(path), other);
        assert_int_equal(size_of(fixture_beside(fixture, "-wal")), log);
        assert_int_equal(truncate(path, before), 0);
        store = fixture_open(fixture);
        store_freep(&store);
    }
}

/* The file that came is as it was, and nothing of ours lies beside it that would be played into it; ours is
 * whole. */
static void a_file_that_replaced_ours_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t older[1 << 20], now[1 << 20];
    char moved[PATH_MAX];
    (void)snprintf(moved, sizeof(moved), "%s", fixture_beside(fixture, ".moved"));
    FILE *file = fopen(fixture->path, "rb");
    size_t size = fread(older, 1, sizeof(older), file);
    assert_int_equal(fclose(file), 0);

    struct store *store = fixture_open(fixture);
    store_reserve(store);
    struct store_record record = fixture_record(77, 100, 99, 60);
    fixture_begin(fixture, store);
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    assert_int_equal(rename(fixture->path, moved), 0);
    assert_look(fixture, store, STATUS_FOREIGN, false);
    file = fopen(fixture->path, "wb");
    assert_int_equal(fwrite(older, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(fixture->path, 0600), 0);
    assert_look(fixture, store, STATUS_FOREIGN, false);
    store_freep(&store);

    assert_int_equal(size_of(fixture_beside(fixture, "-wal")), -1);
    file = fopen(fixture->path, "rb");
    assert_int_equal(fread(now, 1, sizeof(now), file), size);
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(now, older, size);
    store = fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, store), RECORDS);
    store_freep(&store);
    assert_int_equal(rename(moved, fixture->path), 0);
    store = fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, store), RECORDS + 1);
    store_freep(&store);
}

/* The write-ahead log of another vault that was put there is no more ours to remove than the vault itself. */
static void a_write_ahead_log_that_replaced_ours_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    commit_one(fixture, store, 1);
    assert_int_equal(unlink(fixture_beside(fixture, "-wal")), 0);
    assert_look(fixture, store, STATUS_FOREIGN, false);
    FILE *file = fopen(fixture_beside(fixture, "-wal"), "wb");
    assert_int_equal(fwrite("not ours", 1, 8, file), 8);
    assert_int_equal(fclose(file), 0);
    assert_look(fixture, store, STATUS_FOREIGN, false);
    store_freep(&store);
    assert_int_equal(size_of(fixture_beside(fixture, "-wal")), 8);
}

static off_t find_in(const char *path, const void *needle, size_t needle_size)
{
    static uint8_t bytes[8 << 20];
    FILE *file = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(fclose(file), 0);
    const uint8_t *found = memmem(bytes, size, needle, needle_size);
    return found == NULL ? -1 : found - bytes;
}

static enum status count_changed(void *context, const struct store_record *record, struct failure *failure)
{
    (void)failure;
    if (memcmp(record->body, "BODY", 4) == 0)
        ++*(unsigned *)context;
    return STATUS_OK;
}

/* What SQLite holds in memory hides a write to the file until it is dropped. */
static void after_a_refresh_the_file_is_read_and_not_memory(void **state)
{
    struct fixture *fixture = *state;
    unsigned changed = 0;
    struct store *store = fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, store), RECORDS);
    off_t at = find_in(fixture->path, "body of a record", 16);
    assert_true(at > 0);
    patch(fixture->path, at, "BODY", 4);
    assert_int_equal(store_scan(store, count_changed, &changed, &fixture->failure), STATUS_OK);
    assert_int_equal(changed, 0);
    assert_int_equal(store_refresh(store, &fixture->failure), STATUS_OK);
    assert_int_equal(store_scan(store, count_changed, &changed, &fixture->failure), STATUS_OK);
    assert_int_equal(changed, 1);
    commit_one(fixture, store, 1);
    store_freep(&store);
}

static void a_refresh_notices_a_changed_schema_and_a_changed_log(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    off_t at = find_in(fixture->path, "CREATE UNIQUE INDEX", 19);
    assert_true(at > 0);
    patch(fixture->path, at, "CREATE UNIQUE index", 19);
    assert_int_equal(store_refresh(store, &fixture->failure), STATUS_CORRUPT);
    patch(fixture->path, at, "CREATE UNIQUE INDEX", 19);
    assert_int_equal(store_refresh(store, &fixture->failure), STATUS_OK);
    for (uint8_t i = 1; i < 20; i++)
        commit_one(fixture, store, i);
    assert_int_equal(store_refresh(store, &fixture->failure), STATUS_OK);
    off_t length = size_of(fixture_beside(fixture, "-wal"));
    for (off_t offset = length - 1; offset > 0; offset -= length / 5) {
        char log[PATH_MAX];
        uint8_t byte = 0;
        (void)snprintf(log, sizeof(log), "%s", fixture_beside(fixture, "-wal"));
        FILE *file = fopen(log, "rb");
        assert_int_equal(fseek(file, offset, SEEK_SET), 0);
        byte = (uint8_t)fgetc(file);
        assert_int_equal(fclose(file), 0);
        patch(log, offset, &(uint8_t){byte ^ 1}, 1);
        assert_int_equal(store_refresh(store, &fixture->failure), STATUS_CORRUPT);
        patch(log, offset, &byte, 1);
        assert_int_equal(store_refresh(store, &fixture->failure), STATUS_OK);
    }
    store_freep(&store);
}

static void a_store_that_is_left_is_as_after_a_crash(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    commit_one(fixture, store, 1);
    off_t log = size_of(fixture_beside(fixture, "-wal"));
    store_leave(store);
    store_freep(&store);
    assert_int_equal(size_of(fixture_beside(fixture, "-wal")), log);
    store = fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, store), RECORDS);
    store_freep(&store);
    assert_int_equal(size_of(fixture_beside(fixture, "-wal")), -1);
}

/* A copy of the open files, as a crash leaves them, with another schema. */
static void what_is_no_vault_is_not_folded(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    commit_one(fixture, store, 1);
    store_leave(store);
    store_freep(&store);
    off_t log = size_of(fixture_beside(fixture, "-wal"));
    off_t at = find_in(fixture->path, "CREATE UNIQUE INDEX", 19);
    patch(fixture->path, at, "CREATE UNIQUE index", 19);
    fixture_refuse(fixture, STATUS_CORRUPT, "schema");
    assert_int_equal(size_of(fixture_beside(fixture, "-wal")), log);
    patch(fixture->path, at, "CREATE UNIQUE INDEX", 19);
    store = fixture_open(fixture);
    store_freep(&store);
    patch(fixture->path, at, "CREATE UNIQUE index", 19);
    fixture_refuse(fixture, STATUS_CORRUPT, "schema");
    assert_int_equal(size_of(fixture_beside(fixture, "-wal")), -1);
}

/* All its frames are in the log by then, as those of a commit. */
static void a_commit_that_could_not_be_synced_is_no_foreign_write(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    struct store_record record = fixture_record(2, 100, 200, 60);
    commit_one(fixture, store, 1);
    fixture_begin(fixture, store);
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_OK);
    disk_fails = true;
    assert_int_equal(store_commit(store, &fixture->failure), STATUS_LOG_UNWRITABLE);
    disk_fails = false;
    assert_look(fixture, store, STATUS_OK, false);
    assert_int_equal(store_refresh(store, &fixture->failure), STATUS_OK);
    assert_int_equal(store_check_pages(store, &fixture->failure), STATUS_OK);
    commit_one(fixture, store, 3);
    assert_int_equal(store_refresh(store, &fixture->failure), STATUS_OK);
    store_freep(&store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_vault, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_we_write_ourselves_is_no_foreign_write),
        TEST(times_that_changed_are_told_until_they_are_accepted),
        TEST(another_size_is_foreign_and_leaves_everything_as_it_lies),
        TEST(a_file_that_replaced_ours_is_left_alone),
        TEST(a_write_ahead_log_that_replaced_ours_is_left_alone),
        TEST(after_a_refresh_the_file_is_read_and_not_memory),
        TEST(a_refresh_notices_a_changed_schema_and_a_changed_log),
        TEST(a_store_that_is_left_is_as_after_a_crash),
        TEST(what_is_no_vault_is_not_folded),
        TEST(a_commit_that_could_not_be_synced_is_no_foreign_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
