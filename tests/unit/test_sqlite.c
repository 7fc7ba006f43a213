/* The connection: who holds the vault, and what kill -9, a full disk and a read-only disk leave. */
#include "base/clock.h"
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

/* ---- Holding ---- */

/* A child that opens the vault, says so on the returned pipe and closes it after `hold_ms`, or never if that
 * is 0. */
static pid_t start_holder(struct fixture *fixture, long hold_ms, int *ret_pipe)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *store = NULL;
        (void)close(ends[0]);
        enum status status = store_open(fixture->path, 0, &fixture->failure, &store);
        (void)!write(ends[1], status == STATUS_OK ? "+" : "-", 1);
        if (hold_ms == 0) {
            (void)pause();
        }
        fixture_sleep_us(hold_ms * 1000);
        store_freep(&store);
        _exit(0);
    }
    (void)close(ends[1]);
    *ret_pipe = ends[0];
    char said = 0;
    assert_int_equal(read(ends[0], &said, 1), 1);
    assert_int_equal(said, '+');
    return child;
}

static void one_process_holds_the_vault(void **state)
{
    struct fixture *fixture = *state;
    int ends = -1;
    fixture_fill(fixture);
    pid_t child = start_holder(fixture, 0, &ends);
    fixture_refuse(fixture, STATUS_BUSY, "another process");
    struct store *store = NULL;
    uint64_t before = clock_monotonic_ms();
    assert_int_equal(store_open(fixture->path, 100, &fixture->failure, &store), STATUS_BUSY);
    uint64_t waited = clock_monotonic_ms() - before;
    assert_in_range(waited, 95, 1000);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ends);
    store = fixture_open(fixture);
    store_freep(&store);
}

static void who_waits_gets_the_vault_when_it_is_closed(void **state)
{
    struct fixture *fixture = *state;
    int ends = -1;
    fixture_fill(fixture);
    pid_t child = start_holder(fixture, 60, &ends);
    struct store *store = fixture_open(fixture);
    store_freep(&store);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ends);
}

