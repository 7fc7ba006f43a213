/* What a step gets under which name, and what it is refused (P1). */
#include "delivery.h"

#include "vault_fixture.h"

#define JSON_FREEP __attribute__((cleanup(json_freep)))

/* A projection's reply, NULL where it is refused; the turn ends with it. */
static struct json *project_request(const struct projection_request *request)
{
    struct json *json = NULL;

    world_begin("project");
    if (world_end(projection_project(world.vault, request, &world.leaf, &world.failure, &world.writer)) !=
        STATUS_OK)
        return NULL;
    assert_int_equal(json_parse(world.reply.bytes, world.reply.size, "reply", &world.failure, &json),
                     STATUS_OK);
    return json;
}

static struct json *project_as(const char *step, bool auths, bool own)
{
    const struct projection_request request = {
        .step = step, .deliver_env = true, .deliver_auths = auths, .own = own};

    return project_request(&request);
}

static struct json *project(const char *step)
{
    return project_as(step, false, false);
}

static const char *variable(const struct json *reply, const char *name)
{
    return json_member_text(json_member(reply, "variables"), name);
}

static size_t count_variables(const struct json *reply)
{
    return json_count(json_member(reply, "variables")) + json_count(json_member(reply, "variables_base64"));
}

static void block(const char *path, const char *name)
{
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, path, name, &world.failure)), STATUS_OK);
}

/* Writes the property past every check. */
static void force_property(const char *app, const char *property, const char *value)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    char field[64];

    world_begin("force");
    assert_int_equal(account_resolve(world.vault, app, &world.failure, &account), STATUS_OK);
    record_draft_start(&draft, RECORD_ACCOUNT, app, account.name, app, &account);
    record_draft_copy(&draft, &account, "property/");
    snprintf(field, sizeof field, "property/%s", property);
    record_draft_add_text(&draft, field, value);
    assert_int_equal(world_end(record_write(world.vault, &draft, &world.failure, NULL)), STATUS_OK);
}

static enum status bind_with(const char *path, const char *account, const char *only, const char *environment,
                             bool dangerous)
{
    struct binding_change change = {.path = path, .account = account, .allow_dangerous_name = dangerous};

    return world_bind_with(change, only, environment);
}

/* What ShowStep says of one name: its state, and who decided. */
static void assert_explained(const char *path, const char *name, const char *source, const char *state,
                             const char *by)
{
    JSON_FREEP struct json *reply = NULL;
    bool seen = false;

    world_begin("show");
    assert_int_equal(projection_explain(world.vault, path, &world.failure, &world.writer), STATUS_OK);
    json_close_object(&world.writer);
    vault_rollback(world.vault);
    assert_int_equal(json_parse(world.reply.bytes, world.reply.size, "reply", &world.failure, &reply),
                     STATUS_OK);
    const struct json *names = json_member(reply, "names");
    for (size_t i = 0; i < json_count(names); i++) {
        const struct json *entry = json_at(names, i);
        if (strcmp(json_member_text(entry, "name"), name) == 0 &&
            strcmp(json_member_text(entry, "source"), source) == 0 &&
            strcmp(json_member_text(entry, "state"), state) == 0) {
            assert_string_equal(json_member_text(entry, "by"), by);
            seen = true;
        }
    }
    if (!seen)
        fail_msg("%s from %s is not %s in %s", name, source, state, secret_text(&world.reply));
}

static void a_variable_hides_a_derived_name_of_its_level_and_of_those_above(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"derived\"}"), STATUS_OK);
    assert_int_equal(world_bind("a", "slack", NULL), STATUS_OK);
    assert_int_equal(world_set("a", "SLACK_TOKEN", "own"), STATUS_OK);
    JSON_FREEP struct json *reply = project_as("a", true, false);
    assert_string_equal(variable(reply, "SLACK_TOKEN"), "own");
    assert_int_equal(count_variables(reply), 1);
    /* The document is by alias and does not know of variables. */
    assert_string_equal(json_member_text(json_member(json_member(reply, "auths"), "slack"), "token"),
                        "derived");
    assert_explained("a", "SLACK_TOKEN", "slack.token", "hidden", "a");
}

