/* Imports on a real vault: what is staged is not there, what is committed is all there, and each rule of the
 * nouns holds. */
#include "import.h"
#include "vault_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#define MANY 1500u

static struct import *import;
static struct import_counts counts;

static int import_test_start(void **state)
{
    import = NULL;
    return world_start(state) == 0 ? (int)import_start(&world.failure, &import) : -1;
}

static int import_test_stop(void **state)
{
    import_freep(&import);
    return world_stop(state);
}

static enum status stage(const char *path, const char *name, const char *value)
{
    const struct variable_change change = {.path = path, .name = name, .value = value, .size = strlen(value)};

    return import_stage_variable(import, world.vault, &change, &world.failure);
}

static enum status stage_account(const char *app, const char *label, const char *properties, const char *note)
{
    CLEANUP(json_freep) struct json *json = NULL;
    const struct remark remark = {.note = note};

    world_parse(properties, &json);
    return import_stage_account(import, world.vault, app, label, json, &remark, &world.failure);
}

static void expect_staged(const char *path, const char *name, const char *value)
{
    if (stage(path, name, value) != STATUS_OK)
        fail_msg("%s", world.failure.sentence);
}

static enum status commit_as(bool replace, bool dry_run)
{
    const struct import_options options = {.replace = replace, .dry_run = dry_run};

    world_begin("import");
    enum status status =
        world_end(import_commit(import, world.vault, &options, &world.leaf, &world.failure, &counts));
    import_freep(&import);
    assert_int_equal(import_start(&world.failure, &import), STATUS_OK);
    return status;
}

static void expect_commit(bool replace, size_t added, size_t replaced, size_t unchanged)
{
    if (commit_as(replace, false) != STATUS_OK)
        fail_msg("%s", world.failure.sentence);
    assert_int_equal(counts.added, added);
    assert_int_equal(counts.replaced, replaced);
    assert_int_equal(counts.unchanged, unchanged);
}

static void expect_field(enum record_kind kind, const char *where, const char *name, const char *field,
                         const char *value)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found;

    assert_int_equal(record_find(world.vault, kind, where, name, &world.failure, &record, &found), STATUS_OK);
    if (value == NULL) {
        assert_true(!found || record_field(&record, field, NULL) == NULL);
        return;
    }
    assert_true(found);
    assert_non_null(record_field(&record, field, NULL));
    assert_string_equal(record_field(&record, field, NULL), value);
}

static void expect_held(const char *path, const char *name, const char *value)
{
    expect_field(RECORD_VARIABLE, path, name, "value", value);
}

/* The log's leaf `back` from its end, with or without this in it. */
static bool leaf_has(uint64_t back, const char *part)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    assert_int_equal(log_read(world.vault, log_size(world.vault) - back, &world.failure, &line, hash),
                     STATUS_OK);
    return strstr(secret_text(&line), part) != NULL;
}

static void what_is_imported_is_there_after_the_commit_and_not_before(void **state)
{
    (void)state;
    expect_staged("billing/notify", "B", "2");
    expect_staged("/", "A", "1");
    expect_staged("billing/notify", "A", "");
    assert_int_equal(import_count(import), 3);
    expect_held("/", "A", NULL);
    expect_commit(false, 3, 0, 0);
    expect_held("/", "A", "1");
    expect_held("billing/notify", "A", "");
    expect_held("billing/notify", "B", "2");
    expect_field(RECORD_PATH, "billing/notify", "", "step", "");
    expect_field(RECORD_PATH, "billing", "", "kind", "path");
    assert_true(leaf_has(1, "\"action\":\"import\",\"outcome\":\"granted\""));
    assert_true(leaf_has(1, "\"part\":1,\"added\":3,\"replaced\":0,\"unchanged\":0,\"imported\":["
                            "{\"path\":\"billing/notify\",\"added\":[\"B\",\"A\"]},"
                            "{\"path\":\"/\",\"added\":[\"A\"]}]"));
    world_reopen();
    expect_held("billing/notify", "B", "2");
    assert_int_equal(world_verify(), STATUS_OK);
}

