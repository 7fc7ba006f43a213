/* The pin (P4): what is read, what a vault must have grown out of, what is written. */
#include "pin.h"

#include "era.h"
#include "vault_fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define FILE_MAX 65536u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char pins[PATH_MAX];
static struct pin_finding finding;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
    char command[4 * PATH_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

static int pin_start(void **state)
{
    if (world_start(state) != 0)
        return -1;
    snprintf(pins, sizeof pins, "%s/pins", world.folder);
    return mkdir(pins, 0700);
}

static int pin_stop(void **state)
{
    run("rm -rf %s %s/older %s/newer %s/elsewhere", pins, world.folder, world.folder, world.folder);
    return world_stop(state);
}

/* The vault's file is closed, and copied. */
static void keep(const char *name)
{
    world_close();
    run("cp -p %s %s/%s", world.path, world.folder, name);
}

static void put_back(const char *name)
{
    world_close();
    run("cp -p %s/%s %s", world.folder, name, world.path);
    world_reopen();
}

static void write_pin(void)
{
    assert_int_equal(pin_write(pins, world.path, log_head(world.vault), true, &world.failure), STATUS_OK);
}

static enum status check(void)
{
    return pin_check(world.vault, pins, &world.failure, &finding);
}

static void assert_checked(enum pin_state expected)
{
    enum status status = check();

    if (status != STATUS_OK)
        fail_msg("%s", world.failure.sentence);
    if (finding.state != expected)
        fail_msg("%s: %s", pin_state_name(finding.state), finding.failure.sentence);
}

static void assert_refused(const char *part)
{
    assert_int_equal(check(), STATUS_ROLLED_BACK);
    if (strstr(world.failure.sentence, part) == NULL)
        fail_msg("%s", world.failure.sentence);
}

/* The one pin of the folder. */
static void pin_file(char destination[PATH_MAX])
{
    char line[PATH_MAX];
    char command[PATH_MAX + 32];
    FILE *list;

    snprintf(command, sizeof command, "ls -d %s/*.pin", pins);
    list = popen(command, "r");
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list));
    pclose(list);
    line[strcspn(line, "\n")] = '\0';
    memcpy(destination, line, strlen(line) + 1);
}