static void looking_at_our_own_open_vault_does_not_unlock_it(void **state)
{
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    struct store *store = fixture_open(fixture);
    fixture_refuse(fixture, STATUS_BUSY, "another process");
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    store_reserve(store);
    pid_t child = fork();
    if (child == 0) {
        struct store *second = NULL;
        _exit(store_open(fixture->path, 0, &fixture->failure, &second) == STATUS_BUSY ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_freep(&store);
}

static void reserved_room_changes_nothing_but_the_size_of_the_log(void **state)
{
    struct fixture *fixture = *state;
    struct stat facts;
    fixture_fill(fixture);
    pid_t child = fork();
    if (child == 0) {
        struct store *store = NULL;
        bool good = store_open(fixture->path, 0, &fixture->failure, &store) == STATUS_OK;
        store_reserve(store);
        good = good && store_begin(store, &fixture->failure) == STATUS_OK &&
               store_put_blob(store, STORE_LEAVES, 9, "kept", 4, &fixture->failure) == STATUS_OK &&
               store_commit(store, &fixture->failure) == STATUS_OK;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(stat(fixture_beside(fixture, "-wal"), &facts), 0);
    assert_true(facts.st_size > 4 * 1024 * 1024);
    struct store *store = fixture_open(fixture);
    struct store_rows rows = {0};
    assert_int_equal(store_list_blobs(store, STORE_LEAVES, 9, 9, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 1);
    store_rows_reset(&rows);
    store_freep(&store);
    assert_false(fixture_exists(fixture_beside(fixture, "-wal")));
}

/* P6. The child commits leaf i and log size i + 1 together, and says i only after the commit. */
static void commit_for_ever(struct fixture *fixture, int said)
{
    struct store *store = NULL;
    uint64_t log_size = 0;
    uint64_t records = 0;
    uint8_t *sealed = NULL;
    size_t size = 0;
    static uint8_t leaf[3000];
    if (store_open(fixture->path, 2000, &fixture->failure, &store) != STATUS_OK ||
        store_get_state(store, &fixture->failure, &log_size, &records, &sealed, &size) != STATUS_OK) {
        _exit(1);
    }
    for (uint64_t i = log_size;; i++) {
        bool good = store_begin(store, &fixture->failure) == STATUS_OK;
        good = good &&
               store_put_blob(store, STORE_LEAVES, i, leaf, sizeof(leaf), &fixture->failure) == STATUS_OK;
        good = good && store_put_state(store, i + 1, 3, "sealed", 6, &fixture->failure) == STATUS_OK;
        good = good && store_commit(store, &fixture->failure) == STATUS_OK;
        if (!good || write(said, &i, sizeof(i)) != (ssize_t)sizeof(i)) {
            _exit(1);
        }
    }
}

static void kill_in_the_middle_of_commits_leaves_the_last_one_whole(void **state)
{
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    uint64_t committed = 1;
    for (long round = 0; round < 25; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            commit_for_ever(fixture, ends[1]);
        }
        (void)close(ends[1]);
        fixture_sleep_us(5000 + round * 1711 % 60000);
        assert_int_equal(kill(child, SIGKILL), 0);
        for (uint64_t i; read(ends[0], &i, sizeof(i)) == (ssize_t)sizeof(i);) {
            committed = i + 1;
        }
        (void)close(ends[0]);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));

        struct store *store = fixture_open(fixture);
        struct store_rows rows = {0};
        uint64_t log_size = 0;
        uint64_t records = 0;
        uint8_t *sealed = NULL;
        size_t size = 0;
        assert_int_equal(store_get_state(store, &fixture->failure, &log_size, &records, &sealed, &size),
                         STATUS_OK);
        free(sealed);
        assert_in_range(log_size, committed, committed + 1);
        assert_int_equal(store_list_blobs(store, STORE_LEAVES, 0, SIZE_MAX, &fixture->failure, &rows),
                         STATUS_OK);
        assert_int_equal(rows.count, log_size);
        store_rows_reset(&rows);
        store_freep(&store);
        committed = log_size;
    }
    assert_true(committed > 25);
}

/* ---- Disks that do not take what we write ---- */

#define NO_MOUNT 77

/* In a child: ends it with the line where a condition does not hold. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                    \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void write_file(const char *path, const char *content)
{
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0 || write(descriptor, content, strlen(content)) < 0) {
        _exit(NO_MOUNT);
    }
    (void)close(descriptor);
}

/* Become root of a user namespace of our own, where mounting is allowed. */
static void map_ourselves_to_root(uid_t uid, gid_t gid)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "0 %u 1", uid);
    write_file("/proc/self/uid_map", line);
    write_file("/proc/self/setgroups", "deny");
    (void)snprintf(line, sizeof(line), "0 %u 1", gid);
    write_file("/proc/self/gid_map", line);
}

