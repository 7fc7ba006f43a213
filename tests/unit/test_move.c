/* Moving a path: what goes with it, what it is refused for, and what it inherits otherwise. */
#include "move.h"

#include "vault_fixture.h"

#define JSON_FREEP __attribute__((cleanup(json_freep)))

static struct json *reply(void)
{
    struct json *json = NULL;

    assert_int_equal(json_parse(world.reply.bytes, world.reply.size, "reply", &world.failure, &json),
                     STATUS_OK);
    return json;
}

static enum status move_as(const char *path, const char *to, bool dry_run)
{
    const struct move_change change = {.path = path, .to = to, .dry_run = dry_run};

    world_begin("move-step");
    return world_end(move_path(world.vault, &change, &world.failure, &world.writer));
}

static enum status move(const char *path, const char *to)
{
    return move_as(path, to, false);
}

static const char *projected(const char *step, const char *name)
{
    struct projection_request request = {.step = step, .deliver_env = true};
    static char text[64];

    world_begin("project");
    if (world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)) !=
        STATUS_OK)
        return "refused";
    JSON_FREEP struct json *answer = reply();
    const char *found = json_member_text(json_member(answer, "variables"), name);
    snprintf(text, sizeof text, "%s", found == NULL ? "-" : found);
    return text;
}

/* `/ login a a/b` */
static const char *paths(void)
{
    static char text[512];
    size_t at = 0;

    world_begin("list");
    assert_int_equal(world_end(placement_list_steps(world.vault, "/", &world.failure, &world.writer)),
                     STATUS_OK);
    JSON_FREEP struct json *answer = reply();
    const struct json *steps = json_member(answer, "steps");
    for (size_t i = 0; i < json_count(steps); i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s", i == 0 ? "" : " ",
                               json_member_text(json_at(steps, i), "path"),
                               json_member_boolean(json_at(steps, i), "inherits", true) ? "" : "!");
    return text;
}

static void add_step(const char *path, bool boundary, const char *note)
{
    const struct remark remark = {.note = note};
    bool changed;

    world_begin("add-step");
    assert_int_equal(
        world_end(placement_add_step(world.vault, path, boundary, &remark, &world.failure, &changed)),
        STATUS_OK);
}

static void everything_at_and_below_moves(void **state)
{
    uint64_t count;

    (void)state;
    assert_int_equal(world_set("/", "ROOT", "root"), STATUS_OK);
    assert_int_equal(world_set("a/b", "A", "old"), STATUS_OK);
    assert_int_equal(world_set("a/b", "A", "new"), STATUS_OK);
    assert_int_equal(world_set("a/b/c", "C", "c"), STATUS_OK);
    assert_int_equal(world_add("app", "{\"token\":\"t\"}"), STATUS_OK);
    assert_int_equal(world_bind("a/b/c", "app", NULL), STATUS_OK);
    add_step("a/b/wall", true, "keep out");
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, "a/b/c", "ROOT", &world.failure)), STATUS_OK);
    count = vault_record_count(world.vault);
    assert_int_equal(move("a/b", "x/y/z"), STATUS_OK);
    JSON_FREEP struct json *answer = reply();
    assert_int_equal(json_member_number(answer, "paths", 0), 3);
    assert_int_equal(json_member_number(answer, "variables", 0), 3);
    assert_int_equal(json_member_number(answer, "accounts", 0), 1);
    assert_string_equal(paths(), "/ login! x x/y x/y/z x/y/z/c x/y/z/wall!");
    assert_int_equal(vault_record_count(world.vault), count + 1); /* a is gone; x and x/y came */
    world_reopen();
    assert_string_equal(projected("x/y/z/c", "A"), "new");
    assert_string_equal(projected("x/y/z/c", "C"), "c");
    assert_string_equal(projected("x/y/z/c", "ROOT"), "-");
    assert_string_equal(projected("x/y/z/c", "APP_TOKEN"), "t");
    assert_string_equal(projected("x/y/z/wall", "ROOT"), "-");
    assert_string_equal(projected("a/b", "A"), "refused");
    world_begin("restore-variable");
    assert_int_equal(world_end(variable_restore(world.vault, "x/y/z", "A", 0, false, &world.failure, &count)),
                     STATUS_OK);
    assert_string_equal(projected("x/y/z", "A"), "old");
    assert_int_equal(world_verify(), STATUS_OK);
}