static void a_nearer_binding_beats_a_variable_from_above(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"derived\"}"), STATUS_OK);
    assert_int_equal(world_set("/", "SLACK_TOKEN", "root"), STATUS_OK);
    assert_int_equal(world_bind("a", "slack", NULL), STATUS_OK);
    JSON_FREEP struct json *reply = project("a");
    assert_string_equal(variable(reply, "SLACK_TOKEN"), "derived");
    assert_explained("a", "SLACK_TOKEN", "", "hidden", "a");
}

static void a_nearer_alias_hides_the_account_and_all_its_names(void **state)
{
    (void)state;
    assert_int_equal(world_add("far", "{\"one\":\"far\",\"two\":\"far\"}"), STATUS_OK);
    assert_int_equal(world_add("near", "{\"one\":\"near\"}"), STATUS_OK);
    assert_int_equal(world_bind("/", "far", "chat"), STATUS_OK);
    assert_int_equal(world_bind("a", "near", "chat"), STATUS_OK);
    JSON_FREEP struct json *reply = project_as("a", true, false);
    assert_string_equal(variable(reply, "CHAT_ONE"), "near");
    assert_null(variable(reply, "CHAT_TWO"));
    assert_int_equal(json_count(json_member(json_member(reply, "auths"), "chat")), 1);
}

static void a_block_hides_variables_and_derived_names_from_above_and_can_be_overruled_below(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"derived\"}"), STATUS_OK);
    assert_int_equal(world_bind("/", "slack", NULL), STATUS_OK);
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    block("a", "A");
    block("a", "SLACK_TOKEN");
    assert_int_equal(world_set("a/b", "A", "below"), STATUS_OK);
    JSON_FREEP struct json *middle = project("a");
    assert_int_equal(count_variables(middle), 0);
    JSON_FREEP struct json *below = project("a/b");
    assert_string_equal(variable(below, "A"), "below");
    assert_int_equal(count_variables(below), 1);
    assert_explained("a", "A", "", "blocked", "");
    assert_explained("a", "A", "", "hidden", "a");
    assert_explained("a", "SLACK_TOKEN", "slack.token", "hidden", "a");
}

/* Neither bind nor a new property lets two sources of a name happen; a vault of another hand may have them.
 */
