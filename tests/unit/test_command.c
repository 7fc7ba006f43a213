/* cli/command.c: the table holds together, and unknown commands are met with the nearest one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "command.h"

static bool has_option(const struct option_rule *rules, const char *name)
{
    for (; rules != NULL && rules->name != NULL; rules++) {
        if (strcmp(rules->name, name) == 0)
            return true;
    }
    return false;
}

static void every_row_says_what_it_is(void **state)
{
    char words[COMMAND_WORDS_SIZE];

    (void)state;
    struct command_walk walk = {0};
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        assert_non_null(command->run);
        assert_non_null(command->usage);
        assert_true(strlen(command->summary) > 0 && strlen(command->summary) < 50);
        assert_true(strlen(command->help) > strlen(command->summary));
        assert_true(command->least <= command->most);
        assert_true(strlen(command_words(command, words)) < COMMAND_WORDS_SIZE - 1);
        assert_ptr_equal(command_find(command->name, command->subcommand), command);
        assert_int_equal(command_is_group(command->name), command->subcommand != NULL);
    }
}

static void members_come_from_options_and_arguments_that_exist(void **state)
{
    (void)state;
    struct command_walk walk = {0};
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        for (const struct command_member *member = command->members; member != NULL && member->name != NULL;
             member++) {
            if (member->source == MEMBER_ARGUMENT)
                assert_true(member->argument < command->most);
            else
                assert_true(has_option(command->options, member->option));
        }
        if (command->run == command_call)
            assert_non_null(command->method);
    }
}

static void no_option_is_declared_twice_or_hides_a_common_one(void **state)
{
    (void)state;
    struct command_walk walk = {0};
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        for (const struct option_rule *rule = command->options; rule != NULL && rule->name != NULL; rule++) {
            assert_false(has_option(rule + 1, rule->name));
            assert_false(has_option(command_common_options, rule->name));
            assert_true(strlen(rule->help) > 0);
        }
    }
}

static void assert_unknown(const char *name, const char *subcommand, const char *sentence)
{
    struct failure failure = {.sentence = ""};

    assert_int_equal(command_unknown(name, subcommand, &failure), STATUS_USAGE);
    assert_string_equal(failure.sentence, sentence);
}

static void an_unknown_command_is_met_with_the_nearest(void **state)
{
    (void)state;
    assert_null(command_find("slot", NULL));
    assert_null(command_find("lock", "all"));
    assert_unknown("unlok", NULL, "there is no command unlok; did you mean unlock?");
    assert_unknown("frobnicate", NULL, "there is no command frobnicate");
    assert_unknown("slot", "ad", "there is no command slot ad; did you mean slot add?");
    assert_unknown("slot", "frobnicate", "slot is followed by one of list, add, remove");
    assert_unknown("slot", NULL, "slot is followed by one of list, add, remove");
    assert_unknown("lock", "all", "the command lock has no subcommands");
}

static void an_argument_that_was_not_given_is_null(void **state)
{
    char *arguments[] = {(char[]){"a"}};
    const struct invocation invocation = {
        .options = {.arguments = arguments, .argument_count = 1}
    };

    (void)state;
    assert_string_equal(command_argument(&invocation, 0), "a");
    assert_null(command_argument(&invocation, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_says_what_it_is),
        cmocka_unit_test(members_come_from_options_and_arguments_that_exist),
        cmocka_unit_test(no_option_is_declared_twice_or_hides_a_common_one),
        cmocka_unit_test(an_unknown_command_is_met_with_the_nearest),
        cmocka_unit_test(an_argument_that_was_not_given_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