static size_t read_file(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    assert_non_null(file);
    size = fread(bytes, 1, FILE_MAX, file);
    fclose(file);
    return size;
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void the_folder_is_the_environments(void **state)
{
    char folder[PATH_MAX];
    struct failure failure;

    (void)state;
    setenv("HOME", "/home/ann", 1);
    setenv("XDG_STATE_HOME", "/var/state", 1);
    assert_int_equal(pin_folder(&failure, folder), STATUS_OK);
    assert_string_equal(folder, "/var/state/stepvault/pins");
    setenv("XDG_STATE_HOME", "relative", 1);
    assert_int_equal(pin_folder(&failure, folder), STATUS_OK);
    assert_string_equal(folder,
                        geteuid() == 0 ? "/var/lib/stepvault/pins" : "/home/ann/.local/state/stepvault/pins");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(pin_folder(&failure, folder), geteuid() == 0 ? STATUS_OK : STATUS_INVALID);
}

static void what_is_written_is_read_back(void **state)
{
    static const char *const paths[] = {"/a", "/with \"quotes\" and \\", "/two\nlines",
                                        "/\xc3\xa9t\xc3\xa9/vault.db"};
    struct pin pin;

    (void)state;
    for (size_t at = 0; at < COUNT(paths); at++) {
        assert_int_equal(pin_read(pins, paths[at], &world.failure, &pin), STATUS_NOT_FOUND);
        assert_int_equal(pin_write(pins, paths[at], log_head(world.vault), at % 2 == 0, &world.failure),
                         STATUS_OK);
        assert_int_equal(pin_read(pins, paths[at], &world.failure, &pin), STATUS_OK);
        assert_string_equal(pin.path, paths[at]);
        assert_string_equal(pin.note, log_head(world.vault));
        assert_int_equal(pin.size, log_size(world.vault));
    }
}

static void assert_pinned(const char *note, bool whole)
{
    struct pin pin;

    assert_int_equal(pin_read(pins, world.path, &world.failure, &pin), STATUS_OK);
    assert_string_equal(pin.note, note);
    assert_int_equal(pin.is_whole, whole);
}

static void add_pin(void)
{
    assert_int_equal(pin_write(pins, world.path, log_head(world.vault), false, &world.failure), STATUS_OK);
}

static void a_pin_that_is_lost_again_leaves_the_one_before(void **state)
{
    static uint8_t bytes[FILE_MAX];
    char path[PATH_MAX], before[NOTE_MAX];
    size_t first, size;

    (void)state;
    write_pin();
    memcpy(before, log_head(world.vault), sizeof before);
    pin_file(path);
    first = read_file(path, bytes);
    world_log(5);
    add_pin();
    assert_pinned(log_head(world.vault), true);
    size = read_file(path, bytes);
    assert_true(size > first);
    for (size_t cut = first; cut < size; cut++) {
        write_file(path, bytes, cut);
        assert_pinned(before, cut == first);
    }
    for (size_t zeros = first; zeros < size; zeros++) {
        uint8_t kept = bytes[zeros];
        bytes[zeros] = 0;
        write_file(path, bytes, size);
        assert_pinned(before, false);
        bytes[zeros] = kept;
    }
    write_file(path, bytes, size - 1);
    add_pin();
    assert_pinned(log_head(world.vault), true);
    for (size_t turn = 0; turn < 100; turn++) {
        world_log(1);
        add_pin();
        assert_pinned(log_head(world.vault), true);
        assert_true(read_file(path, bytes) < 10000);
    }
}

static void a_vault_without_a_pin_has_none(void **state)
{
    (void)state;
    assert_checked(PIN_NONE);
    run("rmdir %s", pins);
    assert_checked(PIN_NONE);
    assert_int_equal(pin_write(pins, world.path, log_head(world.vault), true, &world.failure),
                     STATUS_NOT_FOUND);
    assert_int_equal(mkdir(pins, 0700), 0);
}

static void the_vault_has_grown_out_of_each_of_its_heads(void **state)
{
    static struct pin seen[700];
    size_t count = 0;

    (void)state;
    while (log_size(world.vault) < COUNT(seen)) {
        write_pin();
        assert_int_equal(pin_read(pins, world.path, &world.failure, &seen[count++]), STATUS_OK);
        world_log(count % 7 == 0 ? 40 : 3);
    }
    for (size_t round = 0; round < 2; round++) {
        for (size_t at = 0; at < count; at++) {
            if (pin_compare(world.vault, &seen[at], &world.failure) != STATUS_OK)
                fail_msg("%s", world.failure.sentence);
        }
        world_reopen();
    }
}

static void an_older_copy_is_refused_with_both_heads(void **state)
{
    char found[64];

    (void)state;
    world_log(300);
    snprintf(found, sizeof found, "found with %u log entries", (unsigned)log_size(world.vault));
    keep("older");
    world_reopen();
    world_log(1);
    write_pin();
    put_back("older");
    assert_refused(
        "the vault is behind what this machine last saw of it: last seen with 302 log entries and root ");
    assert_non_null(strstr(world.failure.sentence, ", found with 301"));
    assert_non_null(strstr(world.failure.sentence, world.path));
    assert_int_equal(strspn(strstr(world.failure.sentence, "root ") + 5, "0123456789abcdef"), 64);
}

/* Two that were one: equal, shorter and longer than the pin. */
static void another_branch_is_refused_however_long_it_is(void **state)
{
    (void)state;
    world_log(270);
    keep("older");
    world_reopen();
    world_log(10);
    write_pin();
    put_back("older");
    world_log(9);
    assert_refused("is behind");
    world_log(1);
    assert_refused("is on another branch");
    for (unsigned at = 0; at < 5; at++) {
        world_log(130);
        assert_refused("is on another branch");
    }
}

static void another_vault_is_refused(void **state)
{
    char path[sizeof world.path];

    (void)state;
    write_pin();
    memcpy(path, world.path, sizeof path);
    world_close();
    assert_int_equal(unlink(path), 0);
    world.vault = NULL;
    assert_int_equal(vault_create(path, &world.slot, 1, &caller, &world.failure, &world.vault), STATUS_OK);
    world_log(100);
    assert_refused("this is another vault than this machine last saw here");
}

static void no_byte_of_a_pin_can_be_changed(void **state)
{
    static uint8_t bytes[FILE_MAX];
    char path[PATH_MAX];
    size_t size;
    size_t refused = 0;

    (void)state;
    world_log(20);
    write_pin();
    world_log(20);
    assert_checked(PIN_HELD);
    pin_file(path);
    size = read_file(path, bytes);
    for (size_t at = 0; at < size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1u << bit);
            write_file(path, bytes, size);
            enum status status = check();
            if (status == STATUS_OK && finding.state != PIN_UNREADABLE)
                fail_msg("byte %zu, bit %u: %s", at, bit, pin_state_name(finding.state));
            if (status != STATUS_OK && status != STATUS_ROLLED_BACK)
                fail_msg("byte %zu, bit %u: %s", at, bit, world.failure.sentence);
            refused += status == STATUS_ROLLED_BACK;
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    /* An origin or a key that the vault does not have may be that of a vault which was restored since. */
    assert_true(refused > 0 && refused < size * 8 / 2);
    for (size_t cut = 0; cut < size; cut++) {
        write_file(path, bytes, cut);
        assert_checked(PIN_UNREADABLE);
    }
    write_file(path, bytes, size);
    assert_checked(PIN_HELD);
}

static void what_is_no_file_of_ours_is_unreadable(void **state)
{
    static const char *const makers[] = {
        "ln -s /dev/zero '%s'",
        "ln -s nowhere '%s'",
        "mkfifo '%s'",
        "mkdir '%s'",
        "truncate -s 1G '%s'",
        "touch '%s'",
        "head -c 20000 /dev/urandom > '%s'",
        "yes | head -c 20000 > '%s'",
        "printf '\"\\n\\n\\n' > '%s'",
        "printf '\"/\"\\n\\377' > '%s'",
    };
    char path[PATH_MAX];
    char command[PATH_MAX + 64];

    (void)state;
    write_pin();
    pin_file(path);
    for (size_t at = 0; at < COUNT(makers); at++) {
        run("rm -rf '%s'", path);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(command, sizeof command, makers[at], path);
#pragma GCC diagnostic pop
        run("%s", command);
        assert_checked(PIN_UNREADABLE);
    }
    run("rm -rf '%s'", path);
    write_pin();
    run("chmod 620 '%s'", path);
    assert_checked(PIN_UNREADABLE);
    write_pin();
    assert_checked(PIN_HELD);
    run("chmod 770 '%s'", pins);
    assert_checked(PIN_UNREADABLE);
    assert_int_equal(pin_write(pins, world.path, log_head(world.vault), true, &world.failure),
                     STATUS_FOREIGN);
    run("chmod 700 '%s'", pins);
    assert_checked(PIN_HELD);
}

static void a_pin_takes_the_place_of_whatever_is_there(void **state)
{
    char path[PATH_MAX];
    struct stat facts;

    (void)state;
    write_pin();
    pin_file(path);
    run("rm '%s' && ln -s %s/older '%s' && ln -s %s/older '%s.new'", path, world.folder, path, world.folder,
        path);
    write_pin();
    assert_checked(PIN_HELD);
    assert_int_equal(lstat(path, &facts), 0);
    assert_true(S_ISREG(facts.st_mode));
    run("test ! -e %s/older -a ! -e '%s.new' -a ! -h '%s.new'", world.folder, path, path);
    pin_remove(pins, world.path);
    assert_checked(PIN_NONE);
    run("mkdir '%s'", path);
    assert_int_equal(pin_write(pins, world.path, log_head(world.vault), true, &world.failure), STATUS_FAILED);
    run("test ! -e '%s.new'", path);
}

/* Pins of this vault under other paths. */
static void pin_as(const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", world.folder, name);
    assert_int_equal(pin_write(pins, path, log_head(world.vault), true, &world.failure), STATUS_OK);
}

static void a_moved_vault_has_the_pin_of_where_it_was(void **state)
{
    (void)state;
    keep("older");
    world_reopen();
    world_log(5);
    pin_as("gone");
    assert_checked(PIN_HELD);
    assert_true(finding.moved);
    keep("newer");
    put_back("older");
    assert_refused("is behind");
    put_back("newer");
    write_pin();
    pin_drop_moved(world.vault, pins);
    assert_checked(PIN_HELD);
    assert_false(finding.moved);
    run("test $(ls %s | wc -l) = 1", pins);
}

static void a_copy_goes_its_own_way(void **state)
{
    (void)state;
    keep("older");
    world_reopen();
    world_log(5);
    pin_as("newer");
    keep("newer");
    put_back("older");
    assert_checked(PIN_NONE);
    /* Without the original's file it would be the one that was moved. */
    run("rm %s/newer", world.folder);
    assert_refused("is behind");
    /* ... unless one of those that are gone agrees. */
    pin_as("another");
    assert_checked(PIN_HELD);
}

static void a_path_that_leads_to_this_very_file_is_its_own(void **state)
{
    (void)state;
    keep("older");
    world_reopen();
    world_log(5);
    run("ln -s vault.db %s/elsewhere", world.folder);
    pin_as("elsewhere");
    pin_as("gone");
    put_back("older");
    pin_as("too");
    assert_refused("is behind");
}

static void begin_era(bool new_instance, const char *abandoned)
{
    world_begin(new_instance ? "restore" : "rekey");
    assert_int_equal(
        world_end(log_begin_era(world.vault, new_instance, abandoned, &world.leaf, &world.failure)),
        STATUS_OK);
}

static void a_restored_vault_accepts_the_head_it_gave_up_and_no_other(void **state)
{
    char nearly[NOTE_MAX];
    char abandoned[NOTE_MAX];

    (void)state;
    world_log(20);
    write_pin();
    keep("older");
    world_reopen();
    world_log(5);
    memcpy(nearly, log_head(world.vault), sizeof nearly);
    world_log(5);
    memcpy(abandoned, log_head(world.vault), sizeof abandoned);
    put_back("older");
    begin_era(true, abandoned);
    world_log(30);
    assert_checked(PIN_HELD);
    assert_int_equal(pin_write(pins, world.path, nearly, true, &world.failure), STATUS_OK);
    assert_refused("is on another branch");
    assert_int_equal(pin_write(pins, world.path, abandoned, true, &world.failure), STATUS_OK);
    assert_checked(PIN_HELD);
}

static void a_copy_from_before_a_rekey_is_refused_after_it(void **state)
{
    (void)state;
    world_log(20);
    keep("older");
    world_reopen();
    write_pin();
    begin_era(false, NULL);
    world_log(3);
    assert_checked(PIN_HELD);
    write_pin();
    world_log(3);
    assert_checked(PIN_HELD);
    put_back("older");
    assert_refused("is behind");
    world_log(40);
    assert_refused("is on another branch");
}

/* The proof cannot be made: that is the vault's damage, and no pin's. */
static void a_vault_that_cannot_prove_its_growth_is_refused(void **state)
{
    (void)state;
    world_log(300);
    write_pin();
    world_log(800);
    world_close();
    world_edit("DELETE FROM tiles WHERE number = 1");
    world_reopen();
    assert_int_not_equal(check(), STATUS_OK);
}

static void a_pin_names_the_vault_that_it_is_of(void **state)
{
    static const char *const none[] = {
        "",
        "stepvault/v1/",
        "stepvault/v1/00112233445566778899aabbccddeeff",
        "stepvault/v1/00112233445566778899aabbccddeeffaa",
        "stepvault/v1/00112233445566778899AABBCCDDEEFF/0011223344556677",
        "stepvault/v2/00112233445566778899aabbccddeeff/0011223344556677",
    };
    struct pin pin = {.origin = "stepvault/v1/00112233445566778899aabbccddeeff/0011223344556677"};
    char id[PIN_VAULT_ID_SIZE];

    (void)state;
    assert_true(pin_vault_id(&pin, id));
    assert_string_equal(id, "00112233445566778899aabbccddeeff");
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        snprintf(pin.origin, sizeof(pin.origin), "%s", none[i]);
        assert_false(pin_vault_id(&pin, id));
    }
}