static void two_derived_sources_of_a_level_refuse_the_projection_and_are_both_named(void **state)
{
    (void)state;
    assert_int_equal(world_add("a_b", "{\"c\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_add("a", "{\"x\":\"2\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "a_b", NULL), STATUS_OK);
    assert_int_equal(world_bind("x", "a", NULL), STATUS_OK);
    assert_int_equal(world_set_account("a", "{\"b_c\":\"3\"}"), STATUS_INVALID);
    force_property("a", "b_c", "3");
    assert_null(project("x"));
    assert_int_equal(world.failure.status, STATUS_REFUSED);
    assert_non_null(strstr(world.failure.sentence, "a_b.c"));
    assert_non_null(strstr(world.failure.sentence, "a.b_c"));
    /* A variable of that name settles it. */
    assert_int_equal(world_set("x", "A_B_C", "mine"), STATUS_OK);
    JSON_FREEP struct json *reply = project("x");
    assert_string_equal(variable(reply, "A_B_C"), "mine");
}

static void the_same_name_from_two_levels_is_no_conflict(void **state)
{
    (void)state;
    assert_int_equal(world_add("a_b", "{\"c\":\"far\"}"), STATUS_OK);
    assert_int_equal(world_add("a", "{\"b_c\":\"near\"}"), STATUS_OK);
    assert_int_equal(world_bind("/", "a_b", NULL), STATUS_OK);
    assert_int_equal(world_bind("x", "a", NULL), STATUS_OK);
    JSON_FREEP struct json *reply = project("x");
    assert_string_equal(variable(reply, "A_B_C"), "near");
    assert_explained("x", "A_B_C", "a_b.c", "hidden", "x");
}

static void a_document_of_no_accounts_is_refused(void **state)
{
    (void)state;
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    assert_null(project_as("x", true, false));
    assert_int_equal(world.failure.status, STATUS_NOT_FOUND);
    assert_non_null(strstr(world.failure.sentence, "bind x ACCOUNT"));
    JSON_FREEP struct json *reply = project("x");
    assert_non_null(reply);
}

static void a_dangerous_name_is_delivered_only_where_it_was_allowed(void **state)
{
    (void)state;
    assert_int_equal(world_add("ld", "{\"other\":\"1\"}"), STATUS_OK);
    assert_int_equal(bind_with("x", "ld", NULL, NULL, false), STATUS_REFUSED);
    assert_int_equal(bind_with("x", "ld", NULL, NULL, true), STATUS_OK);
    JSON_FREEP struct json *reply = project("x");
    assert_string_equal(variable(reply, "LD_OTHER"), "1");
}

/* The name becomes dangerous after the binding was made: an older version may not have known it. */
static void a_dangerous_name_that_comes_later_is_refused_at_delivery(void **state)
{
    (void)state;
    assert_int_equal(world_add("python", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "python", "git"), STATUS_OK);
    assert_int_equal(world_set_account("python", "{\"ssh_command\":\"evil\"}"), STATUS_REFUSED);
    force_property("python", "ssh_command", "evil");
    assert_null(project("x"));
    assert_int_equal(world.failure.status, STATUS_REFUSED);
    assert_non_null(strstr(world.failure.sentence, "GIT_SSH_COMMAND"));
    /* Its explanation is no delivery. */
    assert_explained("x", "GIT_SSH_COMMAND", "git.ssh_command", "given", "");
}

static void a_reserved_name_cannot_be_derived(void **state)
{
    (void)state;
    assert_int_equal(world_add("stepvault", "{\"auths\":\"1\"}"), STATUS_OK);
    assert_int_equal(bind_with("x", "stepvault", NULL, NULL, true), STATUS_REFUSED);
    assert_int_equal(world_add("slack", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(bind_with("x", "slack", NULL, "{\"STEPVAULT_SOCKET\":\"token\"}", true), STATUS_REFUSED);
}

static void a_binding_gives_only_what_it_lists_under_the_names_it_says(void **state)
{
    (void)state;
    assert_int_equal(world_add("slack", "{\"a\":\"1\",\"b\":\"2\",\"oauth_refresh_token\":\"3\"}"),
                     STATUS_OK);
    assert_int_equal(bind_with("only", "slack", "[\"a\"]", NULL, false), STATUS_OK);
    assert_int_equal(bind_with("named", "slack", NULL, "{\"FIRST\":\"a\",\"AGAIN\":\"a\"}", false),
                     STATUS_OK);
    assert_int_equal(bind_with("refresh", "slack", "[\"oauth_refresh_token\"]", NULL, false), STATUS_OK);
    JSON_FREEP struct json *only = project_as("only", true, false);
    assert_int_equal(count_variables(only), 1);
    assert_string_equal(variable(only, "SLACK_A"), "1");
    assert_int_equal(json_count(json_member(json_member(only, "auths"), "slack")), 1);
    JSON_FREEP struct json *named = project_as("named", true, false);
    assert_int_equal(count_variables(named), 3);
    assert_string_equal(variable(named, "FIRST"), "1");
    assert_string_equal(variable(named, "AGAIN"), "1");
    assert_string_equal(variable(named, "SLACK_B"), "2");
    JSON_FREEP struct json *refresh = project_as("refresh", true, false);
    assert_string_equal(variable(refresh, "SLACK_OAUTH_REFRESH_TOKEN"), "3");
}

static void own_takes_nothing_from_above(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    assert_int_equal(world_set("x", "B", "own"), STATUS_OK);
    JSON_FREEP struct json *reply = project_as("x", false, true);
    assert_int_equal(count_variables(reply), 1);
    assert_string_equal(variable(reply, "B"), "own");
    assert_null(json_member(reply, "auths"));
}

static void the_deepest_step_inherits_from_all_nine_levels(void **state)
{
    char path[32] = "/", name[4] = "L0";

    (void)state;
    for (unsigned level = 0; level < 9; level++) {
        name[1] = (char)('0' + level);
        if (level > 0)
            snprintf(path, sizeof path, "%.*s", (int)(2 * level - 1), "a/b/c/d/e/f/g/h");
        assert_int_equal(world_set(path, name, path), STATUS_OK);
    }
    JSON_FREEP struct json *reply = project("a/b/c/d/e/f/g/h");
    assert_int_equal(count_variables(reply), 9);
    assert_string_equal(variable(reply, "L0"), "/");
    assert_string_equal(variable(reply, "L8"), "a/b/c/d/e/f/g/h");
    assert_null(project("a/b/c/d/e/f/g/h/i"));
    assert_int_equal(world.failure.status, STATUS_INVALID);
}

static void values_that_are_not_text_are_base64(void **state)
{
    struct variable_change change = {.path = "x", .name = "A", .value = "\xff\x01", .size = 2};
    bool replaced;

    (void)state;
    world_begin("set-variable");
    assert_int_equal(world_end(variable_set(world.vault, &change, &world.failure, &replaced)), STATUS_OK);
    assert_int_equal(world_set("x", "EMPTY", ""), STATUS_OK);
    JSON_FREEP struct json *reply = project("x");
    assert_string_equal(json_member_text(json_member(reply, "variables_base64"), "A"), "/wE=");
    assert_string_equal(variable(reply, "EMPTY"), "");
}

static const char *credential(const struct json *reply, const char *name)
{
    return json_member_text(json_member(reply, "credentials"), name);
}

static void credentials_are_files_of_alias_and_property(void **state)
{
    const struct projection_request request = {.step = "x", .deliver_env = true, .deliver_credentials = true};

    (void)state;
    assert_int_equal(world_add("git-hub", "{\"Token\":\"1\",\"token\":\"2\"}"), STATUS_OK);
    assert_int_equal(bind_with("x", "git-hub", NULL, "{\"LOWER\":\"token\"}", false), STATUS_OK);
    assert_int_equal(world_set("x", "GIT_HUB", "3"), STATUS_OK);
    JSON_FREEP struct json *reply = project_request(&request);
    assert_non_null(reply);
    assert_int_equal(json_count(json_member(reply, "credentials")), 2);
    assert_string_equal(credential(reply, "git_hub.Token"), "1");
    assert_string_equal(credential(reply, "git_hub.token"), "2");
    assert_string_equal(variable(reply, "GIT_HUB"), "3");
    assert_string_equal(variable(reply, "LOWER"), "2");
}

static void where_credentials_are_alone_the_variables_are_files_too(void **state)
{
    const struct projection_request alone = {.step = "x/y", .deliver_credentials = true};
    const struct projection_request both = {
        .step = "x/y", .deliver_credentials = true, .deliver_auths = true};
    struct variable_change change = {.path = "x", .name = "RAW", .value = "\xff", .size = 1};
    bool replaced;

    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "slack", NULL), STATUS_OK);
    assert_int_equal(world_set("x", "A", "2"), STATUS_OK);
    assert_int_equal(world_set("x", "HIDDEN", "3"), STATUS_OK);
    assert_int_equal(world_set("x/y", "B", ""), STATUS_OK);
    block("x/y", "HIDDEN");
    world_begin("set-variable");
    assert_int_equal(world_end(variable_set(world.vault, &change, &world.failure, &replaced)), STATUS_OK);
    JSON_FREEP struct json *reply = project_request(&alone);
    assert_non_null(reply);
    assert_int_equal(count_variables(reply), 0);
    assert_int_equal(json_count(json_member(reply, "credentials")), 3);
    assert_string_equal(credential(reply, "A"), "2");
    assert_string_equal(credential(reply, "B"), "");
    assert_string_equal(credential(reply, "slack.token"), "1");
    assert_string_equal(json_member_text(json_member(reply, "credentials_base64"), "RAW"), "/w==");
    JSON_FREEP struct json *with_auths = project_request(&both);
    assert_non_null(with_auths);
    assert_int_equal(count_variables(with_auths), 3);
    assert_int_equal(json_count(json_member(with_auths, "credentials")), 1);
}

static void credentials_for_a_launcher_are_entries_and_drop_what_became_a_file(void **state)
{
    struct projection_request request = {.step = "x", .deliver_credentials = true, .block_form = true};
    JSON_FREEP struct json *inherited = NULL;

    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "slack", NULL), STATUS_OK);
    assert_int_equal(world_set("x", "A", "2"), STATUS_OK);
    world_parse("[\"A\",\"OTHER\"]", &inherited);
    request.inherited = inherited;
    JSON_FREEP struct json *reply = project_request(&request);
    assert_non_null(reply);
    assert_string_equal(json_member_text(reply, "environment"), "");
    assert_string_equal(json_member_text(reply, "credentials_entries"), "QT0yAHNsYWNrLnRva2VuPTEA");
    assert_int_equal(json_count(json_member(reply, "drop")), 1);
    request.deliver_env = true;
    JSON_FREEP struct json *with_env = project_request(&request);
    assert_non_null(with_env);
    assert_string_equal(json_member_text(with_env, "credentials_entries"), "c2xhY2sudG9rZW49MQA=");
    assert_int_equal(json_count(json_member(with_env, "drop")), 0);
}

static void a_document_of_no_account_is_given_to_who_asks_for_it(void **state)
{
    struct projection_request request = {.step = "x", .deliver_auths = true, .block_form = true};

    (void)state;
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    assert_null(project_request(&request));
    assert_int_equal(world.failure.status, STATUS_NOT_FOUND);
    request.empty_auths = true;
    JSON_FREEP struct json *reply = project_request(&request);
    assert_non_null(reply);
    assert_string_equal(json_member_text(reply, "auths_base64"), "e30=");
    assert_int_equal(world_add("slack", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "slack", NULL), STATUS_OK);
    JSON_FREEP struct json *bound = project_request(&request);
    assert_non_null(bound);
    assert_string_equal(json_member_text(bound, "auths_base64"), "eyJzbGFjayI6eyJ0b2tlbiI6IjEifX0=");
}

static void a_folder_of_no_credentials_is_refused(void **state)
{
    struct projection_request request = {.step = "x", .deliver_env = true, .deliver_credentials = true};

    (void)state;
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    assert_null(project_request(&request));
    assert_int_equal(world.failure.status, STATUS_NOT_FOUND);
    assert_non_null(strstr(world.failure.sentence, "no account is bound at x"));
    request.deliver_env = false;
    JSON_FREEP struct json *reply = project_request(&request);
    assert_non_null(reply);
    block("x/y", "A");
    request.step = "x/y";
    assert_null(project_request(&request));
    assert_int_equal(world.failure.status, STATUS_NOT_FOUND);
}

static void a_credential_that_would_pass_for_a_vault_s_key_is_refused(void **state)
{
    struct projection_request request = {.step = "x", .deliver_credentials = true};

    (void)state;
    assert_int_equal(world_add("stepvault", "{\"key\":\"1\"}"), STATUS_OK);
    assert_int_equal(bind_with("x", "stepvault", NULL, "{\"K\":\"key\"}", false), STATUS_OK);
    assert_null(project_request(&request));
    assert_int_equal(world.failure.status, STATUS_REFUSED);
    assert_non_null(strstr(world.failure.sentence, "stepvault.key"));
    request.deliver_env = true;
    assert_null(project_request(&request));
    request.deliver_credentials = false;
    JSON_FREEP struct json *reply = project_request(&request);
    assert_string_equal(variable(reply, "K"), "1");
}

static void credentials_count_towards_the_bound_and_stand_in_the_leaf(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct projection_request request = {.step = "x", .deliver_env = true};
    JSON_FREEP struct json *leaf = NULL;
    uint8_t hash[MERKLE_HASH_SIZE];
    static char properties[2 * 60000 + 64];
    char app[8];

    (void)state;
    snprintf(properties, sizeof properties, "{\"a\":\"%060000u\",\"b\":\"%060000u\"}", 1u, 2u);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(app, sizeof app, "app%u", i);
        assert_int_equal(world_add(app, properties), STATUS_OK);
        assert_int_equal(world_bind("x", app, NULL), STATUS_OK);
    }
    JSON_FREEP struct json *reply = project_request(&request);
    assert_non_null(reply);
    request.deliver_credentials = true;
    assert_null(project_request(&request));
    assert_int_equal(world.failure.status, STATUS_TOO_LARGE);
    request.deliver_env = false;
    JSON_FREEP struct json *alone = project_request(&request);
    assert_non_null(alone);
    assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, &line, hash),
                     STATUS_OK);
    assert_int_equal(json_parse(line.bytes, line.size, "leaf", &world.failure, &leaf), STATUS_OK);
    assert_int_equal(json_count(json_member(leaf, "deliver")), 1);
    assert_string_equal(json_text(json_at(json_member(leaf, "deliver"), 0), NULL), "credentials");
    const struct json *account = json_at(json_member(leaf, "accounts"), 0);
    assert_int_equal(json_count(json_member(leaf, "accounts")), 5);
    assert_int_equal(json_count(json_member(account, "properties")), 2);
    assert_null(json_member(account, "names"));
}

