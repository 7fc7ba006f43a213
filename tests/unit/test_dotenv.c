/* cli/dotenv.c: names and values of .env files, and what is said of a line that is refused. What real readers
 * make of the same files is compared in tests/peers/test_dotenv.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/name.h"
#include "dotenv.h"

static enum status parse(const char *text, enum dotenv_dialect dialect, struct failure *failure,
                         struct dotenv *ret_dotenv)
{
    return dotenv_parse(text, strlen(text), ".env", dialect, NULL, failure, ret_dotenv);
}

static void entries_have_name_value_and_line(void **state)
{
    CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(
        parse("# keys\n\nA=b\n  export PEM='one\ntwo\n' # x\nEMPTY=", DOTENV_STRICT, &failure, &dotenv),
        STATUS_OK);
    assert_int_equal(dotenv.count, 3);
    assert_string_equal(dotenv.entries[0].name, "A");
    assert_string_equal(dotenv.entries[0].value, "b");
    assert_int_equal(dotenv.entries[0].line, 3);
    assert_string_equal(dotenv.entries[1].name, "PEM");
    assert_string_equal(dotenv.entries[1].value, "one\ntwo\n");
    assert_int_equal(dotenv.entries[1].value_size, 8);
    assert_int_equal(dotenv.entries[1].line, 4);
    assert_string_equal(dotenv.entries[2].name, "EMPTY");
    assert_int_equal(dotenv.entries[2].value_size, 0);
    assert_int_equal(dotenv.entries[2].line, 7);
    assert_int_equal(dotenv.quoted_line, 4);
    assert_int_equal(dotenv.repeated, 0);
}

static void a_refusal_names_line_and_reason_and_who_takes_it(void **state)
{
    static const struct {
        const char *text;
        enum dotenv_dialect dialect;
        const char *sentence;
    } cases[] = {
  /* clang-format off */
        {"A=b\nTOKEN=\"a$b\"\n", DOTENV_STRICT,
         ".env, line 2: TOKEN: a shell expands $ in double quotes; in '...' all would read it alike; "
         "--dialect node, python would take it"},
        {"A='${b}'\n", DOTENV_STRICT,
         ".env, line 1: A: python-dotenv expands ${, even in single quotes; --dialect node, shell would take it"},
        {"A=\"a\\nb\"\n", DOTENV_STRICT,
         ".env, line 1: A: the readers undo different escapes of a backslash; "
         "--dialect node, python, shell would take it"},
        {"A=b # c\n", DOTENV_STRICT,
         ".env, line 1: A: the readers differ on where a comment begins behind an unquoted value; "
         "--dialect node, python, shell, docker would take it"},
        {"A=b \n", DOTENV_STRICT,
         ".env, line 1: A: docker keeps blanks at the end of an unquoted value, the others do not; "
         "in '...' all would read it alike; --dialect node, python, shell, docker would take it"},
        {"A=b c\n", DOTENV_STRICT,
         ".env, line 1: A: a shell runs what follows an unquoted blank as a command; "
         "in '...' all would read it alike; --dialect node, python, docker would take it"},
        {"A='b\nC=d\n", DOTENV_STRICT, ".env, line 1: A: its quote is not closed"},
        {"A=1\r\n", DOTENV_STRICT,
         ".env, line 1: A: a shell keeps a carriage return as part of the value; "
         "--dialect node, python, docker would take it"},
        {"\xef\xbb\xbf" "A=1\n", DOTENV_STRICT,
         ".env, line 1: a byte order mark, which python-dotenv and a shell take for part of the line"},
        {"A=1\nB=\xff\n", DOTENV_STRICT, ".env, line 2: bytes that are not UTF-8"},
        {"A=1\nhunter2\n", DOTENV_STRICT, ".env, line 2: no = follows its name"},
        {"A=1\n9hunter\n", DOTENV_STRICT, ".env, line 2: it does not begin with the name of a variable"},
        {"A=1\nB=2\nA=1\n", DOTENV_STRICT,
         ".env, line 3: A is set again, after line 1; with --dialect the last one counts"},
        {"A=1\nA=1\n", DOTENV_STRICT,
         ".env, line 2: A is set again, after line 1; with --dialect the last one counts"},
        {"A=1\nhunter2\n", DOTENV_DOCKER,
         ".env, line 2: no = follows its name, and docker takes the value from its own environment"},
        {"A=$(id)\n", DOTENV_SHELL, ".env, line 1: a shell expands $"},
        {"A=${B}\n", DOTENV_PYTHON, ".env, line 1: python-dotenv expands ${, even in single quotes"},
  /* clang-format on */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
        struct failure failure = {0};

        assert_int_equal(parse(cases[i].text, cases[i].dialect, &failure, &dotenv), STATUS_INVALID);
        assert_string_equal(failure.sentence, cases[i].sentence);
        assert_null(dotenv.entries);
    }
}

