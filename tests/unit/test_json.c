/* vault/json/json.c: what is read, what is refused and said of it, and what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "json/json.h"

static struct json *parsed(const char *text)
{
    struct failure failure;
    struct json *json = NULL;

    assert_int_equal(json_parse(text, strlen(text), "the text", &failure, &json), STATUS_OK);
    assert_non_null(json);
    return json;
}

static void assert_refused(const void *bytes, size_t size, const char *sentence)
{
    struct failure failure = {.sentence = ""};
    struct json *json = NULL;

    assert_int_equal(json_parse(bytes, size, "the text", &failure, &json), STATUS_INVALID);
    assert_null(json);
    assert_string_equal(failure.sentence, sentence);
}

static void members_are_read_by_kind(void **state)
{
    CLEANUP(json_freep)
    struct json *json =
        parsed("{\"t\":\"ü\",\"n\":-7,\"b\":true,\"l\":[1,\"x\"],\"o\":{\"k\":1},\"z\":null,\"r\":1.0}");
    int64_t number = 0;
    bool boolean = false;
    size_t size = 0;

    (void)state;
    assert_int_equal(json_kind(json), JSON_KIND_OBJECT);
    assert_string_equal(json_text(json_member(json, "t"), &size), "ü");
    assert_int_equal(size, 2);
    assert_true(json_number(json_member(json, "n"), &number));
    assert_int_equal(number, -7);
    assert_true(json_boolean(json_member(json, "b"), &boolean));
    assert_true(boolean);
    assert_int_equal(json_count(json_member(json, "l")), 2);
    assert_string_equal(json_text(json_at(json_member(json, "l"), 1), NULL), "x");
    assert_null(json_at(json_member(json, "l"), 2));
    assert_int_equal(json_count(json_member(json, "o")), 1);
    assert_int_equal(json_kind(json_member(json, "r")), JSON_KIND_NUMBER);
    assert_false(json_number(json_member(json, "r"), &number));
}

static void absent_null_and_wrong_kinds_are_not_there(void **state)
{
    CLEANUP(json_freep) struct json *json = parsed("{\"t\":\"x\",\"z\":null}");
    int64_t number;
    bool boolean;

    (void)state;
    assert_null(json_member(json, "z"));
    assert_null(json_member(json, "absent"));
    assert_null(json_member(json_member(json, "t"), "x"));
    assert_null(json_member(NULL, "x"));
    assert_null(json_text(NULL, NULL));
    assert_null(json_text(json, NULL));
    assert_null(json_member_text(json, "absent"));
    assert_false(json_number(json_member(json, "t"), &number));
    assert_false(json_boolean(json_member(json, "t"), &boolean));
    assert_true(json_member_boolean(json, "absent", true));
    assert_int_equal(json_member_number(json, "t", 9), 9);
    assert_int_equal(json_count(json_member(json, "t")), 0);
    assert_int_equal(json_count(NULL), 0);
}

static void objects_are_walked_in_their_order(void **state)
{
    CLEANUP(json_freep) struct json *json = parsed("{\"b\":1,\"a\":2,\"c\":3}");
    char keys[4] = "";
    void *iterator = NULL;
    const struct json *value;
    const char *key;
    size_t count = 0;

    (void)state;
    while (json_next(json, &iterator, &key, &value))
        keys[count++] = key[0];
    assert_string_equal(keys, "bac");
    iterator = NULL;
    assert_false(json_next(NULL, &iterator, &key, &value));
}

static void what_is_not_json_is_refused_without_its_content(void **state)
{
    (void)state;
    assert_refused("", 0, "the text is not JSON: it is empty");
    assert_refused("{\"a\":\"hunter2\"", 14, "the text is not JSON: it ends too early, at line 1, column 14");
    assert_refused("{\"a\":hunter2}", 13, "the text is not JSON: the syntax is wrong, at line 1, column 11");
    assert_refused("\"x\"", 3, "the text is not JSON: the syntax is wrong, at line 1, column 3");
}

static void duplicate_keys_nul_bytes_and_trailing_bytes_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\"a\":2}", 13,
                   "the text is not JSON: an object has one key twice, at line 1, column 10");
    assert_refused("{\"a\":\"x\\u0000\"}", 15,
                   "the text is not JSON: a text holds a NUL, at line 1, column 14");
    assert_refused("{} {}", 5, "the text is not JSON: something follows its end, at line 1, column 4");
    assert_refused("{\"a\":\"\xff\"}", 9, "the text is not JSON: it is not UTF-8, at line 1, column 6");
    assert_refused("{\"a\":99999999999999999999}", 26,
                   "the text is not JSON: a number is too large, at line 1, column 25");
}

static void of_what_others_wrote_the_last_of_two_counts_and_a_text_with_a_nul_is_none(void **state)
{
    static const char text[] = "{\"a\":\"first\",\"a\":\"last\",\"b\":\"x\\u0000y\"}";
    CLEANUP(json_freep) struct json *json = NULL;
    struct failure failure;

    (void)state;
    assert_int_equal(json_parse_foreign(text, sizeof(text) - 1, "the text", &failure, &json), STATUS_OK);
    assert_string_equal(json_member_text(json, "a"), "last");
    assert_non_null(json_member(json, "b"));
    assert_null(json_member_text(json, "b"));
}

static void deep_nesting_is_refused_and_brackets_in_text_do_not_count(void **state)
{
    char text[512] = "";
    struct failure failure;
    CLEANUP(json_freep) struct json *json = NULL;
    CLEANUP(json_freep) struct json *flat = NULL;

    (void)state;
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_refused(text, 130, "the text is not JSON we read: it is nested deeper than 64");
    assert_int_equal(json_parse(text + 1, 128, "the text", &failure, &json), STATUS_OK);
    memset(text, '[', 200);
    memcpy(text, "[\"\\\"", 4);
    memcpy(text + 200, "\"]", 2);
    assert_int_equal(json_parse(text, 202, "the text", &failure, &flat), STATUS_OK);
}

static void every_kind_is_written(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    (void)state;
    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "t", "a\"b\n");
    json_add_bytes(&writer, "y", "xyz", 2);
    json_add_base64(&writer, "s", "\xff\x00", 2);
    json_add_hex(&writer, "h", "\xab\x01", 2);
    json_add_number(&writer, "n", UINT64_MAX);
    json_add_number(&writer, "zero", 0);
    json_add_boolean(&writer, "f", false);
    json_add_null(&writer, "z");
    json_add_raw(&writer, "r", "[1]", 3);
    json_open_array(&writer, "l");
    json_add_boolean(&writer, NULL, true);
    json_open_object(&writer, NULL);
    json_close_object(&writer);
    json_close_array(&writer);
    json_close_object(&writer);
    assert_false(writer.failed);
    assert_string_equal(
        secret_text(&text),
        "{\"t\":\"a\\\"b\\n\",\"y\":\"xy\",\"s\":\"/wA=\",\"h\":\"ab01\",\"n\":18446744073709551615,"
        "\"zero\":0,\"f\":false,\"z\":null,\"r\":[1],\"l\":[true,{}]}");
}

static void a_parsed_value_is_written_again_in_its_order(void **state)
{
    const char *source = "{\"b\":[1,-2,true,null,\"\\u00e4\\\"\\u0001\"],\"a\":{\"\":1.5}}";
    CLEANUP(json_freep) struct json *json = parsed(source);
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    (void)state;
    json_writer_start(&writer, &text);
    json_add_value(&writer, NULL, json);
    assert_false(writer.failed);
    assert_string_equal(secret_text(&text), "{\"b\":[1,-2,true,null,\"ä\\\"\\u0001\"],\"a\":{\"\":1.5}}");
}

static void text_that_is_not_utf8_fails_the_writer_for_good(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    (void)state;
    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "t", "\xff");
    assert_true(writer.failed);
    json_add_number(&writer, "n", 1);
    json_close_object(&writer);
    assert_true(writer.failed);
}

static void a_writer_too_deep_fails_and_does_not_overflow(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    (void)state;
    json_writer_start(&writer, &text);
    for (int i = 0; i < 15; i++)
        json_open_array(&writer, NULL);
    assert_false(writer.failed);
    for (int i = 0; i < 50; i++)
        json_open_array(&writer, NULL);
    assert_true(writer.failed);
}

static void more_hex_than_fits_fails_the_writer(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    uint8_t bytes[65] = {0};

    (void)state;
    json_writer_start(&writer, &text);
    json_add_hex(&writer, NULL, bytes, 64);
    assert_false(writer.failed);
    json_add_hex(&writer, NULL, bytes, 65);
    assert_true(writer.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_by_kind),
        cmocka_unit_test(absent_null_and_wrong_kinds_are_not_there),
        cmocka_unit_test(objects_are_walked_in_their_order),
        cmocka_unit_test(what_is_not_json_is_refused_without_its_content),
        cmocka_unit_test(duplicate_keys_nul_bytes_and_trailing_bytes_are_refused),
        cmocka_unit_test(of_what_others_wrote_the_last_of_two_counts_and_a_text_with_a_nul_is_none),
        cmocka_unit_test(deep_nesting_is_refused_and_brackets_in_text_do_not_count),
        cmocka_unit_test(every_kind_is_written),
        cmocka_unit_test(a_parsed_value_is_written_again_in_its_order),
        cmocka_unit_test(text_that_is_not_utf8_fails_the_writer_for_good),
        cmocka_unit_test(a_writer_too_deep_fails_and_does_not_overflow),
        cmocka_unit_test(more_hex_than_fits_fails_the_writer),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