/* Sets so many variables of this size at x in one turn. */
static void fill(unsigned count, size_t size, const char *prefix)
{
    char *value = malloc(size + 1), name[32];

    assert_non_null(value);
    memset(value, 'v', size);
    value[size] = '\0';
    world_begin("import");
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s%04u", prefix, i);
        assert_int_equal(world_change("x", name, value), STATUS_OK);
    }
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
    free(value);
}

static void a_projection_over_a_mebibyte_is_refused_before_its_leaf(void **state)
{
    (void)state;
    fill(15, 65536, "A");
    JSON_FREEP struct json *reply = project("x");
    assert_non_null(reply);
    assert_int_equal(world_set("x", "LAST", "v"), STATUS_OK);
    fill(1, 65536 - 200, "B");
    assert_int_equal(world_set("y", "OTHER", "v"), STATUS_OK);
    /* 16 times 64 KiB less 200, and names: just below, then over. */
    JSON_FREEP struct json *full = project("x");
    assert_non_null(full);
    fill(1, 200, "C");
    uint64_t leaves = log_size(world.vault);
    world_begin("project");
    struct projection_request request = {.step = "x", .deliver_env = true};
    assert_int_equal(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer),
                     STATUS_TOO_LARGE);
    assert_false(world.leaf.appended);
    assert_false(vault_is_broken(world.vault));
    assert_int_equal(log_size(world.vault), leaves);
    /* Others of the same turn get theirs. */
    request.step = "y";
    leaf_reset(&world.leaf);
    world.leaf.action = "project";
    world.leaf.caller = &caller;
    assert_int_equal(
        world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
}