static void the_same_again_changes_no_row(void **state)
{
    uint8_t sum[SEAL_HASH_SIZE];

    (void)state;
    expect_staged("a", "A", "1");
    expect_commit(false, 1, 0, 0);
    memcpy(sum, world.vault->state.sum, sizeof sum);
    expect_staged("a", "A", "1");
    expect_commit(false, 0, 0, 1);
    assert_memory_equal(world.vault->state.sum, sum, sizeof sum);
    assert_true(leaf_has(1, "\"imported\":[{\"path\":\"a\",\"unchanged\":[\"A\"]}]"));
}

static void another_value_is_refused_by_name_and_nothing_happens(void **state)
{
    uint64_t records;

    (void)state;
    assert_int_equal(world_set("a", "HELD", "old"), STATUS_OK);
    records = vault_record_count(world.vault);
    expect_staged("b", "NEW", "1");
    expect_staged("a", "HELD", "new");
    assert_int_equal(commit_as(false, false), STATUS_EXISTS);
    assert_non_null(strstr(world.failure.sentence, "HELD is placed at a with another value"));
    assert_null(strstr(world.failure.sentence, "old"));
    expect_held("b", "NEW", NULL);
    expect_held("a", "HELD", "old");
    assert_int_equal(vault_record_count(world.vault), records);
    expect_staged("c", "HELD", "elsewhere it is free");
    expect_commit(false, 1, 0, 0);
}

static void replacing_keeps_the_record_and_its_note(void **state)
{
    CLEANUP(record_reset) struct record before = {0};
    CLEANUP(record_reset) struct record after = {0};
    const struct remark remark = {.note = "from Ann"};
    bool found;

    (void)state;
    expect_staged("a", "A", "1");
    expect_commit(false, 1, 0, 0);
    world_begin("annotate-variable");
    assert_int_equal(world_end(variable_annotate(world.vault, "a", "A", &remark, &world.failure)), STATUS_OK);
    record_find(world.vault, RECORD_VARIABLE, "a", "A", &world.failure, &before, &found);
    expect_staged("a", "A", "2");
    expect_commit(true, 0, 1, 0);
    record_find(world.vault, RECORD_VARIABLE, "a", "A", &world.failure, &after, &found);
    assert_memory_equal(before.id, after.id, sizeof before.id);
    assert_int_equal(after.version, before.version + 1);
    assert_string_equal(record_field(&after, "created", NULL), record_field(&before, "created", NULL));
    expect_held("a", "A", "2");
    expect_field(RECORD_VARIABLE, "a", "A", "note", "from Ann");
    expect_field(RECORD_PAST_VARIABLE, "a", "A", "1/value", "1");
    world_reopen();
}

static void a_blocked_name_is_another_value(void **state)
{
    (void)state;
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, "a", "A", &world.failure)), STATUS_OK);
    expect_staged("a", "A", "1");
    assert_int_equal(commit_as(false, false), STATUS_EXISTS);
    expect_staged("a", "A", "1");
    expect_commit(true, 0, 1, 0);
    expect_field(RECORD_VARIABLE, "a", "A", "blocked", NULL);
}

static void what_breaks_a_rule_is_refused_when_it_is_staged(void **state)
{
    struct variable_change dangerous = {.path = "/", .name = "LD_PRELOAD", .value = "x", .size = 1};
    struct variable_change nul = {.path = "/", .name = "N", .value = "a\0b", .size = 3};

    (void)state;
    expect_staged("/", "A", "1");
    assert_int_equal(stage("/", "A", "2"), STATUS_INVALID);
    assert_non_null(strstr(world.failure.sentence, "A at / is in the import twice"));
    assert_int_equal(stage("Up", "A", "1"), STATUS_INVALID);
    assert_int_equal(stage("/", "1A", "1"), STATUS_INVALID);
    assert_int_equal(stage("/", "STEPVAULT_X", "1"), STATUS_REFUSED);
    assert_int_equal(import_stage_variable(import, world.vault, &nul, &world.failure), STATUS_INVALID);
    assert_int_equal(import_stage_variable(import, world.vault, &dangerous, &world.failure), STATUS_REFUSED);
    dangerous.allow_dangerous_name = true;
    assert_int_equal(import_stage_variable(import, world.vault, &dangerous, &world.failure), STATUS_OK);
    assert_int_equal(stage_account("slack", "work", "{}", NULL), STATUS_INVALID);
    assert_int_equal(stage_account("slack", "work", "{\"a\":1}", NULL), STATUS_INVALID);
    assert_int_equal(stage_account("Slack", "work", "{\"a\":\"1\"}", NULL), STATUS_INVALID);
    assert_int_equal(stage_account("slack", "work", "{\"a\":\"1\"}", NULL), STATUS_OK);
    assert_int_equal(stage_account("slack", "work", "{\"a\":\"2\"}", NULL), STATUS_INVALID);
    assert_int_equal(import_count(import), 3);
}