static void names_that_the_vault_knows_stay_known(void **state)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    (void)state;
    assert_int_equal(world_set("a", "KNOWN", "1"), STATUS_OK);
    assert_int_equal(move("a", "b"), STATUS_OK);
    record_hash_final(world.vault, "KNOWN", hash);
    assert_true(state_knows_name(&world.vault->state, hash));
    world_reopen();
    assert_true(state_knows_name(&world.vault->state, hash));
    world_begin("unset-variable");
    assert_int_equal(world_end(variable_unset(world.vault, "b", "KNOWN", &world.failure)), STATUS_OK);
    assert_false(state_knows_name(&world.vault->state, hash));
}

static void a_bound_account_follows_to_the_new_place(void **state)
{
    (void)state;
    assert_int_equal(world_add("app", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("a", "app", NULL), STATUS_OK);
    assert_int_equal(move("a", "b/c"), STATUS_OK);
    assert_int_equal(world_set_account("app", "{\"token\":\"2\"}"), STATUS_OK);
    assert_string_equal(projected("b/c", "APP_TOKEN"), "2");
    world_begin("remove-account");
    assert_int_equal(world_end(account_remove(world.vault, "app", &world.leaf, &world.failure)),
                     STATUS_IN_USE);
    assert_non_null(strstr(world.failure.sentence, "b/c as app"));
}

static void where_it_cannot_go_is_refused(void **state)
{
    (void)state;
    assert_int_equal(world_set("a", "A", "1"), STATUS_OK);
    assert_int_equal(world_set("used", "B", "1"), STATUS_OK);
    assert_int_equal(world_set("folder/below", "C", "1"), STATUS_OK);
    add_step("bare", false, NULL);
    assert_int_equal(move("a", "used"), STATUS_IN_USE);
    assert_non_null(strstr(world.failure.sentence, "variable B"));
    assert_int_equal(move("a", "folder"), STATUS_IN_USE);
    assert_non_null(strstr(world.failure.sentence, "folder/below"));
    assert_int_equal(move("a", "bare"), STATUS_IN_USE);
    assert_int_equal(move("a", "/"), STATUS_IN_USE);
    assert_int_equal(move("a", "a"), STATUS_INVALID);
    assert_int_equal(move("a", "a/b"), STATUS_INVALID);
    assert_int_equal(move("/", "b"), STATUS_INVALID);
    assert_int_equal(move("a", "Upper"), STATUS_INVALID);
    assert_int_equal(move("nowhere", "b"), STATUS_NOT_FOUND);
    assert_int_equal(move("folder/below", "1/2/3/4/5/6/7/8"), STATUS_OK);
    assert_int_equal(world_set("a/b", "A", "1"), STATUS_OK);
    assert_int_equal(move("a", "one/2/3/4/5/6/7/8"), STATUS_INVALID);
    assert_string_equal(paths(),
                        "/ 1 1/2 1/2/3 1/2/3/4 1/2/3/4/5 1/2/3/4/5/6 1/2/3/4/5/6/7 1/2/3/4/5/6/7/8 a a/b "
                        "bare login! used");
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_dry_run_says_the_same_and_changes_nothing(void **state)
{
    CLEANUP(secret_reset) struct secret said = {0};

    (void)state;
    assert_int_equal(world_set("a/b", "A", "1"), STATUS_OK);
    assert_int_equal(move_as("a", "c", true), STATUS_OK);
    assert_true(secret_append(&said, world.reply.bytes, world.reply.size));
    assert_string_equal(paths(), "/ a a/b login!");
    assert_string_equal(projected("a/b", "A"), "1");
    assert_int_equal(move("a", "c"), STATUS_OK);
    assert_string_equal(secret_text(&said), secret_text(&world.reply));
    assert_string_equal(paths(), "/ c c/b login!");
}

static void names_that_are_inherited_otherwise_are_told(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "SAME", "1"), STATUS_OK);
    assert_int_equal(world_set("old", "LOST", "1"), STATUS_OK);
    assert_int_equal(world_set("old", "BOTH", "1"), STATUS_OK);
    assert_int_equal(world_set("new", "BOTH", "2"), STATUS_OK);
    assert_int_equal(world_set("new", "GAINED", "1"), STATUS_OK);
    assert_int_equal(world_set("new", "OWN", "1"), STATUS_OK);
    assert_int_equal(world_set("old/step", "OWN", "1"), STATUS_OK);
    assert_int_equal(world_add("app", "{\"token\":\"t\"}"), STATUS_OK);
    assert_int_equal(world_bind("new", "app", NULL), STATUS_OK);
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, "new", "SAME", &world.failure)), STATUS_OK);
    assert_int_equal(move_as("old/step", "new/step", true), STATUS_OK);
    assert_non_null(
        strstr(secret_text(&world.reply),
               "\"gained\":[\"app\",\"GAINED\"],\"lost\":[\"LOST\",\"SAME\"],\"changed\":[\"BOTH\"]"));
    add_step("old/step", true, NULL);
    assert_int_equal(move_as("old/step", "new/step", true), STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "\"gained\":[],\"lost\":[],\"changed\":[]"));
}

