/* cli/option.c: options by table, and what is said of a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "option.h"

static const struct option_rule rules[] = {
    {"at",     "PATH", false, "where"},
    {"only",   "NAME", true, "which"},
    {"raw",        NULL, false, "as is"},
    {"fd","N", false, "where"},
    {"count", "N", false, "how many"},
    {"form",    "granted|refused", true, "which"},
    {0  },
};
static const struct option_rule common[] = {
    {"help", NULL, false, "help"},
    {0},
};

static enum status parse(char *const argv[], struct failure *failure, struct option_values *ret_values)
{
    size_t count = 0;

    while (argv[count] != NULL)
        count++;
    return option_parse(rules, common, count, argv, failure, ret_values);
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define WORD(text) ((char[]){text})

static void assert_wrong(char *const argv[], const char *sentence)
{
    struct failure failure = {.sentence = ""};
    struct option_values values = {0};

    assert_int_equal(parse(argv, &failure, &values), STATUS_USAGE);
    assert_string_equal(failure.sentence, sentence);
    assert_null(values.given);
}

static void options_stand_before_and_after_arguments(void **state)
{
    struct failure failure;
    CLEANUP(option_values_reset) struct option_values values = {0};
    char *const *argv = WORDS(WORD("--at"), WORD("a/b"), WORD("NAME"), WORD("--raw"), WORD("-"));

    (void)state;
    assert_int_equal(parse(argv, &failure, &values), STATUS_OK);
    assert_string_equal(option_text(&values, "at"), "a/b");
    assert_true(option_flag(&values, "raw"));
    assert_false(option_flag(&values, "help"));
    assert_null(option_text(&values, "only"));
    assert_int_equal(values.argument_count, 2);
    assert_string_equal(values.arguments[0], "NAME");
    assert_string_equal(values.arguments[1], "-");
}

static void a_value_may_follow_an_equals_sign_and_be_empty(void **state)
{
    struct failure failure;
    CLEANUP(option_values_reset) struct option_values values = {0};
    char *const *argv = WORDS(WORD("--at="), WORD("--only=a=b"));

    (void)state;
    assert_int_equal(parse(argv, &failure, &values), STATUS_OK);
    assert_string_equal(option_text(&values, "at"), "");
    assert_string_equal(option_text(&values, "only"), "a=b");
}

static void two_dashes_end_the_options(void **state)
{
    struct failure failure;
    CLEANUP(option_values_reset) struct option_values values = {0};
    char *const *argv = WORDS(WORD("--"), WORD("--at"), WORD("--"));

    (void)state;
    assert_int_equal(parse(argv, &failure, &values), STATUS_OK);
    assert_int_equal(values.argument_count, 2);
    assert_string_equal(values.arguments[0], "--at");
    assert_string_equal(values.arguments[1], "--");
}

static void a_repeatable_option_keeps_its_order(void **state)
{
    struct failure failure;
    CLEANUP(option_values_reset) struct option_values values = {0};
    char *const *argv = WORDS(WORD("--only"), WORD("b"), WORD("--raw"), WORD("--only=a"));
    size_t position = 0;

    (void)state;
    assert_int_equal(parse(argv, &failure, &values), STATUS_OK);
    assert_string_equal(option_next(&values, "only", &position), "b");
    assert_string_equal(option_next(&values, "only", &position), "a");
    assert_null(option_next(&values, "only", &position));
}

static void a_letter_stands_for_its_word_where_the_command_has_it(void **state)
{
    static const struct option_rule files[] = {
        {"in-file", "FILE", false, "."},
        {"out-file",    "FILE", false, "."},
        {0        },
    };
    char *good[] = {(char *)"-i", (char *)"a=b", (char *)"-o", (char *)"-", NULL};
    char *glued[] = {(char *)"-ifile", NULL};
    char *other[] = {(char *)"-i", (char *)"a", NULL};
    CLEANUP(option_values_reset) struct option_values values = {0};
    CLEANUP(option_values_reset) struct option_values none = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(option_parse(files, NULL, 4, good, &failure, &values), STATUS_OK);
    assert_string_equal(option_text(&values, "in-file"), "a=b");
    assert_string_equal(option_text(&values, "out-file"), "-");
    assert_int_equal(option_parse(files, NULL, 1, glued, &failure, &none), STATUS_USAGE);
    assert_int_equal(option_parse(NULL, NULL, 2, other, &failure, &none), STATUS_USAGE);
    assert_non_null(strstr(failure.sentence, "there is no option -i"));
}

static void a_wrong_option_is_named_with_the_nearest_one(void **state)
{
    (void)state;
    assert_wrong(WORDS(WORD("--onyl=s3cret")), "there is no option --onyl here; did you mean --only?");
    assert_wrong(WORDS(WORD("--hlep")), "there is no option --hlep here; did you mean --help?");
    assert_wrong(WORDS(WORD("--password=s3cret")), "there is no option --password here");
    assert_wrong(WORDS(WORD("-r")), "there is no option -r; options are whole words after two dashes");
}

static void values_are_wanted_or_not(void **state)
{
    (void)state;
    assert_wrong(WORDS(WORD("--at")), "--at wants PATH after it");
    assert_wrong(WORDS(WORD("--raw=yes")), "--raw takes no value");
    assert_wrong(WORDS(WORD("--at"), WORD("a"), WORD("--at=b")), "--at is given twice");
}

static void a_choice_is_one_of_its_words(void **state)
{
    struct failure failure;
    CLEANUP(option_values_reset) struct option_values values = {0};
    char *const *argv = WORDS(WORD("--form"), WORD("refused"), WORD("--form=granted"));

    (void)state;
    assert_int_equal(parse(argv, &failure, &values), STATUS_OK);
    assert_wrong(WORDS(WORD("--form=grantde")), "--form is one of granted|refused; did you mean granted?");
    assert_wrong(WORDS(WORD("--form"), WORD("s3cret")), "--form is one of granted|refused");
    assert_wrong(WORDS(WORD("--form"), WORD("")), "--form is one of granted|refused");
    assert_wrong(WORDS(WORD("--form"), WORD("granted|refused")), "--form is one of granted|refused");
}

static void numbers_and_descriptors_are_checked(void **state)
{
    struct failure failure = {.sentence = ""};
    CLEANUP(option_values_reset) struct option_values values = {0};
    char *const *argv = WORDS(WORD("--fd=2"), WORD("--count=70"));
    uint64_t number = 0;
    int descriptor = 0;

    (void)state;
    assert_int_equal(parse(argv, &failure, &values), STATUS_OK);
    assert_int_equal(option_descriptor(&values, "fd", &failure, &descriptor), STATUS_OK);
    assert_int_equal(descriptor, 2);
    assert_int_equal(option_descriptor(&values, "absent", &failure, &descriptor), STATUS_OK);
    assert_int_equal(descriptor, -1);
    assert_int_equal(option_number(&values, "count", 70, 5, &failure, &number), STATUS_OK);
    assert_int_equal(number, 70);
    assert_int_equal(option_number(&values, "absent", 70, 5, &failure, &number), STATUS_OK);
    assert_int_equal(number, 5);
    assert_int_equal(option_number(&values, "count", 69, 5, &failure, &number), STATUS_USAGE);
    assert_string_equal(failure.sentence, "--count wants a whole number up to 69");
}

static void a_closed_descriptor_is_refused(void **state)
{
    struct failure failure = {.sentence = ""};
    CLEANUP(option_values_reset) struct option_values values = {0};
    char *const *argv = WORDS(WORD("--fd=999999"));
    int descriptor = 0;

    (void)state;
    assert_int_equal(parse(argv, &failure, &values), STATUS_OK);
    assert_int_equal(option_descriptor(&values, "fd", &failure, &descriptor), STATUS_USAGE);
    assert_int_equal(descriptor, -1);
    assert_string_equal(failure.sentence, "--fd 999999 is no open descriptor: Bad file descriptor");
}

static void a_short_word_is_near_to_nothing(void **state)
{
    struct option_nearest nearest = {.wanted = "xy"};

    (void)state;
    option_consider(&nearest, "at");
    assert_null(nearest.name);
    nearest.wanted = "statu";
    option_consider(&nearest, "step");
    option_consider(&nearest, "status");
    assert_string_equal(nearest.name, "status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_and_after_arguments),
        cmocka_unit_test(a_value_may_follow_an_equals_sign_and_be_empty),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_repeatable_option_keeps_its_order),
        cmocka_unit_test(a_letter_stands_for_its_word_where_the_command_has_it),
        cmocka_unit_test(a_wrong_option_is_named_with_the_nearest_one),
        cmocka_unit_test(values_are_wanted_or_not),
        cmocka_unit_test(a_choice_is_one_of_its_words),
        cmocka_unit_test(numbers_and_descriptors_are_checked),
        cmocka_unit_test(a_closed_descriptor_is_refused),
        cmocka_unit_test(a_short_word_is_near_to_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
