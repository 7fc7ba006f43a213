/* The vault's file: how it is made, and what is refused before it is believed. */
#include "store/disk.h"
#include "store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

static void make_file(const char *path, mode_t mode, const char *content)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, content, strlen(content)), strlen(content));
    assert_int_equal(fchmod(descriptor, mode), 0);
    assert_int_equal(close(descriptor), 0);
}

/* ---- Making ---- */

static void a_new_vault_is_one_private_file_with_its_header(void **state)
{
    struct fixture *fixture = *state;
    struct stat facts;
    mode_t before = umask(0277);
    struct store *store = fixture_create(fixture);
    umask(before);
    assert_int_equal(stat(fixture->path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(stat(fixture_beside(fixture, "-wal"), &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_false(fixture_exists(fixture_beside(fixture, "-shm")));
    struct store_header header;
    assert_int_equal(store_get_header(store, &fixture->failure, &header), STATUS_OK);
    assert_memory_equal(header.vault_id, fixture_header.vault_id, sizeof(header.vault_id));
    assert_int_equal(header.epoch, 7);
    store_freep(&store);
    static const char *const suffixes[] = {"-wal", "-journal", "-shm", ".new", ".new-wal", ".new-journal"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        assert_false(fixture_exists(fixture_beside(fixture, suffixes[i])));
    }
    store = fixture_open(fixture);
    assert_int_equal(store_get_header(store, &fixture->failure, &header), STATUS_OK);
    assert_int_equal(header.epoch, 7);
    store_freep(&store);
}

static void a_vault_in_a_folder_that_is_not_there_makes_it(void **state)
{
    struct fixture *fixture = *state;
    char path[sizeof(fixture->path) + 8];
    struct store *store = NULL;
    struct stat facts;
    (void)snprintf(path, sizeof(path), "%s/in/vault.db", fixture->folder);
    assert_int_equal(fixture_make(path, &fixture_header, &fixture->failure, &store), STATUS_OK);
    store_freep(&store);
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0700);
}

static void an_existing_vault_is_not_made_again(void **state)
{
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    struct store *store = fixture_open(fixture);
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    assert_int_equal(fixture_count(fixture, store), 3);
    store_freep(&store);
    assert_false(fixture_exists(fixture_beside(fixture, ".new")));
}

static void whatever_else_has_the_name_stays(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture->path, 0600, "notes of mine");
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    assert_int_equal(unlink(fixture->path), 0);
    make_file(fixture->path, 0640, "");
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(symlink("elsewhere", fixture->path), 0);
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    assert_true(fixture_exists(fixture->path));
}

static void what_an_interrupted_maker_left_is_in_nobodys_way(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture->path, 0600, "");
    make_file(fixture_beside(fixture, ".new"), 0600, "half a vault");
    make_file(fixture_beside(fixture, ".new-wal"), 0600, "half a log");
    make_file(fixture_beside(fixture, ".new-journal"), 0600, "half a journal");
    assert_int_equal(fixture_try(fixture), STATUS_OK);
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
}

static void the_log_of_a_removed_vault_is_not_played_into_a_new_one(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture_beside(fixture, "-wal"), 0600, "frames of another vault");
    assert_int_equal(fixture_try(fixture), STATUS_EXISTS);
    assert_non_null(strstr(fixture->failure.sentence, "-wal"));
    assert_false(fixture_exists(fixture->path));
    assert_false(fixture_exists(fixture_beside(fixture, ".new")));
}

static void two_makers_do_not_mix(void **state)
{
    struct fixture *fixture = *state;
    int folder = open(fixture->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(folder, LOCK_EX), 0);
    assert_int_equal(fixture_try(fixture), STATUS_BUSY);
    assert_int_equal(close(folder), 0);
    assert_int_equal(fixture_try(fixture), STATUS_OK);
}

static void a_maker_killed_at_any_moment_can_be_repeated(void **state)
{
    struct fixture *fixture = *state;
    for (long delay = 0; delay < 40; delay++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(fixture_try(fixture) == STATUS_OK ? 0 : 1);
        }
        fixture_sleep_us(delay * 150);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        /* Before or after, never between: there is no vault, or a whole one. */
        struct store *store = NULL;
        enum status status = store_open(fixture->path, 0, &fixture->failure, &store);
        assert_true(status == STATUS_NO_VAULT || status == STATUS_OK);
        store_freep(&store);
        assert_int_equal(fixture_try(fixture), status == STATUS_OK ? STATUS_EXISTS : STATUS_OK);
        assert_false(fixture_exists(fixture_beside(fixture, ".new")));
        assert_int_equal(unlink(fixture->path), 0);
    }
}

/* ---- Opening ---- */

