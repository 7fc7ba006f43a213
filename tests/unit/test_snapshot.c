/* Copies of a store that goes on being written. */
#include "store/snapshot.h"
#include "store_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void fill(struct fixture *fixture, struct store *store, uint8_t first, uint8_t last)
{
    static const uint8_t body[20000];
    for (unsigned id = first; id <= last; id++) {
        struct store_record record = fixture_record((uint8_t)id, 1, (uint8_t)id, 1);
        record.body = body;
        record.body_size = sizeof(body);
        fixture_begin(fixture, store);
        assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_OK);
        fixture_commit(fixture, store);
    }
}

static struct store_snapshot *start(struct fixture *fixture, struct store *store)
{
    struct store_snapshot *snapshot = NULL;
    enum status status = store_snapshot_start(store, &fixture->failure, &snapshot);
    if (status != STATUS_OK)
        print_error("%s\n", fixture->failure.sentence);
    assert_int_equal(status, STATUS_OK);
    return snapshot;
}

static bool copy(struct fixture *fixture, struct store_snapshot *snapshot, size_t size)
{
    bool done = false;
    assert_int_equal(store_snapshot_copy(snapshot, size, &fixture->failure, &done), STATUS_OK);
    return done;
}

/* How many records a vault has that is made of the copy. */
static size_t count_in(struct fixture *fixture, const struct store_snapshot *snapshot)
{
    const char *path = fixture_beside(fixture, ".back");
    struct store *store = NULL;
    size_t size = (size_t)store_snapshot_size(snapshot);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(store_snapshot_read(snapshot, 0, bytes, size, &fixture->failure), STATUS_OK);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    free(bytes);
    assert_int_equal(store_open(path, 0, &fixture->failure, &store), STATUS_OK);
    size_t count = fixture_count(fixture, store);
    store_freep(&store);
    return count;
}

static void a_copy_is_the_file_as_it_was_whatever_is_committed_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    fill(fixture, store, 1, 20);
    struct store_snapshot *snapshot = start(fixture, store);
    /* More than a thousand pages: without a copy under way, commits would fold them into the file. */
    for (uint8_t id = 21; !copy(fixture, snapshot, 10000); id = id < 220 ? (uint8_t)(id + 5) : 21)
        fill(fixture, store, id, (uint8_t)(id + 4));
    assert_int_equal(store_snapshot_copied(snapshot), store_snapshot_size(snapshot));
    assert_int_equal(count_in(fixture, snapshot), 20);
    const size_t count = fixture_count(fixture, store);
    assert_true(count > 200);
    store_freep(&store);
    assert_int_equal(count_in(fixture, snapshot), 20);
    store_snapshot_freep(&snapshot);
    store = fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, store), count);
    store_freep(&store);
}

static void one_copy_is_taken_at_a_time_and_none_within_a_batch(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_snapshot *second = NULL;
    struct store_snapshot *first = start(fixture, store);
    assert_false(copy(fixture, first, 4096));
    assert_int_equal(store_snapshot_start(store, &fixture->failure, &second), STATUS_BUSY);
    assert_true(copy(fixture, first, SIZE_MAX));
    second = start(fixture, store);
    store_snapshot_freep(&second);
    second = start(fixture, store);
    store_snapshot_freep(&second);
    fixture_begin(fixture, store);
    assert_int_equal(store_snapshot_start(store, &fixture->failure, &second), STATUS_FAILED);
    assert_null(second);
    store_rollback(store);
    assert_int_equal(count_in(fixture, first), 0);
    store_snapshot_freep(&first);
    store_freep(&store);
}

static off_t size_of(const struct fixture *fixture, const char *suffix)
{
    struct stat facts;
    return stat(fixture_beside(fixture, suffix), &facts) == 0 ? facts.st_size : 0;
}

static void a_copy_given_up_lets_commits_be_folded_again(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    fill(fixture, store, 1, 20);
    struct store_snapshot *snapshot = start(fixture, store);
    const off_t size = size_of(fixture, "");
    fill(fixture, store, 21, 220);
    assert_int_equal(size_of(fixture, ""), size);
    assert_false(copy(fixture, snapshot, 4096));
    store_snapshot_freep(&snapshot);
    fill(fixture, store, 221, 222);
    assert_true(size_of(fixture, "") > 200 * 20000);
    store_freep(&store);
}

static void a_copy_leaves_no_name_and_the_lock_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_snapshot *snapshot = start(fixture, store);
    assert_true(copy(fixture, snapshot, SIZE_MAX));
    DIR *folder = opendir(fixture->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "vault.db") != 0 &&
            strcmp(entry->d_name, "vault.db-wal") != 0)
            fail_msg("%s is there", entry->d_name);
    }
    closedir(folder);
    store_snapshot_freep(&snapshot);
    pid_t child = fork();
    if (child == 0) {
        struct store *other = NULL;
        _exit(store_open(fixture->path, 0, &fixture->failure, &other) == STATUS_BUSY ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_freep(&store);
}

static void a_copy_that_the_disk_refuses_harms_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_snapshot *snapshot = NULL;
    struct rlimit before;
    bool done = false;
    fill(fixture, store, 1, 20);
    snapshot = start(fixture, store);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    assert_int_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status status = store_snapshot_copy(snapshot, SIZE_MAX, &fixture->failure, &done);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_LOG_UNWRITABLE);
    assert_non_null(strstr(fixture->failure.sentence, "no copy of the vault"));
    assert_false(done);
    store_snapshot_freep(&snapshot);
    fill(fixture, store, 21, 30);
    assert_int_equal(fixture_count(fixture, store), 30);
    store_freep(&store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_is_the_file_as_it_was_whatever_is_committed_meanwhile),
        TEST(one_copy_is_taken_at_a_time_and_none_within_a_batch),
        TEST(a_copy_given_up_lets_commits_be_folded_again),
        TEST(a_copy_leaves_no_name_and_the_lock_where_it_was),
        TEST(a_copy_that_the_disk_refuses_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