int main(void)
{
#define PIN_TEST(name) cmocka_unit_test_setup_teardown(name, pin_start, pin_stop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder_is_the_environments),
        PIN_TEST(what_is_written_is_read_back),
        PIN_TEST(a_pin_that_is_lost_again_leaves_the_one_before),
        PIN_TEST(a_vault_without_a_pin_has_none),
        PIN_TEST(the_vault_has_grown_out_of_each_of_its_heads),
        PIN_TEST(an_older_copy_is_refused_with_both_heads),
        PIN_TEST(another_branch_is_refused_however_long_it_is),
        PIN_TEST(another_vault_is_refused),
        PIN_TEST(no_byte_of_a_pin_can_be_changed),
        PIN_TEST(what_is_no_file_of_ours_is_unreadable),
        PIN_TEST(a_pin_takes_the_place_of_whatever_is_there),
        PIN_TEST(a_moved_vault_has_the_pin_of_where_it_was),
        PIN_TEST(a_copy_goes_its_own_way),
        PIN_TEST(a_path_that_leads_to_this_very_file_is_its_own),
        PIN_TEST(a_restored_vault_accepts_the_head_it_gave_up_and_no_other),
        PIN_TEST(a_copy_from_before_a_rekey_is_refused_after_it),
        PIN_TEST(a_vault_that_cannot_prove_its_growth_is_refused),
        cmocka_unit_test(a_pin_names_the_vault_that_it_is_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
