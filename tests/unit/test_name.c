/* vault/base/name.c: the grammar of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/name.h"

typedef enum status (*check_fn)(const char *name, struct failure *failure);

static void assert_all(check_fn check, const char *const *names, enum status expected)
{
    for (; *names != NULL; names++) {
        struct failure failure = {.sentence = ""};

        if (check(*names, &failure) != expected)
            fail_msg("\"%s\" is judged wrongly: %s", *names, failure.sentence);
        assert_true((expected == STATUS_OK) == (failure.sentence[0] == '\0'));
    }
}

/* A name of exactly `length` bytes passes, one more does not. */
static void assert_longest(check_fn check, size_t length)
{
    struct failure failure;
    char name[300];

    memset(name, 'a', sizeof(name));
    name[length] = '\0';
    assert_int_equal(check(name, &failure), STATUS_OK);
    name[length] = 'a';
    name[length + 1] = '\0';
    assert_int_equal(check(name, &failure), STATUS_INVALID);
}

static void paths_are_words_between_single_slashes(void **state)
{
    static const char *const good[] = {"/",         "billing", "billing/notify", "a/b/c/d/e/f/g/h",
                                       "0.x_y-z/9", NULL};
    static const char *const bad[] = {"",    "/a",      "a/",       "a//b",       "//",   "a/b/c/d/e/f/g/h/i",
                                      "A",   ".hidden", "a/.",      "a/../b",     "-x",   "_x",
                                      "a b", "a\n",     "\xc3\xbc", "a/\xc3\xbc", "a\\b", NULL};

    (void)state;
    assert_all(name_check_path, good, STATUS_OK);
    assert_all(name_check_path, bad, STATUS_INVALID);
    assert_longest(name_check_path, NAME_PATH_MAX);
}

static void variables_are_what_a_shell_can_name(void **state)
{
    static const char *const good[] = {"A", "_", "a1_B", "STRIPE_KEY", "STEPVAULT", "PATH", NULL};
    static const char *const bad[] = {"", "1A", "A-B", "A B", "A=", "A.B", "\xc3\x9c", "A\x01", NULL};
    static const char *const reserved[] = {"STEPVAULT_", "STEPVAULT_AUTHS", NULL};

    (void)state;
    assert_all(name_check_variable, good, STATUS_OK);
    assert_all(name_check_variable, bad, STATUS_INVALID);
    assert_all(name_check_variable, reserved, STATUS_REFUSED);
    assert_longest(name_check_variable, NAME_VARIABLE_MAX);
}

static void aliases_apps_labels_and_properties_have_their_own_letters(void **state)
{
    static const char *const aliases[] = {"slack", "_1", "a_b2", NULL};
    static const char *const no_aliases[] = {"", "Slack", "1a", "a-b", NULL};
    static const char *const apps[] = {"slack", "google-drive", "4me", "a_b", NULL};
    static const char *const no_apps[] = {"", "-a", "_a", "Slack", "a.b", NULL};
    static const char *const labels[] = {"work", "Me@example.com", "a.b_c+d-e", "1", NULL};
    static const char *const no_labels[] = {"", "@x", "a b", "a/b", "-a", "\xc3\xbc", NULL};
    static const char *const properties[] = {"api_key", "oauth-token", "Z9", NULL};
    static const char *const no_properties[] = {"", "_a", "9a", "a.b", NULL};

    (void)state;
    assert_all(name_check_alias, aliases, STATUS_OK);
    assert_all(name_check_alias, no_aliases, STATUS_INVALID);
    assert_longest(name_check_alias, NAME_ALIAS_MAX);
    assert_all(name_check_app, apps, STATUS_OK);
    assert_all(name_check_app, no_apps, STATUS_INVALID);
    assert_longest(name_check_app, NAME_APP_MAX);
    assert_all(name_check_label, labels, STATUS_OK);
    assert_all(name_check_label, no_labels, STATUS_INVALID);
    assert_longest(name_check_label, NAME_LABEL_MAX);
    assert_all(name_check_property, properties, STATUS_OK);
    assert_all(name_check_property, no_properties, STATUS_INVALID);
    assert_longest(name_check_property, NAME_PROPERTY_MAX);
}

static void a_refusal_quotes_the_name_but_never_a_value_behind_it(void **state)
{
    struct failure failure;
    char name[300];

    (void)state;
    assert_int_equal(name_check_variable("MY KEY=hunter2", &failure), STATUS_INVALID);
    assert_string_equal(failure.sentence,
                        "\"MY KEY=...\" is not a valid variable name: letters, digits and _, not "
                        "beginning with a digit, at most 255 bytes");
    memset(name, 'x', 200);
    memcpy(name + 200, "=hunter2", 9);
    assert_int_equal(name_check_path(name, &failure), STATUS_INVALID);
    assert_null(strstr(failure.sentence, "hunter2"));
    assert_int_equal(name_check_label("a\x1b[2J", &failure), STATUS_INVALID);
    assert_null(strchr(failure.sentence, '\x1b'));
}

