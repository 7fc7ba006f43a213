/* cli/command.c: the table holds together, and unknown commands are met with the nearest one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "command.h"
#include "value.h"

#define SCREEN_LINES 24
#define SCREEN_COLUMNS 80

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

/* `env set: what is wrong`, for whoever adds a row. */
#define FAIL_ROW(command, ...)                                                                               \
    do {                                                                                                     \
        char words_of_row[COMMAND_WORDS_SIZE];                                                               \
        print_error("%s: ", command_words(command, words_of_row));                                           \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

static void every_argument_has_a_name_that_says_what_it_is(void **state)
{
    (void)state;
    struct command_walk walk = {0};
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        size_t named = 0;

        while (named < COMMAND_ARGUMENTS_MAX && command->arguments[named] != NULL)
            named++;
        if (command->run != cmd_launch && command->most != COMMAND_ANY_NUMBER && named != command->most)
            FAIL_ROW(command, ".arguments names %zu arguments, and .most is %zu", named, command->most);
        for (size_t i = 0; i < named; i++) {
            if (value_kind_of(command->arguments[i]) == VALUE_UNKNOWN)
                FAIL_ROW(command, "cli/value.c does not know the argument %s", command->arguments[i]);
        }
    }
}

static void every_value_of_an_option_has_a_name_that_says_what_it_is(void **state)
{
    (void)state;
    struct command_walk walk = {0};
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        for (const struct option_rule *rule = command->options; rule != NULL && rule->name != NULL; rule++) {
            if (rule->value != NULL && value_kind_of(rule->value) == VALUE_UNKNOWN)
                FAIL_ROW(command,
                         "cli/value.c does not know the value %s of --%s; where it is one of some words, "
                         "call it one|two",
                         rule->value, rule->name);
        }
    }
}

static bool begins_with(const char *text, const char *beginning)
{
    return text != NULL && strncmp(text, beginning, strlen(beginning)) == 0;
}

static void what_prints_an_answer_can_print_it_as_json(void **state)
{
    static const char *const answers[] = {"List",   "Show",   "Get",        "Read",
                                          "Status", "Verify", "Checkpoint", "LogKey"};

    (void)state;
    struct command_walk walk = {0};
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
            if (begins_with(command->method, answers[i]) && !has_option(command->options, "json"))
                FAIL_ROW(command, "prints what %s answers, and has no --json", command->method);
        }
        if (has_option(command->options, "json") && strstr(command->usage, "--json") == NULL)
            FAIL_ROW(command, "its usage does not say --json");
    }
}

static void choices_are_walked_word_by_word(void **state)
{
    const char *word = NULL;
    size_t length = 0;
    size_t position = 0;

    (void)state;
    assert_true(value_next_choice("env|auths", &position, &word, &length));
    assert_int_equal(length, 3);
    assert_memory_equal(word, "env", 3);
    assert_true(value_next_choice("env|auths", &position, &word, &length));
    assert_int_equal(length, 5);
    assert_memory_equal(word, "auths", 5);
    assert_false(value_next_choice("env|auths", &position, &word, &length));
    assert_int_equal(value_kind_of("env|auths"), VALUE_CHOICE);
    assert_int_equal(value_kind_of("FILE|-"), VALUE_FILE);
    assert_int_equal(value_kind_of("FROBNICATION"), VALUE_UNKNOWN);
}

/* What cmd_help_print writes to stdout; NUL-terminated. */
static void read_help(const char *name, const char *subcommand, char *page, size_t size)
{
    struct failure failure = {.sentence = ""};
    CLEANUP(cleanup_close) int captured = memfd_create("help", MFD_CLOEXEC);
    CLEANUP(cleanup_close) int kept = dup(STDOUT_FILENO);
    ssize_t got;

    fflush(stdout);
    dup2(captured, STDOUT_FILENO);
    assert_int_equal(cmd_help_print(name, subcommand, &failure), STATUS_OK);
    dup2(kept, STDOUT_FILENO);
    got = pread(captured, page, size - 1, 0);
    assert_true(got > 0);
    page[got] = '\0';
}

static void assert_fits_a_screen(const char *name, const char *subcommand)
{
    char page[16384];
    const char *shown = name != NULL ? name : "";
    const char *more = subcommand != NULL ? subcommand : "";
    unsigned lines = 0;

    read_help(name, subcommand, page, sizeof(page));
    for (char *line = page; *line != '\0'; line += strcspn(line, "\n") + 1) {
        lines++;
        if (strcspn(line, "\n") >= SCREEN_COLUMNS)
            fail_msg("stepvault help %s %s: line %u is wider than a screen", shown, more, lines);
    }
    if (lines > SCREEN_LINES)
        fail_msg("stepvault help %s %s has %u lines, and a screen %d", shown, more, lines, SCREEN_LINES);
}

static void every_help_fits_a_screen(void **state)
{
    (void)state;
    struct command_walk walk = {0};
    assert_fits_a_screen(NULL, NULL);
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        assert_fits_a_screen(command->name, command->subcommand);
        if (command->subcommand != NULL)
            assert_fits_a_screen(command->name, NULL);
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
        cmocka_unit_test(every_argument_has_a_name_that_says_what_it_is),
        cmocka_unit_test(every_value_of_an_option_has_a_name_that_says_what_it_is),
        cmocka_unit_test(what_prints_an_answer_can_print_it_as_json),
        cmocka_unit_test(choices_are_walked_word_by_word),
        cmocka_unit_test(every_help_fits_a_screen),
        cmocka_unit_test(an_unknown_command_is_met_with_the_nearest),
        cmocka_unit_test(an_argument_that_was_not_given_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
