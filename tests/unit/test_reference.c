/* The grammar of references. */
#include "base/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void an_app_a_label_and_a_property_are_taken_apart(void **state)
{
    struct reference reference;
    struct failure failure;

    (void)state;
    assert_int_equal(
        reference_parse("stepvault://google-drive:ann@example.org/oauth_access_token", &failure, &reference),
        STATUS_OK);
    assert_string_equal(reference.app, "google-drive");
    assert_string_equal(reference.label, "ann@example.org");
    assert_string_equal(reference.name, "oauth_access_token");
}

static void a_label_need_not_be_said(void **state)
{
    struct reference reference;
    struct failure failure;

    (void)state;
    assert_int_equal(reference_parse("stepvault://slack/token", &failure, &reference), STATUS_OK);
    assert_string_equal(reference.app, "slack");
    assert_string_equal(reference.label, "");
    assert_string_equal(reference.name, "token");
}

static void env_means_a_variable(void **state)
{
    struct reference reference;
    struct failure failure;

    (void)state;
    assert_int_equal(reference_parse("stepvault://env/STRIPE_KEY", &failure, &reference), STATUS_OK);
    assert_string_equal(reference.app, "");
    assert_string_equal(reference.label, "");
    assert_string_equal(reference.name, "STRIPE_KEY");
    assert_int_equal(reference_parse("stepvault://environment/STRIPE_KEY", &failure, &reference), STATUS_OK);
    assert_string_equal(reference.app, "environment");
}

static void the_longest_names_fit_and_longer_ones_are_refused(void **state)
{
    char text[REFERENCE_MAX + 64];
    struct reference reference;
    struct failure failure;

    (void)state;
    for (int over = 0; over < 2; over++) {
        const enum status expected = over == 0 ? STATUS_OK : STATUS_INVALID;

        snprintf(text, sizeof text, "stepvault://%0*d:a/p", NAME_APP_MAX + over, 0);
        assert_int_equal(reference_parse(text, &failure, &reference), expected);
        snprintf(text, sizeof text, "stepvault://a:%0*d/p", NAME_LABEL_MAX + over, 0);
        assert_int_equal(reference_parse(text, &failure, &reference), expected);
        snprintf(text, sizeof text, "stepvault://a/p%0*d", NAME_PROPERTY_MAX - 1 + over, 0);
        assert_int_equal(reference_parse(text, &failure, &reference), expected);
        snprintf(text, sizeof text, "stepvault://env/V%0*d", NAME_VARIABLE_MAX - 1 + over, 0);
        assert_int_equal(reference_parse(text, &failure, &reference), expected);
    }
}

static void what_is_no_reference_is_refused_and_not_repeated(void **state)
{
    static const char *const texts[] = {
        "",
        "slack/canary",
        "Stepvault://slack/canary",
        " stepvault://slack/canary",
        "stepvault:/slack/canary",
        "stepvault://",
        "stepvault://canary",
        "stepvault:///canary",
        "stepvault://slack/",
        "stepvault://slack/canary ",
        "stepvault://slack/canary\n",
        "stepvault://slack/canary/more",
        "stepvault://slack/canary?attribute=otp",
        "stepvault://slack/canary#x",
        "stepvault://slack/%63anary",
        "stepvault://slack/1canary",
        "stepvault://Slack/canary",
        "stepvault://sl ack/canary",
        "stepvault://slack:/canary",
        "stepvault://:label/canary",
        "stepvault://slack:a:b/canary",
        "stepvault://slack:-a/canary",
        "stepvault://env:a/CANARY",
        "stepvault://env/1CANARY",
        "stepvault://env/CANARY-X",
        "stepvault://env/STEPVAULT_CANARY",
        "stepvault://slack/stepvault://slack/canary",
        "stepvault://slack/can\xc3\xa4ry",
        "stepvault://../canary",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct reference reference;
        struct failure failure;

        if (reference_parse(texts[i], &failure, &reference) != STATUS_INVALID)
            fail_msg("\"%s\" is taken for a reference", texts[i]);
        assert_null(strcasestr(failure.sentence, "canary"));
    }
}

static void the_scheme_is_found_at_the_beginning_and_within(void **state)
{
    (void)state;
    assert_true(reference_begins("stepvault://"));
    assert_false(reference_begins("x stepvault://"));
    assert_false(reference_begins("stepvault:/"));
    assert_true(reference_is_within("a=stepvault://b"));
    assert_false(reference_is_within("a=stepvault:b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_app_a_label_and_a_property_are_taken_apart),
        cmocka_unit_test(a_label_need_not_be_said),
        cmocka_unit_test(env_means_a_variable),
        cmocka_unit_test(the_longest_names_fit_and_longer_ones_are_refused),
        cmocka_unit_test(what_is_no_reference_is_refused_and_not_repeated),
        cmocka_unit_test(the_scheme_is_found_at_the_beginning_and_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