/* Runs `test` in a child that sees a small disk of its own in the fixture's folder. */
static void with_small_disk(struct fixture *fixture, const char *options, void (*test)(struct fixture *))
{
    pid_t child = fork();
    if (child == 0) {
        uid_t uid = geteuid();
        gid_t gid = getegid();
        if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) {
            _exit(NO_MOUNT);
        }
        if (uid != 0) {
            map_ourselves_to_root(uid, gid);
        }
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", fixture->folder, "tmpfs", 0, options) != 0) {
            _exit(NO_MOUNT);
        }
        test(fixture);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MOUNT) {
        print_message("skipped: no tmpfs can be mounted here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static uint64_t leaves_of(struct fixture *fixture, struct store *store)
{
    struct store_rows rows = {0};
    CHECK(store_list_blobs(store, STORE_LEAVES, 0, SIZE_MAX, &fixture->failure, &rows) == STATUS_OK);
    uint64_t count = rows.count;
    store_rows_reset(&rows);
    return count;
}

static enum status commit_leaf(struct fixture *fixture, struct store *store, uint64_t number)
{
    static uint8_t leaf[20000];
    enum status status = store_begin(store, &fixture->failure);
    CHECK(status == STATUS_OK);
    status = store_put_blob(store, STORE_LEAVES, number, leaf, sizeof(leaf), &fixture->failure);
    if (status != STATUS_OK) {
        store_rollback(store);
        return status;
    }
    return store_commit(store, &fixture->failure);
}

static void fill_disk(struct fixture *fixture)
{
    static const char zeros[4096];
    int filler = open(fixture_beside(fixture, ".filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(filler >= 0);
    while (write(filler, zeros, sizeof(zeros)) > 0) {
    }
    CHECK(errno == ENOSPC);
    (void)close(filler);
}

static void run_into_full_disk(struct fixture *fixture)
{
    struct store *store = NULL;
    CHECK(fixture_make(fixture->path, &fixture_header, &fixture->failure, &store) == STATUS_OK);
    uint64_t committed = 0;
    enum status status = commit_leaf(fixture, store, 0);
    while (status == STATUS_OK) {
        committed++;
        status = commit_leaf(fixture, store, committed);
    }
    CHECK(status == STATUS_LOG_UNWRITABLE);
    CHECK(strstr(fixture->failure.sentence, "disk full") != NULL);
    CHECK(committed > 3);
    CHECK(commit_leaf(fixture, store, committed) == STATUS_LOG_UNWRITABLE);
    CHECK(leaves_of(fixture, store) == committed);
    store_reserve(store);
    store_freep(&store);

    fill_disk(fixture);
    CHECK(store_open(fixture->path, 0, &fixture->failure, &store) == STATUS_OK);
    CHECK(leaves_of(fixture, store) == committed);
    CHECK(commit_leaf(fixture, store, committed) == STATUS_LOG_UNWRITABLE);
    CHECK(unlink(fixture_beside(fixture, ".filler")) == 0);
    store_freep(&store);
}

static void a_full_disk_is_said_and_what_was_committed_stays(void **state)
{
    with_small_disk(*state, "size=1m,mode=0700", run_into_full_disk);
}

static void recover_from_full_disk(struct fixture *fixture)
{
    struct store *store = NULL;
    CHECK(fixture_make(fixture->path, &fixture_header, &fixture->failure, &store) == STATUS_OK);
    CHECK(commit_leaf(fixture, store, 0) == STATUS_OK);
    fill_disk(fixture);
    CHECK(commit_leaf(fixture, store, 1) == STATUS_LOG_UNWRITABLE);
    CHECK(unlink(fixture_beside(fixture, ".filler")) == 0);
    CHECK(commit_leaf(fixture, store, 1) == STATUS_OK);
    CHECK(leaves_of(fixture, store) == 2);
    store_freep(&store);
}

static void when_there_is_room_again_the_same_store_goes_on(void **state)
{
    with_small_disk(*state, "size=1m,mode=0700", recover_from_full_disk);
}

static void create_on_full_disk(struct fixture *fixture)
{
    struct store *store = NULL;
    fill_disk(fixture);
    CHECK(fixture_make(fixture->path, &fixture_header, &fixture->failure, &store) == STATUS_LOG_UNWRITABLE);
    CHECK(!fixture_exists(fixture->path));
    CHECK(!fixture_exists(fixture_beside(fixture, ".new")));
    CHECK(!fixture_exists(fixture_beside(fixture, ".new-wal")));
}

static void making_a_vault_on_a_full_disk_leaves_nothing(void **state)
{
    with_small_disk(*state, "size=1m,mode=0700", create_on_full_disk);
}

static void open_without_room_for_a_log(struct fixture *fixture)
{
    struct store *store = NULL;
    CHECK(fixture_make(fixture->path, &fixture_header, &fixture->failure, &store) == STATUS_OK);
    CHECK(commit_leaf(fixture, store, 0) == STATUS_OK);
    store_freep(&store);
    for (int i = 0; i < 100; i++) {
        char suffix[16];
        (void)snprintf(suffix, sizeof(suffix), ".%d", i);
        int descriptor = open(fixture_beside(fixture, suffix), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (descriptor < 0) {
            break;
        }
        (void)close(descriptor);
    }
    CHECK(store_open(fixture->path, 0, &fixture->failure, &store) == STATUS_OK);
    CHECK(leaves_of(fixture, store) == 1);
    CHECK(store_begin(store, &fixture->failure) == STATUS_LOG_UNWRITABLE);
    store_freep(&store);
}

static void a_disk_without_room_for_one_more_file_still_lets_us_read(void **state)
{
    with_small_disk(*state, "nr_inodes=16,mode=0700", open_without_room_for_a_log);
}

static void open_on_read_only_disk(struct fixture *fixture)
{
    struct store *store = NULL;
    CHECK(fixture_make(fixture->path, &fixture_header, &fixture->failure, &store) == STATUS_OK);
    CHECK(commit_leaf(fixture, store, 0) == STATUS_OK);
    store_freep(&store);
    CHECK(mount(NULL, fixture->folder, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK(store_open(fixture->path, 0, &fixture->failure, &store) == STATUS_OK);
    CHECK(leaves_of(fixture, store) == 1);
    CHECK(store_scan(store, NULL, NULL, &fixture->failure) == STATUS_OK);
    store_reserve(store);
    CHECK(store_begin(store, &fixture->failure) == STATUS_LOG_UNWRITABLE);
    CHECK(strstr(fixture->failure.sentence, "read-only") != NULL);
    store_freep(&store);
    CHECK(unlink(fixture->path) != 0);
    CHECK(fixture_make(fixture_beside(fixture, ".other"), &fixture_header, &fixture->failure, &store) ==
          STATUS_LOG_UNWRITABLE);

    CHECK(mount(NULL, fixture->folder, NULL, MS_REMOUNT, NULL) == 0);
    int descriptor = open(fixture_beside(fixture, "-wal"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(descriptor >= 0 && write(descriptor, "frames", 6) == 6 && close(descriptor) == 0);
    CHECK(mount(NULL, fixture->folder, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK(store_open(fixture->path, 0, &fixture->failure, &store) == STATUS_LOG_UNWRITABLE);
    CHECK(strstr(fixture->failure.sentence, "not closed cleanly") != NULL);
}

static void a_read_only_disk_can_be_read_if_the_vault_was_closed(void **state)
{
    with_small_disk(*state, "mode=0700", open_on_read_only_disk);
}

static void open_odd_path_on_read_only_disk(struct fixture *fixture)
{
    char path[sizeof(fixture->path) + 32];
    struct store *store = NULL;
    (void)snprintf(path, sizeof(path), "%s/odd %%41?mode=rw#\xc3\xa9.db", fixture->folder);
    CHECK(fixture_make(path, &fixture_header, &fixture->failure, &store) == STATUS_OK);
    store_freep(&store);
    CHECK(mount(NULL, fixture->folder, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK(store_open(path, 0, &fixture->failure, &store) == STATUS_OK);
    CHECK(leaves_of(fixture, store) == 0);
    store_freep(&store);
}

static void any_bytes_may_be_in_the_path_of_a_read_only_vault(void **state)
{
    with_small_disk(*state, "mode=0700", open_odd_path_on_read_only_disk);
}

static void a_file_without_write_permission_is_only_read(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() == 0) {
        print_message("skipped: root may write whatever the mode says\n");
        skip();
    }
    fixture_fill(fixture);
    assert_int_equal(chmod(fixture->path, 0400), 0);
    struct store *store = fixture_open(fixture);
    assert_int_equal(store_begin(store, &fixture->failure), STATUS_LOG_UNWRITABLE);
    store_freep(&store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_process_holds_the_vault),
        TEST(who_waits_gets_the_vault_when_it_is_closed),
        TEST(looking_at_our_own_open_vault_does_not_unlock_it),
        TEST(reserved_room_changes_nothing_but_the_size_of_the_log),
        TEST(kill_in_the_middle_of_commits_leaves_the_last_one_whole),
        TEST(a_full_disk_is_said_and_what_was_committed_stays),
        TEST(when_there_is_room_again_the_same_store_goes_on),
        TEST(making_a_vault_on_a_full_disk_leaves_nothing),
        TEST(a_disk_without_room_for_one_more_file_still_lets_us_read),
        TEST(a_read_only_disk_can_be_read_if_the_vault_was_closed),
        TEST(any_bytes_may_be_in_the_path_of_a_read_only_vault),
        TEST(a_file_without_write_permission_is_only_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
