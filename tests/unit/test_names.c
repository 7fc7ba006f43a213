/* vault/names.c: names that begin as what is typed, one level of paths at a time, and the nearest of what is
 * not there; and the visiting of records that both stand on. */
#include "vault_fixture.h"

#include "names.h"
#include "registration.h"

/* True where there are more names than the reply has. */
static bool list_once(const struct names_request *request, char *joined, size_t room)
{
    CLEANUP(json_freep) struct json *reply = NULL;
    const struct json *names;
    size_t size = 0;

    world_begin("list");
    enum status status = names_list(world.vault, request, &world.failure, &world.writer);
    (void)world_end(status);
    if (status != STATUS_OK) {
        snprintf(joined, room, "%s", world.failure.sentence);
        return false;
    }
    world_parse(secret_text(&world.reply), &reply);
    names = json_member(reply, "names");
    joined[0] = '\0';
    for (size_t i = 0; i < json_count(names); i++)
        size += (size_t)snprintf(joined + size, room - size, "%s%s", i > 0 ? ", " : "",
                                 json_member_text(json_at(names, i), "name"));
    return json_member_boolean(reply, "more", false);
}

/* `a, b, ...` of the names there are. A busy machine may not come to the last of them in NAMES_TIME_MS. */
static const char *list(const char *kind, const char *prefix, const char *path, const char *account)
{
    static char joined[8192];
    const struct names_request request = {kind, prefix, path, account};

    for (unsigned tries = 0; tries < 200; tries++)
        if (!list_once(&request, joined, sizeof joined))
            return joined;
    return "more names than there is time for";
}

static void furnish(void)
{
    assert_int_equal(world_set("billing/notify", "TOKEN", "x"), STATUS_OK);
    assert_int_equal(world_set("billing", "STRIPE_KEY", "x"), STATUS_OK);
    assert_int_equal(world_set("bills", "OTHER", "x"), STATUS_OK);
    assert_int_equal(world_set("/", "ROOT", "x"), STATUS_OK);
    assert_int_equal(world_add("slack", "{\"token\":\"x\",\"bot_token\":\"y\"}"), STATUS_OK);
    assert_int_equal(world_bind("billing", "slack", "chat"), STATUS_OK);
}

static void paths_come_one_level_at_a_time(void **state)
{
    (void)state;
    furnish();
    assert_string_equal(list("path", "", NULL, NULL), "/, billing, bills, login");
    assert_string_equal(list("path", "bil", NULL, NULL), "billing, bills");
    assert_string_equal(list("path", "billing", NULL, NULL), "billing, billing/notify");
    assert_string_equal(list("path", "billing/", NULL, NULL), "billing/notify");
    assert_string_equal(list("path", "/", NULL, NULL), "/");
    assert_string_equal(list("path", "nothing/here/", NULL, NULL), "");
}

static void a_prefix_that_is_no_path_has_no_names(void **state)
{
    char longest[4096];

    (void)state;
    furnish();
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(list("path", longest, NULL, NULL), "");
    longest[1000] = '/';
    assert_string_equal(list("path", longest, NULL, NULL), "");
    assert_string_equal(list("path", "//", NULL, NULL), "");
    assert_string_equal(list("path", "../\xff", NULL, NULL), "");
}

