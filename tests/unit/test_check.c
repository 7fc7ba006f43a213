/* Each part of a check, on a sound vault and on ones that somebody edited: which part fails, and that the
 * others are looked at all the same. */
#include "vault_fixture.h"

#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct check *check;

/* A vault with a record of each kind, more leaves than a tile has, and a kept checkpoint. */
static void fill_vault(void)
{
    assert_int_equal(world_set("billing/notify", "STRIPE_KEY", "sk_live"), STATUS_OK);
    assert_int_equal(world_set("billing/notify", "STRIPE_KEY", "sk_next"), STATUS_OK);
    assert_int_equal(world_add("slack", "{\"oauth_access_token\":\"xoxb\",\"team\":\"T1\"}"), STATUS_OK);
    assert_int_equal(world_bind("billing", "slack", NULL), STATUS_OK);
    assert_int_equal(world_set_account("slack", "{\"oauth_access_token\":\"xoxc\"}"), STATUS_OK);
    world_log(300);
    world_begin("checkpoint");
    assert_int_equal(log_keep_head(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
    world_log(3);
}

static int start(void **state)
{
    int result = world_start(state);

    if (result == 0)
        fill_vault();
    return result;
}

static int stop(void **state)
{
    check_freep(&check);
    return world_stop(state);
}

static void go_on(void)
{
    while (!check_continue(check))
        continue;
}

/* Checks the closed file. */
static void run(void)
{
    struct vault_key key = world_key();

    check_freep(&check);
    world_close();
    if (check_open(world.path, &key, 0, NULL, &world.failure, &check) != STATUS_OK)
        fail_msg("%s", world.failure.sentence);
    go_on();
}

/* One letter for each part: h holds, F fails, - not checked. */
static void expect(const char *verdicts)
{
    static const char letters[] = {
        [CHECK_OPEN] = '?', [CHECK_HOLDS] = 'h', [CHECK_FAILS] = 'F', [CHECK_UNCHECKED] = '-'};
    char found[CHECK_PART_COUNT + 1] = "";

    for (unsigned part = 0; part < CHECK_PART_COUNT; part++) {
        const struct check_finding *finding = check_finding(check, (enum check_part)part);
        found[part] = letters[finding->verdict];
        print_message("%s: %s: %s\n", check_part_name((enum check_part)part),
                      check_verdict_word(finding->verdict), finding->detail);
        assert_true(finding->detail[0] != '\0');
    }
    assert_string_equal(found, verdicts);
}

static const char *detail(enum check_part part)
{
    return check_finding(check, part)->detail;
}

static void all_parts_of_a_sound_vault_hold(void **state)
{
    (void)state;
    run();
    expect("hhhhhh");
    assert_non_null(strstr(detail(CHECK_SLOTS), "1: machine; opened by machine 0707"));
    assert_non_null(strstr(detail(CHECK_CHECKPOINTS), "2 kept"));
    assert_non_null(strstr(detail(CHECK_PIN), "none"));
}

static void an_open_vault_is_checked_between_turns(void **state)
{
    unsigned slices = 0;

    (void)state;
    assert_int_equal(check_start(world.vault, NULL, &world.failure, &check), STATUS_OK);
    while (!check_continue(check)) {
        if (slices++ < 10)
            assert_int_equal(world_set("/", "CHANGES", slices % 2 == 0 ? "a" : "b"), STATUS_OK);
    }
    expect("hhhhhh");
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_check_writes_nothing(void **state)
{
    uint64_t size = log_size(world.vault);
    struct stat before, after;
    char log[160];

    (void)state;
    world_close();
    assert_int_equal(lstat(world.path, &before), 0);
    run();
    check_freep(&check);
    assert_int_equal(lstat(world.path, &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_size, after.st_size);
    snprintf(log, sizeof log, "%s-wal", world.path);
    assert_int_equal(access(log, F_OK), -1);
    world_reopen();
    assert_int_equal(log_size(world.vault), size);
}

/* What is flipped where, and what is left. */
static const struct {
    const char *table;
    const char *column;
    const char *where;
    int byte;
    const char *verdicts;
} flips[] = {
    {"checkpoints", "bytes",  "number = (SELECT min(number) FROM checkpoints)", 40, "hhFhFh"},
    {"leaves",      "bytes",  "number = 20",                                    40, "hhhF--"},
    {"tiles",       "bytes",  "number = 0",                                     40, "hhhF--"},
    {"state",       "sealed", "1",                                              40, "hhF---"},
};

static void a_flipped_bit_is_found_in_its_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        world_close();
        world_flip(flips[i].table, flips[i].column, flips[i].where, flips[i].byte);
        print_message("-- %s.%s\n", flips[i].table, flips[i].column);
        run();
        expect(flips[i].verdicts);
        check_freep(&check);
        world_flip(flips[i].table, flips[i].column, flips[i].where, flips[i].byte);
    }
}

/* As only an error of ours could write them: sealed and counted, and none the less not what such a record is.
 */
static const struct {
    const char *name;
    const char *link;
    const char *field;
    const char *value;
    bool final;
    const char *said;
} mistakes[] = {
    {"GOOD", "OTHER", "value",   "v",  true,  "its place or link"           },
    {"GOOD", "GOOD",  "value",   "v",  false, "its final names"             },
    {"GOOD", "GOOD",  "blocked", "v",  true,  "the form of a field: blocked"},
    {"GOOD", "GOOD",  "worth",   "v",  true,  "a field that it cannot have" },
    {"GOOD", "GOOD",  "note",    "n",  true,  "not either a value or"       },
    {"GOOD", "GOOD",  "created", "1",  true,  "a field twice"               },
    {"2BAD", "2BAD",  "value",   "v",  true,  "its name"                    },
    {"GOOD", "GOOD",  "expires", "1d", true,  "the form of a field: expires"},
};

static void a_record_that_no_vault_writes_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        CLEANUP(record_draft_reset) struct record_draft draft = {0};
        CLEANUP(record_reset) struct record written = {0};
        bool found;

        world_begin("mistake");
        record_draft_start(&draft, RECORD_VARIABLE, "/", mistakes[i].name, mistakes[i].link, NULL);
        record_draft_add_text(&draft, mistakes[i].field, mistakes[i].value);
        if (mistakes[i].final)
            record_draft_add_final(world.vault, &draft, mistakes[i].name);
        assert_int_equal(world_end(record_write(world.vault, &draft, &world.failure, NULL)), STATUS_OK);
        run();
        expect("hFhhhh");
        assert_non_null(strstr(detail(CHECK_ROWS), mistakes[i].said));
        check_freep(&check);
        world_reopen();
        world_begin("undo");
        assert_int_equal(record_find(world.vault, RECORD_VARIABLE, "/", mistakes[i].name, &world.failure,
                                     &written, &found),
                         STATUS_OK);
        assert_true(found);
        assert_int_equal(world_end(record_remove(world.vault, &written, &world.failure)), STATUS_OK);
    }
    run();
    expect("hhhhhh");
}

