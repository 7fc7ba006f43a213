/* The open vault and its nouns, over a real store in a folder of its own. */
#include "vault_fixture.h"

#define JSON_FREEP __attribute__((cleanup(json_freep)))

/* Projects and hands out the parsed reply; NULL on refusal. */
static struct json *project(const char *step, bool env, bool auths)
{
    struct projection_request request = {.step = step, .deliver_env = env, .deliver_auths = auths};
    struct json *json = NULL;

    world_begin("project");
    if (world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)) !=
        STATUS_OK)
        return NULL;
    assert_false(world.writer.failed);
    assert_int_equal(json_parse(world.reply.bytes, world.reply.size, "reply", &world.failure, &json),
                     STATUS_OK);
    return json;
}

static const char *variable(const struct json *reply, const char *name)
{
    return json_member_text(json_member(reply, "variables"), name);
}

static void a_new_vault_opens_again_with_its_key_and_not_with_another(void **state)
{
    struct vault_key wrong = {.has_slot = false};
    struct vault *vault = NULL;

    (void)state;
    world_reopen();
    assert_int_equal(log_size(world.vault), 1);
    vault_freep(&world.vault);
    assert_int_equal(vault_open(world.path, &wrong, 0, &world.failure, &vault), STATUS_WRONG_KEY);
    assert_null(vault);
    world_reopen();
}

static void a_step_gets_what_is_placed_at_it_and_above_and_the_nearest_wins(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    assert_int_equal(world_set("/", "B", "root"), STATUS_OK);
    assert_int_equal(world_set("billing", "B", "billing"), STATUS_OK);
    assert_int_equal(world_set("billing/notify", "C", "notify"), STATUS_OK);
    assert_int_equal(world_set("other", "D", "other"), STATUS_OK);
    world_reopen();
    JSON_FREEP struct json *reply = project("billing/notify", true, false);
    assert_string_equal(variable(reply, "A"), "root");
    assert_string_equal(variable(reply, "B"), "billing");
    assert_string_equal(variable(reply, "C"), "notify");
    assert_int_equal(json_count(json_member(reply, "variables")), 3);
}

static void what_is_only_inherited_makes_no_step(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    assert_null(project("newpath", true, false));
    assert_int_equal(world.failure.status, STATUS_NOT_FOUND);
    assert_non_null(strstr(world.failure.sentence, "step add newpath"));
}

static void a_boundary_inherits_nothing(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    JSON_FREEP struct json *reply = project("login", true, false);
    assert_non_null(reply);
    assert_int_equal(json_count(json_member(reply, "variables")), 0);
}

static void a_block_hides_an_inherited_name(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, "quiet", "A", &world.failure)), STATUS_OK);
    JSON_FREEP struct json *reply = project("quiet", true, false);
    assert_int_equal(json_count(json_member(reply, "variables")), 0);
}

static void an_account_is_delivered_as_variables_and_as_a_document(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"oauth_access_token\":\"xoxb\",\"oauth_refresh_token\":\"r\"}"),
                     STATUS_OK);
    assert_int_equal(world_bind("billing", "slack", NULL), STATUS_OK);
    JSON_FREEP struct json *reply = project("billing", true, true);
    assert_string_equal(variable(reply, "SLACK_OAUTH_ACCESS_TOKEN"), "xoxb");
    assert_null(variable(reply, "SLACK_OAUTH_REFRESH_TOKEN"));
    const struct json *slack = json_member(json_member(reply, "auths"), "slack");
    assert_string_equal(json_member_text(slack, "oauth_access_token"), "xoxb");
    assert_int_equal(json_count(slack), 1);
}