static void two_thousand_variables_in_one_step_are_delivered_sorted_and_logged(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    JSON_FREEP struct json *leaf = NULL;
    uint8_t hash[MERKLE_HASH_SIZE];
    const char *key, *before = "";
    const struct json *value;
    void *iterator = NULL;

    (void)state;
    fill(2000, 8, "VARIABLE_");
    world_reopen();
    JSON_FREEP struct json *reply = project("x");
    assert_non_null(reply);
    assert_int_equal(count_variables(reply), 2000);
    while (json_next(json_member(reply, "variables"), &iterator, &key, &value)) {
        assert_true(strcmp(before, key) < 0);
        before = key;
    }
    assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, &line, hash),
                     STATUS_OK);
    assert_int_equal(json_parse(line.bytes, line.size, "leaf", &world.failure, &leaf), STATUS_OK);
    assert_int_equal(json_count(json_member(leaf, "variables")), 2000);
    assert_null(strstr(secret_text(&line), "vvvvvvvv"));
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void more_names_than_a_leaf_can_list_are_refused_and_the_turn_goes_on(void **state)
{
    struct projection_request request = {.step = "x", .deliver_env = true};

    (void)state;
    fill(5000, 1, "VARIABLE_");
    world_begin("project");
    assert_int_equal(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer),
                     STATUS_TOO_LARGE);
    assert_false(vault_is_broken(world.vault));
    assert_false(world.leaf.appended);
    secret_reset(&world.leaf.details);
    world.leaf.granted = false;
    world.leaf.why = STATUS_TOO_LARGE;
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
    world_reopen();
}