/* Each of them could make eight records of one variable. */
static void paths_are_bounded(void **state)
{
    char path[32];

    (void)state;
    for (unsigned i = 0; i < IMPORT_PATHS_MAX; i++) {
        snprintf(path, sizeof path, "p%u", i);
        expect_staged(path, "A", "v");
    }
    expect_staged("p0", "B", "v");
    assert_int_equal(stage("one/more", "A", "v"), STATUS_TOO_LARGE);
    assert_string_equal(world.failure.sentence, "an import has at most 10000 paths");
}

/* Many connections may stage at once, and locked memory is for all of them. */
static void what_is_staged_holds_no_locked_memory(void **state)
{
    char properties[200100];
    size_t before;

    (void)state;
    strcpy(properties, "{");
    for (char name = 'a'; name < 'd'; name++) {
        size_t at = strlen(properties);
        snprintf(properties + at, sizeof properties - at, "%s\"%c\":\"", at > 1 ? "," : "", name);
        at = strlen(properties);
        memset(properties + at, 'v', 65000);
        strcpy(properties + at + 65000, "\"");
    }
    strcat(properties, "}");
    assert_int_equal(stage_account("slack", "a", properties, NULL), STATUS_OK);
    import_freep(&import);
    assert_int_equal(import_start(&world.failure, &import), STATUS_OK);
    before = secret_heap_mapped();
    assert_int_equal(stage_account("slack", "a", properties, NULL), STATUS_OK);
    import_rest(import);
    assert_int_equal(secret_heap_mapped(), before);
    expect_commit(false, 1, 0, 0);
}

static void accounts_are_added_and_merged(void **state)
{
    (void)state;
    assert_int_equal(stage_account("slack", "work", "{\"token\":\"1\",\"team\":\"t\"}", "a note"), STATUS_OK);
    assert_int_equal(stage_account("github", "work", "{\"token\":\"1\"}", NULL), STATUS_OK);
    expect_staged("a", "A", "1");
    expect_commit(false, 3, 0, 0);
    assert_true(leaf_has(2, "\"part\":1,\"added\":3,") && leaf_has(2, "\"imported\":[{\"path\":\"a\""));
    assert_true(leaf_has(1, "\"part\":2,\"added\":3,") &&
                leaf_has(1, "\"app\":\"slack\",\"label\":\"work\",\"change\":\"added\"},{\"id\":"));
    assert_int_equal(stage_account("slack", "work", "{\"token\":\"1\"}", NULL), STATUS_OK);
    expect_commit(false, 0, 0, 1);
    assert_int_equal(stage_account("slack", "work", "{\"token\":\"2\"}", NULL), STATUS_OK);
    assert_int_equal(commit_as(false, false), STATUS_EXISTS);
    assert_non_null(strstr(world.failure.sentence, "slack:work"));
    assert_int_equal(stage_account("slack", "work", "{\"token\":\"2\"}", NULL), STATUS_OK);
    expect_commit(true, 0, 1, 0);
    expect_field(RECORD_ACCOUNT, "slack", "work", "property/token", "2");
    expect_field(RECORD_ACCOUNT, "slack", "work", "property/team", "t");
    expect_field(RECORD_ACCOUNT, "slack", "work", "note", "a note");
    world_begin("list");
    assert_int_equal(world_end(account_history(world.vault, "slack", &world.failure, &world.writer)),
                     STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "\"state\":\"replaced\""));
    world_reopen();
}

