/* cli/code/mask.c, finder.c, pattern.c, stream.c, mask_json.c: what is scrubbed, however the text is cut,
 * against a search that looks for each pattern at each place. What other programs make of the same values is
 * compared in tests/code/test_mask.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "code/mask.h"
#include "code/stream.h"

#define LARGE 65536

/* `entries` are joined by NULs. */
static enum status load(const void *entries, size_t size, struct failure *failure, struct mask **ret_mask)
{
    CLEANUP(cleanup_close) int descriptor = memfd_create("values", MFD_CLOEXEC);

    assert_int_equal(write(descriptor, entries, size), (ssize_t)size);
    assert_int_equal(lseek(descriptor, 0, SEEK_SET), 0);
    return mask_load(descriptor, failure, ret_mask);
}

static struct mask *mask_of(const char *const values[], size_t count)
{
    CLEANUP(secret_reset) struct secret entries = {0};
    struct failure failure = {0};
    struct mask *mask = NULL;

    for (size_t i = 0; i < count; i++)
        assert_true(secret_append_text(&entries, "NAME=") &&
                    secret_append(&entries, values[i], strlen(values[i]) + 1));
    assert_int_equal(load(entries.bytes, entries.size, &failure, &mask), STATUS_OK);
    return mask;
}

static struct mask *mask_of_one(const char *value)
{
    return mask_of(&value, 1);
}

static void expect_masked(const struct mask *mask, const char *text, const char *expected)
{
    CLEANUP(secret_reset) struct secret masked = {0};

    assert_true(mask_append(mask, text, strlen(text), &masked));
    assert_string_equal(secret_text(&masked), expected);
}

/* Each byte that lies in any place where any pattern stands. */
static void mask_slowly(const char *const values[], size_t count, const uint8_t *text, size_t size,
                        struct secret *ret_masked)
{
    CLEANUP(pattern_reset) struct pattern_list list = {0};
    CLEANUP(cleanup_free) uint8_t *covered = calloc(size + 1, 1);

    for (size_t i = 0; i < count; i++)
        assert_true(pattern_add_forms(&list, values[i], strlen(values[i])));
    for (size_t i = 0; i < pattern_count(&list); i++) {
        size_t length;
        const uint8_t *pattern = pattern_get(&list, i, &length);

        for (size_t at = 0; at + length <= size; at++) {
            if (memcmp(text + at, pattern, length) == 0)
                memset(covered + at, 1, length);
        }
    }
    for (size_t at = 0; at < size; at++) {
        if (!covered[at])
            assert_true(secret_append_byte(ret_masked, text[at]));
        else if (at == 0 || !covered[at - 1])
            assert_true(secret_append_text(ret_masked, MASK_TEXT));
    }
}

static void feed(struct stream *stream, const uint8_t *piece, size_t size, struct secret *masked)
{
    const uint8_t *ready;
    size_t ready_size;

    memcpy(stream_room(stream), piece, size);
    ready_size = stream_feed(stream, size, &ready);
    assert_true(secret_append(masked, ready, ready_size));
}

static void release(struct stream *stream, struct secret *masked)
{
    const uint8_t *ready;
    size_t ready_size = stream_release(stream, &ready);

    assert_true(secret_append(masked, ready, ready_size));
    assert_int_equal(stream_held(stream), 0);
}

/* In two pieces, cut at each place, and byte by byte. */
static void expect_at_each_cut(const char *const values[], size_t count, const uint8_t *text, size_t size)
{
    CLEANUP(mask_freep) struct mask *mask = mask_of(values, count);
    CLEANUP(secret_reset) struct secret expected = {0};

    mask_slowly(values, count, text, size, &expected);
    for (size_t cut = 0; cut <= size + 1; cut++) {
        CLEANUP(stream_freep) struct stream *stream = stream_make(mask_finder(mask), size);
        CLEANUP(secret_reset) struct secret masked = {0};

        if (cut <= size) {
            feed(stream, text, cut, &masked);
            feed(stream, text + cut, size - cut, &masked);
        } else {
            for (size_t i = 0; i < size; i++)
                feed(stream, text + i, 1, &masked);
        }
        assert_true(stream_held(stream) < finder_longest(mask_finder(mask)));
        release(stream, &masked);
        assert_int_equal(masked.size, expected.size);
        assert_memory_equal(masked.bytes, expected.bytes, expected.size);
    }
}

