/* cli/preference.c: words of a file, and cli/identity.c: labels out of what people are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/name.h"
#include "identity.h"
#include "preference.h"

static void words_are_taken_in_any_order_and_layout(void **state)
{
    struct failure failure = {.sentence = ""};
    struct preference preference = {0};

    (void)state;
    assert_int_equal(preference_parse("", "f", &failure, &preference), STATUS_OK);
    assert_false(preference.no_browser || preference.device || preference.paste);
    assert_int_equal(preference_parse(" paste\r\n\tno-browser \n", "f", &failure, &preference), STATUS_OK);
    assert_true(preference.no_browser && preference.paste && !preference.device);
    assert_int_equal(preference_parse("device", "f", &failure, &preference), STATUS_OK);
    assert_true(preference.device && !preference.no_browser);
}

static void a_word_that_is_none_is_refused_with_the_file(void **state)
{
    static const char *const others[] = {"browser",      "no-browse", "no-browsers",
                                         "device,paste", "Device",    "#device"};
    struct failure failure = {.sentence = ""};
    struct preference preference = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(preference_parse(others[i], "the file", &failure, &preference), STATUS_INVALID);
        assert_non_null(strstr(failure.sentence, "the file has a word"));
        assert_null(strstr(failure.sentence, "#device"));
    }
}

static void assert_label(const char *base, const char *expected)
{
    struct failure failure;
    char label[NAME_LABEL_MAX + 1];

    identity_make_label(base, label);
    assert_string_equal(label, expected);
    assert_true(label[0] == '\0' || name_check_label(label, &failure) == STATUS_OK);
}

static void a_label_is_made_of_what_somebody_is_called(void **state)
{
    (void)state;
    assert_label("ann@example.com", "ann@example.com");
    assert_label("Ann B. Smith", "Ann-B.-Smith");
    assert_label("  (Ann)  ", "Ann");
    assert_label("M\303\274ller", "M-ller");
    assert_label("\346\227\245\346\234\254", "");
    assert_label("a:b/c", "a-b-c");
    assert_label("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbb",
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_taken_in_any_order_and_layout),
        cmocka_unit_test(a_word_that_is_none_is_refused_with_the_file),
        cmocka_unit_test(a_label_is_made_of_what_somebody_is_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