static void a_bound_account_gets_no_name_that_its_binding_could_not_give(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("a", "slack", "node"), STATUS_OK);
    assert_int_equal(stage_account("slack", "default", "{\"options\":\"x\"}", NULL), STATUS_OK);
    assert_int_equal(commit_as(true, false), STATUS_REFUSED);
    assert_int_equal(stage_account("slack", "default", "{\"to_ken\":\"x\",\"to-ken\":\"y\"}", NULL),
                     STATUS_OK);
    assert_int_equal(commit_as(true, false), STATUS_INVALID);
    assert_int_equal(stage_account("slack", "default", "{\"team\":\"x\"}", NULL), STATUS_OK);
    expect_commit(true, 0, 1, 0);
    expect_field(RECORD_ACCOUNT, "slack", "default", "property/options", NULL);
}

static void a_dry_run_counts_and_changes_nothing(void **state)
{
    uint8_t sum[SEAL_HASH_SIZE];

    (void)state;
    assert_int_equal(world_set("a", "A", "1"), STATUS_OK);
    assert_int_equal(world_set("a", "B", "1"), STATUS_OK);
    memcpy(sum, world.vault->state.sum, sizeof sum);
    expect_staged("a", "A", "1");
    expect_staged("a", "B", "2");
    expect_staged("b", "C", "3");
    assert_int_equal(commit_as(false, true), STATUS_OK);
    assert_true(counts.added == 1 && counts.replaced == 1 && counts.unchanged == 1);
    assert_memory_equal(world.vault->state.sum, sum, sizeof sum);
    expect_held("a", "B", "1");
    expect_field(RECORD_PATH, "b", "", "kind", NULL);
    assert_true(leaf_has(1, "\"dry_run\":true,"));
}

/* Names as long as they may be: 255 bytes each, at paths of 255. */
static void stage_many(unsigned first, unsigned count)
{
    char name[NAME_VARIABLE_MAX + 1], path[NAME_PATH_MAX + 1];

    memset(name, 'N', NAME_VARIABLE_MAX);
    memset(path, 'p', NAME_PATH_MAX);
    name[NAME_VARIABLE_MAX] = path[NAME_PATH_MAX] = '\0';
    for (unsigned i = first; i < first + count; i++) {
        snprintf(name + NAME_VARIABLE_MAX - 8, 9, "%08u", i);
        snprintf(path + NAME_PATH_MAX - 8, 9, "%08u", i % 100);
        expect_staged(path, name, "v");
    }
}

static void many_names_take_many_leaves_of_one_commit(void **state)
{
    uint64_t before = log_size(world.vault);
    char head[NOTE_MAX];

    (void)state;
    strcpy(head, log_head(world.vault));
    stage_many(0, MANY);
    expect_commit(false, MANY, 0, 0);
    assert_true(log_size(world.vault) >= before + MANY * 258 / 48000);
    assert_true(leaf_has(1, "\"part\":"));
    assert_string_not_equal(head, log_head(world.vault));
    assert_int_equal(world_verify(), STATUS_OK);
}

/* More new records than there were: the indices are made anew. */
static void a_large_load_leaves_the_schema_and_the_look_ups_as_they_were(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        stage_many(round * MANY, MANY);
        expect_commit(false, MANY, 0, 0);
        vault_fold(world.vault);
        vault_fold(world.vault);
        assert_int_equal(world_set("a", "A", round == 1 ? "1" : "2"), STATUS_OK);
        stage_many(round * MANY + MANY - 5, 5);
        expect_commit(false, 0, 0, 5);
    }
    world_reopen();
    stage_many(0, 3 * MANY);
    expect_commit(true, 0, 0, 3 * MANY);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_large_load_rolled_back_leaves_everything_as_it_was(void **state)
{
    const struct import_options options = {.replace = false};
    uint64_t records;

    (void)state;
    assert_int_equal(world_set("a", "A", "1"), STATUS_OK);
    records = vault_record_count(world.vault);
    stage_many(0, MANY);
    world_begin("import");
    assert_int_equal(import_commit(import, world.vault, &options, &world.leaf, &world.failure, &counts),
                     STATUS_OK);
    vault_rollback(world.vault);
    vault_fold(world.vault);
    assert_int_equal(vault_record_count(world.vault), records);
    expect_held("a", "A", "1");
    assert_int_equal(world_set("a", "A", "2"), STATUS_OK);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static enum status commit_without_room(void)
{
    const struct import_options options = {.replace = false};

    world_begin("import");
    enum status status = import_commit(import, world.vault, &options, &world.leaf, &world.failure, &counts);
    if (status == STATUS_OK)
        status = vault_commit(world.vault, &world.failure);
    else
        vault_rollback(world.vault);
    import_freep(&import);
    assert_int_equal(import_start(&world.failure, &import), STATUS_OK);
    return status;
}

/* A disk that is full at the commit, and one that is full before, when the pages of a load have no room any
 * more. */
static void a_large_load_on_a_full_disk_leaves_everything_as_it_was(void **state)
{
    static const rlim_t sizes[] = {1, 3u << 20};
    uint64_t records, leaves;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(world_set("a", "A", "1"), STATUS_OK);
    records = vault_record_count(world.vault);
    leaves = log_size(world.vault);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct rlimit before;

        stage_many(0, 4 * MANY);
        getrlimit(RLIMIT_FSIZE, &before);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = sizes[i], .rlim_max = before.rlim_max});
        assert_int_equal(commit_without_room(), STATUS_LOG_UNWRITABLE);
        setrlimit(RLIMIT_FSIZE, &before);
        vault_fold(world.vault);
        assert_int_equal(vault_record_count(world.vault), records);
        assert_int_equal(log_size(world.vault), leaves);
        expect_held("a", "A", "1");
        assert_int_equal(world_verify(), STATUS_OK);
    }
    stage_many(0, MANY);
    expect_commit(false, MANY, 0, 0);
    world_reopen();
    stage_many(0, MANY);
    expect_commit(false, 0, 0, MANY);
    assert_int_equal(world_verify(), STATUS_OK);
}