static void a_second_account_needs_a_label_and_an_ambiguous_one_lists_the_choices(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"a\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_add("slack", "{\"a\":\"1\"}"), STATUS_EXISTS);
    assert_non_null(strstr(world.failure.sentence, "--label"));
    assert_int_equal(world_add_labelled("slack", "second", "{\"a\":\"2\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "slack", NULL), STATUS_AMBIGUOUS);
    assert_non_null(strstr(world.failure.sentence, "slack:second"));
    assert_int_equal(world_bind("x", "slack:second", NULL), STATUS_OK);
}

static void two_sources_of_one_name_are_an_error_that_names_both(void **state)
{
    (void)state;
    assert_int_equal(world_add("a_b", "{\"c\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_add("a", "{\"b_c\":\"2\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "a_b", NULL), STATUS_OK);
    assert_int_equal(world_bind("x", "a", NULL), STATUS_INVALID);
    assert_non_null(strstr(world.failure.sentence, "a_b.c"));
    assert_non_null(strstr(world.failure.sentence, "a.b_c"));
}

static void a_bound_account_is_not_removed(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"a\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x/y", "slack", "chat"), STATUS_OK);
    world_begin("remove-account");
    assert_int_equal(world_end(account_remove(world.vault, "slack", &world.leaf, &world.failure)),
                     STATUS_IN_USE);
    assert_non_null(strstr(world.failure.sentence, "x/y as chat"));
    world_begin("unbind");
    assert_int_equal(world_end(binding_unbind(world.vault, "x/y", "chat", &world.leaf, &world.failure)),
                     STATUS_OK);
    world_begin("remove-account");
    assert_int_equal(world_end(account_remove(world.vault, "slack", &world.leaf, &world.failure)), STATUS_OK);
}

static void a_rolled_back_turn_leaves_state_and_log_as_they_were(void **state)
{
    struct variable_change change = {.path = "x", .name = "A", .value = "1", .size = 1};
    uint64_t records, leaves;
    bool replaced;

    (void)state;
    assert_int_equal(world_set("/", "KEPT", "1"), STATUS_OK);
    records = vault_record_count(world.vault);
    leaves = log_size(world.vault);
    world_begin("set-variable");
    assert_int_equal(variable_set(world.vault, &change, &world.failure, &replaced), STATUS_OK);
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    vault_rollback(world.vault);
    assert_int_equal(vault_record_count(world.vault), records);
    assert_int_equal(world_set("/", "NEXT", "1"), STATUS_OK);
    assert_int_equal(log_size(world.vault), leaves + 1);
    world_reopen();
    JSON_FREEP struct json *reply = project("/", true, false);
    assert_string_equal(variable(reply, "KEPT"), "1");
    assert_null(variable(reply, "A"));
}

static void the_log_verifies_over_several_tiles_and_reopens_at_each_size(void **state)
{
    struct log_verification *verification = NULL;
    bool done = false;

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        assert_int_equal(world_set("/", "A", i % 2 == 0 ? "even" : "odd"), STATUS_OK);
        if (i % 97 == 0 || (i > 250 && i < 260) || i > 508)
            world_reopen();
    }
    assert_int_equal(log_verification_start(world.vault, &world.failure, &verification), STATUS_OK);
    while (!done)
        assert_int_equal(log_verification_continue(verification, 100, &world.failure, &done), STATUS_OK);
    assert_int_equal(log_verification_position(verification), 601);
    log_verification_freep(&verification);
}

static void names_that_the_vault_knows_are_dropped_from_what_a_step_inherits(void **state)
{
    static const char inherited[] = "[\"A\",\"SLACK_KEY\",\"PATH\",\"OTHER\",\"KEPT\"]";
    static const char keep[] = "[\"KEPT\"]";
    struct projection_request request = {.step = "x", .deliver_env = true, .block_form = true};
    JSON_FREEP struct json *names = NULL;
    JSON_FREEP struct json *kept = NULL;
    JSON_FREEP struct json *reply = NULL;

    (void)state;
    assert_int_equal(world_set("elsewhere", "A", "1"), STATUS_OK);
    assert_int_equal(world_set("elsewhere", "KEPT", "1"), STATUS_OK);
    assert_int_equal(world_add("slack", "{\"key\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_set("x", "MINE", "1"), STATUS_OK);
    assert_int_equal(json_parse(inherited, strlen(inherited), "test", &world.failure, &names), STATUS_OK);
    assert_int_equal(json_parse(keep, strlen(keep), "test", &world.failure, &kept), STATUS_OK);
    request.inherited = names;
    request.keep = kept;
    world_begin("project");
    assert_int_equal(
        world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    assert_int_equal(json_parse(world.reply.bytes, world.reply.size, "reply", &world.failure, &reply),
                     STATUS_OK);
    const struct json *drop = json_member(reply, "drop");
    assert_int_equal(json_count(drop), 2);
    assert_string_equal(json_text(json_at(drop, 0), NULL), "A");
    assert_string_equal(json_text(json_at(drop, 1), NULL), "SLACK_KEY");
    assert_string_equal(json_member_text(reply, "environment"), "TUlORT0xAA==");
}

static void new_properties_of_a_bound_account_follow_into_its_bindings(void **state)
{
    (void)state;
    assert_int_equal(world_add("app", "{\"first\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "app", "mine"), STATUS_OK);
    assert_int_equal(world_set_account("app", "{\"second\":\"2\"}"), STATUS_OK);
    world_reopen();
    JSON_FREEP struct json *reply = project("x", true, false);
    assert_string_equal(variable(reply, "MINE_FIRST"), "1");
    assert_string_equal(variable(reply, "MINE_SECOND"), "2");
}

static void a_property_that_would_break_a_binding_is_refused(void **state)
{
    (void)state;
    assert_int_equal(world_add("app", "{\"first\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_add("other", "{\"c\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "app", "node"), STATUS_OK);
    assert_int_equal(world_bind("y", "app", "a"), STATUS_OK);
    assert_int_equal(world_bind("y", "other", "a_b"), STATUS_OK);
    assert_int_equal(world_set_account("app", "{\"options\":\"1\"}"), STATUS_REFUSED);
    assert_non_null(strstr(world.failure.sentence, "NODE_OPTIONS"));
    assert_int_equal(world_set_account("app", "{\"b_c\":\"1\"}"), STATUS_INVALID);
    assert_non_null(strstr(world.failure.sentence, "a_b.c"));
    JSON_FREEP struct json *reply = project("y", true, false);
    assert_non_null(reply);
}

static void a_removed_step_takes_its_empty_ancestors_with_it(void **state)
{
    (void)state;
    assert_int_equal(world_set("a/b/c", "A", "1"), STATUS_OK);
    world_begin("remove-step");
    assert_int_equal(world_end(placement_remove_step(world.vault, "a/b/c", false, &world.failure)),
                     STATUS_IN_USE);
    world_begin("remove-step");
    assert_int_equal(world_end(placement_remove_step(world.vault, "a/b/c", true, &world.failure)), STATUS_OK);
    world_begin("list");
    assert_int_equal(world_end(placement_list_steps(world.vault, "/", &world.failure, &world.writer)),
                     STATUS_OK);
    assert_null(strstr(secret_text(&world.reply), "\"a"));
    world_reopen();
}

static void a_change_is_seen_by_the_next_request_of_the_same_turn(void **state)
{
    struct projection_request request = {.step = "x", .deliver_env = true};
    struct variable_change change = {.path = "x", .name = "A", .value = "after", .size = 5};
    bool replaced;

    (void)state;
    assert_int_equal(world_set("x", "A", "before"), STATUS_OK);
    world_begin("project");
    assert_int_equal(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer),
                     STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "before"));
    assert_int_equal(variable_set(world.vault, &change, &world.failure, &replaced), STATUS_OK);
    leaf_reset(&world.leaf);
    world.leaf = (struct leaf){.action = "project", .caller = &caller};
    secret_clear(&world.reply);
    json_writer_start(&world.writer, &world.reply);
    json_open_object(&world.writer, NULL);
    assert_int_equal(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer),
                     STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "after"));
    assert_null(strstr(secret_text(&world.reply), "before"));
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
}

static void what_a_rolled_back_turn_showed_is_not_remembered(void **state)
{
    struct projection_request request = {.step = "x", .deliver_env = true};
    struct variable_change change = {.path = "x", .name = "A", .value = "never", .size = 5};
    bool replaced;

    (void)state;
    assert_int_equal(world_set("x", "A", "before"), STATUS_OK);
    world_begin("project");
    assert_int_equal(variable_set(world.vault, &change, &world.failure, &replaced), STATUS_OK);
    assert_int_equal(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer),
                     STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "never"));
    vault_rollback(world.vault);
    JSON_FREEP struct json *old = project("x", true, false);
    assert_string_equal(variable(old, "A"), "before");
    assert_int_equal(world_set("x", "A", "after"), STATUS_OK);
    JSON_FREEP struct json *new = project("x", true, false);
    assert_string_equal(variable(new, "A"), "after");
}

static void an_account_changed_between_turns_is_projected_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(world_add("app", "{\"token\":\"first\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "app", NULL), STATUS_OK);
    JSON_FREEP struct json *first = project("x", true, false);
    assert_string_equal(variable(first, "APP_TOKEN"), "first");
    assert_int_equal(world_set_account("app", "{\"token\":\"second\"}"), STATUS_OK);
    JSON_FREEP struct json *second = project("x", true, false);
    assert_string_equal(variable(second, "APP_TOKEN"), "second");
    world_begin("unbind");
    assert_int_equal(world_end(binding_unbind(world.vault, "x", "app", &world.leaf, &world.failure)),
                     STATUS_OK);
    JSON_FREEP struct json *none = project("x", true, false);
    assert_int_equal(json_count(json_member(none, "variables")), 0);
}

static void more_inherited_names_than_anybody_has_are_not_looked_at(void **state)
{
    struct projection_request request = {.step = "/", .deliver_env = true, .block_form = true};
    CLEANUP(secret_reset) struct secret text = {0};
    JSON_FREEP struct json *names = NULL;

    (void)state;
    assert_true(secret_append_byte(&text, '['));
    for (unsigned i = 0; i < PROJECTION_INHERITED_MAX; i++)
        assert_true(secret_append_text(&text, "\"A\","));
    assert_true(secret_append_text(&text, "\"A\"]"));
    assert_int_equal(json_parse(text.bytes, text.size, "test", &world.failure, &names), STATUS_OK);
    request.inherited = names;
    world_begin("project");
    assert_int_equal(
        world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)),
        STATUS_TOO_LARGE);
    assert_non_null(strstr(world.failure.sentence, "--pristine"));
    request.inherited = NULL;
    request.keep = names;
    world_begin("project");
    assert_int_equal(
        world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)),
        STATUS_TOO_LARGE);
}