static void values_are_scrubbed_wherever_the_text_is_cut(void **state)
{
    static const char *const values[] = {"hunter2", "hunter2-and-more", "two\nlines of it", "more than",
                                         "aaaa"};
    static const char *const texts[] = {
        "",
        "hunter2",
        "hunter",
        "a hunter2 b hunter2-and-mor hunter2-and-more than",
        "two\nlines of it two\nlines of two\r\nlines of it lines of it two",
        "aaaaaaaaaa aaa aaaa aaaab aaaaaaa",
        "aHVudGVyMg== eGh1bnRlcjI= hunterhunter2hunter2hunt",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_at_each_cut(values, sizeof(values) / sizeof(values[0]), (const uint8_t *)texts[i],
                           strlen(texts[i]));
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void values_that_overlap_in_every_way_are_scrubbed_as_the_slow_search_does(void **state)
{
    uint32_t seed = 6;

    (void)state;
    for (size_t round = 0; round < 300; round++) {
        char values[4][12];
        const char *pointers[4];
        uint8_t text[120];

        for (size_t i = 0; i < 4; i++) {
            const size_t length = 4 + random_next(&seed) % 7;

            for (size_t at = 0; at < length; at++)
                values[i][at] = "ab\n"[random_next(&seed) % (round % 3 == 0 ? 3 : 2)];
            values[i][length] = '\0';
            pointers[i] = values[i];
        }
        for (size_t at = 0; at < sizeof(text); at++)
            text[at] = (uint8_t) "ab\n\r"[random_next(&seed) % (round % 3 == 0 ? 4 : 2)];
        expect_at_each_cut(pointers, 1 + round % 4, text, sizeof(text));
    }
}

static void the_forms_that_programs_print_are_scrubbed(void **state)
{
    static const char value[] = "p@ss w\"rd/\303\251<\360\237\230\200>\n&x~'";
    static const char *const forms[] = {
        value,
        "p%40ss%20w%22rd%2F%C3%A9%3C%F0%9F%98%80%3E%0A%26x~'",
        "p%40ss%20w%22rd%2f%c3%a9%3c%f0%9f%98%80%3e%0a%26x~'",
        "p%40ss+w%22rd%2F%C3%A9%3C%F0%9F%98%80%3E%0A%26x%7E%27",
        "p%40ss+w%22rd%2F%C3%A9%3C%F0%9F%98%80%3E%0A%26x~%27",
        "p%40ss%20w%22rd/%C3%A9%3C%F0%9F%98%80%3E%0A%26x~%27",
        "p@ss%20w%22rd/%C3%A9%3C%F0%9F%98%80%3E%0A&x~'",
        "p@ss w\\\"rd/\303\251<\360\237\230\200>\\n&x~'",
        "p@ss w\\\"rd/\\u00e9<\\ud83d\\ude00>\\n&x~'",
        "p@ss w\\\"rd\\/\\u00e9<\\ud83d\\ude00>\\n&x~'",
        "p@ss w\\\"rd/\303\251\\u003c\360\237\230\200\\u003e\\n\\u0026x~'",
    };
    CLEANUP(mask_freep) struct mask *mask = mask_of_one(value);

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "{%s}", forms[i]);
        expect_masked(mask, text, "{***}");
    }
}

static void base64_is_scrubbed_wherever_the_value_stands_in_it(void **state)
{
    static const char *const values[] = {"abcd", "abcde", "abcdef", "\377\376\375\374\373",
                                         "a secret that is longer"};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        CLEANUP(mask_freep) struct mask *mask = mask_of_one(values[i]);
        const size_t size = strlen(values[i]);

        for (size_t before = 0; before < 4; before++) {
            for (size_t after = 0; after < 4; after++) {
                CLEANUP(secret_reset) struct secret text = {0};
                CLEANUP(secret_reset) struct secret encoded = {0};
                CLEANUP(secret_reset) struct secret masked = {0};

                assert_true(secret_append(&text, "xyz", before) && secret_append_text(&text, values[i]) &&
                            secret_append(&text, "uvw", after));
                assert_true(text_append_base64(&encoded, text.bytes, text.size));
                assert_true(mask_append(mask, encoded.bytes, encoded.size, &masked));
                assert_non_null(strstr(secret_text(&masked), MASK_TEXT));
                /* Of the value at most what shares a character with its neighbours is left: 6 bits on each
                 * side. */
                assert_true(masked.size <= (before * 8 + 5) / 6 + (after * 8 + 5) / 6 + 2 + 3 + 2);
                assert_true(before > 0 || after > 0 || strcmp(secret_text(&masked), MASK_TEXT) == 0);
                for (size_t at = 0; at < encoded.size; at++) {
                    encoded.bytes[at] = encoded.bytes[at] == '+' ? '-' : encoded.bytes[at];
                    encoded.bytes[at] = encoded.bytes[at] == '/' ? '_' : encoded.bytes[at];
                }
                secret_clear(&masked);
                assert_true(mask_append(mask, encoded.bytes, encoded.size, &masked));
                assert_non_null(strstr(secret_text(&masked), MASK_TEXT));
                assert_true(size > 0);
            }
        }
    }
}