static void a_file_that_is_not_ours_to_trust_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    assert_int_equal(chmod(fixture->path, 0640), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "group or others");
    assert_int_equal(chmod(fixture->path, 0601), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "group or others");
    assert_int_equal(chmod(fixture->path, 0600), 0);
    assert_int_equal(link(fixture->path, fixture_beside(fixture, ".copy")), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "hard links");
    assert_int_equal(unlink(fixture_beside(fixture, ".copy")), 0);
    assert_int_equal(rename(fixture->path, fixture_beside(fixture, ".real")), 0);
    assert_int_equal(symlink("vault.db.real", fixture->path), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "symbolic link");
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "not a regular file");
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "not a regular file");
    assert_int_equal(rmdir(fixture->path), 0);
    assert_int_equal(rename(fixture_beside(fixture, ".real"), fixture->path), 0);
    struct store *store = fixture_open(fixture);
    store_freep(&store);
}

static void a_file_of_another_user_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() != 0) {
        print_message("skipped: only root can give a file away\n");
        skip();
    }
    fixture_fill(fixture);
    assert_int_equal(chown(fixture->path, 65534, 65534), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "belongs to uid 65534");
}

static void what_lies_beside_the_vault_must_be_ours_too(void **state)
{
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    static const char *const suffixes[] = {"-wal", "-journal"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        const char *path = fixture_beside(fixture, suffixes[i]);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        fixture_refuse(fixture, STATUS_FOREIGN, "symbolic link");
        assert_int_equal(unlink(path), 0);
        make_file(path, 0644, "");
        fixture_refuse(fixture, STATUS_FOREIGN, "group or others");
        assert_int_equal(unlink(path), 0);
    }
    make_file(fixture_beside(fixture, "-wal"), 0600,
              "not a write-ahead log at all, but longer than its header");
    struct store *store = fixture_open(fixture);
    store_freep(&store);
}

static void a_file_that_is_no_vault_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    fixture_refuse(fixture, STATUS_NO_VAULT, "no vault");
    make_file(fixture->path, 0600, "");
    fixture_refuse(fixture, STATUS_FOREIGN, "is empty");
    make_file(fixture->path, 0600, "some notes of mine, which are no database");
    fixture_refuse(fixture, STATUS_FOREIGN, "not a stepvault vault");
    assert_int_equal(unlink(fixture->path), 0);
    fixture_edit(fixture, "CREATE TABLE notes (text)");
    assert_int_equal(chmod(fixture->path, 0600), 0);
    fixture_refuse(fixture, STATUS_FOREIGN, "not a stepvault vault");
}

static void a_path_that_sqlite_cannot_take_is_said(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    char path[600];
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(store_open(path, 0, &fixture->failure, &store), STATUS_INVALID);
    assert_int_equal(fixture_make(path, &fixture_header, &fixture->failure, &store), STATUS_INVALID);
    assert_int_equal(store_open("vault.db", 0, &fixture->failure, &store), STATUS_INVALID);
    fixture_fill(fixture);
    assert_int_equal(symlink(".", fixture_beside(fixture, ".folder")), 0);
    (void)snprintf(path, sizeof(path), "%s.folder/vault.db", fixture->path);
    assert_int_equal(store_open(path, 0, &fixture->failure, &store), STATUS_FOREIGN);
}

static void another_format_is_said(void **state)
{
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    fixture_edit(fixture, "PRAGMA user_version = 2");
    fixture_refuse(fixture, STATUS_FORMAT, "format 2");
    fixture_edit(fixture, "PRAGMA user_version = 0");
    fixture_refuse(fixture, STATUS_FORMAT, "format 0");
    fixture_edit(fixture, "PRAGMA user_version = -1");
    fixture_refuse(fixture, STATUS_FORMAT, "format -1");
    fixture_edit(fixture, "PRAGMA user_version = 1");
    struct store *store = fixture_open(fixture);
    store_freep(&store);
}

static void a_changed_schema_is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    static const char *const edits[] = {
        "CREATE TRIGGER thief AFTER INSERT ON leaves BEGIN DELETE FROM leaves; END",
        "CREATE TABLE more (x)",
        "CREATE VIEW seen AS SELECT * FROM records",
        "CREATE INDEX records_version ON records (version)",
        "DROP INDEX records_name",
        "DROP TABLE tiles",
        "DROP INDEX records_place; CREATE INDEX records_place ON records (place) WHERE version > 2",
        "ALTER TABLE slots ADD COLUMN note TEXT",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'nonsense' WHERE name = 'slots'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE ', '')",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema",
        "ANALYZE",
    };
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        fixture_fill(fixture);
        fixture_edit(fixture, edits[i]);
        fixture_refuse(fixture, STATUS_CORRUPT, "damaged");
        assert_int_equal(unlink(fixture->path), 0);
    }
}