static void a_leaf_lists_accounts_with_their_names_and_never_a_value(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    JSON_FREEP struct json *leaf = NULL;
    uint8_t hash[MERKLE_HASH_SIZE];

    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"sesame-derived\",\"other\":\"sesame-other\"}"),
                     STATUS_OK);
    assert_int_equal(bind_with("x", "slack", NULL, "{\"MY_TOKEN\":\"token\"}", false), STATUS_OK);
    assert_int_equal(world_set("x", "A", "sesame-variable"), STATUS_OK);
    JSON_FREEP struct json *reply = project_as("x", true, false);
    assert_non_null(reply);
    assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, &line, hash),
                     STATUS_OK);
    assert_null(strstr(secret_text(&line), "sesame"));
    assert_int_equal(json_parse(line.bytes, line.size, "leaf", &world.failure, &leaf), STATUS_OK);
    const struct json *account = json_at(json_member(leaf, "accounts"), 0);
    assert_string_equal(json_member_text(account, "alias"), "slack");
    assert_string_equal(json_member_text(account, "app"), "slack");
    assert_int_equal(strlen(json_member_text(account, "id")), 32);
    assert_int_equal(json_count(json_member(account, "properties")), 2);
    assert_string_equal(json_text(json_at(json_member(account, "names"), 0), NULL), "MY_TOKEN");
    assert_string_equal(json_text(json_at(json_member(account, "names"), 1), NULL), "SLACK_OTHER");
    assert_string_equal(json_text(json_at(json_member(leaf, "variables"), 0), NULL), "A");
    assert_int_equal(json_count(json_member(leaf, "deliver")), 2);
}