static void a_lines_blanks_stay_and_short_lines_are_no_sign_of_the_value(void **state)
{
    CLEANUP(mask_freep) struct mask *mask = mask_of_one("-----BEGIN\n   indented line \r\nshort\nlast line");

    (void)state;
    expect_masked(mask, "  indented line  short; last line", "  ***  short; ***");
    expect_masked(mask, "-----BEGIN\n   indented line \r\nshort\nlast line.", "***.");
    expect_masked(mask, "-----BEGIN\r\n   indented line \r\r\nshort\r\nlast line.", "***.");
}

static void base64_in_lines_is_scrubbed(void **state)
{
    static const size_t lengths[] = {64, 76};
    char value[121];

    (void)state;
    for (size_t i = 0; i < 120; i++)
        value[i] = (char)(33 + i * 37 % 90);
    value[120] = '\0';
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(mask_freep) struct mask *mask = mask_of_one(value);
        CLEANUP(secret_reset) struct secret encoded = {0};
        CLEANUP(secret_reset) struct secret lines = {0};

        assert_true(text_append_base64(&encoded, value, 120));
        for (size_t at = 0; at < encoded.size; at += lengths[i]) {
            const size_t rest = encoded.size - at;

            assert_true(secret_append(&lines, encoded.bytes + at, rest < lengths[i] ? rest : lengths[i]) &&
                        secret_append_byte(&lines, '\n'));
        }
        expect_masked(mask, secret_text(&lines), i == 0 ? "***\n***\n***\n" : "***\n***\n***\n");
    }
}

static void a_value_under_four_bytes_is_named_and_passes(void **state)
{
    static const char entries[] = "PIN=123\0TOKEN=1234\0EMPTY=\0";
    CLEANUP(mask_freep) struct mask *mask = NULL;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(load(entries, sizeof(entries) - 1, &failure, &mask), STATUS_OK);
    assert_string_equal(mask_short_name(mask, 0), "PIN");
    assert_string_equal(mask_short_name(mask, 1), "EMPTY");
    assert_null(mask_short_name(mask, 2));
    expect_masked(mask, "123 1234", "123 ***");
}

static void without_values_all_passes(void **state)
{
    CLEANUP(mask_freep) struct mask *mask = NULL;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(load("", 0, &failure, &mask), STATUS_OK);
    assert_null(mask_short_name(mask, 0));
    expect_masked(mask,
                  "any text, of any length, passes as it is, because there is nothing to look for in it",
                  "any text, of any length, passes as it is, because there is nothing to look for in it");
}

static void what_is_no_list_of_values_is_refused(void **state)
{
    struct failure failure = {0};
    struct mask *mask = NULL;

    (void)state;
    assert_int_equal(load("NAME=value", 10, &failure, &mask), STATUS_PROTOCOL);
    assert_string_equal(failure.sentence, "the values to mask end within an entry");
    assert_int_equal(load("NAME\0", 5, &failure, &mask), STATUS_PROTOCOL);
    assert_string_equal(failure.sentence, "the values to mask are not NAME=value entries");
    assert_null(mask);
}

static void values_whose_forms_are_too_large_are_refused(void **state)
{
    CLEANUP(secret_reset) struct secret entries = {0};
    struct failure failure = {0};
    struct mask *mask = NULL;

    (void)state;
    for (size_t i = 0; i < 16; i++) {
        assert_true(secret_append_text(&entries, "NAME=") &&
                    secret_append_byte(&entries, (uint8_t)('a' + i)));
        for (size_t at = 1; at < LARGE; at++)
            assert_true(secret_append_byte(&entries, 0xff));
        assert_true(secret_append_byte(&entries, '\0'));
    }
    assert_int_equal(load(entries.bytes, entries.size, &failure, &mask), STATUS_TOO_LARGE);
    assert_null(mask);
    secret_clear(&entries);
    /* The forms of these have no room in a secret, either. */
    for (size_t i = 0; i < (size_t)16 * LARGE / 4096; i++) {
        assert_true(secret_append_format(&entries, "NAME=%04zu", i));
        for (size_t at = 0; at < 2045; at++)
            assert_true(secret_append_text(&entries, "\xc3\xa9"));
        assert_true(secret_append_byte(&entries, '\0'));
    }
    assert_int_equal(load(entries.bytes, entries.size, &failure, &mask), STATUS_TOO_LARGE);
    assert_null(mask);
}

