/* pam/shim_options.c and pam/shim_bridge.c: what the PAM module takes apart itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../pam/no_pam.h"
#include "shim.h"

static char journal[256];
static unsigned lines;

void pam_syslog(const pam_handle_t *pamh, int priority, const char *format, ...)
{
    va_list arguments;

    (void)pamh;
    (void)priority;
    va_start(arguments, format);
    vsnprintf(journal, sizeof(journal), format, arguments);
    va_end(arguments);
    lines++;
}

static void without_options_there_are_defaults(void **state)
{
    struct shim_options options;

    (void)state;
    assert_true(shim_options_read(NULL, 0, NULL, &options));
    assert_string_equal(options.step, "login");
    assert_int_equal(options.deadline_ms, SHIM_DEADLINE_MS);
    assert_false(options.debug);
}

static void options_are_read_in_any_order(void **state)
{
    const char *arguments[] = {"debug", "deadline=60000", "step=work/login"};
    struct shim_options options;

    (void)state;
    assert_true(shim_options_read(NULL, 3, arguments, &options));
    assert_string_equal(options.step, "work/login");
    assert_int_equal(options.deadline_ms, 60000);
    assert_true(options.debug);
}

static void an_option_that_is_none_is_told(void **state)
{
    static const char *const wrong[] = {
        "",
        "Debug",
        "debug=1",
        "step",
        "step=",
        "step=a//b",
        "step=../up",
        "deadline",
        "deadline=",
        "deadline=0",
        "deadline=-1",
        "deadline=60001",
        "deadline=9x",
        "deadline= 9",
        "deadline=010",
        "stpe=login",
        "step=a\nb",
        "deadline=99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *arguments[] = {"debug", wrong[i]};
        struct shim_options options = {.step = "untouched"};
        const unsigned before = lines;

        assert_false(shim_options_read(NULL, 2, arguments, &options));
        assert_string_equal(options.step, "untouched");
        assert_int_equal(lines, before + 1);
        assert_non_null(strstr(journal, wrong[i]));
    }
}

static void what_crosses_is_a_name_and_random_bytes(void **state)
{
    char text[SHIM_BRIDGE_DIGITS + 1 + 2 * MESSAGE_TEXT_MAX + 3] = "0123456789abcdef.";
    char name[SHIM_BRIDGE_DIGITS + 1];
    uint8_t random[MESSAGE_TEXT_MAX];

    (void)state;
    assert_int_equal(shim_bridge_read("0123456789abcdef.00ff10", name, random), 3);
    assert_string_equal(name, "0123456789abcdef");
    assert_memory_equal(random, "\0\xff\x10", 3);
    memset(text + SHIM_BRIDGE_DIGITS + 1, 'a', 2 * (size_t)MESSAGE_TEXT_MAX);
    assert_int_equal(shim_bridge_read(text, name, random), MESSAGE_TEXT_MAX);
    memset(text + SHIM_BRIDGE_DIGITS + 1, 'a', 2 * (size_t)MESSAGE_TEXT_MAX + 2);
    assert_int_equal(shim_bridge_read(text, name, random), 0);
}

static void any_other_text_crosses_nothing(void **state)
{
    static const char *const wrong[] = {
        "",
        "0",
        "0123456789abcdef",
        "0123456789abcdef.",
        "0123456789abcdef.0",
        "0123456789abcdef.00f",
        "0123456789abcdef.0g",
        "0123456789abcdef.0F",
        "0123456789abcdef-00",
        "0123456789abcde.000",
        "0123456789ABCDEF.00",
        "../../etc/shadow.00",
        "../../../shadow/.00",
        "0123456789abcdef.00 ",
    };
    char name[SHIM_BRIDGE_DIGITS + 1];
    uint8_t random[MESSAGE_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(shim_bridge_read(wrong[i], name, random), 0);
}

static void a_title_tells_the_process_that_asks(void **state)
{
    static const char title[] = "sshd: tuser [pam]";

    (void)state;
    assert_true(shim_title_asks(title, sizeof(title)));
    assert_true(shim_title_asks(title, sizeof(title) - 1));
    assert_true(shim_title_asks("[pam]", 5));
    assert_false(shim_title_asks("pam]", 4));
    assert_false(shim_title_asks(title, sizeof(title) - 2));
    assert_false(shim_title_asks("", 0));
    assert_false(shim_title_asks("sshd: [pam] [priv]", 18));
    assert_false(shim_title_asks("sshd: tuser [priv]\0[pam]", 24));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_there_are_defaults),
        cmocka_unit_test(options_are_read_in_any_order),
        cmocka_unit_test(an_option_that_is_none_is_told),
        cmocka_unit_test(what_crosses_is_a_name_and_random_bytes),
        cmocka_unit_test(any_other_text_crosses_nothing),
        cmocka_unit_test(a_title_tells_the_process_that_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