/* The binding outlives its account only where the vault was tampered with by someone with its key. */
static void a_binding_whose_account_is_gone_is_damage(void **state)
{
    CLEANUP(records_reset) struct records accounts = {0};

    (void)state;
    assert_int_equal(world_add("slack", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "slack", NULL), STATUS_OK);
    assert_int_equal(record_list_accounts(world.vault, &world.failure, &accounts), STATUS_OK);
    world_begin("remove");
    assert_int_equal(world_end(record_remove(world.vault, &accounts.items[0], &world.failure)), STATUS_OK);
    assert_null(project("x"));
    assert_int_equal(world.failure.status, STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_variable_hides_a_derived_name_of_its_level_and_of_those_above),
        TEST(a_nearer_binding_beats_a_variable_from_above),
        TEST(a_nearer_alias_hides_the_account_and_all_its_names),
        TEST(a_block_hides_variables_and_derived_names_from_above_and_can_be_overruled_below),
        TEST(two_derived_sources_of_a_level_refuse_the_projection_and_are_both_named),
        TEST(the_same_name_from_two_levels_is_no_conflict),
        TEST(a_document_of_no_accounts_is_refused),
        TEST(a_dangerous_name_is_delivered_only_where_it_was_allowed),
        TEST(a_dangerous_name_that_comes_later_is_refused_at_delivery),
        TEST(a_reserved_name_cannot_be_derived),
        TEST(a_binding_gives_only_what_it_lists_under_the_names_it_says),
        TEST(own_takes_nothing_from_above),
        TEST(the_deepest_step_inherits_from_all_nine_levels),
        TEST(values_that_are_not_text_are_base64),
        TEST(credentials_are_files_of_alias_and_property),
        TEST(where_credentials_are_alone_the_variables_are_files_too),
        TEST(credentials_for_a_launcher_are_entries_and_drop_what_became_a_file),
        TEST(a_document_of_no_account_is_given_to_who_asks_for_it),
        TEST(a_folder_of_no_credentials_is_refused),
        TEST(a_credential_that_would_pass_for_a_vault_s_key_is_refused),
        TEST(credentials_count_towards_the_bound_and_stand_in_the_leaf),
        TEST(a_projection_over_a_mebibyte_is_refused_before_its_leaf),
        TEST(two_thousand_variables_in_one_step_are_delivered_sorted_and_logged),
        TEST(more_names_than_a_leaf_can_list_are_refused_and_the_turn_goes_on),
        TEST(a_leaf_lists_accounts_with_their_names_and_never_a_value),
        TEST(a_binding_whose_account_is_gone_is_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
