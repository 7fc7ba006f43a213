/* What references resolve to: exactly what the step gets, and not a word of anything else (P1, P2). */
#include "resolution.h"

#include "vault_fixture.h"

#define JSON_FREEP __attribute__((cleanup(json_freep)))

/* The reply of a projection of nothing but references, NULL where it is refused; the turn ends with it. */
static struct json *resolve_as(const char *step, const char *references, bool block_form,
                               enum status expected)
{
    JSON_FREEP struct json *object = NULL;
    struct projection_request request = {.step = step, .references_only = true, .block_form = block_form};
    struct json *reply = NULL;

    world_parse(references, &object);
    request.references = object;
    world_begin("project");
    enum status status =
        projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer);
    if (status != expected)
        fail_msg("%s at %s: %s", references, step, status == STATUS_OK ? "granted" : world.failure.sentence);
    if (status != STATUS_OK)
        assert_false(world.leaf.appended);
    if (world_end(status) != STATUS_OK)
        return NULL;
    world_parse(secret_text(&world.reply), &reply);
    return reply;
}

/* The value of one reference; static until the next. */
static const char *resolve(const char *step, const char *reference)
{
    static char value[256];
    char references[512];

    snprintf(references, sizeof references, "{\"K\":\"%s\"}", reference);
    JSON_FREEP struct json *reply = resolve_as(step, references, false, STATUS_OK);
    snprintf(value, sizeof value, "%s", json_member_text(json_member(reply, "resolved"), "K"));
    return value;
}

static void refuse(const char *step, const char *reference, enum status expected)
{
    char references[512];

    snprintf(references, sizeof references, "{\"K\":\"%s\"}", reference);
    assert_null(resolve_as(step, references, false, expected));
}

static void add(const char *app, const char *label, const char *properties)
{
    assert_int_equal(world_add_labelled(app, label, properties), STATUS_OK);
}

static void bind_only(const char *path, const char *account, const char *alias, const char *only,
                      const char *environment)
{
    struct binding_change change = {.path = path, .account = account, .alias = alias};

    assert_int_equal(world_bind_with(change, only, environment), STATUS_OK);
}

static void block(const char *path, const char *name)
{
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, path, name, &world.failure)), STATUS_OK);
}

static void add_step(const char *path, bool no_inherit)
{
    bool changed;

    world_begin("add-step");
    assert_int_equal(
        world_end(placement_add_step(world.vault, path, no_inherit, &no_remark, &world.failure, &changed)),
        STATUS_OK);
}

/* The last leaf, parsed. */
static void read_leaf(struct json **ret_leaf)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, &line, hash),
                     STATUS_OK);
    world_parse(secret_text(&line), ret_leaf);
}

static void the_nearest_variable_is_what_env_means(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    assert_int_equal(world_set("/", "B", "root b"), STATUS_OK);
    assert_int_equal(world_set("a/b", "A", "near"), STATUS_OK);
    assert_string_equal(resolve("a/b", "stepvault://env/A"), "near");
    assert_string_equal(resolve("a/b", "stepvault://env/B"), "root b");
    assert_string_equal(resolve("/", "stepvault://env/A"), "root");
}

static void a_property_is_found_whatever_the_alias_is(void **state)
{
    (void)state;
    add("slack", "team", "{\"token\":\"t\",\"other\":\"o\"}");
    bind_only("a", "slack:team", "chat", NULL, NULL);
    assert_string_equal(resolve("a", "stepvault://slack/token"), "t");
    assert_string_equal(resolve("a", "stepvault://slack:team/other"), "o");
    refuse("a", "stepvault://chat/token", STATUS_NOT_FOUND);
    refuse("a", "stepvault://slack:other/token", STATUS_NOT_FOUND);
}

