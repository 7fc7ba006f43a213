/* vault/base/status.c: the table of outcomes, and what a failure's sentence may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

#include <errno.h>

static void assert_sentence(const char *given, const char *expected)
{
    struct failure failure;

    failure_set(&failure, STATUS_INVALID, "%s", given);
    assert_string_equal(failure.sentence, expected);
}

static void every_status_has_its_own_name_and_a_sentence(void **state)
{
    (void)state;
    for (int status = STATUS_OK; status < STATUS_COUNT; status++) {
        assert_non_null(status_wire_name((enum status)status));
        assert_true(strlen(status_sentence((enum status)status)) > 0);
        if (status != STATUS_OK)
            assert_int_equal(status_from_wire_name(status_wire_name((enum status)status)), status);
    }
}

static void wire_names_are_those_of_the_interface(void **state)
{
    (void)state;
    assert_string_equal(status_wire_name(STATUS_NO_MEMORY), "NoMemory");
    assert_string_equal(status_wire_name(STATUS_LOG_UNWRITABLE), "LogUnwritable");
    assert_string_equal(status_wire_name(STATUS_KEY_REQUIRED), "KeyRequired");
    assert_int_equal(status_from_wire_name("OtherVault"), STATUS_OTHER_VAULT);
    assert_string_equal(status_wire_name(STATUS_NEEDS_RECONNECT), "NeedsReconnect");
    assert_string_equal(status_wire_name(STATUS_TOKEN_UNAVAILABLE), "TokenUnavailable");
}

static void an_unknown_wire_name_is_a_failure_never_success(void **state)
{
    (void)state;
    assert_int_equal(status_from_wire_name("Ok"), STATUS_FAILED);
    assert_int_equal(status_from_wire_name(""), STATUS_FAILED);
    assert_int_equal(status_from_wire_name("locked"), STATUS_FAILED);
    assert_string_equal(status_wire_name((enum status)99), "Failed");
    assert_int_equal(status_exit((enum status) - 1), 1);
}

static void exit_statuses_tell_usage_locked_and_not_found_apart(void **state)
{
    (void)state;
    assert_int_equal(status_exit(STATUS_OK), 0);
    assert_int_equal(status_exit(STATUS_USAGE), 2);
    assert_int_equal(status_exit(STATUS_LOCKED), 3);
    assert_int_equal(status_exit(STATUS_NOT_FOUND), 4);
    assert_int_equal(status_exit(STATUS_NO_VAULT), 4);
    assert_int_equal(status_exit(STATUS_INVALID), 1);
    assert_int_equal(status_exit(STATUS_TIMEOUT), 1);
    assert_int_equal(status_exit(STATUS_NEEDS_RECONNECT), 1);
    assert_int_equal(status_exit(STATUS_TOKEN_UNAVAILABLE), 1);
}

static void a_failure_keeps_its_status_and_returns_it(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(failure_set(&failure, STATUS_DENIED, "no %s for %d", "keys", 7), STATUS_DENIED);
    assert_int_equal(failure.status, STATUS_DENIED);
    assert_string_equal(failure.sentence, "no keys for 7");
    assert_int_equal(failure_set_errno(&failure, STATUS_FAILED, ENOENT, "cannot open %s", "x"),
                     STATUS_FAILED);
    assert_string_equal(failure.sentence, "cannot open x: No such file or directory");
}

static void a_sentence_may_be_made_from_the_one_it_replaces(void **state)
{
    struct failure failure;

    (void)state;
    failure_set(&failure, STATUS_FAILED, "inner");
    failure_set(&failure, STATUS_CORRUPT, "outer: %s", failure.sentence);
    assert_string_equal(failure.sentence, "outer: inner");
}

static void bytes_that_could_steer_a_terminal_are_replaced(void **state)
{
    (void)state;
    assert_sentence("a\x1b[31mb\nc\td\x7f", "a?[31mb?c?d?");
    assert_sentence("C1 \xc2\x9b"
                    "31m",
                    "C1 ?31m");
    assert_sentence("bidi \xe2\x80\xae"
                    "x \xe2\x81\xa6y \xd8\x9cz",
                    "bidi ?x ?y ?z");
    assert_sentence("hidden \xe2\x80\x8b"
                    "x\xef\xbb\xbf\xe2\x81\xa0",
                    "hidden ?x??");
}

static void well_formed_utf8_is_kept_and_the_rest_is_not(void **state)
{
    (void)state;
    assert_sentence("h\xc3\xbcte \xe2\x82\xac \xf0\x9f\x94\x91 \xc2\xa0",
                    "h\xc3\xbcte \xe2\x82\xac \xf0\x9f\x94\x91 \xc2\xa0");
    assert_sentence("\xff\xc3", "??");
    assert_sentence("\xed\xa0\x80", "???");
    assert_sentence("\xe2\x82", "??");
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
    struct failure failure;
    char text[3 * FAILURE_SENTENCE_MAX];
    size_t length;

    (void)state;
    for (size_t at = 0; at + 1 < sizeof(text); at += 2)
        memcpy(text + at, "\xc3\xbc", 2);
    text[sizeof(text) - 2] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        failure_set(&failure, STATUS_FAILED, "%s%s", shift == 0 ? "" : "a", text);
        length = strlen(failure.sentence);
        assert_true(length >= FAILURE_SENTENCE_MAX - 5 && length < FAILURE_SENTENCE_MAX);
        assert_string_equal(failure.sentence + length - 3, "...");
        assert_int_equal((uint8_t)failure.sentence[length - 4], 0xbc);
    }
    failure_set_errno(&failure, STATUS_FAILED, EIO, "%.*s", FAILURE_SENTENCE_MAX - 10, text);
    assert_string_equal(failure.sentence + strlen(failure.sentence) - 3, "...");
}

static void a_sentence_that_just_fits_is_not_cut(void **state)
{
    struct failure failure;
    char text[FAILURE_SENTENCE_MAX];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[FAILURE_SENTENCE_MAX - 4] = '\0';
    failure_set(&failure, STATUS_FAILED, "%s", text);
    assert_string_equal(failure.sentence, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_name_and_a_sentence),
        cmocka_unit_test(wire_names_are_those_of_the_interface),
        cmocka_unit_test(an_unknown_wire_name_is_a_failure_never_success),
        cmocka_unit_test(exit_statuses_tell_usage_locked_and_not_found_apart),
        cmocka_unit_test(a_failure_keeps_its_status_and_returns_it),
        cmocka_unit_test(a_sentence_may_be_made_from_the_one_it_replaces),
        cmocka_unit_test(bytes_that_could_steer_a_terminal_are_replaced),
        cmocka_unit_test(well_formed_utf8_is_kept_and_the_rest_is_not),
        cmocka_unit_test(a_long_sentence_is_cut_between_characters),
        cmocka_unit_test(a_sentence_that_just_fits_is_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