static void names_that_steer_loaders_shells_and_interpreters_are_dangerous(void **state)
{
    static const char *const dangerous[] = {
        "LD_PRELOAD",     "LD_",         "PATH",          "NODE_OPTIONS",      "BASH_ENV",
        "PYTHONPATH",     "PERL5OPT",    "IFS",           "GIT_CONFIG_COUNT",  "XDG_RUNTIME_DIR",
        "SSH_ASKPASS",    "HOME",        "BASH_FUNC_x",   "_RLDN_LIST",        "PROMPT_COMMAND",
        "SUDO_ASKPASS",   "KRB5_CONFIG", "TERMINFO_DIRS", "JAVA_TOOL_OPTIONS", "CREDENTIALS_DIRECTORY",
        "GLIBC_TUNABLES", NULL};
    static const char *const harmless[] = {
        "STRIPE_KEY",     "PATHS", "ld_preload", "GITHUB_TOKEN", "NODE_ENV", "PYTHON_TOKEN", "",
        "OPENAI_API_KEY", "L",     NULL};

    (void)state;
    for (size_t at = 0; dangerous[at] != NULL; at++)
        assert_true(name_is_dangerous(dangerous[at]));
    for (size_t at = 0; harmless[at] != NULL; at++)
        assert_false(name_is_dangerous(harmless[at]));
}

static void a_derived_name_that_steers_the_loader_is_found(void **state)
{
    char name[NAME_DERIVED_SIZE];

    (void)state;
    name_derive_variable(name, "ld", "preload");
    assert_string_equal(name, "LD_PRELOAD");
    assert_true(name_is_dangerous(name));
    name_derive_variable(name, "stepvault", "x");
    assert_true(name_is_reserved(name));
}

static void derived_names_are_upper_case_with_underscores(void **state)
{
    char name[NAME_DERIVED_SIZE];
    char alias[NAME_ALIAS_MAX + 1];
    char property[NAME_PROPERTY_MAX + 1];
    struct failure failure;

    (void)state;
    name_derive_variable(name, "slack", "oauth_access_token");
    assert_string_equal(name, "SLACK_OAUTH_ACCESS_TOKEN");
    name_derive_variable(name, "_4me", "api-Key9");
    assert_string_equal(name, "_4ME_API_KEY9");
    memset(alias, 'a', NAME_ALIAS_MAX);
    alias[NAME_ALIAS_MAX] = '\0';
    memset(property, 'b', NAME_PROPERTY_MAX);
    property[NAME_PROPERTY_MAX] = '\0';
    name_derive_variable(name, alias, property);
    assert_int_equal(strlen(name), NAME_ALIAS_MAX + 1 + NAME_PROPERTY_MAX);
    assert_int_equal(name_check_variable(name, &failure), STATUS_OK);
}

static void an_app_is_known_by_dashes_for_underscores_and_not_the_other_way_round(void **state)
{
    (void)state;
    assert_true(name_app_is("google_drive", "google-drive", 12));
    assert_true(name_app_is("google_drive", "google_drive:team", 12));
    assert_true(name_app_is("google-drive", "google-drive", 12));
    assert_false(name_app_is("google-drive", "google_drive", 12));
    assert_false(name_app_is("google_drive", "google-drives", 13));
    assert_false(name_app_is("google_drives", "google-drive", 12));
    assert_false(name_app_is("a", "", 0));
}

static void default_aliases_are_always_valid(void **state)
{
    char alias[NAME_ALIAS_MAX + 2];
    char app[NAME_APP_MAX + 1];
    struct failure failure;

    (void)state;
    name_default_alias(alias, "google-drive");
    assert_string_equal(alias, "google_drive");
    name_default_alias(alias, "4me");
    assert_string_equal(alias, "_4me");
    memset(app, '7', NAME_APP_MAX);
    app[NAME_APP_MAX] = '\0';
    name_default_alias(alias, app);
    assert_int_equal(name_check_alias(alias, &failure), STATUS_OK);
}

static void paths_have_parents_depths_and_ancestors(void **state)
{
    char parent[NAME_PATH_MAX + 1];

    (void)state;
    assert_true(name_path_parent(parent, "a/b/c"));
    assert_string_equal(parent, "a/b");
    assert_true(name_path_parent(parent, "a"));
    assert_string_equal(parent, "/");
    assert_false(name_path_parent(parent, "/"));
    assert_int_equal(name_path_depth("/"), 0);
    assert_int_equal(name_path_depth("a"), 1);
    assert_int_equal(name_path_depth("a/b/c"), 3);
    assert_true(name_path_is_under("a/b", "a"));
    assert_true(name_path_is_under("a", "a"));
    assert_true(name_path_is_under("a", "/"));
    assert_true(name_path_is_under("/", "/"));
    assert_false(name_path_is_under("ab", "a"));
    assert_false(name_path_is_under("a", "a/b"));
    assert_false(name_path_is_under("/", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_words_between_single_slashes),
        cmocka_unit_test(variables_are_what_a_shell_can_name),
        cmocka_unit_test(aliases_apps_labels_and_properties_have_their_own_letters),
        cmocka_unit_test(a_refusal_quotes_the_name_but_never_a_value_behind_it),
        cmocka_unit_test(names_that_steer_loaders_shells_and_interpreters_are_dangerous),
        cmocka_unit_test(a_derived_name_that_steers_the_loader_is_found),
        cmocka_unit_test(derived_names_are_upper_case_with_underscores),
        cmocka_unit_test(an_app_is_known_by_dashes_for_underscores_and_not_the_other_way_round),
        cmocka_unit_test(default_aliases_are_always_valid),
        cmocka_unit_test(paths_have_parents_depths_and_ancestors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