static void a_near_match_of_the_largest_value_passes_in_time(void **state)
{
    CLEANUP(cleanup_free) char *value = malloc(LARGE + 1);
    CLEANUP(cleanup_free) uint8_t *text = malloc(64 * LARGE);
    CLEANUP(mask_freep) struct mask *mask = NULL;
    CLEANUP(secret_reset) struct secret masked = {0};
    uint64_t started;

    (void)state;
    memset(value, 'a', LARGE);
    value[LARGE] = '\0';
    mask = mask_of_one(value);
    memset(text, 'a', (size_t)64 * LARGE);
    for (size_t i = 1; i <= 64; i++)
        text[i * LARGE - 1] = 'b';
    started = clock_monotonic_ms();
    assert_true(mask_append(mask, text, (size_t)64 * LARGE, &masked));
    /* A tenth of a second; a search that begins anew at each place takes hours. */
    assert_true(clock_monotonic_ms() - started < 60000);
    assert_int_equal(masked.size, 64 * LARGE);
    assert_memory_equal(masked.bytes, text, masked.size);
    text[LARGE - 1] = 'a';
    secret_clear(&masked);
    assert_true(mask_append(mask, text, (size_t)2 * LARGE, &masked));
    assert_string_equal(secret_text(&masked), "***b");
}

static void what_is_released_is_not_said_twice_and_the_rest_stays_hidden(void **state)
{
    CLEANUP(mask_freep) struct mask *mask = mask_of_one("password");
    CLEANUP(stream_freep) struct stream *stream = stream_make(mask_finder(mask), 64);
    CLEANUP(secret_reset) struct secret masked = {0};

    (void)state;
    feed(stream, (const uint8_t *)"> pa", 4, &masked);
    assert_string_equal(secret_text(&masked), "> ");
    assert_int_equal(stream_held(stream), 2);
    release(stream, &masked);
    assert_string_equal(secret_text(&masked), "> pa");
    feed(stream, (const uint8_t *)"ssword pa", 9, &masked);
    assert_string_equal(secret_text(&masked), "> pa*** ");
    release(stream, &masked);
    feed(stream, (const uint8_t *)"th", 2, &masked);
    assert_string_equal(secret_text(&masked), "> pa*** path");
}

static enum status scrub(const struct mask *mask, const char *text, struct failure *failure,
                         struct secret *masked)
{
    return mask_json(mask, text, strlen(text), failure, masked);
}

static void json_is_scrubbed_in_strings_names_and_numbers_and_stays_json(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {" {\"a\" : [1, 2.50, -0, 1e9, true, null, {}, []]} ",
         " {\"a\" : [1, 2.50, -0, 1e9, true, null, {}, []]} "                                            },
        {"{\"se\\u0063ret\\/1\":\"x secret/1 y\"}",            "{\"***\":\"x *** y\"}"                   },
        {"[\"\\ud83d\\ude00secret/1\\ud83d\"]",                "[\"\360\237\230\200***\\ud83d\"]"        },
        {"[\"tab\\tsecret/1\\u0000\"]",                        "[\"tab\\t***\\u0000\"]"                  },
        {"\"tab\\tother \\u0041\"",                            "\"tab\\tother \\u0041\""                 },
        {"[123456, 1234, 91234567.5, \"123456\"]",             "[\"***\", 1234, \"***\", \"***\"]"       },
        {"{\"nested\":\"{\\\"a\\\":\\\"c2VjcmV0LzE=\\\"}\"}",  "{\"nested\":\"{\\\"a\\\":\\\"***\\\"}\"}"},
        {"\"secret/1\"",                                       "\"***\""                                 },
        {"123456",                                             "\"***\""                                 },
    };
    static const char *const values[] = {"secret/1", "123456"};
    CLEANUP(mask_freep) struct mask *mask = mask_of(values, 2);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(secret_reset) struct secret masked = {0};
        struct failure failure = {0};

        assert_int_equal(scrub(mask, cases[i].text, &failure, &masked), STATUS_OK);
        assert_string_equal(secret_text(&masked), cases[i].expected);
    }
}