static void a_truncated_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        off_t size;
        enum status status;
    } cuts[] = {
        {1,            STATUS_FOREIGN},
        {100,          STATUS_CORRUPT},
        {4096,         STATUS_CORRUPT},
        {3 * 4096,     STATUS_CORRUPT},
        {5 * 4096 + 9, STATUS_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        fixture_fill(fixture);
        assert_int_equal(truncate(fixture->path, cuts[i].size), 0);
        fixture_refuse(fixture, cuts[i].status, fixture->path);
        assert_int_equal(unlink(fixture->path), 0);
    }
}

/* P4: no row depends on these, and SQLite reads the file as before. */
static void a_changed_head_of_the_file_is_corrupt(void **state)
{
    static const off_t places[] = {20, 44, 48, 52, 56, 64, 67, 72, 91};
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct store *store = NULL;
        uint8_t byte = 0;
        int descriptor = open(fixture->path, O_RDWR | O_CLOEXEC);
        assert_true(descriptor >= 0);
        assert_int_equal(pread(descriptor, &byte, 1, places[i]), 1);
        assert_int_equal(pwrite(descriptor, &(uint8_t){byte ^ 1}, 1, places[i]), 1);
        assert_int_equal(store_open(fixture->path, 0, &fixture->failure, &store), STATUS_CORRUPT);
        assert_int_equal(pwrite(descriptor, &byte, 1, places[i]), 1);
        assert_int_equal(close(descriptor), 0);
    }
    struct store *store = fixture_open(fixture);
    store_freep(&store);
}

static void the_mode_of_the_journal_is_put_right(void **state)
{
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    fixture_edit(fixture, "PRAGMA journal_mode = DELETE");
    struct store *store = fixture_open(fixture);
    fixture_begin(fixture, store);
    assert_int_equal(store_put_blob(store, STORE_LEAVES, 1, "x", 1, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    assert_true(fixture_exists(fixture_beside(fixture, "-wal")));
    store_freep(&store);
}

static void slots_and_header_of_a_closed_vault_can_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct store_header header = {.epoch = 0};
    struct store_slot *slots = NULL;
    size_t count = 0;
    assert_int_equal(store_read_slots(fixture->path, 0, &fixture->failure, &header, &slots, &count),
                     STATUS_NO_VAULT);
    fixture_fill(fixture);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_read_slots(fixture->path, 0, &fixture->failure, &header, &slots, &count),
                         STATUS_OK);
        assert_int_equal(header.epoch, 7);
        assert_int_equal(count, 1);
        assert_int_equal(slots[0].memory_kib, 65536);
        free(slots);
    }
    struct store *store = fixture_open(fixture);
    assert_int_equal(store_read_slots(fixture->path, 0, &fixture->failure, &header, &slots, &count),
                     STATUS_BUSY);
    store_freep(&store);
}

static void remote_file_systems_are_known_by_their_numbers(void **state)
{
    (void)state;
    assert_true(disk_is_remote(0x6969));
    assert_true(disk_is_remote(0xff534d42));
    /* As statfs gives it where its type is a signed int. */
    assert_true(disk_is_remote((uint64_t)(int64_t)(int32_t)0xff534d42));
    assert_true(disk_is_remote(0x65735546));
    assert_false(disk_is_remote(0xef53));
    assert_false(disk_is_remote(0x01021994));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_vault_is_one_private_file_with_its_header),
        TEST(a_vault_in_a_folder_that_is_not_there_makes_it),
        TEST(an_existing_vault_is_not_made_again),
        TEST(whatever_else_has_the_name_stays),
        TEST(what_an_interrupted_maker_left_is_in_nobodys_way),
        TEST(the_log_of_a_removed_vault_is_not_played_into_a_new_one),
        TEST(two_makers_do_not_mix),
        TEST(a_maker_killed_at_any_moment_can_be_repeated),
        TEST(a_file_that_is_not_ours_to_trust_is_foreign),
        TEST(a_file_of_another_user_is_foreign),
        TEST(what_lies_beside_the_vault_must_be_ours_too),
        TEST(a_file_that_is_no_vault_is_foreign),
        TEST(a_path_that_sqlite_cannot_take_is_said),
        TEST(another_format_is_said),
        TEST(a_changed_schema_is_corrupt),
        TEST(a_truncated_file_is_refused),
        TEST(a_changed_head_of_the_file_is_corrupt),
        TEST(the_mode_of_the_journal_is_put_right),
        TEST(slots_and_header_of_a_closed_vault_can_be_read),
        TEST(remote_file_systems_are_known_by_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
