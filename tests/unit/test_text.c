/* vault/base/text.c: encodings, escapes and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    static const struct {
        const char *bytes;
        bool well_formed;
    } cases[] = {
        {"",                                                                      true },
        {"plain",                                                                 true },
        {"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf", true },
        {"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",                                     true },
        {"\x80",                                                                  false},
        {"\xc1\xbf",                                                              false},
        {"\xe0\x9f\xbf",                                                          false},
        {"\xed\xa0\x80",                                                          false},
        {"\xf0\x8f\xbf\xbf",                                                      false},
        {"\xf4\x90\x80\x80",                                                      false},
        {"\xf5\x80\x80\x80",                                                      false},
        {"\xc3",                                                                  false},
        {"\xe2\x82",                                                              false},
        {"\xe2\x82z",                                                             false},
        {"\xf0\x9f\x94",                                                          false},
        {"\xc3(",                                                                 false},
    };

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
        assert_int_equal(text_is_utf8(cases[at].bytes, strlen(cases[at].bytes)), cases[at].well_formed);
    assert_false(text_is_utf8("a\0b", 3));
    assert_int_equal(text_utf8_sequence("\xe2\x82\xac", 3), 3);
    assert_int_equal(text_utf8_sequence("", 0), 0);
}

static void what_is_not_plain_becomes_one_question_mark(void **state)
{
    char text[] = "a\x1b[2J\x7f h\xc3\xbc \xe2\x80\xae \xe2\x81\xa0 \xc2\x9b \xff\xc3";
    char plain[] = "gr\xc3\xbc\xc3\x9f \xf0\x9f\x94\x91";
    char hidden[] =
        "\xc2\xad \xe1\xa0\x8e \xef\xbf\xb9 \xf3\xa0\x81\xa1 \xf3\xa0\x84\x80 \xe2\x9d\xa4\xef\xb8\x8f";
    char empty[] = "";

    (void)state;
    assert_int_equal(text_make_plain(hidden), 16);
    assert_string_equal(hidden, "? ? ? ? ? \xe2\x9d\xa4\xef\xb8\x8f");
    assert_int_equal(text_make_plain(text), 19);
    assert_string_equal(text, "a?[2J? h\xc3\xbc ? ? ? ??");
    assert_int_equal(text_make_plain(plain), sizeof(plain) - 1);
    assert_string_equal(plain, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x94\x91");
    assert_int_equal(text_make_plain(empty), 0);
}

static void hexadecimal_has_one_spelling(void **state)
{
    const uint8_t bytes[] = {0x00, 0x0f, 0xa9, 0xff};
    uint8_t read[4] = {0};
    char text[9];

    (void)state;
    text_to_hex(text, bytes, sizeof(bytes));
    assert_string_equal(text, "000fa9ff");
    assert_true(text_from_hex(read, sizeof(read), "000fa9ff"));
    assert_memory_equal(read, bytes, sizeof(bytes));
    assert_false(text_from_hex(read, sizeof(read), "000FA9FF"));
    assert_false(text_from_hex(read, sizeof(read), "000fa9f"));
    assert_false(text_from_hex(read, sizeof(read), "000fa9ff0"));
    assert_false(text_from_hex(read, sizeof(read), "000fa9fg"));
    assert_true(text_from_hex(read, 0, ""));
}

static void base64_has_the_vectors_of_its_specification(void **state)
{
    static const struct {
        const char *plain;
        const char *encoded;
    } cases[] = {
        {"",             ""        },
        {"f",            "Zg=="    },
        {"fo",           "Zm8="    },
        {"foo",          "Zm9v"    },
        {"foob",         "Zm9vYg=="},
        {"fooba",        "Zm9vYmE="},
        {"foobar",       "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"    }
    };

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        CLEANUP(secret_reset) struct secret encoded = {0};
        CLEANUP(secret_reset) struct secret plain = {0};

        assert_true(secret_append_text(&encoded, ">"));
        assert_true(text_append_base64(&encoded, cases[at].plain, strlen(cases[at].plain)));
        assert_string_equal(secret_text(&encoded) + 1, cases[at].encoded);
        assert_true(secret_append_text(&plain, ">"));
        assert_true(text_append_from_base64(&plain, cases[at].encoded, strlen(cases[at].encoded)));
        assert_string_equal(secret_text(&plain) + 1, cases[at].plain);
    }
}

static void base64_that_is_not_canonical_is_refused_and_leaves_nothing(void **state)
{
    static const char *const cases[] = {"Zg",   "Zg=",  "Zh==", "Zm9=", "Z===",     "====",     "Zm9v\n",
                                        "Zm 9", "Zm-_", "=Zg=", "Z=g=", "Zg==Zg==", "Zm8=Zg==", "Zg==="};
    CLEANUP(secret_reset) struct secret plain = {0};

    (void)state;
    assert_true(secret_append_text(&plain, "kept"));
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        assert_false(text_append_from_base64(&plain, cases[at], strlen(cases[at])));
        assert_int_equal(plain.size, 4);
        assert_string_equal(secret_text(&plain), "kept");
    }
}

static void every_byte_goes_through_base64_and_back(void **state)
{
    CLEANUP(secret_reset) struct secret encoded = {0};
    CLEANUP(secret_reset) struct secret plain = {0};
    uint8_t bytes[1000];

    (void)state;
    for (size_t at = 0; at < sizeof(bytes); at++)
        bytes[at] = (uint8_t)(at * 7 + at / 256);
    for (size_t size = 0; size <= sizeof(bytes); size += 37) {
        secret_clear(&encoded);
        secret_clear(&plain);
        assert_true(text_append_base64(&encoded, bytes, size));
        assert_true(text_append_from_base64(&plain, secret_text(&encoded), encoded.size));
        assert_int_equal(plain.size, size);
        if (size > 0)
            assert_memory_equal(plain.bytes, bytes, size);
    }
}

static void json_strings_escape_what_they_must(void **state)
{
    CLEANUP(secret_reset) struct secret json = {0};

    (void)state;
    assert_true(text_append_json(&json, "a\"b\\c\n\r\t\b\f\x01\x1f\x7f/ \xe2\x82\xac", 18));
    assert_string_equal(secret_text(&json),
                        "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\\u007f/ \xe2\x82\xac\"");
    secret_clear(&json);
    assert_true(text_append_json(&json, "", 0));
    assert_string_equal(secret_text(&json), "\"\"");
    secret_clear(&json);
    assert_true(text_append_json(&json, "a\0b", 3));
    assert_string_equal(secret_text(&json), "\"a\\u0000b\"");
}

static void numbers_have_one_spelling_and_a_bound(void **state)
{
    static const char *const refused[] = {
        "", "-1", "+1", " 1", "1 ", "01", "00", "1x", "0x1", "18446744073709551616", "99999999999999999999"};
    uint64_t number = 7;

    (void)state;
    for (size_t at = 0; at < sizeof(refused) / sizeof(refused[0]); at++)
        assert_false(text_to_number(refused[at], UINT64_MAX, &number));
    assert_int_equal(number, 7);
    assert_true(text_to_number("0", 0, &number));
    assert_int_equal(number, 0);
    assert_true(text_to_number("18446744073709551615", UINT64_MAX, &number));
    assert_true(number == UINT64_MAX);
    assert_true(text_to_number("255", 255, &number));
    assert_false(text_to_number("256", 255, &number));
    assert_false(text_to_number("5", 4, &number));
}

static void durations_have_units_and_bounds(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"90",   90      },
        {"90s",  90      },
        {"15m",  900     },
        {"8h",   28800   },
        {"2d",   172800  },
        {"366d", 31622400},
        {"1",    1       }
    };
    static const char *const refused[] = {"",    "0",    "0d",       "s",   "1w",  "1.5h",
                                          "-1m", "367d", "31622401", "1 h", "1hh", "9999999999999999999999d"};
    uint64_t seconds = 0;

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        assert_true(text_to_duration(cases[at].text, &seconds));
        assert_int_equal(seconds, cases[at].seconds);
    }
    for (size_t at = 0; at < sizeof(refused) / sizeof(refused[0]); at++)
        assert_false(text_to_duration(refused[at], &seconds));
}

static void fnv1a_has_its_known_answers(void **state)
{
    (void)state;
    assert_true(text_fnv1a("", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(text_fnv1a("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(text_fnv1a("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static void distance_counts_edits_up_to_a_limit(void **state)
{
    char sixty_five[66];

    (void)state;
    memset(sixty_five, 'a', 65);
    sixty_five[65] = '\0';
    assert_int_equal(text_distance("slack", "slack", 3), 0);
    assert_int_equal(text_distance("slack", "slakc", 3), 2);
    assert_int_equal(text_distance("", "abc", 3), 3);
    assert_int_equal(text_distance("kitten", "sitting", 5), 3);
    assert_int_equal(text_distance("kitten", "sitting", 2), 3);
    assert_int_equal(text_distance("abc", "xyz", 1), 2);
    assert_int_equal(text_distance(sixty_five, "a", 2), 3);
    assert_int_equal(text_distance(sixty_five + 1, sixty_five + 1, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(what_is_not_plain_becomes_one_question_mark),
        cmocka_unit_test(hexadecimal_has_one_spelling),
        cmocka_unit_test(base64_has_the_vectors_of_its_specification),
        cmocka_unit_test(base64_that_is_not_canonical_is_refused_and_leaves_nothing),
        cmocka_unit_test(every_byte_goes_through_base64_and_back),
        cmocka_unit_test(json_strings_escape_what_they_must),
        cmocka_unit_test(numbers_have_one_spelling_and_a_bound),
        cmocka_unit_test(durations_have_units_and_bounds),
        cmocka_unit_test(fnv1a_has_its_known_answers),
        cmocka_unit_test(distance_counts_edits_up_to_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
