/* vault/registration.c, and vault/account_connect.c: clients, and the accounts that were connected by them.
 */
#include "token_fixture.h"

#include "check_form.h"

static const char *reply(void)
{
    return secret_text(&world.reply);
}

static enum status remove_client(const char *app, const char *label)
{
    world_begin("remove-client");
    return world_end(registration_remove(world.vault, app, label, &world.leaf, &world.failure));
}

static enum status list_clients(const char *app)
{
    world_begin("list");
    return world_end(registration_list(world.vault, app, &world.failure, &world.writer));
}

static enum status resolve(const char *app, const char *client, char ret_name[REGISTRATION_NAME_SIZE])
{
    CLEANUP(record_reset) struct record registration = {0};

    enum status status = registration_resolve(world.vault, app, client, &world.failure, &registration);
    if (status == STATUS_OK)
        registration_name(&registration, ret_name);
    return status;
}

static void a_client_is_added_listed_replaced_and_removed_without_its_secret_being_told(void **state)
{
    (void)state;
    assert_int_equal(token_register("slack", NULL, "id-1", false), STATUS_OK);
    assert_string_equal(world.leaf.app, "slack");
    assert_string_equal(world.leaf.label, "default");
    assert_non_null(strstr(reply(), "\"replaced\":false"));
    assert_null(strstr(reply(), "s3cret"));
    assert_int_equal(token_register("slack", NULL, "id-2", false), STATUS_EXISTS);
    assert_int_equal(token_register("slack", NULL, "id-2", true), STATUS_OK);
    assert_int_equal(token_register("google", "work", "id-3", false), STATUS_OK);
    world_reopen();
    assert_int_equal(list_clients(NULL), STATUS_OK);
    assert_non_null(strstr(reply(),
                           "{\"clients\":[{\"app\":\"google\",\"label\":\"work\",\"client_id\":\"id-3\","
                           "\"public\":false,"));
    assert_non_null(strstr(reply(), "\"client_id\":\"id-2\""));
    assert_null(strstr(reply(), "s3cret"));
    assert_int_equal(list_clients("slack"), STATUS_OK);
    assert_null(strstr(reply(), "google"));
    assert_int_equal(remove_client("slack", "other"), STATUS_NOT_FOUND);
    assert_int_equal(remove_client("slack", NULL), STATUS_OK);
    assert_int_equal(remove_client("slack", NULL), STATUS_NOT_FOUND);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void what_is_no_client_is_refused(void **state)
{
    static const struct registration_change wrong[] = {
        {"No App", NULL,       "id",           NULL, NULL,                  false},
        {"slack",  "no label", "id",           NULL, NULL,                  false},
        {"slack",  NULL,       "",             NULL, NULL,                  false},
        {"slack",  NULL,       "two words",    NULL, NULL,                  false},
        {"slack",  NULL,       "l\xc3\xa4nge", NULL, NULL,                  false},
        {"slack",  NULL,       "id",           "",   NULL,                  false},
        {"slack",  NULL,       "id",           NULL, "",                    false},
        {"slack",  NULL,       "id",           NULL, "no uri",              false},
        {"slack",  NULL,       "id",           NULL, "callback",            false},
        {"slack",  NULL,       "id",           NULL, "http://127.0.0.1/#x", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        world_begin("add-client");
        if (world_end(registration_add(world.vault, &wrong[i], &world.leaf, &world.failure, &world.writer)) !=
            STATUS_INVALID)
            fail_msg("%zu was taken", i);
    }
}

static void a_public_client_has_no_secret_in_its_record_or_its_jobs(void **state)
{
    const struct registration_change change = {
        .app = "slack", .client_id = "id-1", .redirect_uri = "http://127.0.0.1:8080/callback"};
    CLEANUP(record_reset) struct record registration = {0};
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    (void)state;
    world_begin("add-client");
    assert_int_equal(
        world_end(registration_add(world.vault, &change, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    assert_non_null(strstr(reply(), "\"public\":true,\"redirect_uri\":\"http://127.0.0.1:8080/callback\""));
    assert_int_equal(registration_resolve(world.vault, "slack", NULL, &world.failure, &registration),
                     STATUS_OK);
    assert_int_equal(check_form(&registration, &world.failure), STATUS_OK);
    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    registration_write_job(&registration, true, &writer);
    json_close_object(&writer);
    assert_string_equal(secret_text(&text), "{\"client\":{\"id\":\"id-1\"}}");
}

static void the_client_that_is_meant_is_found(void **state)
{
    char name[REGISTRATION_NAME_SIZE];

    (void)state;
    assert_int_equal(resolve("slack", NULL, name), STATUS_NOT_FOUND);
    assert_int_equal(token_register("slack", "work", "id-1", false), STATUS_OK);
    assert_int_equal(resolve("slack", NULL, name), STATUS_OK);
    assert_string_equal(name, "slack:work");
    assert_int_equal(token_register("slack", "home", "id-2", false), STATUS_OK);
    assert_int_equal(resolve("slack", NULL, name), STATUS_AMBIGUOUS);
    assert_int_equal(token_register("slack", NULL, "id-3", false), STATUS_OK);
    assert_int_equal(resolve("slack", NULL, name), STATUS_OK);
    assert_string_equal(name, "slack:default");
    assert_int_equal(resolve("slack", "home", name), STATUS_OK);
    assert_string_equal(name, "slack:home");
    /* Apps of one provider share theirs. */
    assert_int_equal(resolve("other", "slack:home", name), STATUS_OK);
    assert_string_equal(name, "slack:home");
    assert_int_equal(resolve("other", "home", name), STATUS_NOT_FOUND);
    assert_int_equal(resolve("other", ":", name), STATUS_INVALID);
}

static void a_client_in_use_is_neither_removed_nor_given_another_id(void **state)
{
    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(remove_client("slack", NULL), STATUS_IN_USE);
    assert_non_null(strstr(world.failure.sentence, "slack:default"));
    assert_int_equal(token_register("slack", NULL, "id-2", true), STATUS_IN_USE);
    assert_int_equal(token_register("slack", NULL, "id-1", true), STATUS_OK);
    assert_int_equal(list_clients("slack"), STATUS_OK);
    assert_non_null(strstr(reply(), "\"accounts\":[\"slack:default\"]"));
    world_begin("remove-account");
    assert_int_equal(world_end(account_remove(world.vault, "slack", &world.leaf, &world.failure)), STATUS_OK);
    assert_int_equal(remove_client("slack", NULL), STATUS_OK);
}

static void tokens_are_not_kept_beside_another_client_than_theirs(void **state)
{
    (void)state;
    assert_int_equal(token_register("slack", NULL, "id-2", false), STATUS_OK);
    assert_int_equal(token_connect_by("slack", NULL, NULL, "authorization_code", false, TOKENS("a1", "r1")),
                     STATUS_REFUSED);
    assert_string_equal(
        world.failure.sentence,
        "the client slack:default has another client id by now than these tokens were given to");
}

static void a_connected_account_says_how_it_stands(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};

    (void)state;
    token_connect(TOKENS("acc-1", "ref-1"));
    token_read_leaf(&line);
    assert_non_null(strstr(secret_text(&line), "\"action\":\"connect\",\"outcome\":\"granted\""));
    assert_non_null(strstr(secret_text(&line),
                           "\"grant\":\"authorization_code\",\"client\":\"slack:default\","
                           "\"generation\":1,\"properties\":[\"oauth_access_token\","
                           "\"oauth_refresh_token\",\"oauth_client_id\"],\"scopes\":\"chat "
                           "read\""));
    assert_null(strstr(secret_text(&line), "acc-1"));
    world_begin("show");
    assert_int_equal(world_end(account_show(world.vault, "slack", &world.failure, &world.writer)), STATUS_OK);
    /* NOW lies ahead of the clock of the machine. */
    assert_non_null(strstr(reply(),
                           "\"method\":\"authorization_code\",\"client\":\"slack:default\",\"health\":"
                           "\"healthy\",\"token_expires\":\"2027-01-15T08:30:00.000Z\","
                           "\"scopes\":\"chat read\",\"missing_scopes\":\"write\",\"identity\":\"Ann\""));
    assert_null(strstr(reply(), "acc-1"));
}

static void an_account_is_connected_anew_in_its_place(void **state)
{
    CLEANUP(record_reset) struct record before = {0};
    CLEANUP(record_reset) struct record after = {0};
    CLEANUP(records_reset) struct records bindings = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(world_set_account("slack", "{\"channel\":\"general\"}"), STATUS_OK);
    assert_int_equal(world_bind("jobs", "slack", NULL), STATUS_OK);
    assert_int_equal(token_renew(NOW + 26 * MINUTE, false, DEAD), TOKEN_FAILED);
    token_find("slack", &before);
    assert_int_equal(token_connect_by(NULL, NULL, "slack", "device_code", false,
                                      "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a2\"},"
                                      "\"identity\":{\"id\":\"U1\"}}"),
                     STATUS_OK);
    token_find("slack", &after);
    assert_memory_equal(after.id, before.id, sizeof after.id);
    struct token_fields fields = token_fields_of(&after);
    assert_int_equal(fields.generation, 2);
    assert_string_equal(fields.grant, "device_code");
    assert_null(fields.state);
    token_expect_property("slack", "oauth_access_token", "a2");
    token_expect_property("slack", "oauth_refresh_token", "r1");
    token_expect_property("slack", "channel", "general");
    assert_int_equal(binding_list_of(world.vault, &after, &world.failure, &bindings), STATUS_OK);
    assert_int_equal(bindings.count, 1);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void somebody_elses_grant_takes_the_place_only_on_demand_and_mixes_no_tokens(void **state)
{
    static const char other[] = "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"b\"},"
                                "\"identity\":{\"id\":\"U2\",\"name\":\"Bob\"}}";

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(token_connect_by(NULL, NULL, "slack", "authorization_code", false, other),
                     STATUS_REFUSED);
    assert_non_null(strstr(world.failure.sentence, "U1"));
    token_expect_property("slack", "oauth_access_token", "a1");
    assert_int_equal(token_connect_by(NULL, NULL, "slack", "authorization_code", true, other), STATUS_OK);
    token_expect_property("slack", "oauth_access_token", "b");
    token_expect_property("slack", "oauth_refresh_token", NULL);
}

static void an_account_that_was_added_by_hand_can_be_connected(void **state)
{
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    assert_int_equal(token_register("slack", NULL, "id-1", false), STATUS_OK);
    assert_int_equal(world_add("slack", "{\"oauth_access_token\":\"old\",\"team_id\":\"T1\"}"), STATUS_OK);
    assert_int_equal(token_connect_by(NULL, NULL, "slack", "import", false, TOKENS("a1", "r1")), STATUS_OK);
    token_find("slack", &account);
    assert_int_equal(token_fields_of(&account).generation, 1);
    token_expect_property("slack", "team_id", "T1");
    token_expect_property("slack", "oauth_access_token", "a1");
}

static void the_same_person_twice_is_said(void **state)
{
    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_null(strstr(reply(), "twin"));
    assert_int_equal(token_connect_by("slack", NULL, NULL, "authorization_code", false, TOKENS("a", "r")),
                     STATUS_EXISTS);
    assert_int_equal(token_connect_by("slack", "work", NULL, "authorization_code", false, TOKENS("a", "r")),
                     STATUS_OK);
    assert_non_null(strstr(reply(), "\"twin\":\"slack:default\""));
    assert_int_equal(
        token_connect_by(NULL, NULL, "slack:work", "authorization_code", false, TOKENS("a", "r")), STATUS_OK);
    assert_non_null(strstr(reply(), "\"twin\":\"slack:default\""));
}

static void a_binding_keeps_the_token_that_it_names(void **state)
{
    struct json *only = NULL;
    struct binding_change change = {.path = "jobs", .account = "slack"};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    world_parse("[\"oauth_refresh_token\"]", &only);
    change.only = only;
    world_begin("bind");
    assert_int_equal(
        world_end(binding_bind(world.vault, &change, &world.leaf, &world.failure, &world.writer)), STATUS_OK);
    json_freep(&only);
    assert_int_equal(token_connect_by(NULL, NULL, "slack", "authorization_code", true,
                                      "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"b\"},"
                                      "\"identity\":{\"id\":\"U2\"}}"),
                     STATUS_IN_USE);
    CLEANUP(record_reset) struct record account = {0};
    token_find("slack", &account);
    assert_int_equal(account_check_unbound(world.vault, &account, &world.failure), STATUS_IN_USE);
}

static void a_grant_that_is_not_whole_is_no_form_of_an_account(void **state)
{
    static const char *const missing[] = {"oauth/provider", "oauth/client", "oauth/grant", "oauth/generation",
                                          "oauth/obtained"};
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_find("slack", &account);
    assert_int_equal(check_form(&account, &world.failure), STATUS_OK);
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        CLEANUP(record_draft_reset)
        struct record_draft draft = {.kind = RECORD_ACCOUNT, .where = account.where, .name = account.name};
        const char *name, *value;
        size_t position = 0, size;
        while (record_next(&account, "", &position, &name, &value, &size))
            if (strcmp(name, missing[i]) != 0)
                record_draft_add(&draft, name, value, size);
        const struct record wrong = record_draft_preview(&draft);
        if (check_form(&wrong, &world.failure) != STATUS_CORRUPT)
            fail_msg("without %s", missing[i]);
    }
}

static void fields_of_a_grant_hold_what_they_may(void **state)
{
    static const char *const wrong[][2] = {
        {"oauth/client",     "nobody"                    },
        {"oauth/client",     "Slack:default"             },
        {"oauth/client",     ":"                         },
        {"oauth/grant",      "password"                  },
        {"oauth/generation", "one"                       },
        {"oauth/obtained",   "-1"                        },
        {"oauth/state",      "fine"                      },
        {"oauth/intent",     "1 2 3 4"                   },
        {"oauth/error",      "two\nlines"                },
        {"oauth/identity",   ""                          },
        {"oauth/lifetime",   "1.5"                       },
        {"oauth/granted",    "\xff"                      },
        {"oauth/new",        "what no version writes yet"},
    };
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_find("slack", &account);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CLEANUP(record_draft_reset)
        struct record_draft draft = {.kind = RECORD_ACCOUNT, .where = account.where, .name = account.name};
        const char *name, *value;
        size_t position = 0, size;
        record_draft_add_text(&draft, wrong[i][0], wrong[i][1]);
        while (record_next(&account, "", &position, &name, &value, &size))
            if (strcmp(name, wrong[i][0]) != 0)
                record_draft_add(&draft, name, value, size);
        const struct record changed = record_draft_preview(&draft);
        if (check_form(&changed, &world.failure) != STATUS_CORRUPT)
            fail_msg("%s of %s", wrong[i][1], wrong[i][0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_added_listed_replaced_and_removed_without_its_secret_being_told),
        TEST(what_is_no_client_is_refused),
        TEST(a_public_client_has_no_secret_in_its_record_or_its_jobs),
        TEST(the_client_that_is_meant_is_found),
        TEST(a_client_in_use_is_neither_removed_nor_given_another_id),
        TEST(tokens_are_not_kept_beside_another_client_than_theirs),
        TEST(a_connected_account_says_how_it_stands),
        TEST(an_account_is_connected_anew_in_its_place),
        TEST(somebody_elses_grant_takes_the_place_only_on_demand_and_mixes_no_tokens),
        TEST(an_account_that_was_added_by_hand_can_be_connected),
        TEST(the_same_person_twice_is_said),
        TEST(a_binding_keeps_the_token_that_it_names),
        TEST(a_grant_that_is_not_whole_is_no_form_of_an_account),
        TEST(fields_of_a_grant_hold_what_they_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