static void more_than_the_bound_is_refused_whole(void **state)
{
    char name[32];
    bool replaced;

    (void)state;
    world_begin("set-variable");
    for (unsigned i = 0; i < MOVE_RECORDS_MAX; i++) {
        snprintf(name, sizeof name, "V%u", i);
        struct variable_change change = {.path = "a/b", .name = name, .value = "1", .size = 1};
        assert_int_equal(variable_set(world.vault, &change, &world.failure, &replaced), STATUS_OK);
    }
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
    assert_int_equal(move("a", "c"), STATUS_TOO_LARGE);
    assert_string_equal(paths(), "/ a a/b login!");
    world_begin("unset-variable");
    for (unsigned i = 0; i < 4; i++) {
        CLEANUP(record_reset) struct record record = {0};
        bool found;
        snprintf(name, sizeof name, "V%u", i);
        assert_int_equal(
            record_find(world.vault, RECORD_VARIABLE, "a/b", name, &world.failure, &record, &found),
            STATUS_OK);
        assert_int_equal(record_remove(world.vault, &record, &world.failure), STATUS_OK);
    }
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
    assert_int_equal(move("a", "c"), STATUS_OK);
    assert_string_equal(paths(), "/ c c/b login!");
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_move_that_is_rolled_back_moved_nothing(void **state)
{
    const struct move_change change = {.path = "a", .to = "b"};

    (void)state;
    assert_int_equal(world_set("a", "A", "1"), STATUS_OK);
    world_begin("move-step");
    assert_int_equal(move_path(world.vault, &change, &world.failure, &world.writer), STATUS_OK);
    vault_rollback(world.vault);
    assert_string_equal(projected("a", "A"), "1");
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_at_and_below_moves),
        TEST(names_that_the_vault_knows_stay_known),
        TEST(a_bound_account_follows_to_the_new_place),
        TEST(where_it_cannot_go_is_refused),
        TEST(a_dry_run_says_the_same_and_changes_nothing),
        TEST(names_that_are_inherited_otherwise_are_told),
        TEST(more_than_the_bound_is_refused_whole),
        TEST(a_move_that_is_rolled_back_moved_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