static void names_are_those_of_the_place_or_account(void **state)
{
    const struct registration_change client = {.app = "google", .label = "work", .client_id = "id"};

    (void)state;
    furnish();
    world_begin("add-client");
    assert_int_equal(
        world_end(registration_add(world.vault, &client, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    assert_string_equal(list("client", "", NULL, NULL), "google:work");
    assert_string_equal(list("client", "s", NULL, NULL), "");
    assert_string_equal(list("variable", "", "billing", NULL), "STRIPE_KEY");
    assert_string_equal(list("variable", "T", "billing", NULL), "");
    assert_string_equal(list("inherited", "", "billing/notify", NULL), "ROOT, STRIPE_KEY");
    assert_string_equal(list("inherited", "", "/", NULL), "");
    assert_string_equal(list("past", "", "billing", NULL), "");
    assert_int_equal(world_set("billing", "STRIPE_KEY", "y"), STATUS_OK);
    assert_int_equal(world_set("billing", "GONE", "x"), STATUS_OK);
    world_begin("unset-variable");
    assert_int_equal(world_end(variable_unset(world.vault, "billing", "GONE", &world.failure)), STATUS_OK);
    assert_string_equal(list("past", "", "billing", NULL), "GONE, STRIPE_KEY");
    assert_string_equal(list("past", "S", "billing", NULL), "STRIPE_KEY");
    assert_string_equal(list("past", "", "billing/notify", NULL), "");
    assert_string_equal(list("variable", "", "billing", NULL), "STRIPE_KEY");
    assert_string_equal(list("alias", "", "billing", NULL), "chat");
    assert_string_equal(list("account", "sl", NULL, NULL), "slack:default");
    assert_string_equal(list("app", "", NULL, NULL), "slack");
    assert_string_equal(list("property", "", NULL, "slack"), "bot_token, token");
    assert_string_equal(list("property", "", NULL, "stripe"), "");
    assert_string_equal(list("property", "", NULL, "no app:no label"), "");
}

static void a_question_that_lacks_something_is_refused(void **state)
{
    (void)state;
    furnish();
    assert_string_equal(list("values", "", NULL, NULL),
                        "kind is path, variable, inherited, past, account, client, app, alias or property");
    assert_string_equal(list("variable", "", NULL, NULL), "names of the kind variable need a path");
    assert_string_equal(list("property", "", NULL, NULL), "names of the kind property need an account");
    assert_int_equal(world.failure.status, STATUS_INVALID);
}

static void more_than_anybody_reads_is_cut(void **state)
{
    char name[16];
    CLEANUP(json_freep) struct json *reply = NULL;
    const struct names_request request = {"variable", "N", "many", NULL};

    (void)state;
    world_begin("set-variable");
    for (unsigned i = 0; i <= NAMES_MAX; i++) {
        snprintf(name, sizeof name, "N%u", i);
        assert_int_equal(world_change("many", name, "x"), STATUS_OK);
    }
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
    world_begin("list");
    assert_int_equal(names_list(world.vault, &request, &world.failure, &world.writer), STATUS_OK);
    (void)world_end(STATUS_OK);
    world_parse(secret_text(&world.reply), &reply);
    assert_true(json_member_boolean(reply, "more", false));
    assert_true(json_count(json_member(reply, "names")) <= NAMES_MAX);
    assert_string_equal(list("variable", "N499", "many", NULL), "N499");
}

static bool count_visit(const struct record *record, void *context)
{
    unsigned *left = context;

    (void)record;
    return --*left > 0;
}

static void records_are_visited_once_each_until_enough(void **state)
{
    char name[16];
    unsigned left;

    (void)state;
    world_begin("set-variable");
    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "N%u", i);
        assert_int_equal(world_change("many", name, "x"), STATUS_OK);
    }
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
    left = 1000;
    assert_int_equal(record_visit_placed(world.vault, "many", count_visit, &left, &world.failure), STATUS_OK);
    assert_int_equal(left, 1000 - 201); /* the variables and the path's own record */
    left = 70;
    assert_int_equal(record_visit_placed(world.vault, "many", count_visit, &left, &world.failure), STATUS_OK);
    assert_int_equal(left, 0);
}

static void assert_missing(enum status status, const char *sentence)
{
    assert_int_equal(status, STATUS_NOT_FOUND);
    assert_string_equal(world.failure.sentence, sentence);
}

static void what_is_not_there_is_met_with_what_was_meant(void **state)
{
    struct record record = {0};

    (void)state;
    furnish();
    assert_missing(variable_missing(world.vault, "billing", "STRIPE_KYE", &world.failure),
                   "no variable STRIPE_KYE is placed at billing, or anywhere else; did you mean STRIPE_KEY?");
    assert_missing(variable_missing(world.vault, "billing", "chat", &world.failure),
                   "no variable chat is placed at billing, or anywhere else");
    assert_missing(account_resolve(world.vault, "slakc", &world.failure, &record),
                   "there is no account of slakc; did you mean slack?");
    assert_missing(account_resolve(world.vault, "slack:defualt", &world.failure, &record),
                   "there is no account slack:defualt; did you mean slack:default?");
    assert_missing(account_resolve(world.vault, "stripe", &world.failure, &record),
                   "there is no account of stripe");
    assert_missing(placement_missing(world.vault, "billing/notfy", &world.failure),
                   "there is no step billing/notfy; did you mean billing/notify? (stepvault step add "
                   "billing/notfy makes it one)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths_come_one_level_at_a_time, world_start, world_stop),
        cmocka_unit_test_setup_teardown(a_prefix_that_is_no_path_has_no_names, world_start, world_stop),
        cmocka_unit_test_setup_teardown(names_are_those_of_the_place_or_account, world_start, world_stop),
        cmocka_unit_test_setup_teardown(a_question_that_lacks_something_is_refused, world_start, world_stop),
        cmocka_unit_test_setup_teardown(more_than_anybody_reads_is_cut, world_start, world_stop),
        cmocka_unit_test_setup_teardown(records_are_visited_once_each_until_enough, world_start, world_stop),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_met_with_what_was_meant, world_start,
                                        world_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