static void values_in_many_strings_are_scrubbed_in_time_beside_a_large_one(void **state)
{
    enum { STRINGS = 600000 };
    CLEANUP(cleanup_free) char *value = malloc(LARGE);
    CLEANUP(mask_freep) struct mask *mask = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(secret_reset) struct secret masked = {0};
    struct failure failure = {0};
    uint64_t started;

    (void)state;
    memset(value, 'z', LARGE - 1);
    value[LARGE - 1] = '\0';
    mask = mask_of((const char *const[]){"abcd", value}, 2);
    for (size_t i = 0; i < STRINGS; i++)
        assert_true(secret_append_text(&text, i == 0 ? "[\"abcd\"" : ",\"abcd\""));
    assert_true(secret_append_byte(&text, ']'));
    started = clock_monotonic_ms();
    assert_int_equal(mask_json(mask, text.bytes, text.size, &failure, &masked), STATUS_OK);
    /* A quarter of a second; making room for the large one at each string takes minutes. */
    assert_true(clock_monotonic_ms() - started < 60000);
    assert_int_equal(masked.size, text.size - STRINGS);
    assert_memory_equal(masked.bytes, "[\"***\",\"***\",", 13);
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const texts[] = {
        "",    " ",   "{",         "[1,]",    "{\"a\"}",     "{\"a\":}", "{\"a\":1,}", "{a:1}", "[1 2]",
        "]",   "[}",  "{]",        "01",      "1.",          "-",        "1e",         "+1",    ".5",
        "tru", "nul", "\"",        "\"\\x\"", "\"\\u12g4\"", "\"\n\"",   "\"\377\"",   "1 2",   "{} x",
        "'a'", "[1}", "{\"a\":1]", ",",       ":",           "\"\\",     "\"\\u12",
    };
    CLEANUP(mask_freep) struct mask *mask = mask_of_one("secret");

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CLEANUP(secret_reset) struct secret masked = {0};
        struct failure failure = {0};

        assert_int_equal(scrub(mask, texts[i], &failure, &masked), STATUS_INVALID);
        assert_int_equal(masked.size, 0);
        assert_memory_equal(failure.sentence, "the text is not JSON from byte ", 31);
    }
}

static void json_may_be_nested_ten_thousand_levels_deep(void **state)
{
    CLEANUP(mask_freep) struct mask *mask = mask_of_one("secret");
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(secret_reset) struct secret masked = {0};
    struct failure failure = {0};

    (void)state;
    for (size_t i = 0; i < 10000; i++)
        assert_true(secret_append_byte(&text, '['));
    assert_int_equal(mask_json(mask, text.bytes, text.size, &failure, &masked), STATUS_INVALID);
    for (size_t i = 0; i < 10000; i++)
        assert_true(secret_append_byte(&text, ']'));
    assert_int_equal(mask_json(mask, text.bytes, text.size, &failure, &masked), STATUS_OK);
    assert_int_equal(masked.size, 20000);
    secret_clear(&text);
    for (size_t i = 0; i <= 10000; i++)
        assert_true(secret_append_byte(&text, '['));
    for (size_t i = 0; i <= 10000; i++)
        assert_true(secret_append_byte(&text, ']'));
    assert_int_equal(mask_json(mask, text.bytes, text.size, &failure, &masked), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_scrubbed_wherever_the_text_is_cut),
        cmocka_unit_test(values_that_overlap_in_every_way_are_scrubbed_as_the_slow_search_does),
        cmocka_unit_test(the_forms_that_programs_print_are_scrubbed),
        cmocka_unit_test(base64_is_scrubbed_wherever_the_value_stands_in_it),
        cmocka_unit_test(a_lines_blanks_stay_and_short_lines_are_no_sign_of_the_value),
        cmocka_unit_test(base64_in_lines_is_scrubbed),
        cmocka_unit_test(a_value_under_four_bytes_is_named_and_passes),
        cmocka_unit_test(without_values_all_passes),
        cmocka_unit_test(what_is_no_list_of_values_is_refused),
        cmocka_unit_test(values_whose_forms_are_too_large_are_refused),
        cmocka_unit_test(a_near_match_of_the_largest_value_passes_in_time),
        cmocka_unit_test(what_is_released_is_not_said_twice_and_the_rest_stays_hidden),
        cmocka_unit_test(json_is_scrubbed_in_strings_names_and_numbers_and_stays_json),
        cmocka_unit_test(values_in_many_strings_are_scrubbed_in_time_beside_a_large_one),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(json_may_be_nested_ten_thousand_levels_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