static void slots_keep_their_rules(void **state)
{
    struct vault_new_slot slot = {
        .header = {.kind = SLOT_PASSPHRASE, .kdf = {65536, 3, 4, {1}}}
    };
    uint8_t replaced[SLOT_ID_SIZE];

    (void)state;
    world_begin("remove-slot");
    assert_int_equal(world_end(vault_remove_slot(world.vault, world.slot.header.id, &world.failure)),
                     STATUS_REFUSED);
    memset(slot.header.id, 1, sizeof slot.header.id);
    world_begin("add-slot");
    assert_int_equal(world_end(vault_add_slot(world.vault, &slot, &world.failure)), STATUS_OK);
    memset(slot.header.id, 2, sizeof slot.header.id);
    world_begin("add-slot");
    assert_int_equal(world_end(vault_add_slot(world.vault, &slot, &world.failure)), STATUS_EXISTS);
    world_begin("replace-passphrase");
    assert_int_equal(world_end(vault_replace_slot(world.vault, &slot, &world.failure, replaced)), STATUS_OK);
    world_begin("remove-slot");
    assert_int_equal(world_end(vault_remove_slot(world.vault, slot.header.id, &world.failure)), STATUS_OK);
    world_reopen();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_vault_opens_again_with_its_key_and_not_with_another),
        TEST(a_step_gets_what_is_placed_at_it_and_above_and_the_nearest_wins),
        TEST(what_is_only_inherited_makes_no_step),
        TEST(a_boundary_inherits_nothing),
        TEST(a_block_hides_an_inherited_name),
        TEST(an_account_is_delivered_as_variables_and_as_a_document),
        TEST(a_second_account_needs_a_label_and_an_ambiguous_one_lists_the_choices),
        TEST(two_sources_of_one_name_are_an_error_that_names_both),
        TEST(a_bound_account_is_not_removed),
        TEST(a_rolled_back_turn_leaves_state_and_log_as_they_were),
        TEST(the_log_verifies_over_several_tiles_and_reopens_at_each_size),
        TEST(names_that_the_vault_knows_are_dropped_from_what_a_step_inherits),
        TEST(new_properties_of_a_bound_account_follow_into_its_bindings),
        TEST(a_property_that_would_break_a_binding_is_refused),
        TEST(a_removed_step_takes_its_empty_ancestors_with_it),
        TEST(a_change_is_seen_by_the_next_request_of_the_same_turn),
        TEST(what_a_rolled_back_turn_showed_is_not_remembered),
        TEST(an_account_changed_between_turns_is_projected_as_it_is),
        TEST(more_inherited_names_than_anybody_has_are_not_looked_at),
        TEST(slots_keep_their_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