static void the_first_part_that_does_not_hold_is_named(void **state)
{
    struct vault_key key = world_key();
    const char *part = NULL;

    (void)state;
    world_close();
    assert_int_equal(check_file(world.path, &key, NULL, &world.failure, &part), STATUS_OK);
    world_flip("leaves", "bytes", "number = 3", 50);
    assert_int_equal(check_file(world.path, &key, NULL, &world.failure, &part), STATUS_CORRUPT);
    assert_string_equal(part, "tree");
    world_flip("slots", "wrapped", "1", 1);
    assert_int_equal(check_file(world.path, &key, NULL, &world.failure, &part), STATUS_WRONG_KEY);
    assert_string_equal(part, "file");
    world_edit("UPDATE slots SET salt = x'00'");
    assert_int_equal(check_file(world.path, &key, NULL, &world.failure, &part), STATUS_CORRUPT);
    assert_string_equal(part, "slots");
}

int main(void)
{
#define CHECK_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CHECK_TEST(all_parts_of_a_sound_vault_hold),
        CHECK_TEST(an_open_vault_is_checked_between_turns),
        CHECK_TEST(a_check_writes_nothing),
        CHECK_TEST(a_flipped_bit_is_found_in_its_part),
        CHECK_TEST(a_record_that_no_vault_writes_is_found),
        CHECK_TEST(the_first_part_that_does_not_hold_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