static void an_app_is_found_however_it_is_written(void **state)
{
    (void)state;
    add("google_drive", "team", "{\"token\":\"t\"}");
    add("google_drives", "team", "{\"token\":\"other\"}");
    bind_only("a", "google_drive", NULL, NULL, NULL);
    bind_only("a", "google_drives", NULL, NULL, NULL);
    assert_string_equal(resolve("a", "stepvault://google_drive/token"), "t");
    assert_string_equal(resolve("a", "stepvault://google-drive/token"), "t");
    assert_string_equal(resolve("a", "stepvault://google-drive:team/token"), "t");
    refuse("a", "stepvault://google-driv/token", STATUS_NOT_FOUND);
    refuse("a", "stepvault://google-drive:t-eam/token", STATUS_NOT_FOUND);
}

static void what_a_step_does_not_get_is_refused_in_the_same_words_as_what_does_not_exist(void **state)
{
    char sentence[FAILURE_SENTENCE_MAX];

    (void)state;
    add("slack", NULL, "{\"token\":\"t\",\"secret\":\"s\",\"oauth_refresh_token\":\"r\"}");
    add("stripe", NULL, "{\"token\":\"t\"}");
    bind_only("a", "slack", NULL, "[\"token\"]", NULL);
    bind_only("b", "stripe", NULL, NULL, NULL);
    bind_only("b", "slack", NULL, NULL, NULL);
    assert_int_equal(world_set("b", "ELSEWHERE", "v"), STATUS_OK);
    /* Another path's variable, another path's account, a property that `only` leaves out, and after each
     * one of the same length that is nowhere. */
    static const char *const pairs[][2] = {
        {"stepvault://env/ELSEWHERE", "stepvault://env/ELSEWHERX"},
        {"stepvault://stripe/token",  "stepvault://stripx/token" },
        {"stepvault://slack/secret",  "stepvault://slack/secrex" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *at;
        refuse("a", pairs[i][0], STATUS_NOT_FOUND);
        memcpy(sentence, world.failure.sentence, sizeof sentence);
        at = strstr(sentence, pairs[i][0]);
        assert_non_null(at);
        memcpy(at, pairs[i][1], strlen(pairs[i][1]));
        refuse("a", pairs[i][1], STATUS_NOT_FOUND);
        assert_string_equal(world.failure.sentence, sentence);
    }
    /* A refresh token goes only where a binding asks for it by name. */
    refuse("b", "stepvault://slack/oauth_refresh_token", STATUS_NOT_FOUND);
    bind_only("c", "slack", NULL, "[\"oauth_refresh_token\"]", NULL);
    assert_string_equal(resolve("c", "stepvault://slack/oauth_refresh_token"), "r");
    refuse("c", "stepvault://slack/token", STATUS_NOT_FOUND);
}

static void a_block_and_a_boundary_hide_what_is_above_them(void **state)
{
    (void)state;
    add("slack", NULL, "{\"token\":\"t\"}");
    bind_only("/", "slack", NULL, NULL, NULL);
    assert_int_equal(world_set("/", "A", "root"), STATUS_OK);
    block("a", "A");
    add_step("login", true);
    refuse("a", "stepvault://env/A", STATUS_NOT_FOUND);
    refuse("login", "stepvault://env/A", STATUS_NOT_FOUND);
    refuse("login", "stepvault://slack/token", STATUS_NOT_FOUND);
    assert_string_equal(resolve("a", "stepvault://slack/token"), "t");
    /* The derived name can be blocked like any other; the property stays what the document has. */
    assert_string_equal(resolve("a", "stepvault://env/SLACK_TOKEN"), "t");
    block("a", "SLACK_TOKEN");
    refuse("a", "stepvault://env/SLACK_TOKEN", STATUS_NOT_FOUND);
    assert_string_equal(resolve("a", "stepvault://slack/token"), "t");
    refuse("typo", "stepvault://slack/token", STATUS_NOT_FOUND);
}

static void env_also_means_the_names_that_accounts_give(void **state)
{
    (void)state;
    add("github", NULL, "{\"oauth_access_token\":\"t\"}");
    bind_only("a", "github", NULL, NULL, "{\"GITHUB_TOKEN\":\"oauth_access_token\"}");
    assert_int_equal(world_set("/", "GITHUB_TOKEN", "from above"), STATUS_OK);
    assert_string_equal(resolve("a", "stepvault://env/GITHUB_TOKEN"), "t");
    assert_string_equal(resolve("/", "stepvault://env/GITHUB_TOKEN"), "from above");
    refuse("a", "stepvault://env/GITHUB_OAUTH_ACCESS_TOKEN", STATUS_NOT_FOUND);
}

static void two_accounts_of_an_app_are_ambiguous_until_one_is_named(void **state)
{
    (void)state;
    add("slack", "one", "{\"token\":\"1\",\"extra\":\"x\"}");
    add("slack", "two", "{\"token\":\"2\"}");
    add("slack", "three", "{\"token\":\"3\"}");
    bind_only("/", "slack:one", NULL, NULL, NULL);
    bind_only("a", "slack:two", "chat", NULL, NULL);
    refuse("a", "stepvault://slack/token", STATUS_AMBIGUOUS);
    assert_non_null(strstr(world.failure.sentence, "slack:one"));
    assert_non_null(strstr(world.failure.sentence, "slack:two"));
    assert_null(strstr(world.failure.sentence, "three"));
    /* One of them alone has it now, and not for ever. */
    refuse("a", "stepvault://slack/extra", STATUS_AMBIGUOUS);
    assert_string_equal(resolve("a", "stepvault://slack:two/token"), "2");
    assert_string_equal(resolve("/", "stepvault://slack/token"), "1");
    /* A nearer alias hides the far account altogether. */
    bind_only("a/b", "slack:three", NULL, NULL, NULL);
    bind_only("a/b", "slack:three", "chat", NULL, NULL);
    assert_string_equal(resolve("a/b", "stepvault://slack/token"), "3");
    refuse("a/b", "stepvault://slack:one/token", STATUS_NOT_FOUND);
}

static void one_account_under_two_aliases_gives_what_either_gives(void **state)
{
    (void)state;
    add("slack", NULL, "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}");
    bind_only("x", "slack", "first", "[\"a\"]", NULL);
    bind_only("x", "slack", "second", "[\"b\"]", NULL);
    assert_string_equal(resolve("x", "stepvault://slack/a"), "1");
    assert_string_equal(resolve("x", "stepvault://slack/b"), "2");
    refuse("x", "stepvault://slack/c", STATUS_NOT_FOUND);
}

static void values_come_back_byte_for_byte_in_both_forms(void **state)
{
    static const char value[] = "line\n\xff\xfe=\\\"\t";
    static const char expected[] = "RAW=line\n\xff\xfe=\\\"\t\0WORD=v w\n";
    CLEANUP(secret_reset) struct secret bytes = {0};
    const char *encoded;

    (void)state;
    assert_int_equal(world_set("x", "RAW", value), STATUS_OK);
    assert_int_equal(world_set("x", "WORD", "v w\n"), STATUS_OK);
    JSON_FREEP struct json *json =
        resolve_as("x", "{\"a b\":\"stepvault://env/RAW\",\"w\":\"stepvault://env/WORD\"}", false, STATUS_OK);
    assert_int_equal(json_count(json_member(json, "resolved")), 1);
    assert_string_equal(json_member_text(json_member(json, "resolved"), "w"), "v w\n");
    encoded = json_member_text(json_member(json, "resolved_base64"), "a b");
    assert_true(text_append_from_base64(&bytes, encoded, strlen(encoded)));
    assert_string_equal(secret_text(&bytes), value);
    JSON_FREEP struct json *block_reply = resolve_as(
        "x", "{\"WORD\":\"stepvault://env/WORD\",\"RAW\":\"stepvault://env/RAW\"}", true, STATUS_OK);
    secret_clear(&bytes);
    encoded = json_member_text(block_reply, "resolved_entries");
    assert_true(text_append_from_base64(&bytes, encoded, strlen(encoded)));
    assert_int_equal(bytes.size, sizeof expected);
    assert_memory_equal(bytes.bytes, expected, sizeof expected);
}

static void nothing_but_what_was_asked_for_leaves_and_the_leaf_lists_it_once(void **state)
{
    JSON_FREEP struct json *leaf = NULL;
    const struct json *references, *accounts;

    (void)state;
    add("slack", "team", "{\"a\":\"sesame-a\",\"b\":\"sesame-b\",\"c\":\"sesame-c\"}");
    bind_only("x", "slack:team", NULL, NULL, NULL);
    assert_int_equal(world_set("x", "ONE", "sesame-1"), STATUS_OK);
    assert_int_equal(world_set("x", "TWO", "sesame-2"), STATUS_OK);
    JSON_FREEP struct json *reply = resolve_as(
        "x",
        "{\"1\":\"stepvault://env/ONE\",\"2\":\"stepvault://env/ONE\",\"3\":\"stepvault://slack/b\","
        "\"4\":\"stepvault://slack:team/b\",\"5\":\"stepvault://env/SLACK_A\"}",
        false, STATUS_OK);
    assert_int_equal(json_count(json_member(reply, "resolved")), 5);
    assert_int_equal(json_count(json_member(reply, "variables")), 0);
    assert_null(strstr(secret_text(&world.reply), "sesame-2"));
    assert_null(strstr(secret_text(&world.reply), "sesame-c"));
    read_leaf(&leaf);
    assert_string_equal(json_member_text(leaf, "outcome"), "granted");
    assert_int_equal(json_count(json_member(leaf, "deliver")), 0);
    assert_int_equal(json_count(json_member(leaf, "variables")), 0);
    assert_int_equal(json_count(json_member(leaf, "accounts")), 0);
    references = json_member(leaf, "references");
    assert_int_equal(json_count(json_member(references, "variables")), 1);
    assert_string_equal(json_text(json_at(json_member(references, "variables"), 0), NULL), "ONE");
    accounts = json_member(references, "accounts");
    assert_int_equal(json_count(accounts), 1);
    assert_string_equal(json_member_text(json_at(accounts, 0), "alias"), "slack");
    assert_string_equal(json_member_text(json_at(accounts, 0), "app"), "slack");
    assert_string_equal(json_member_text(json_at(accounts, 0), "label"), "team");
    const struct json *properties = json_member(json_at(accounts, 0), "properties");
    assert_int_equal(json_count(properties), 2);
    assert_string_equal(json_text(json_at(properties, 0), NULL), "a");
    assert_string_equal(json_text(json_at(properties, 1), NULL), "b");
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void references_add_to_a_projection_and_one_that_fails_takes_all_of_it(void **state)
{
    JSON_FREEP struct json *good = NULL;
    JSON_FREEP struct json *bad = NULL;
    JSON_FREEP struct json *reply = NULL;
    struct projection_request request = {.step = "x", .deliver_env = true};

    (void)state;
    assert_int_equal(world_set("x", "ONE", "1"), STATUS_OK);
    world_parse("{\"COPY\":\"stepvault://env/ONE\"}", &good);
    world_parse("{\"COPY\":\"stepvault://env/ONE\",\"OTHER\":\"stepvault://env/TWO\"}", &bad);
    request.references = good;
    world_begin("project");
    assert_int_equal(
        world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    world_parse(secret_text(&world.reply), &reply);
    assert_string_equal(json_member_text(json_member(reply, "variables"), "ONE"), "1");
    assert_string_equal(json_member_text(json_member(reply, "resolved"), "COPY"), "1");
    request.references = bad;
    world_begin("project");
    assert_int_equal(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer),
                     STATUS_NOT_FOUND);
    /* The refusal's leaf says what was asked for. */
    assert_false(world.leaf.appended);
    assert_string_equal(world.leaf.variable, "TWO");
    world.leaf.why = STATUS_NOT_FOUND;
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
}

static void the_document_of_accounts_is_not_touched_by_references(void **state)
{
    JSON_FREEP struct json *references = NULL;
    JSON_FREEP struct json *reply = NULL;
    struct projection_request request = {.step = "x", .deliver_auths = true};

    (void)state;
    add("slack", NULL, "{\"token\":\"t\"}");
    bind_only("x", "slack", NULL, NULL, NULL);
    world_parse("{\"K\":\"stepvault://env/SLACK_TOKEN\"}", &references);
    request.references = references;
    world_begin("project");
    assert_int_equal(
        world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    world_parse(secret_text(&world.reply), &reply);
    assert_string_equal(json_member_text(json_member(reply, "resolved"), "K"), "t");
    assert_int_equal(json_count(json_member(reply, "variables")), 0);
    assert_int_equal(json_count(json_member(reply, "auths")), 1);
}

static void hostile_references_are_refused(void **state)
{
    static const char *const objects[] = {
        "{\"K\":\"stepvault://env/A \"}",
        "{\"K\":\"\"}",
        "{\"K\":1}",
        "{\"K\":{}}",
        "{\"\":\"stepvault://env/A\"}",
        "{\"A=B\":\"stepvault://env/A\"}",
        "{\"A\":\"stepvault://env/A\",\"K\":\"stepvault://env/*\"}",
    };

    (void)state;
    assert_int_equal(world_set("x", "A", "v"), STATUS_OK);
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        assert_null(resolve_as("x", objects[i], false, STATUS_INVALID));
}

static void too_many_references_and_too_large_an_answer_are_refused(void **state)
{
    CLEANUP(secret_reset) struct secret object = {0};
    char *value = malloc(NAME_VALUE_MAX + 1);

    (void)state;
    memset(value, 'v', NAME_VALUE_MAX);
    value[NAME_VALUE_MAX] = '\0';
    assert_int_equal(world_set("x", "LARGE", value), STATUS_OK);
    assert_int_equal(world_set("x", "SMALL", "s"), STATUS_OK);
    free(value);
    for (unsigned count = RESOLUTION_MAX; count <= RESOLUTION_MAX + 1; count++) {
        secret_clear(&object);
        for (unsigned i = 0; i < count; i++)
            assert_true(
                secret_append_format(&object, "%c\"%u\":\"stepvault://env/SMALL\"", i == 0 ? '{' : ',', i));
        assert_true(secret_append_byte(&object, '}'));
        JSON_FREEP struct json *reply = resolve_as("x", secret_text(&object), false,
                                                   count > RESOLUTION_MAX ? STATUS_TOO_LARGE : STATUS_OK);
        assert_int_equal(json_count(json_member(reply, "resolved")), count > RESOLUTION_MAX ? 0 : count);
    }
    for (unsigned count = 15; count <= 16; count++) {
        secret_clear(&object);
        for (unsigned i = 0; i < count; i++)
            assert_true(
                secret_append_format(&object, "%c\"%u\":\"stepvault://env/LARGE\"", i == 0 ? '{' : ',', i));
        assert_true(secret_append_byte(&object, '}'));
        JSON_FREEP struct json *reply =
            resolve_as("x", secret_text(&object), true, count > 15 ? STATUS_TOO_LARGE : STATUS_OK);
        assert_int_equal(reply != NULL, count <= 15);
    }
}

static void no_new_account_is_of_an_app_called_env(void **state)
{
    (void)state;
    assert_int_equal(world_add("env", "{\"token\":\"t\"}"), STATUS_REFUSED);
    assert_int_equal(world_add("env-x", "{\"token\":\"t\"}"), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_nearest_variable_is_what_env_means),
        TEST(a_property_is_found_whatever_the_alias_is),
        TEST(an_app_is_found_however_it_is_written),
        TEST(what_a_step_does_not_get_is_refused_in_the_same_words_as_what_does_not_exist),
        TEST(a_block_and_a_boundary_hide_what_is_above_them),
        TEST(env_also_means_the_names_that_accounts_give),
        TEST(two_accounts_of_an_app_are_ambiguous_until_one_is_named),
        TEST(one_account_under_two_aliases_gives_what_either_gives),
        TEST(values_come_back_byte_for_byte_in_both_forms),
        TEST(nothing_but_what_was_asked_for_leaves_and_the_leaf_lists_it_once),
        TEST(references_add_to_a_projection_and_one_that_fails_takes_all_of_it),
        TEST(the_document_of_accounts_is_not_touched_by_references),
        TEST(hostile_references_are_refused),
        TEST(too_many_references_and_too_large_an_answer_are_refused),
        TEST(no_new_account_is_of_an_app_called_env),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