static void a_nul_byte_is_refused_in_every_dialect(void **state)
{
    (void)state;
    for (enum dotenv_dialect dialect = 0; dialect < DOTENV_DIALECTS; dialect++) {
        CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
        struct failure failure = {0};

        assert_int_equal(dotenv_parse("A=1\nB=2\0", 8, ".env", dialect, NULL, &failure, &dotenv),
                         STATUS_INVALID);
        assert_string_equal(failure.sentence, ".env, line 2: a NUL byte, which no variable can hold");
    }
}

static void in_a_dialect_the_last_of_a_name_counts(void **state)
{
    CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(parse("A=1\nB=2\nA=3\nA=4\nC=5\n", DOTENV_NODE, &failure, &dotenv), STATUS_OK);
    assert_int_equal(dotenv.count, 3);
    assert_int_equal(dotenv.repeated, 2);
    assert_string_equal(dotenv.entries[0].name, "A");
    assert_string_equal(dotenv.entries[0].value, "4");
    assert_int_equal(dotenv.entries[0].line, 4);
    assert_string_equal(dotenv.entries[1].name, "B");
    assert_string_equal(dotenv.entries[2].name, "C");
}

static void names_values_and_files_have_bounds(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct failure failure;

    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
        enum status wanted = over == 0 ? STATUS_OK : STATUS_TOO_LARGE;

        secret_clear(&text);
        for (size_t i = 0; i < NAME_VARIABLE_MAX + over; i++)
            assert_true(secret_append_byte(&text, 'N'));
        assert_true(secret_append_text(&text, "=1\n"));
        assert_int_equal(dotenv_parse(text.bytes, text.size, ".env", DOTENV_STRICT, NULL, &failure, &dotenv),
                         wanted);
        dotenv_reset(&dotenv);

        secret_clear(&text);
        assert_true(secret_append_text(&text, "BIG='"));
        for (size_t i = 0; i < NAME_VALUE_MAX + over; i++)
            assert_true(secret_append_byte(&text, 'v'));
        assert_true(secret_append_text(&text, "'\n"));
        assert_int_equal(dotenv_parse(text.bytes, text.size, ".env", DOTENV_STRICT, NULL, &failure, &dotenv),
                         wanted);
    }
    assert_string_equal(failure.sentence,
                        ".env, line 1: the value of BIG is larger than 64 KiB (65536 bytes)");
    assert_int_equal(
        dotenv_parse("", DOTENV_SIZE_MAX + 1u, ".env", DOTENV_STRICT, NULL, &failure, &(struct dotenv){0}),
        STATUS_TOO_LARGE);
}

/* Of the processor: what else the machine does is not counted. */
static double seconds_for(size_t lines, struct secret *text)
{
    CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
    struct timespec before, after;
    struct failure failure;

    text->size = 0;
    for (size_t i = 0; i < lines; i++)
        assert_true(secret_append_format(text, "NAME_%zu=\"a value of some length\" # c\n", i));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    assert_int_equal(dotenv_parse(text->bytes, text->size, ".env", DOTENV_STRICT, NULL, &failure, &dotenv),
                     STATUS_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_int_equal(dotenv.count, lines);
    return (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

static void a_hundred_thousand_lines_take_about_ten_times_as_long_as_ten_thousand(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    double few = seconds_for(10000, &text);
    double many = seconds_for(100000, &text);

    (void)state;
    /* Ten times, and room for caches that are somebody else's, tried three times; quadratic would be a
     * hundred. */
    for (int tries = 1; tries < 3 && many >= 40 * few + 0.05; tries++)
        many = seconds_for(100000, &text);
    assert_true(many < 40 * few + 0.05);
}

static void dialects_are_named(void **state)
{
    struct failure failure;

    (void)state;
    for (enum dotenv_dialect i = 0; i < DOTENV_DIALECTS; i++) {
        enum dotenv_dialect found = DOTENV_DIALECTS;

        assert_int_equal(dotenv_dialect_named(dotenv_dialect_name(i), &failure, &found), STATUS_OK);
        assert_int_equal(found, i);
    }
    assert_int_equal(dotenv_dialect_named("bash", &failure, &(enum dotenv_dialect){0}), STATUS_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_have_name_value_and_line),
        cmocka_unit_test(a_refusal_names_line_and_reason_and_who_takes_it),
        cmocka_unit_test(a_nul_byte_is_refused_in_every_dialect),
        cmocka_unit_test(in_a_dialect_the_last_of_a_name_counts),
        cmocka_unit_test(names_values_and_files_have_bounds),
        cmocka_unit_test(a_hundred_thousand_lines_take_about_ten_times_as_long_as_ten_thousand),
        cmocka_unit_test(dialects_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