/* What the vault remembers of its rows and names, too, when a turn ends between two of an import's records.
 */
static void an_import_that_fails_halfway_leaves_everything_as_it_was(void **state)
{
    uint64_t records;

    (void)state;
    assert_int_equal(world_add("slack", "{\"a\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_add("slack_b", "{\"d\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("step", "slack", NULL), STATUS_OK);
    assert_int_equal(world_bind("step", "slack_b", NULL), STATUS_OK);
    records = vault_record_count(world.vault);
    expect_staged("other", "A", "1");
    /* SLACK_B_C from both: each is possible alone. */
    assert_int_equal(stage_account("slack", "default", "{\"b_c\":\"1\"}", NULL), STATUS_OK);
    assert_int_equal(stage_account("slack_b", "default", "{\"c\":\"1\"}", NULL), STATUS_OK);
    assert_int_equal(commit_as(true, false), STATUS_INVALID);
    assert_int_equal(vault_record_count(world.vault), records);
    expect_held("other", "A", NULL);
    expect_field(RECORD_PATH, "other", "", "kind", NULL);
    expect_field(RECORD_ACCOUNT, "slack", "default", "property/b_c", NULL);
    assert_int_equal(world_verify(), STATUS_OK);
    expect_staged("other", "A", "1");
    expect_commit(false, 1, 0, 0);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

#define IMPORT_TEST(name) cmocka_unit_test_setup_teardown(name, import_test_start, import_test_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IMPORT_TEST(what_is_imported_is_there_after_the_commit_and_not_before),
        IMPORT_TEST(the_same_again_changes_no_row),
        IMPORT_TEST(another_value_is_refused_by_name_and_nothing_happens),
        IMPORT_TEST(replacing_keeps_the_record_and_its_note),
        IMPORT_TEST(a_blocked_name_is_another_value),
        IMPORT_TEST(what_breaks_a_rule_is_refused_when_it_is_staged),
        IMPORT_TEST(paths_are_bounded),
        IMPORT_TEST(what_is_staged_holds_no_locked_memory),
        IMPORT_TEST(accounts_are_added_and_merged),
        IMPORT_TEST(a_bound_account_gets_no_name_that_its_binding_could_not_give),
        IMPORT_TEST(a_dry_run_counts_and_changes_nothing),
        IMPORT_TEST(many_names_take_many_leaves_of_one_commit),
        IMPORT_TEST(a_large_load_leaves_the_schema_and_the_look_ups_as_they_were),
        IMPORT_TEST(a_large_load_rolled_back_leaves_everything_as_it_was),
        IMPORT_TEST(a_large_load_on_a_full_disk_leaves_everything_as_it_was),
        IMPORT_TEST(an_import_that_fails_halfway_leaves_everything_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
